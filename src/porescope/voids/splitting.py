"""Touching pores split at their necks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import regionprops
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

#: Width of the neck below which two parts are pores of their own, relative to the narrower part.
NECK = 0.7
#: Solidity from which a region has no neck.
_SOLID = 0.93
#: Narrowest part that is split off: radius of its largest inscribed disc [px].
_NARROWEST = 2.0


def split_touching(labels: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Split the regions of a label image at their necks.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
        Numbered without gaps; changed in place.

    Returns
    -------
    labels : ndarray of int32, shape (M, N)
    parents : ndarray of int, shape (n,)
        Label that each region had before.

    Notes
    -----
    Watershed of the distance to the edge. Two maxima of the distance are parts of one pore unless the way
    between them passes a neck narrower than 0.7 times the lower one.

    Examples
    --------
    >>> y, x = np.mgrid[:30, :50]
    >>> two = (np.hypot(y - 15, x - 15) < 10) | (np.hypot(y - 15, x - 34) < 10)
    >>> split_touching(two.astype(np.int32))[1].tolist()
    [1, 1]
    """
    parents = np.arange(1, int(labels.max()) + 1)
    added = []
    for region in regionprops(labels):
        mask = region.image
        if region.area < np.pi * (2 * _NARROWEST) ** 2 or region.area > 0.25 * labels.size:
            continue
        hull = cv2.convexHull(region.coords[:, ::-1].astype(np.int32))
        # The hull goes through the centres of the outermost pixels.
        convex = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
        if region.area >= _SOLID * convex:
            continue
        parts = _split(mask)
        if parts.max() < 2:
            continue
        here = labels[region.slice]
        for part in range(2, int(parts.max()) + 1):
            added.append(region.label)
            here[parts == part] = len(parents) + len(added)
    return labels, np.concatenate([parents, np.array(added, parents.dtype)])


def _split(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Parts of one region."""
    padded = np.pad(mask, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inner = distance > 0
    log = np.log(np.maximum(distance, 0.5))
    drop = -np.log(NECK)
    # Maxima of what is left once all maxima are lowered by the drop and filled up again.
    peaks = local_maxima(reconstruction(log - drop, log)) & (distance >= _NARROWEST)
    count, markers = cv2.connectedComponents(peaks.astype(np.uint8), connectivity=8)
    if count < 3:
        return np.asarray(mask, np.int32)
    return np.asarray(watershed(-distance, markers, mask=inner)[1:-1, 1:-1], np.int32)
