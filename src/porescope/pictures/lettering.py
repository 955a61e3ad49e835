"""Text in pictures: written with a halo, and placed so that nothing overlaps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Picture of shape (H, W, 3).
RGB = NDArray[np.uint8]
#: (top, left, bottom, right) [px]; bottom and right are exclusive.
Box = tuple[int, int, int, int]

#: Width of the halo around letters, as a share of their size, and its colour (RGB).
_HALO, _HALO_COLOUR = 0.16, (0, 0, 0)
#: Distances between a region and its number that are tried in turn, in heights of the number.
_DISTANCES = (0.0, 0.6, 1.3)


def write(picture: RGB, text: str, corner: tuple[int, int], size: int, color: tuple[int, int, int]) -> None:
    """Write text into a picture; what lies beyond its edge is cut off.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        Is drawn on.
    text : str
    corner : tuple of int
        Row and column of the upper left corner of the text with its halo.
    size : int
        Size of the font [px].
    color : tuple of int
        RGB.

    Notes
    -----
    A dark edge around the letters makes them legible on any grey.
    """
    around, ink = _render(text, size)
    top, left = max(corner[0], 0), max(corner[1], 0)
    bottom = min(corner[0] + ink.shape[0], picture.shape[0])
    right = min(corner[1] + ink.shape[1], picture.shape[1])
    if top >= bottom or left >= right:
        return
    part = picture[top:bottom, left:right].astype(np.float32)
    cut = np.s_[top - corner[0] : bottom - corner[0], left - corner[1] : right - corner[1]]
    for mask, colour in ((around, _HALO_COLOUR), (ink, color)):
        share = mask[cut][..., None]
        part += share * (np.array(colour, np.float32) - part)
    picture[top:bottom, left:right] = np.rint(part).astype(np.uint8)


def measure_text(text: str, size: int) -> tuple[int, int]:
    """Measure a text with its halo.

    Parameters
    ----------
    text : str
    size : int
        Size of the font [px].

    Returns
    -------
    tuple of int
        Height and width [px].
    """
    height, width = cover_text(text, size).shape
    return int(height), int(width)


def cover_text(text: str, size: int) -> NDArray[np.float32]:
    """Cover of the letters of a text at each pixel.

    Parameters
    ----------
    text : str
    size : int
        Size of the font [px].

    Returns
    -------
    ndarray of float32, shape (H, W)
        From 0 to 1.
    """
    return _render(text, size)[1]


@lru_cache(maxsize=2048)
def _render(text: str, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cover of the halo and of the letters at each pixel, from 0 to 1."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    edge = max(round(_HALO * size), 1)
    left, top, right, bottom = (round(v) for v in font.getbbox(text, stroke_width=edge))
    # All texts of a size stand on one line.
    top = min(top, round(font.getbbox("1", stroke_width=edge)[1]))
    covers = []
    for stroke in (edge, 0):
        image = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
        ImageDraw.Draw(image).text((-left, -top), text, 255, font, stroke_width=stroke)
        covers.append(np.asarray(image, np.float32) / np.float32(255))
    return covers[0], covers[1]


def place_numbers(
    boxes: Mapping[int, Box], taken: NDArray[np.bool_], size: int
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Place the numbers of regions beside them, where they cover nothing and do not overlap.

    Parameters
    ----------
    boxes : mapping
        Number → box of its region in the picture.
    taken : ndarray of bool, shape (H, W)
        Where nothing may be written; the places of the numbers are added to it.
    size : int
        Size of the font [px].

    Yields
    ------
    tuple
        Number, and the upper left corner (row, column) of its text. A number for which there is no room is
        left out.

    Examples
    --------
    >>> taken = np.zeros((60, 60), bool)
    >>> taken[20:30, 20:30] = True
    >>> [(number, (y, x))] = place_numbers({7: (20, 20, 30, 30)}, taken, 12)
    >>> number, y < 20, x >= 30
    (7, True, True)
    """
    for number, box in sorted(boxes.items(), key=lambda item: (item[1][2] - item[1][0], -item[0])):
        height, width = measure_text(str(number), size)
        for top, left in _list_places(box, height, width):
            inside = (
                top >= 0 and left >= 0 and top + height <= taken.shape[0] and left + width <= taken.shape[1]
            )
            place = np.s_[top : top + height, left : left + width]
            if inside and not taken[place].any():
                taken[place] = True
                yield number, (top, left)
                break


def _list_places(box: Box, height: int, width: int) -> Iterator[tuple[int, int]]:
    """Places around a box, the nearest first: at its corners, then at its sides."""
    top, left, bottom, right = box
    middle_y, middle_x = (top + bottom - height) // 2, (left + right - width) // 2
    for distance in _DISTANCES:
        gap = round(distance * height)
        up, down = top - height - gap + height // 3, bottom + gap - height // 3
        before, after = left - width - gap, right + gap
        yield from ((up, after), (up, before), (down, after), (down, before))
        yield from ((middle_y, after), (middle_y, before))
        yield from ((top - height - gap, middle_x), (bottom + gap, middle_x))
