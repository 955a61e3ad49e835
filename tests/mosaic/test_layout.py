from __future__ import annotations

import numpy as np

from porescope.mosaic import Layout
from porescope.mosaic.layout import list_pairs


def test_pairs_are_those_with_an_area_in_common() -> None:
    places = np.array([[0, 0], [0, 9], [9, 0], [9, 9], [40, 40]], float)
    sides = np.full((5, 2), 10.0)
    assert list_pairs(places, sides, 0.03) == [(0, 1), (0, 2), (1, 3), (2, 3)]
    assert list_pairs(places, sides) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_the_sheet_ends_at_the_edges_of_its_pixels() -> None:
    turned = np.array([[1.0, 0.1], [-0.1, 1.0]])
    layout = Layout(np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([[10, 20], [10, 20]]), 0.1, turned)
    boxes = layout.boxes_nm
    # y = 1 + 0.1 (r + 0.1 c), x = 2 + 0.1 (c - 0.1 r), r from -0.5 to 9.5, c from -0.5 to 19.5
    np.testing.assert_allclose(boxes[0], [[0.945, 1.855], [2.145, 3.955]])
    np.testing.assert_allclose(layout.bounds_nm, [[0.945, 0.855], [4.145, 3.955]])
