from __future__ import annotations

import re

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from porescope.report.outlines import draw_circle, trace_area, trace_regions


def fill(path: str, shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose four quarters a path encloses."""
    corners = []
    for x, y, steps in re.findall(r"M(\d+) (\d+)l([^z]*)z", path):
        moves = np.array(re.findall(r"-?\d+", steps), int).reshape(-1, 2)
        corners.append(np.cumsum(np.vstack([[int(x), int(y)], moves]), axis=0).astype(np.int32))
    canvas = np.zeros((2 * shape[0], 2 * shape[1]), np.uint8)
    cv2.drawContours(canvas, corners, -1, 1, cv2.FILLED)
    return canvas[::2, ::2] & canvas[1::2, 1::2]


@given(arrays(np.uint8, (7, 9), elements=st.integers(0, 2)))
def test_an_outline_encloses_the_pixels_of_its_region(labels: np.ndarray) -> None:
    paths = trace_regions(labels)
    assert sorted(paths) == [k for k in (1, 2) if (labels == k).any()]
    for label, path in paths.items():
        # The pixels at the edge of a hole lie on its outline, which is filled with it.
        assert fill(path, labels.shape)[labels == label].all()


def test_a_hole_is_outlined_too() -> None:
    ring = np.ones((5, 5), int)
    ring[2, 2] = 0
    assert trace_regions(ring)[1].count("M") == 2 and trace_regions(np.ones((5, 5), int))[1].count("M") == 1


def test_an_area_is_traced_roughly_and_its_specks_are_left_out() -> None:
    rows, columns = np.mgrid[:200, :200]
    disc = (rows - 100) ** 2 + (columns - 100) ** 2 < 80**2
    disc[:2, :2] = True
    path = trace_area(disc)
    assert path.count("M") == 1 and len(path) < len(trace_regions(disc.astype(int))[1]) / 5
    assert np.count_nonzero(fill(path, disc.shape) != disc) < 0.02 * disc.sum()


def test_a_circle_has_the_area_of_its_pore() -> None:
    left, top, radius = re.match(r"M([\d.]+) ([\d.]+)a([\d.]+)", draw_circle(30, 40, 314.16)).groups()
    # Half pixels: the centre of pixel 40 is at 80.5 of them.
    assert (float(left) + float(radius), float(top), float(radius)) == (80.5, 60.5, 20.0)
