"""Picture of the vacancy map, with the pores on it and a colour bar."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.micrograph import Micrograph
from porescope.pictures.greys import choose_size, find_taken
from porescope.pictures.lettering import RGB, cover_text, measure_text
from porescope.pictures.overlays import draw_outlines, draw_scale_bar
from porescope.pictures.panels import show_map, show_outlines, show_scale_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Value at the upper end of the colour bar [standard deviations], and its number of colours: few, so that the
#: file stays small.
_HIGHEST, _COLOURS = 10, 11
#: Width of the part that holds the colour bar, and of the bar; height of the heading; size of the letters
#: [px].
_SIDE, _BAR, _HEAD, _LETTERS = 64, 16, 28, 15
#: Colours of the pores and of the candidates (RGB).
_WHITE, _GREY = (255, 255, 255), (150, 170, 190)


def draw_vacancies(
    micrograph: Micrograph,
    z: NDArray[np.floating],
    labels: NDArray[np.integer],
    candidates: NDArray[np.integer] | None = None,
    size: int | None = None,
    ax: Axes | None = None,
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
    size : int, optional
        Longer side of the map in the picture [px]; default: as for `draw_overlay`.
    ax : matplotlib.axes.Axes, optional
        Where to show it too, in nm, with a colour bar beside.

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
    zoom = (choose_size(z.shape) if size is None else size) / max(z.shape)
    shape = (max(round(z.shape[1] * zoom), 1), max(round(z.shape[0] * zoom), 1))
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    picture = _colour(np.asarray(cv2.resize(np.asarray(z, np.float32), shape, interpolation=how)))
    if candidates is not None:
        draw_outlines(picture, candidates, _GREY)
    draw_outlines(picture, labels, _WHITE)
    draw_scale_bar(picture, micrograph.pixel_size[1] / zoom, find_taken(micrograph, labels))
    framed = np.full((shape[1] + _HEAD, shape[0] + _SIDE, 3), 255, np.uint8)
    framed[_HEAD:, : shape[0]] = picture
    head = "missing columns of atoms: standard deviations above noise"
    letters = next((n for n in range(_LETTERS, 7, -1) if measure_text(head, n)[1] < framed.shape[1] - 8), 7)
    _write(framed, head, (6, 4), letters)
    _draw_bar(framed, shape[0] + 10, _HEAD + 8, max(min(shape[1] - 16, 300), 20))
    if ax is not None:
        _show(ax, micrograph, z, labels, candidates)
    return framed


def _show(
    ax: Axes,
    micrograph: Micrograph,
    z: NDArray[np.floating],
    labels: NDArray[np.integer],
    candidates: NDArray[np.integer] | None,
) -> None:
    """Show the map with matplotlib."""
    shown = show_map(ax, micrograph, np.asarray(z, np.float32), cmap="inferno", vmin=0, vmax=_HIGHEST)
    show_scale_bar(ax, micrograph, labels)
    if candidates is not None:
        show_outlines(ax, micrograph, candidates, _GREY, numbers=False)
    show_outlines(ax, micrograph, labels, _WHITE, numbers=False)
    label = "vacancy map [standard deviations]"
    ax.figure.colorbar(shown, ax=ax, label=label, extend="both", shrink=0.8)


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
        _write(picture, f"{value}", (y - 7, left + _BAR + 6), 14)


def _write(picture: RGB, text: str, corner: tuple[int, int], size: int) -> None:
    """Write dark text on white."""
    ink = cover_text(text, size)
    place = picture[corner[0] : corner[0] + ink.shape[0], corner[1] : corner[1] + ink.shape[1]]
    place -= np.rint(ink[: place.shape[0], : place.shape[1], None] * 210).astype(np.uint8)
