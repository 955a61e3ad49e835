"""Label images: regions labelled, numbered, kept, boxed, outlined. 0 is background."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.strips import STRIP, cut_strips

#: Probability at the edge of a pore.
EDGE = 0.5
#: Probability from which contamination or disorder counts as hiding the sheet.
HIDDEN = 0.5


@dataclass(frozen=True, eq=False)
class Detection:
    """What a detector found in a micrograph of shape (M, N).

    Attributes
    ----------
    labels : ndarray of int32, shape (M, N)
        Label image.
    probability : ndarray of float, shape (M, N), or None
        Probability of a pore at each pixel.
    confidence : ndarray of float, shape (n,), or None
        Probability that a region is a pore, in the order of the labels.
    unusable : ndarray of float or bool, shape (M, N), or None
        Probability at each pixel that contamination or disorder hides the sheet, or whether it does.
    message : str
        What the user must know about this image.
    candidates : ndarray of int32, shape (M, N), or None
        Label image of the regions that were dropped as too uncertain.
    candidate_confidence : ndarray of float, shape (k,), or None
        Probability that a candidate is a pore, in the order of its labels.
    vacancies : ndarray of float, shape (M, N), or None
        The vacancy map: how far each place stands out of noise as a missing column of atoms.
    whole : float
        z in it of a whole column of average atoms that is missing; NaN where there is no map.
    method : str
        Method that was used, where the detector chose one.
    reason : str
        Why it was chosen.
    """

    labels: NDArray[np.int32]
    probability: NDArray[np.floating] | None = None
    confidence: NDArray[np.float64] | None = None
    unusable: NDArray[np.floating] | NDArray[np.bool_] | None = None
    message: str = ""
    candidates: NDArray[np.int32] | None = None
    candidate_confidence: NDArray[np.float64] | None = None
    vacancies: NDArray[np.floating] | None = None
    whole: float = float("nan")
    method: str = ""
    reason: str = ""


def label_regions(mask: NDArray[Any], least: float | None = None, pixels: int = STRIP) -> NDArray[np.int32]:
    """Label the 8-connected regions of a mask.

    Parameters
    ----------
    mask : ndarray, shape (M, N)
    least : float, optional
        Values from here on belong to a region; default: every value but 0.
    pixels : int
        Number of pixels that are labelled at once. A larger mask needs no more memory than its labels.

    Returns
    -------
    ndarray of int32, shape (M, N)

    Raises
    ------
    ValueError
        If the mask is empty or does not have two dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> label_regions(np.array([[1, 0], [0, 1]])).max()
    np.int32(1)
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.size == 0:
        raise ValueError(f"mask must have two non-empty dimensions, not shape {mask.shape}")
    strips = cut_strips(mask.shape, pixels)
    labels, count, links = np.zeros(mask.shape if len(strips) > 1 else 0, np.int32), 0, []
    for rows in strips:
        inside = mask[rows] != 0 if least is None else mask[rows] >= least
        n, part = cv2.connectedComponents(np.ascontiguousarray(inside).view(np.uint8), connectivity=8)
        if len(strips) == 1:
            return np.asarray(part, np.int32)
        np.add(part, count, out=labels[rows], where=inside)
        count += n - 1
        if rows.start:
            links.append(_list_links(labels[rows.start - 1], labels[rows.start]))
    joined = _join(np.concatenate(links), count)
    for rows in strips:
        labels[rows] = joined[labels[rows]]
    return labels


def _list_links(above: NDArray[np.int32], below: NDArray[np.int32]) -> NDArray[np.int32]:
    """Pairs of labels that touch between two rows, shape (K, 2)."""
    n = len(above)
    shifts = [(slice(max(s, 0), n + min(s, 0)), slice(max(-s, 0), n - max(s, 0))) for s in (-1, 0, 1)]
    pairs = np.concatenate([np.stack([above[one], below[other]], axis=1) for one, other in shifts])
    return np.unique(pairs[(pairs > 0).all(axis=1)], axis=0)


def _join(links: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Number of the region that each label from 0 to ``count`` belongs to, in the order of the labels."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(links), bool), (links[:, 0], links[:, 1])), (count + 1, count + 1))
    return np.asarray(connected_components(graph, directed=False)[1], np.int32)


def number_consecutively(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Number the labels 1, 2, 3 … without gaps, in their order.

    Parameters
    ----------
    labels : ndarray of int, shape (M, N)

    Returns
    -------
    ndarray of int32, shape (M, N)

    Examples
    --------
    >>> number_consecutively(np.array([[0, 7, 3]]))
    array([[0, 2, 1]], dtype=int32)
    """
    present = np.unique(labels)
    numbers = np.searchsorted(present[present > 0], labels) + 1
    return np.where(labels > 0, numbers, 0).astype(np.int32)


def measure_areas(labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Count the pixels of the background and of each region.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
        Numbered without gaps.

    Returns
    -------
    ndarray of int, shape (n + 1,)
        [px]

    Examples
    --------
    >>> measure_areas(np.array([[1, 0, 2], [1, 0, 0]]))
    array([3, 2, 1])
    """
    areas = np.zeros(int(labels.max()) + 1, np.int64)
    for rows in cut_strips(labels.shape):
        areas += np.bincount(labels[rows].ravel(), minlength=len(areas))
    return areas


def keep_regions(
    labels: NDArray[np.int32], kept: NDArray[np.bool_], out: NDArray[np.int32] | None = None
) -> NDArray[np.int32]:
    """Drop regions, and number the remaining ones from 1.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
        Numbered without gaps.
    kept : ndarray of bool, shape (n,)
        Whether to keep each label.
    out : ndarray of int32, shape (M, N), optional
        Where to write the result, which may be ``labels`` itself; default: a new array.

    Returns
    -------
    ndarray of int32, shape (M, N)

    Examples
    --------
    >>> keep_regions(np.array([[1, 0, 2]]), np.array([False, True]))
    array([[0, 0, 1]], dtype=int32)
    """
    numbers = np.r_[0, np.where(kept, np.cumsum(kept), 0)].astype(np.int32)
    out = np.empty(labels.shape, np.int32) if out is None else out
    for rows in cut_strips(labels.shape):
        out[rows] = numbers[labels[rows]]
    return out


def clear_outside(labels: NDArray[np.int32], field: NDArray[np.bool_] | None) -> NDArray[np.int32]:
    """Clear a label image outside the field, and number the remaining regions from 1.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
    field : ndarray of bool, shape (M, N), or None
        Where there is data; None: everywhere.

    Returns
    -------
    ndarray of int32, shape (M, N)
        The same array if ``field`` is None.

    Examples
    --------
    >>> clear_outside(np.array([[1, 0, 2]]), np.array([[False, True, True]]))
    array([[0, 0, 1]], dtype=int32)
    """
    return labels if field is None else number_consecutively(np.where(field, labels, 0))


def find_boxes(labels: NDArray[np.int32]) -> dict[int, tuple[int, int, int, int]]:
    """Bounding box of each region.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)

    Returns
    -------
    dict
        Label → (top, left, bottom, right) [px]; bottom and right are exclusive.

    Examples
    --------
    >>> find_boxes(np.array([[0, 0, 0], [0, 2, 2]]))
    {2: (1, 1, 2, 3)}
    """
    from scipy.ndimage import find_objects

    return {
        label: (s[0].start, s[1].start, s[0].stop, s[1].stop)
        for label, s in enumerate(find_objects(labels), start=1)
        if s is not None  # type: ignore[redundant-expr]  # absent labels are None
    }


def find_bordered(labels: NDArray[np.integer], field: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Labels of the regions that touch the edge of the frame or of the field.

    Parameters
    ----------
    labels : ndarray of int, shape (M, N)
    field : ndarray of bool, shape (M, N), optional
        Where there is data; default: everywhere.

    Returns
    -------
    ndarray of int, shape (n,)

    Examples
    --------
    >>> labels = np.array([[0, 0, 0, 0], [0, 1, 0, 2], [0, 0, 0, 0]])
    >>> field = np.ones((3, 4), bool)
    >>> field[0, 0] = False
    >>> find_bordered(labels).tolist(), find_bordered(labels, field).tolist()
    ([2], [1, 2])
    """
    at_edge = [labels[0], labels[-1], labels[:, 0], labels[:, -1]]
    if field is not None:
        outside = cv2.dilate((~field).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        at_edge.append(labels[outside])
    found = np.unique(np.concatenate(at_edge))
    return found[found > 0].astype(np.int64)


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
