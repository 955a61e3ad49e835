"""Outlines as paths of SVG, whose unit is half a pixel of the image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.labels import find_boxes

#: Turns coordinates of the paths into pixels, counted from the corner of the first one.
TO_PIXELS = "scale(.5)translate(.5 .5)"
#: Largest distance of a simplified outline from the edge [half pixels], and least area that it shows [px].
_TOLERANCE, _LEAST_AREA = 2.0, 16


def trace_regions(labels: NDArray[np.integer]) -> dict[int, str]:
    """Trace each region of a label image along the edges of its pixels, holes too.

    Parameters
    ----------
    labels : ndarray of int, shape (M, N)

    Returns
    -------
    dict
        Label → path.

    Examples
    --------
    >>> trace_regions(np.array([[0, 0, 0], [0, 7, 0]]))
    {7: 'M2 2l0 1 1 0 0-1z'}
    """
    numbers = np.asarray(labels, np.int32)
    return {
        label: _trace(numbers[top:bottom, left:right] == label, (left, top))
        for label, (top, left, bottom, right) in find_boxes(numbers).items()
    }


def trace_area(mask: NDArray[np.bool_]) -> str:
    """Trace an area roughly, without its smallest parts.

    Parameters
    ----------
    mask : ndarray of bool, shape (M, N)

    Returns
    -------
    str
        Path; empty if there is nothing to show.

    Examples
    --------
    >>> trace_area(np.ones((6, 8), bool)), trace_area(np.ones((2, 2), bool))
    ('M0 0l0 11 15 0 0-11z', '')
    """
    return _trace(mask, (0, 0), rough=True)


def draw_circle(y_px: float, x_px: float, area_px: float) -> str:
    """Draw a circle in the place of an outline that is not known.

    Parameters
    ----------
    y_px, x_px : float
        Centre; (0, 0) is the centre of the first pixel.
    area_px : float

    Returns
    -------
    str
        Path.

    Examples
    --------
    >>> draw_circle(2, 3, 3.1416)
    'M4.5 4.5a2 2 0 1 0 4 0a2 2 0 1 0-4 0z'
    """
    r = 2 * max(area_px, 1.0) ** 0.5 / np.pi**0.5
    left, top = 2 * x_px + 0.5 - r, 2 * y_px + 0.5
    return f"M{left:.4g} {top:.4g}a{r:.3g} {r:.3g} 0 1 0 {2 * r:.3g} 0a{r:.3g} {r:.3g} 0 1 0-{2 * r:.3g} 0z"


def _trace(mask: NDArray[np.bool_], corner: tuple[int, int], rough: bool = False) -> str:
    # Enlarged, so that the outline lies a quarter of a pixel inside the edge, not half of one.
    large = mask.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    offset = (2 * corner[0], 2 * corner[1])
    outlines, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=offset)
    if rough:
        outlines = [
            cv2.approxPolyDP(outline, _TOLERANCE, True)
            for outline in outlines
            if cv2.contourArea(outline) >= 4 * _LEAST_AREA
        ]
    return "".join(_write_path(np.asarray(outline, np.int64)[:, 0]) for outline in outlines)


def _write_path(corners: NDArray[np.integer]) -> str:
    steps = np.diff(corners, axis=0).ravel().tolist()
    text = " ".join(map(str, steps)).replace(" -", "-")
    return f"M{corners[0, 0]} {corners[0, 1]}l{text}z"
