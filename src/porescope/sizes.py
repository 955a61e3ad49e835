"""The size of a pore at sub-pixel accuracy."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.labels import EDGE

#: Probabilities one standard deviation inside and outside of the edge.
_INNER, _OUTER = 0.84, 0.16
#: Factor by which the grid is refined to find the edge, and the largest side of the refined grid [px].
_FINER, _FINEST = 5, 1500


def measure_edge(region: Any, probability: NDArray[np.floating], pixel_area: float) -> tuple[float, float]:
    """Measure a pore by the contour of its probability, between pixels.

    Parameters
    ----------
    region : skimage.measure._regionprops.RegionProperties
    probability : ndarray of float, shape (M, N)
        Probability of a pore at each pixel.
    pixel_area : float
        [nm²]

    Returns
    -------
    area : float
        Inside the contour at probability 0.5 [nm²].
    deviation : float
        Standard deviation of the equivalent diameter [nm]: half the difference between the diameters at
        the probabilities 0.16 and 0.84.
    """
    top, left, bottom, right = region.bbox
    near = tuple(slice(max(a - 2, 0), b + 2) for a, b in ((top, bottom), (left, right)))
    part = np.asarray(probability[near], np.float32)
    own = np.zeros(part.shape, np.uint8)
    own[region.coords[:, 0] - near[0].start, region.coords[:, 1] - near[1].start] = 1
    # Farther than one pixel from the region the probability belongs to another pore.
    reach = cv2.dilate(own, np.ones((3, 3), np.uint8))
    finer = max(1, min(_FINER, _FINEST // max(part.shape)))
    size = (part.shape[1] * finer, part.shape[0] * finer)
    fine = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
    inside = cv2.resize(reach, size, interpolation=cv2.INTER_NEAREST) > 0
    scale = pixel_area / finer**2
    areas = [float((inside & (fine >= level)).sum()) * scale for level in (_OUTER, EDGE, _INNER)]
    area = areas[1] or len(region.coords) * pixel_area
    diameters = np.sqrt(4 / np.pi * np.array(areas))
    return area, float(max(diameters[0] - diameters[2], 0.0) / 2)
