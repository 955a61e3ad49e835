"""Overlays: a micrograph with the outlines of its pores and a scale bar."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.labels import find_boxes
from porescope.micrograph import Micrograph
from porescope.strips import cut_strips

#: Colours of Okabe and Ito's palette, which the colour-blind can tell apart (RGB).
ORANGE = (230, 159, 0)
BLUE = (86, 180, 233)
#: Colour of regions that were dropped (RGB).
_FAINT = (150, 118, 60)

#: Picture of shape (H, W, 3).
RGB = NDArray[np.uint8]


def draw_image(micrograph: Micrograph, size: int = 768) -> tuple[RGB, float]:
    """Draw a micrograph in grey with a scale bar.

    Parameters
    ----------
    micrograph : Micrograph
    size : int
        Longer side of the picture [px].

    Returns
    -------
    picture : ndarray of uint8, shape (H, W, 3)
        Grey from the 0.1st to the 99.9th percentile.
    zoom : float
        Picture pixels per image pixel.
    """
    image = micrograph.filled
    zoom = size / max(image.shape)
    sample = image[:: max(1, image.shape[0] // 512), :: max(1, image.shape[1] // 512)]
    low, high = np.percentile(sample, (0.1, 99.9))
    gray = np.empty(image.shape, np.uint8)
    for rows in cut_strips(image.shape):
        gray[rows] = np.clip((image[rows] - low) * (255 / max(high - low, 1e-30)), 0, 255).astype(np.uint8)
    shape = [max(1, round(n * zoom)) for n in image.shape]
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    small = cv2.resize(gray, shape[::-1], interpolation=how)
    picture = np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2RGB), np.uint8)
    draw_scale_bar(picture, micrograph.pixel_size[1] / zoom)
    return picture, zoom


def draw_overlay(
    micrograph: Micrograph,
    labels: NDArray[np.integer],
    size: int = 768,
    numbers: bool = True,
    standard: NDArray[np.integer] | None = None,
    candidates: NDArray[np.integer] | None = None,
) -> RGB:
    """Draw a micrograph with the outline and the label of each pore, and a scale bar.

    Parameters
    ----------
    micrograph : Micrograph
    labels : ndarray of int, shape (M, N)
    size : int
        The longer side of the picture [px].
    numbers : bool
        Whether to write the labels; they are left out from 100 pores on.
    standard : ndarray of int, shape (M, N), optional
        Outlined in blue.
    candidates : ndarray of int, shape (M, N), optional
        Regions that were dropped, outlined in a faint orange.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Examples
    --------
    >>> import numpy as np
    >>> draw_overlay(Micrograph(np.eye(40, 20), 0.1), np.eye(40, 20, dtype=int), 80).shape
    (80, 40, 3)
    """
    picture, _ = draw_image(micrograph, size)
    if standard is not None:
        draw_outlines(picture, standard, BLUE)
    if candidates is not None:
        draw_outlines(picture, candidates, _FAINT)
    boxes = draw_outlines(picture, labels, ORANGE)
    if numbers and len(boxes) < 100:
        for label, (top, _, _, right) in boxes.items():
            x = min(right + 3, picture.shape[1] - 14 * len(str(label)))
            write_text(picture, str(label), (x, max(top + 4, 14)), 0.45, ORANGE)
    return picture


def draw_outlines(
    picture: RGB, labels: NDArray[np.integer], color: tuple[int, int, int]
) -> dict[int, tuple[int, int, int, int]]:
    """Outline each region of a label image in a picture of it.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        Is drawn on.
    labels : ndarray of int, shape (M, N)
    color : tuple of int
        RGB.

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
        cv2.drawContours(picture, outlines, -1, color, 1, cv2.LINE_AA)
    return boxes


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


def draw_scale_bar(picture: RGB, pixel_nm: float) -> None:
    """Draw a scale bar in the lower left corner, unless the picture is tiny.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        Is drawn on.
    pixel_nm : float
        Width of its pixels [nm].
    """
    height, width = picture.shape[:2]
    if min(height, width) < 60:
        return
    bar = choose_bar(width * pixel_nm)
    length, margin = round(bar / pixel_nm), round(0.03 * min(height, width))
    thick = max(3, round(0.008 * height))
    corner = (margin, height - margin - thick)
    end = (margin + length, height - margin)
    cv2.rectangle(picture, (corner[0] - 1, corner[1] - 1), (end[0] + 1, end[1] + 1), (0, 0, 0), -1)
    cv2.rectangle(picture, corner, end, (255, 255, 255), -1)
    text = f"{bar:g} nm" if bar < 1000 else f"{bar / 1000:g} um"
    write_text(picture, text, (margin, corner[1] - 6), max(0.5, height / 1200), (255, 255, 255))


def write_text(
    picture: RGB, text: str, at: tuple[int, int], scale: float, color: tuple[int, int, int]
) -> None:
    """Write text with a dark edge, which makes it legible on any grey.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        Is drawn on.
    text : str
        In ASCII.
    at : tuple of int
        Lower left corner (x, y) [px].
    scale : float
        Size of the letters, as OpenCV counts it.
    color : tuple of int
        RGB.
    """
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, text, at, font, scale, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, text, at, font, scale, color, 1, cv2.LINE_AA)
