"""The size of a pore at sub-pixel accuracy."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import perimeter_crofton

from porescope.labels import EDGE

#: Probabilities one standard deviation inside and outside of the edge.
_INNER, _OUTER = 0.84, 0.16
#: Factor by which the grid is refined to find the edge, and the largest side of the refined grid [px].
_FINER, _FINEST = 5, 1500


class Edge(NamedTuple):
    """What the edge of a pore encloses."""

    area_nm2: float
    perimeter_nm: float
    deviation_nm: float  # standard deviation of the equivalent diameter
    method: str  # "contour" or "pixels"


def measure_edge(region: Any, probability: NDArray[np.floating], pixel_area: float) -> Edge:
    """Measure a pore by the contour of its probability at 0.5, between pixels.

    Parameters
    ----------
    region : skimage.measure._regionprops.RegionProperties
    probability : ndarray of float, shape (M, N)
        Probability of a pore at each pixel.
    pixel_area : float
        [nm²]

    Returns
    -------
    Edge
        The standard deviation is half the difference between the diameters at the probabilities 0.16 and
        0.84.

    Notes
    -----
    Perimeter by Crofton's formula in four directions (Legland, Kiêu and Devaux 2007,
    doi:10.5566/ias.v26.p83-92).
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
    masks = [inside & (fine >= level) for level in (_OUTER, EDGE, _INNER)]
    outer, area, inner = (float(mask.sum()) * pixel_area / finer**2 for mask in masks)
    perimeter = perimeter_crofton(masks[1], directions=4) * np.sqrt(pixel_area) / finer
    if not area:
        return measure_pixels(region, pixel_area)
    deviation = np.sqrt(outer / np.pi) - np.sqrt(inner / np.pi)
    return Edge(area, float(perimeter), float(max(deviation, 0.0)), "contour")


def measure_pixels(region: Any, pixel_area: float) -> Edge:
    """Measure a pore by the outline of its pixels.

    Parameters
    ----------
    region : skimage.measure._regionprops.RegionProperties
    pixel_area : float
        [nm²]

    Returns
    -------
    Edge
        The standard deviation is one pixel / √3, that of an edge that lies anywhere within half a pixel of
        the outline.
    """
    pixel = np.sqrt(pixel_area)
    perimeter = perimeter_crofton(region.image, directions=4) * pixel
    return Edge(len(region.coords) * pixel_area, float(perimeter), float(pixel / np.sqrt(3)), "pixels")
