"""The size of a pore, finer than its pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.labels import EDGE

if TYPE_CHECKING:
    pass


#: Probabilities a standard deviation inside and outside of an edge.
INNER, OUTER = 0.84, 0.16


#: An edge between pixels is looked for on a grid so many times finer, of at most that many rows.
FINER, FINEST = 5, 1500


def measure_edge(region: Any, probability: NDArray[np.floating], pixel_area: float) -> tuple[float, float]:
    """Area of a pore [nm²] by where its probability is a half; deviation of its diameter [nm]."""
    top, left, bottom, right = region.bbox
    near = tuple(slice(max(a - 2, 0), b + 2) for a, b in ((top, bottom), (left, right)))
    part = np.asarray(probability[near], np.float32)
    own = np.zeros(part.shape, np.uint8)
    own[region.coords[:, 0] - near[0].start, region.coords[:, 1] - near[1].start] = 1
    # What is not next to the pore is another one's, or a shadow.
    reach = cv2.dilate(own, np.ones((3, 3), np.uint8))
    finer = max(1, min(FINER, FINEST // max(part.shape)))
    size = (part.shape[1] * finer, part.shape[0] * finer)
    fine = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
    beside = cv2.resize(reach, size, interpolation=cv2.INTER_NEAREST) > 0
    scale = pixel_area / finer**2
    areas = [float((beside & (fine >= level)).sum()) * scale for level in (OUTER, EDGE, INNER)]
    area = areas[1] or len(region.coords) * pixel_area
    diameters = np.sqrt(4 / np.pi * np.array(areas))
    return area, float(max(diameters[0] - diameters[2], 0.0) / 2)
