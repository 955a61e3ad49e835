"""Marks that programs burn into an image: scale bars and the text beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.micrograph import Micrograph
from porescope.strips import cut_strips

#: Largest change of grey within a scale bar, relative to the image's range.
_MARK_RANGE = 0.05
#: Smallest share of a scale bar that has its grey: compression blurs its edges.
_FULL = 0.9
#: Width of the seam around marks that is left out with them, blurred by interpolation or compression [px].
_SEAM = 2


def leave_out_marks(micrograph: Micrograph) -> Micrograph:
    """Leave burnt-in marks, with a seam of 2 px, out of a micrograph's field.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    Micrograph
        The same if it has no marks.
    """
    marks = find_marks(micrograph.filled)
    if not marks.any():
        return micrograph
    side = 2 * _SEAM + 1
    clear = cv2.dilate(marks.view(np.uint8), np.ones((side, side), np.uint8)) == 0
    field = clear if micrograph.field is None else clear & micrograph.field
    return replace(micrograph, field=field) if field.any() else micrograph


def find_marks(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find burnt-in scale bars, and the text near them of the same grey level.

    A bar has one grey level, is at least four times as wide as high, and does not touch the frame.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)

    Returns
    -------
    ndarray of bool, shape (M, N)

    Examples
    --------
    >>> image = np.random.default_rng(0).poisson(20, (200, 300)).astype(np.float32)
    >>> image[170:176, 200:280] = 60
    >>> marks = find_marks(image)
    >>> bool(marks[170:176, 200:280].all()), bool(marks[:100].any())
    (True, False)
    """
    marks = np.zeros(image.shape, np.bool_)
    reach = _MARK_RANGE * float(np.ptp(image))
    if reach == 0 or min(image.shape) < 3:
        return marks
    least = max(round(0.05 * image.shape[1]), 8)
    for x, y, width, height in _find_flat_boxes(image, reach, least):
        inside = x > 0 and y > 1 and x + width < image.shape[1] and y + height + 1 < image.shape[0]
        if not (inside and height > 3 and width >= max(4 * height, least)):
            continue
        bar = image[y : y + height, x : x + width]
        grey = np.median(bar)
        if (np.abs(bar - grey) <= reach).mean() < _FULL:
            continue
        if (np.abs(image[[y - 2, y + height + 1], x : x + width] - grey) > reach).mean(axis=1).min() < 0.5:
            continue  # a part of something larger
        near = (
            slice(max(y - 6 * height, 0), y + 7 * height),
            slice(max(x - height, 0), x + width + height),
        )
        written = (np.abs(image[near] - grey) <= reach).astype(np.uint8)
        written = np.asarray(cv2.erode(written, np.ones((2, 2), np.uint8)))
        marks[near] |= cv2.dilate(written, np.ones((3, 3), np.uint8)) > 0
    return marks


def _find_flat_boxes(
    image: NDArray[np.float32], reach: float, least: int
) -> Iterator[tuple[int, int, int, int]]:
    """Find regions of one grey level that are ``least`` px wide: x, y, width, height."""
    long = np.empty(image.shape, np.uint8)
    for rows in cut_strips(image.shape):
        # The gradient needs one row more on each side.
        top = max(rows.start - 1, 0)
        gradient = cv2.morphologyEx(image[top : rows.stop + 1], cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        flat = (gradient <= reach).astype(np.uint8)
        # Clipped atoms that touch a bar have its grey level, but not its length.
        opened = cv2.morphologyEx(flat, cv2.MORPH_OPEN, np.ones((1, least - 2), np.uint8))
        long[rows] = opened[rows.start - top :][: rows.stop - rows.start]
    ends = np.flatnonzero(np.diff(long.any(axis=1), prepend=False, append=False))
    for top, bottom in zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True):
        _, _, boxes, _ = cv2.connectedComponentsWithStats(long[top:bottom], connectivity=4)
        for x, y, width, height, _ in boxes[1:].tolist():
            # The gradient removed one pixel on each side.
            yield x - 1, top + y - 1, width + 2, height + 2
