from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porescope.lattice.medians import _MANY, find_median, find_medians


@settings(max_examples=40)
@given(st.integers(1, 2 * _MANY + 3), st.integers(1, 5000), st.integers(0, 9))
def test_the_median_is_exact_also_with_many_ties(size: int, levels: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, levels, size).astype(np.float32) / 7
    assert find_median(values) == np.median(values)


@pytest.mark.parametrize("size", [2 * _MANY, 2 * _MANY + 1])
def test_a_sample_that_misses_the_middle_does_no_harm(size: int) -> None:
    """The sample takes every sixteenth or seventeenth value: of a comb it sees the teeth alone."""
    comb = np.arange(size, dtype=np.float32)
    comb[:: size // 2**11] += 1e6
    assert find_median(comb) == np.median(comb)
    comb[5] = np.nan
    assert np.isnan(find_median(comb))


def test_rows_have_their_medians() -> None:
    rows = np.random.default_rng(0).normal(size=(3, 4, 256)).astype(np.float32)
    np.testing.assert_array_equal(find_medians(rows), np.median(rows, axis=-1))
    np.testing.assert_array_equal(find_medians(rows[..., :255]), np.median(rows[..., :255], axis=-1))
