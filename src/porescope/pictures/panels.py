"""Panels of plots: opened alone or in a figure of the user's, micrographs shown in nm, figures written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from porescope.files import write_whole
from porescope.labels import find_boxes
from porescope.micrograph import Micrograph
from porescope.pictures.greys import choose_bar, choose_corners, find_taken, to_gray, weigh, write_length
from porescope.pictures.lettering import Box, place_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Size of text on a micrograph [pt].
_TEXT = 7.0
#: Most pores whose numbers are written.
_MOST_NUMBERS = 300


def open_figure(ax: Axes | None, size: tuple[float, float]) -> Figure | SubFigure:
    """Make room for several panels: a figure of its own, or the place of an axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
        Is replaced by the panels; it must come from ``subplots`` or a grid. None: a new figure.
    size : tuple of float
        Width and height of a new figure [inch].

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.figure.SubFigure

    Raises
    ------
    ValueError
        If the axes has no place in a grid.
    """
    if ax is None:
        return new_figure(size)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError("ax must be one of plt.subplots(), not one placed by hand: panels take its place")
    figure: Any = ax.figure
    ax.remove()
    return figure.add_subfigure(place)  # type: ignore[no-any-return]


def open_axes(ax: Axes | None, size: tuple[float, float]) -> Axes:
    """The axes to draw in: the user's, or the one of a new figure.

    Parameters
    ----------
    ax : matplotlib.axes.Axes or None
    size : tuple of float
        Width and height of a new figure [inch].

    Returns
    -------
    matplotlib.axes.Axes
    """
    return new_figure(size).add_subplot() if ax is None else ax


def new_figure(size: tuple[float, float], layout: str = "constrained") -> Figure:
    """Make a figure without a window, as notebooks show it too.

    Parameters
    ----------
    size : tuple of float
        Width and height [inch].
    layout : str
        As for ``Figure``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout=layout)  # type: ignore[arg-type]
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Any, path: Path, dpi: float = 110, **options: Any) -> None:
    """Write a figure whole or not at all, in the format of its suffix; text stays text in SVG and PDF.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : Path
        PNG, SVG or PDF.
    dpi : float
        Pixels an inch.
    **options
        As for ``Figure.savefig``.
    """
    from matplotlib import rc_context

    # The date and random names would make every file another one.
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix)
    with (
        rc_context({"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "porescope"}),
        write_whole(path) as part,
    ):
        figure.savefig(part, dpi=dpi, format=path.suffix[1:], metadata=metadata, **options)


def list_extent(micrograph: Micrograph) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of an image in nm, (0, 0) at its upper left corner.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    tuple of float
    """
    (rows, columns), (dy, dx) = micrograph.image.shape, micrograph.pixel_size
    return 0.0, columns * dx, rows * dy, 0.0


def show_micrograph(ax: Axes, micrograph: Micrograph, labels: NDArray[np.integer] | None = None) -> Box:
    """Show a micrograph in grey with a scale bar, away from burnt-in marks and from pores.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Its units become nm.
    micrograph : Micrograph
    labels : ndarray of int, shape (M, N), optional
        The pores.

    Returns
    -------
    tuple of int
        Box (top, left, bottom, right) of the scale bar with its text [px].
    """
    show_map(ax, micrograph, to_gray(micrograph), cmap="gray", vmin=0, vmax=255)
    return show_scale_bar(ax, micrograph, labels)


def show_map(ax: Axes, micrograph: Micrograph, values: NDArray[Any], **options: Any) -> Any:
    """Show values of a micrograph's pixels, without ticks.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Its units become nm.
    micrograph : Micrograph
    values : ndarray, shape (M, N) or (M, N, 3)
    **options
        As for ``Axes.imshow``.

    Returns
    -------
    matplotlib.image.AxesImage
    """
    # Nearest: PDF and SVG then hold the pixels themselves, no larger copy.
    options = {"interpolation": "nearest", **options}
    image = ax.imshow(values, extent=list_extent(micrograph), **options)
    ax.set_xticks([])
    ax.set_yticks([])
    return image


def show_scale_bar(ax: Axes, micrograph: Micrograph, labels: NDArray[np.integer] | None = None) -> Box:
    """Draw a scale bar into the freest corner of a micrograph, as lines and text.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With units of nm.
    micrograph : Micrograph
    labels : ndarray of int, shape (M, N), optional
        The pores.

    Returns
    -------
    tuple of int
        Box (top, left, bottom, right) of the scale bar with its text [px].
    """
    from matplotlib.patches import Rectangle

    shape, pixel = micrograph.image.shape, micrograph.pixel_size[1]
    bar = choose_bar(shape[1] * pixel)
    margin = round(0.03 * min(shape))
    thick = max(round(0.018 * shape[0]), 1)
    box = (thick + round(0.08 * shape[0]), round(bar / pixel))
    taken, whole = find_taken(micrograph, labels), (int(shape[0]), int(shape[1]))
    top, left = min(choose_corners(whole, box, margin), key=lambda at: weigh(taken, whole, at, box))
    bottom = (top + box[0]) * micrograph.pixel_size[0]
    height = thick * micrograph.pixel_size[0]
    style: dict[str, Any] = {"facecolor": "white", "edgecolor": "black", "linewidth": 0.5}
    ax.add_patch(Rectangle((left * pixel, bottom - height), bar, height, **style))
    side = "left" if left < shape[1] / 2 else "right"
    at = (left * pixel + (0 if side == "left" else bar), bottom - height)
    # In print the text must be read, so that it is larger than the numbers.
    style = {"size": 1.4 * _TEXT, "weight": "bold", "ha": side, "va": "bottom"}
    _write(ax, at, write_length(bar), "white", offset=(0, 2), **style)
    return top, left, top + box[0], left + box[1]


def _write(
    ax: Axes, at: tuple[float, float], text: str, colour: Any, size: float = _TEXT,
    offset: tuple[float, float] = (0, 0), **options: Any,
) -> Any:  # fmt: skip
    """Write text on a dark ground at a place [nm], moved by an offset [pt].

    A halo would turn the text into outlines, which nobody can edit any more in a figure.
    """
    ground = {"facecolor": "black", "edgecolor": "none", "alpha": 0.55, "pad": 0.7}
    return ax.annotate(
        text, at, offset, textcoords="offset points", color=colour, fontsize=size, parse_math=False,
        bbox=ground, **options,
    )  # fmt: skip


def list_outlines(labels: NDArray[np.integer]) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Outlines of the regions of a label image, along the edges of their pixels.

    Parameters
    ----------
    labels : ndarray of int, shape (M, N)

    Yields
    ------
    tuple
        Label and closed outline, shape (K, 2): (row, column) from the corner of the first pixel [px].
    """
    from skimage.measure import find_contours

    numbers = np.asarray(labels, np.int32)
    for label, (top, left, bottom, right) in find_boxes(numbers).items():
        mask = np.pad(numbers[top:bottom, left:right] == label, 1).astype(float)
        for line in find_contours(mask, 0.5, fully_connected="high"):
            yield label, line + np.array([top, left]) - 0.5


def show_outlines(
    ax: Axes,
    micrograph: Micrograph,
    labels: NDArray[np.integer],
    colour: Sequence[float],
    numbers: bool = True,
    width: float = 0.9,
    bar: Box | None = None,
) -> None:
    """Outline the regions of a label image, as lines, with their numbers.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With units of nm.
    micrograph : Micrograph
    labels : ndarray of int, shape (M, N)
    colour : sequence of float
        RGB, from 0 to 255.
    numbers : bool
        Whether to write the numbers of up to 300 regions; one that would cover another is left out.
    width : float
        Of the lines [pt].
    bar : tuple of int, optional
        Where the scale bar is, as `show_micrograph` returns it.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.patheffects import withStroke

    size, shade = np.array(micrograph.pixel_size), tuple(c / 255 for c in colour)
    lines = [(outline * size)[:, ::-1] for _, outline in list_outlines(labels)]
    halo = [withStroke(linewidth=width + 0.8, foreground="black", alpha=0.6)]
    ax.add_collection(
        LineCollection(lines, colors=[shade], linewidths=width, path_effects=halo), autolim=False
    )
    if numbers and len(np.unique(labels)) <= _MOST_NUMBERS:
        _show_numbers(ax, micrograph, np.asarray(labels, np.int32), shade, bar)


def _show_numbers(
    ax: Axes, micrograph: Micrograph, labels: NDArray[np.int32], colour: Any, bar: Box | None
) -> None:
    """Write numbers beside regions, where they cover neither these nor each other nor the scale bar."""
    import cv2

    (rows, columns), (dy, dx) = labels.shape, micrograph.pixel_size
    # Size of the axes, before it is laid out [pt].
    window = ax.get_window_extent()
    width, height = window.width * 72 / ax.figure.dpi, window.height * 72 / ax.figure.dpi
    # The picture is laid out at two pixels a point of the page.
    zoom = 2 * float(min(width / columns, height / rows))
    shape = max(round(columns * zoom), 1), max(round(rows * zoom), 1)
    large = np.asarray(cv2.resize(labels, shape, interpolation=cv2.INTER_NEAREST), np.int32)
    taken = large > 0
    if bar is not None:
        top, left, bottom, right = (round(v * zoom) for v in bar)
        taken[top:bottom, left:right] = True
    # A little larger than the letters, whose font is another one.
    for label, (top, left) in place_numbers(find_boxes(large), taken, round(2.3 * _TEXT)):
        _write(
            ax, (left / zoom * dx, top / zoom * dy), str(label), colour, offset=(1, -1), ha="left", va="top"
        )
