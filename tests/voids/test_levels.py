from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porescope.voids.levels import find_levels, flatten, prepare, smooth


def draw(values: list[float], noise: float = 1.0, seed: int = 0) -> np.ndarray:
    """Stripes of grey values, each 60 px wide."""
    image = np.repeat(np.float32(values), 60)[None].repeat(120, axis=0)
    return (image + np.random.default_rng(seed).normal(0, noise, image.shape)).astype(np.float32)


@pytest.mark.parametrize("values", [[50.0], [10.0, 50.0], [10.0, 50.0, 130.0, 200.0]])
def test_the_number_of_levels_is_that_of_the_image(values: list[float]) -> None:
    levels = find_levels(prepare(draw(values), None))
    assert [level.value for level in levels] == pytest.approx(values, abs=0.6)
    assert sum(level.share for level in levels) == pytest.approx(1)


def test_an_even_image_has_one_level_and_an_empty_field_too() -> None:
    even = np.full((40, 50), 7, np.float32)
    assert [level.value for level in find_levels(prepare(even, None))] == pytest.approx([7])
    assert len(find_levels(prepare(draw([1.0, 9.0]), np.zeros((120, 120), bool)))) == 1


@settings(max_examples=8)
@given(st.floats(-0.25, 0.25), st.floats(-0.25, 0.25))
def test_a_slope_of_the_brightness_is_evened_out(down: float, across: float) -> None:
    image = cv2.GaussianBlur(draw([40.0, 100.0, 40.0, 100.0], noise=1.0), (0, 0), 0.8)
    rows, columns = (np.linspace(-0.5, 0.5, n) for n in image.shape)
    plane = 1 + down * rows[:, None] + across * columns[None]
    flat = flatten((image * plane).astype(np.float32), None)
    # Each level has one grey value again; stripes cannot be told from a slope, so across is not asked for.
    for part in (flat[:, 5:55], flat[:, 65:115]):
        means = part.reshape(12, 10, -1).mean(axis=(1, 2))
        assert np.ptp(means) / means.mean() < 0.05


def test_smoothing_keeps_the_area_of_a_disc() -> None:
    y, x = np.mgrid[-20:21, -20:21]
    disc = (np.hypot(y, x) < 9).astype(np.float32)
    areas = [int((one > 0.5).sum()) for one in (disc, smooth(disc, 2.0), cv2.GaussianBlur(disc, (0, 0), 2.0))]
    assert abs(areas[1] - areas[0]) <= 4 < areas[0] - areas[2]
