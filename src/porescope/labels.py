"""Label images: regions labelled, numbered, kept, boxed, outlined; 0 is background."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def label_regions(mask: NDArray[Any]) -> NDArray[np.int32]:
    """Label the 8-connected regions of a mask.

    Examples
    --------
    >>> import numpy as np
    >>> label_regions(np.array([[1, 0], [0, 1]])).max()
    np.int32(1)
    """
    mask = np.ascontiguousarray(np.asarray(mask) != 0, dtype=np.uint8)
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"mask must have two non-empty dimensions, not shape {mask.shape}")
    return cv2.connectedComponents(mask, connectivity=8)[1]  # type: ignore[return-value]


def number_consecutively(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Number labels 1, 2, 3 … without gaps, in their order; 0 stays background.

    Examples
    --------
    >>> number_consecutively(np.array([[0, 7, 3]]))
    array([[0, 2, 1]], dtype=int32)
    """
    present = np.unique(labels)
    numbers = np.searchsorted(present[present > 0], labels) + 1
    return np.where(labels > 0, numbers, 0).astype(np.int32)


#: A pore's edge is where the probability is this.
EDGE = 0.5


def keep_regions(labels: NDArray[np.int32], kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Leave out the regions that are not kept, and number the others from 1."""
    numbers = np.r_[0, np.where(kept, np.cumsum(kept), 0)].astype(np.int32)
    return np.asarray(numbers[labels])


def find_boxes(labels: NDArray[np.int32]) -> dict[int, tuple[int, int, int, int]]:
    """Top, left, bottom and right of each region [px]."""
    from scipy.ndimage import find_objects

    return {
        label: (s[0].start, s[1].start, s[0].stop, s[1].stop)
        for label, s in enumerate(find_objects(labels), start=1)
        if s is not None  # type: ignore[redundant-expr]  # absent labels are None
    }


def outline_regions(labels: NDArray[np.integer]) -> dict[int, NDArray[np.float64]]:
    """Outer outline of each region as a polygon.

    Parameters
    ----------
    labels : ndarray of int, shape (M, N)

    Returns
    -------
    dict of ndarray, shape (K, 2)
        Label → corners (row, column), half a pixel outside the outermost pixels' centres; a
        polygon filled by its pixel centres gives the region back, holes apart.

    Examples
    --------
    >>> import numpy as np
    >>> outline_regions(np.array([[0, 0], [0, 7]]))[7].shape
    (5, 2)
    """
    from skimage.measure import find_contours, regionprops

    outlines = {}
    for region in regionprops(np.asarray(labels)):
        mask = np.pad(region.image_filled, 1).astype(float)
        contour = max(find_contours(mask, 0.5, fully_connected="high"), key=len)
        outlines[region.label] = contour - 1 + np.array(region.bbox[:2])
    return outlines
