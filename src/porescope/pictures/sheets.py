"""Pictures of a sheet of tiles: what it looks like with its pores, and the density and size of these."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.files import write_whole
from porescope.mosaic import Density, Layout
from porescope.pictures.overlays import draw_scale_bar
from porescope.pictures.panels import open_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Longer side of the picture of a sheet [px].
_LONGEST = 3000
#: Quantiles of a tile's grey values that are drawn black and white.
_RANGE = (0.5, 99.5)
#: Colour of the pores, and of the frames of tiles that are not where the stage says, or only there (RGB).
_PORE, _DOUBTFUL = (255, 190, 40), (230, 80, 60)


def draw_sheet(
    load: Callable[[int], NDArray[np.float32]],
    layout: Layout,
    at_nm: NDArray[np.float64],
    diameter_nm: NDArray[np.float64],
    doubtful: NDArray[np.bool_],
    file: Path | None = None,
    ax: Axes | None = None,
) -> NDArray[np.uint8]:
    """Draw the tiles as one sheet, with a circle around each pore.

    Parameters
    ----------
    load : callable
        Number of a tile → its image. One tile is in memory at a time.
    layout : Layout
    at_nm : ndarray, shape (K, 2)
        Places of the pores.
    diameter_nm : ndarray, shape (K,)
    doubtful : ndarray of bool, shape (N,)
        Tiles that are framed.
    file : Path, optional
        The PNG file to write.
    ax : matplotlib.axes.Axes, optional
        Where to show it too, in nm.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    low, high = layout.bounds_nm
    scale = min(_LONGEST / float((high - low).max()), 1 / layout.pixel_nm)
    shape = np.ceil((high - low) * scale).astype(int) + 1
    total, weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    boxes = []
    for tile, box in enumerate(layout.boxes_nm):
        a, b = np.rint((box - low) * scale).astype(int)
        b = np.minimum(np.maximum(b, a + 1), shape)
        small = cv2.resize(load(tile), tuple((b - a)[::-1].tolist()), interpolation=cv2.INTER_AREA)
        total[a[0] : b[0], a[1] : b[1]] += small
        weight[a[0] : b[0], a[1] : b[1]] += 1
        boxes.append((a, b))
    grey = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    black, white = np.percentile(grey[weight > 0], _RANGE)
    grey = np.clip((grey - black) / max(white - black, 1e-30), 0, 1) * 255 * (weight > 0)
    picture = cv2.cvtColor(grey.astype(np.uint8), cv2.COLOR_GRAY2RGB)
    for tile in np.flatnonzero(doubtful).tolist():
        a, b = boxes[tile]
        cv2.rectangle(picture, a[::-1].tolist(), (b[::-1] - 1).tolist(), _DOUBTFUL, 1)
    for place, diameter in zip((at_nm - low) * scale, np.nan_to_num(diameter_nm), strict=True):
        radius = max(3, round(float(diameter) * scale / 2) + 2)
        cv2.circle(picture, np.rint(place[::-1]).astype(int).tolist(), radius, _PORE, 1, cv2.LINE_AA)
    draw_scale_bar(picture, 1 / scale)
    if file is not None:
        with write_whole(file) as part:
            part.write_bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
    if ax is not None:
        ax.imshow(picture, extent=(low[1], high[1], high[0], low[0]))
        ax.set(xlabel="x [nm]", ylabel="y [nm]")
    return np.asarray(picture, np.uint8)


def draw_density(
    density: Density, at_nm: NDArray[np.float64], file: Path | None = None, ax: Axes | None = None
) -> Figure | SubFigure:
    """Draw the maps of density and size of the pores.

    Parameters
    ----------
    density : Density
    at_nm : ndarray, shape (K, 2)
        Places of the pores.
    file : Path, optional
        The file to write: PNG, SVG or PDF.
    ax : matplotlib.axes.Axes, optional
        In whose place to draw; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.figure.SubFigure
    """
    figure = open_figure(ax, (11, 5))
    left, right = figure.subplots(1, 2)
    _draw_cells(figure, left, density, density.density_per_um2, "pores per µm²", lowest=0)
    size = float(np.clip(100 / np.sqrt(max(len(at_nm), 1)), 1, 4))
    left.plot(at_nm[:, 1], at_nm[:, 0], "o", ms=size, mfc="white", mec="black", mew=size / 6)
    _draw_cells(figure, right, density, density.median_diameter_nm, "median diameter [nm]")
    if file is not None:
        save_figure(figure, file)
    return figure


def _draw_cells(
    figure: Any,
    ax: Any,
    density: Density,
    values: NDArray[np.float64],
    name: str,
    lowest: float | None = None,
) -> None:
    low = density.origin_nm
    high = low + values.shape * density.cell_nm
    shown = ax.imshow(
        np.ma.masked_invalid(values), extent=(low[1], high[1], high[0], low[0]), interpolation="nearest",
        vmin=lowest,
    )  # fmt: skip
    # As high as the map, whatever its shape.
    figure.colorbar(shown, cax=ax.inset_axes((1.03, 0, 0.05, 1)), label=name)
    ax.set(xlabel="x [nm]", ylabel="y [nm]")
