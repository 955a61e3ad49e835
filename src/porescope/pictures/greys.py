"""The micrograph in a picture: its size, its greys, where its scale bar lies."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.marks import find_marks
from porescope.micrograph import Micrograph
from porescope.pictures.lettering import RGB
from porescope.strips import cut_strips

#: Longer side of a picture [px]: smaller images are enlarged by a whole number to at least the first, larger
#: ones reduced to the second.
_LEAST_SIDE, _MOST_SIDE = 512, 4096


def choose_size(shape: tuple[int, ...]) -> int:
    """Choose the size of a picture: that of the image, so that a pixel is a pixel.

    Parameters
    ----------
    shape : tuple of int
        Of the image.

    Returns
    -------
    int
        Longer side [px]. Images below 512 px are enlarged by a whole number, those above 4096 px reduced.

    Examples
    --------
    >>> choose_size((512, 400)), choose_size((200, 180)), choose_size((9000, 10))
    (512, 600, 4096)
    """
    longest = int(max(shape))
    return min(longest * max(-(-_LEAST_SIDE // longest), 1), _MOST_SIDE)


def to_gray(micrograph: Micrograph) -> NDArray[np.uint8]:
    """Scale a micrograph to grey levels, from the 0.1st to the 99.9th percentile.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    ndarray of uint8, shape (M, N)
    """
    return stretch(micrograph.filled)


def stretch(image: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale an image to grey levels, from the 0.1st to the 99.9th percentile.

    Parameters
    ----------
    image : ndarray, shape (M, N)

    Returns
    -------
    ndarray of uint8, shape (M, N)
    """
    sample = image[:: max(1, image.shape[0] // 512), :: max(1, image.shape[1] // 512)]
    low, high = np.percentile(sample, (0.1, 99.9))
    gray = np.empty(image.shape, np.uint8)
    for rows in cut_strips(image.shape):
        gray[rows] = np.clip((image[rows] - low) * (255 / max(high - low, 1e-30)), 0, 255).astype(np.uint8)
    return gray


def draw_greys(micrograph: Micrograph, size: int | None) -> tuple[RGB, float]:
    """Draw a micrograph in grey, and nothing else.

    Parameters
    ----------
    micrograph, size
        As for `draw_image`.

    Returns
    -------
    tuple
        As of `draw_image`.
    """
    gray = to_gray(micrograph)
    zoom = (choose_size(gray.shape) if size is None else size) / max(gray.shape)
    if zoom != 1:
        shape = [max(1, round(n * zoom)) for n in gray.shape]
        # An enlarged pixel stays a pixel.
        how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_NEAREST if zoom == int(zoom) else cv2.INTER_CUBIC
        gray = np.asarray(cv2.resize(gray, shape[::-1], interpolation=how), np.uint8)
    return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8), zoom


def find_taken(micrograph: Micrograph, labels: NDArray[np.integer] | None = None) -> NDArray[np.uint8]:
    """Find where a scale bar should not lie.

    Parameters
    ----------
    micrograph : Micrograph
    labels : ndarray of int, shape (M, N), optional
        The pores.

    Returns
    -------
    ndarray of uint8, shape (M, N)
        2 at burnt-in marks and where there is no data, 1 at pores.
    """
    field = micrograph.field
    marks = find_marks(micrograph.filled) if field is None else ~field
    taken = np.multiply(marks, 2, dtype=np.uint8)
    if labels is not None:
        taken[(labels > 0) & ~marks] = 1
    return taken


def choose_bar(width_nm: float) -> float:
    """Choose the length of a scale bar: 1, 2 or 5 times a power of ten, at most a quarter of the width.

    Parameters
    ----------
    width_nm : float
        Width of the image [nm].

    Returns
    -------
    float
        [nm]

    Examples
    --------
    >>> choose_bar(24), choose_bar(0.8)
    (5.0, 0.2)
    """
    target = width_nm / 4
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target)


def write_length(bar_nm: float) -> str:
    """Write the length of a scale bar.

    Parameters
    ----------
    bar_nm : float
        [nm]

    Returns
    -------
    str

    Examples
    --------
    >>> write_length(0.5), write_length(2000)
    ('0.5 nm', '2 µm')
    """
    return f"{bar_nm:g} nm" if bar_nm < 1000 else f"{bar_nm / 1000:g} µm"


def choose_corners(shape: tuple[int, int], box: tuple[int, int], margin: int) -> list[tuple[int, int]]:
    """Upper left corners of a box in the four corners of a picture, the lower left one first.

    Parameters
    ----------
    shape, box : tuple of int
        Height and width of the picture and of the box [px].
    margin : int
        Distance from the edge of the picture [px].

    Returns
    -------
    list of tuple of int
        (row, column)
    """
    rows = (max(shape[0] - margin - box[0], 0), margin)
    columns = (margin, max(shape[1] - margin - box[1], 0))
    return [(row, column) for row in rows for column in columns]


def weigh(
    taken: NDArray[np.uint8], shape: tuple[int, int], at: tuple[int, int], box: tuple[int, int]
) -> float:
    """How much lies under a box of a picture.

    Parameters
    ----------
    taken : ndarray of uint8, shape (M, N)
        In pixels of the image.
    shape : tuple of int
        Height and width of the picture [px].
    at, box : tuple of int
        Upper left corner, and height and width of the box in the picture [px].

    Returns
    -------
    float
        Mean of the largest values: a box that touches a mark is worse than one full of pores.
    """
    low = [int(start * n / side) for start, n, side in zip(at, taken.shape, shape, strict=True)]
    high = [
        -int(-(start + length) * n // side)
        for start, length, n, side in zip(at, box, taken.shape, shape, strict=True)
    ]
    part = taken[low[0] : high[0], low[1] : high[1]]
    return float(part.max(initial=0)) + float((part > 0).mean()) if part.size else 0.0
