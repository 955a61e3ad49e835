from __future__ import annotations

import numpy as np
import pytest
from skimage.registration._masked_phase_cross_correlation import cross_correlate_masked

from porescope.registration import compare, refine_peak


def test_the_correlation_is_that_of_padfield() -> None:
    rng = np.random.default_rng(1)
    one, two = rng.normal(5, 2, (17, 21)).astype(np.float32), rng.normal(5, 2, (13, 15)).astype(np.float32)
    known, others = rng.random(one.shape) > 0.2, rng.random(two.shape) > 0.2
    found = compare(one, known, two, others)
    expected = cross_correlate_masked(one, two, known, others, mode="full", axes=(0, 1), overlap_ratio=0.3)
    large = found.common > 0.5 * found.common.max()
    np.testing.assert_allclose(found.correlation[large], expected[large], atol=1e-5)


def test_one_offset_is_counted_by_hand() -> None:
    one = np.array([[1, 2, 4], [0, 5, 3]], np.float32)
    two = np.array([[2, 9], [5, 1]], np.float32)
    known = np.array([[True, False], [True, True]])
    found = compare(one, np.ones((2, 3), bool), two, known)
    # At (0, 1) the pairs are (2, 2), (5, 5), (3, 1); the 9 is not known.
    a, b = np.array([2, 5, 3]), np.array([2, 5, 1])
    at = (1 + 0, 1 + 1)
    assert found.common[at] == 3
    assert found.correlation[at] == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-5)
    assert found.difference[at] == pytest.approx(np.var(a - b), abs=1e-5)


def test_a_peak_between_pixels() -> None:
    y, x = np.mgrid[:7, :7]
    values = np.exp(-((y - 3.3) ** 2 + (x - 2.8) ** 2) / 8).astype(np.float32)
    assert refine_peak(values, np.array([3, 3])) == pytest.approx([3.3, 2.8], abs=0.02)
