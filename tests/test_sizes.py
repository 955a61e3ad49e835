from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops

from porescope.labels import label_regions
from porescope.sizes import measure_edge, measure_pixels


@pytest.mark.parametrize("radius", [3.5, 6.0, 11.7])
def test_the_area_of_a_soft_disc_is_that_inside_its_contour(radius: float) -> None:
    y, x = np.indices((40, 50))
    distance = np.hypot(y - 19.3, x - 24.6)
    width = 0.8
    probability = 1 / (1 + np.exp((distance - radius) / width))
    (region,) = regionprops(label_regions(probability >= 0.5))
    area, perimeter, deviation, _ = measure_edge(region, probability, pixel_area=0.01)
    # The contour lies at 0.55, which is ln(0.55 / 0.45) widths inside of 0.5.
    inner = radius - width * np.log(0.55 / 0.45)
    assert perimeter == pytest.approx(2 * np.pi * inner * 0.1, rel=0.02)
    assert area == pytest.approx(np.pi * inner**2 * 0.01, rel=0.02)
    # 0.75 and 0.25 lie ln(0.75 / 0.25) widths inside and outside of 0.5, so twice that in diameter.
    assert deviation == pytest.approx(2 * width * np.log(0.75 / 0.25) * 0.1, rel=0.1)


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
