from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops

from porescope.labels import label_regions
from porescope.sizes import measure_edge, measure_pixels


@pytest.mark.parametrize("radius", [3.3, 6.0, 11.7])
def test_the_area_of_a_soft_disc_is_that_inside_its_half_level(radius: float) -> None:
    y, x = np.indices((40, 50))
    distance = np.hypot(y - 19.3, x - 24.6)
    width = 0.8
    probability = 1 / (1 + np.exp((distance - radius) / width))
    (region,) = regionprops(label_regions(probability >= 0.5))
    area, perimeter, deviation, _ = measure_edge(region, probability, pixel_area=0.01)
    assert perimeter == pytest.approx(2 * np.pi * radius * 0.1, rel=0.02)
    assert area == pytest.approx(np.pi * radius**2 * 0.01, rel=0.02)
    # 0.84 and 0.16 lie ln(0.84 / 0.16) widths inside and outside of the edge, so twice that in diameter.
    assert deviation == pytest.approx(2 * width * np.log(0.84 / 0.16) * 0.1, rel=0.1)


def test_a_neighbours_probability_does_not_count() -> None:
    probability = np.zeros((20, 30))
    probability[5:10, 5:10], probability[5:10, 13:18] = 1, 1
    for region in regionprops(label_regions(probability >= 0.5)):
        assert measure_edge(region, probability, 1.0)[0] == pytest.approx(25, rel=0.02)


def test_the_pixels_of_a_rectangle_by_hand() -> None:
    mask = np.zeros((20, 30), int)
    mask[4:14, 10:30] = 1
    edge = measure_pixels(regionprops(mask)[0], 0.04)
    assert edge.area_nm2 == pytest.approx(8) and edge.method == "pixels"
    assert edge.perimeter_nm == pytest.approx(12, rel=0.1) and edge.deviation_nm == pytest.approx(
        0.2 / 3**0.5
    )
