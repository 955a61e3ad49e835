from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from porescope.network import present, rescale, standardize
from porescope.network.views import remove_lattice


def draw_spots(vacant: int | None = None) -> np.ndarray:
    """A square lattice of spots, one of them missing."""
    y, x = np.mgrid[:180, :200].astype(np.float32)
    spots = [(r, c) for r in range(6, 180, 8) for c in range(6, 200, 8)]
    if vacant is not None:
        del spots[vacant]
    return np.sum([np.exp(-((y - r) ** 2 + (x - c) ** 2) / 8) for r, c in spots], axis=0).astype(np.float32)


def test_what_repeats_goes_and_a_vacancy_stays() -> None:
    rest = remove_lattice(draw_spots())
    assert rest[20:-20, 20:-20].std() < 0.06 * draw_spots()[20:-20, 20:-20].std()
    vacant = 11 * 25 + 12  # the spot at row 94, column 102
    hole = remove_lattice(draw_spots(vacant))
    at = np.unravel_index(hole[20:-20, 20:-20].argmin(), (140, 160))
    assert np.hypot(at[0] + 20 - 94, at[1] + 20 - 102) <= 1
    assert hole[94, 102] < -0.4


@settings(max_examples=15)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 3))
def test_every_shape_has_its_views(rows: int, columns: int, seed: int) -> None:
    image = np.random.default_rng(seed).poisson(5, (rows, columns)).astype(np.float32)
    views = present(image, "haadf")
    assert views.shape == (3, rows, columns) and np.isfinite(views).all()
    np.testing.assert_array_equal(views[0], standardize(image, "haadf"))
    assert rescale(image, (17, 23)).shape == (17, 23)


def test_shading_stays() -> None:
    shading = np.linspace(0, 3, 200, dtype=np.float32)[None] + np.zeros((180, 1), np.float32)
    shaded = remove_lattice(draw_spots() + shading)
    np.testing.assert_allclose((shaded - shading)[20:-20, 20:-20].std(), 0, atol=0.1)
