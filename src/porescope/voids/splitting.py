"""Touching pores split at their necks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import regionprops
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

#: Width of the neck below which two parts are pores of their own, relative to the narrower part.
NECK = 0.8
#: Solidity from which a region has no neck.
_SOLID = 0.97
#: Narrowest part that is split off: radius of its largest inscribed disc [px]; smallest region that is [px].
_NARROWEST, _SMALLEST = 1.5, 40
#: Most by which the grid is refined to measure a neck, and radius to which that brings a narrow pore [px].
_FINER, _FINE_RADIUS = 4, 12.0


def split_touching(
    labels: NDArray[np.int32], height: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Split the regions of a label image at their necks.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
        Numbered without gaps; changed in place.
    height : ndarray of float32, shape (M, N)
        Any quantity that is 0 at the edge of the regions and above it inside.

    Returns
    -------
    labels : ndarray of int32, shape (M, N)
    parents : ndarray of int, shape (n,)
        Label that each region had before.

    Notes
    -----
    Watershed of the distance to the edge. Two maxima of the distance are parts of one pore unless the way
    between them passes a neck narrower than 0.8 times the lower one.

    Examples
    --------
    >>> y, x = np.mgrid[:30, :50]
    >>> height = np.float32(10 - np.minimum(np.hypot(y - 15, x - 15), np.hypot(y - 15, x - 34)))
    >>> split_touching((height > 0).astype(np.int32), height)[1].tolist()
    [1, 1]
    """
    parents = np.arange(1, int(labels.max()) + 1)
    added: list[int] = []
    for region in regionprops(labels):
        hull = cv2.convexHull(region.coords[:, ::-1].astype(np.int32))
        # The hull goes through the centres of the outermost pixels.
        convex = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
        if region.area < _SMALLEST or region.area >= _SOLID * convex:
            continue
        parts = _split(region.image, height[region.slice])
        here = labels[region.slice]
        for part in range(2, int(parts.max()) + 1):
            if (parts == part).any():
                added.append(region.label)
                here[parts == part] = len(parents) + len(added)
    return labels, np.concatenate([parents, np.array(added, parents.dtype)])


def _split(mask: NDArray[np.bool_], height: NDArray[np.float32]) -> NDArray[np.int32]:
    """Parts of one region."""
    # In narrow pores the distance in whole pixels is too coarse to tell a neck.
    coarse = cv2.distanceTransform(np.pad(mask, 1).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    finer = int(np.clip(np.ceil(_FINE_RADIUS / coarse.max()), 1, _FINER))
    padded = np.pad(np.where(mask, np.maximum(height, 0), np.minimum(height, 0)), 1, constant_values=-1)
    padded[~np.isfinite(padded)] = -1
    size = (padded.shape[1] * finer, padded.shape[0] * finer)
    fine = (cv2.resize(padded, size, interpolation=cv2.INTER_LINEAR) > 0).astype(np.uint8)
    distance = cv2.distanceTransform(fine, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # To the edge of the pixels, not to the centres of those outside.
    distance = np.maximum(distance - 0.5, 0.25) / finer
    drop = -np.log(NECK)
    log = np.log(distance)
    # Maxima of what is left once all maxima are lowered by the drop and filled up again.
    peaks = local_maxima(reconstruction(log - drop, log)) & (distance >= _NARROWEST)
    count, markers = cv2.connectedComponents(peaks.astype(np.uint8), connectivity=8)
    if count < 3:
        return np.asarray(mask, np.int32)
    parts = watershed(-distance, markers)[finer // 2 :: finer, finer // 2 :: finer]
    return np.where(mask, parts[1:-1, 1:-1], 0).astype(np.int32)
