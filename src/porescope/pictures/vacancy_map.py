"""Picture of the vacancy map, with the pores on it and a colour bar."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.micrograph import Micrograph
from porescope.pictures.overlays import RGB, draw_outlines, draw_scale_bar

#: Value at the upper end of the colour bar [standard deviations], and its number of colours: few, so that the
#: file stays small.
_HIGHEST, _COLOURS = 10, 11
#: Width of the part that holds the colour bar, and of the bar; height of the heading [px].
_SIDE, _BAR, _HEAD = 64, 16, 28
#: Colours of the pores and of the candidates (RGB).
_WHITE, _GREY = (255, 255, 255), (150, 170, 190)


def draw_vacancies(
    micrograph: Micrograph,
    z: NDArray[np.floating],
    labels: NDArray[np.integer],
    candidates: NDArray[np.integer] | None = None,
    size: int = 768,
) -> RGB:
    """Draw the vacancy map with the outlines of the pores.

    Parameters
    ----------
    micrograph : Micrograph
    z : ndarray of float, shape (M, N)
        As `map_vacancies` returns it.
    labels : ndarray of int, shape (M, N)
        The pores, outlined in white.
    candidates : ndarray of int, shape (M, N), optional
        Regions that were dropped, outlined in grey.
    size : int
        Longer side of the map in the picture [px].

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Examples
    --------
    >>> import numpy as np
    >>> picture = draw_vacancies(Micrograph(np.eye(40), 0.1), np.eye(40), np.eye(40, dtype=int), size=200)
    >>> picture.shape
    (228, 264, 3)
    """
    zoom = size / max(z.shape)
    shape = (max(round(z.shape[1] * zoom), 1), max(round(z.shape[0] * zoom), 1))
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    picture = _colour(np.asarray(cv2.resize(np.asarray(z, np.float32), shape, interpolation=how)))
    if candidates is not None:
        draw_outlines(picture, candidates, _GREY)
    draw_outlines(picture, labels, _WHITE)
    draw_scale_bar(picture, micrograph.pixel_size[1] / zoom)
    framed = np.full((shape[1] + _HEAD, shape[0] + _SIDE, 3), 255, np.uint8)
    framed[_HEAD:, : shape[0]] = picture
    scale = min(0.5, 0.5 * (shape[0] + _SIDE) / 460)
    _write(framed, "missing columns of atoms: standard deviations above noise", (4, 19), scale)
    _draw_bar(framed, shape[0] + 10, _HEAD + 8, max(min(shape[1] - 16, 300), 20))
    return framed


def _colour(z: NDArray[np.float32]) -> RGB:
    steps = np.clip(np.round(z / _HIGHEST * (_COLOURS - 1)), 0, _COLOURS - 1)
    grey = np.asarray(steps * (255 / (_COLOURS - 1)), np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(grey, cv2.COLORMAP_INFERNO)[..., ::-1])


def _draw_bar(picture: RGB, left: int, top: int, height: int) -> None:
    values = np.linspace(_HIGHEST, 0, height, dtype=np.float32)[:, None].repeat(_BAR, axis=1)
    picture[top : top + height, left : left + _BAR] = _colour(values)
    for value in range(0, _HIGHEST + 1, 5 if height < 120 else 2):
        y = top + round((1 - value / _HIGHEST) * (height - 1))
        cv2.line(picture, (left + _BAR, y), (left + _BAR + 3, y), (60, 60, 60), 1)
        _write(picture, f"{value}", (left + _BAR + 6, y + 5), 0.42)


def _write(picture: RGB, text: str, at: tuple[int, int], scale: float) -> None:
    cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (40, 40, 40), 1, cv2.LINE_AA)
