"""Overlays: a micrograph with the outlines of its pores and a scale bar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.labels import find_boxes
from porescope.micrograph import Micrograph
from porescope.pictures.greys import choose_bar, choose_corners, draw_greys, find_taken, weigh, write_length
from porescope.pictures.lettering import RGB, Box, measure_text, place_numbers, write
from porescope.pictures.panels import show_micrograph, show_outlines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours of Okabe and Ito's palette, which the colour-blind can tell apart (RGB).
ORANGE = (230, 159, 0)
BLUE = (86, 180, 233)
GREEN = (0, 158, 115)
#: Radius of a ring around a bright site: this many in the picture's longer side.
_RING = 90
#: Colour of regions that were dropped (RGB).
FAINT = (150, 118, 60)


def draw_image(micrograph: Micrograph, size: int | None = None, ax: Axes | None = None) -> tuple[RGB, float]:
    """Draw a micrograph in grey with a scale bar.

    Parameters
    ----------
    micrograph : Micrograph
    size : int, optional
        Longer side of the picture [px]; default: that of the image, but see `choose_size`.
    ax : matplotlib.axes.Axes, optional
        Where to show it too, in nm.

    Returns
    -------
    picture : ndarray of uint8, shape (H, W, 3)
        Grey from the 0.1st to the 99.9th percentile.
    zoom : float
        Picture pixels per image pixel.
    """
    picture, zoom = draw_greys(micrograph, size)
    draw_scale_bar(picture, micrograph.pixel_size[1] / zoom, find_taken(micrograph))
    if ax is not None:
        show_micrograph(ax, micrograph)
    return picture, zoom


def draw_overlay(
    micrograph: Micrograph,
    labels: NDArray[np.integer],
    size: int | None = None,
    numbers: bool = True,
    standard: NDArray[np.integer] | None = None,
    candidates: NDArray[np.integer] | None = None,
    excess: Mapping[str, NDArray[np.floating]] | None = None,
    ax: Axes | None = None,
) -> RGB:
    """Draw a micrograph with the outline and the label of each pore, and a scale bar.

    Parameters
    ----------
    micrograph : Micrograph
    labels : ndarray of int, shape (M, N)
    size : int, optional
        Longer side of the picture [px]; default: that of the image, but see `choose_size`.
    numbers : bool
        Whether to write the labels; where there is no room for one, it is left out.
    standard : ndarray of int, shape (M, N), optional
        Outlined in blue.
    candidates : ndarray of int, shape (M, N), optional
        Regions that were dropped, outlined in a faint orange.
    excess : mapping, optional
        Places ``y_px`` and ``x_px`` of bright sites [px], which get a green ring.
    ax : matplotlib.axes.Axes, optional
        Where to show it too, in nm, with lines and text that stay sharp at any size.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Examples
    --------
    >>> import numpy as np
    >>> draw_overlay(Micrograph(np.eye(40, 20), 0.1), np.eye(40, 20, dtype=int), 80).shape
    (80, 40, 3)
    """
    picture, zoom = draw_greys(micrograph, size)
    thick = 1 + max(picture.shape) // 1200
    if standard is not None:
        draw_outlines(picture, standard, BLUE, thick)
    if candidates is not None:
        draw_outlines(picture, candidates, FAINT, thick)
    if excess:
        _draw_rings(picture, excess, zoom, thick)
    boxes = draw_outlines(picture, labels, ORANGE, thick)
    bar = draw_scale_bar(picture, micrograph.pixel_size[1] / zoom, find_taken(micrograph, labels))
    if numbers:
        _write_numbers(picture, labels, boxes, bar)
    if ax is not None:
        shown = show_micrograph(ax, micrograph, labels)
        for regions, colour in ((standard, BLUE), (candidates, FAINT)):
            if regions is not None:
                show_outlines(ax, micrograph, regions, colour, numbers=False)
        if excess:
            down, along = micrograph.pixel_size
            y, x = np.asarray(excess["y_px"]) * down, np.asarray(excess["x_px"]) * along
            ax.scatter(x, y, s=60, facecolors="none", edgecolors="#{:02x}{:02x}{:02x}".format(*GREEN))
        show_outlines(ax, micrograph, labels, ORANGE, numbers=numbers, bar=shown)
    return picture


def _draw_rings(picture: RGB, sites: Mapping[str, NDArray[np.floating]], zoom: float, thick: int) -> None:
    """Draw a ring around each bright site, so wide that it stays visible."""
    radius = max(round(max(picture.shape) / _RING), 4)
    for y, x in zip(sites["y_px"].tolist(), sites["x_px"].tolist(), strict=True):
        centre = round((x + 0.5) * zoom - 0.5), round((y + 0.5) * zoom - 0.5)
        cv2.circle(picture, centre, radius, GREEN, thick, cv2.LINE_AA)


def _write_numbers(picture: RGB, labels: NDArray[np.integer], boxes: dict[int, Box], bar: Box | None) -> None:
    """Write the number of each pore beside it, where it covers neither pores nor the scale bar."""
    pores = (np.asarray(labels) > 0).astype(np.uint8)
    taken = np.asarray(cv2.resize(pores, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)) > 0
    if bar is not None:
        taken[bar[0] : bar[2], bar[1] : bar[3]] = True
    size = _choose_font(picture)
    for label, corner in place_numbers(boxes, taken, size):
        write(picture, str(label), corner, size, ORANGE)


def _choose_font(picture: RGB) -> int:
    """Size of the letters [px]: in large pictures they are larger, to be read when the whole is seen."""
    longest = int(max(picture.shape))
    return max(14, round(longest / 75))


def draw_outlines(
    picture: RGB, labels: NDArray[np.integer], color: tuple[int, int, int], thick: int = 1
) -> dict[int, Box]:
    """Outline each region of a label image in a picture of it.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        Is drawn on.
    labels : ndarray of int, shape (M, N)
    color : tuple of int
        RGB.
    thick : int
        Width of the line [px].

    Returns
    -------
    dict
        Label → box (top, left, bottom, right) in the picture [px].
    """
    # The label image is enlarged first, so that outlines follow the edges of its pixels.
    numbers = np.asarray(labels, np.int32)
    large = np.asarray(cv2.resize(numbers, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.int32)
    boxes = find_boxes(large)
    for label, (top, left, bottom, right) in boxes.items():
        mask = (large[top:bottom, left:right] == label).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top))
        cv2.drawContours(picture, outlines, -1, color, thick, cv2.LINE_AA)
    return boxes


def draw_scale_bar(picture: RGB, pixel_nm: float, taken: NDArray[np.uint8] | None = None) -> Box | None:
    """Draw a scale bar in the corner that is freest, unless the picture is tiny.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        Is drawn on.
    pixel_nm : float
        Width of its pixels [nm].
    taken : ndarray of uint8, shape (M, N), optional
        How much each place of the image should be left clear; default: all alike. Of equal corners the lower
        left one is taken.

    Returns
    -------
    tuple of int or None
        Box (top, left, bottom, right) of bar and text [px]; None if the picture is tiny.
    """
    height, width = picture.shape[:2]
    if min(height, width) < 60:
        return None
    bar = choose_bar(width * pixel_nm)
    length, margin = round(bar / pixel_nm), round(0.03 * min(height, width))
    thick, size = max(4, round(0.01 * height)), max(_choose_font(picture), round(0.025 * height))
    text = write_length(bar)
    text_height, text_width = measure_text(text, size)
    box = (text_height + 2 + thick, max(length, text_width))
    corners = choose_corners((height, width), box, margin)
    top, left = (
        corners[0] if taken is None else min(corners, key=lambda at: weigh(taken, (height, width), at, box))
    )
    bottom = top + box[0]
    start = left if left == margin else left + box[1] - length
    cv2.rectangle(picture, (start - 1, bottom - thick - 1), (start + length, bottom), (0, 0, 0), -1)
    cv2.rectangle(picture, (start, bottom - thick), (start + length - 1, bottom - 1), (255, 255, 255), -1)
    write(picture, text, (top, left if left == margin else left + box[1] - text_width), size, (255, 255, 255))
    return top, left, bottom + 1, left + box[1]
