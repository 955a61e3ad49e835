"""Table of small pictures: the isomers of a run, and how often each occurs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from porescope.materials import Material
from porescope.membrane import list_neighbours, read_isomer
from porescope.pictures.panels import open_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Most isomers that are drawn, and number of them in a row.
_MOST, _COLUMNS = 24, 6
#: Colours of missing atoms, of atoms of the first and of the second sublattice.
_MISSING, _FIRST, _SECOND = "#D55E00", "#3a4552", "#9aa3ad"


def draw_isomers(
    counts: Sequence[tuple[str, int]], material: Material, file: Path | None = None, ax: Axes | None = None
) -> Figure | SubFigure:
    """Draw the isomers of a run: missing atoms orange, those around grey.

    Parameters
    ----------
    counts : sequence of tuple
        Name of the isomer and number of its pores, the most frequent first; the first 24 are drawn.
    material : Material
    file : Path, optional
        The file to write: PNG, SVG or PDF.
    ax : matplotlib.axes.Axes, optional
        In whose place to draw; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.figure.SubFigure
    """
    shown = counts[:_MOST]
    rows = max(1, -(-len(shown) // _COLUMNS))
    figure = open_figure(ax, (1.9 * _COLUMNS, 2.2 * rows + 0.4))
    axes = np.atleast_1d(figure.subplots(rows, _COLUMNS, squeeze=False)).ravel()
    for panel in axes:
        panel.set_axis_off()
    for panel, (name, n) in zip(axes, shown, strict=False):
        _draw_one(panel, read_isomer(name, material), material)
        head, _, code = name.partition("_")
        short = code if len(code) <= 22 else f"{code[:21]}…"
        panel.set_title(f"{n} × {head}\n{short}", fontsize=7, parse_math=False)
    total = sum(n for _, n in counts)
    more = f", {len(counts) - len(shown)} more not shown" if len(counts) > len(shown) else ""
    figure.suptitle(f"{len(counts)} isomers of {total} pores{more}", fontsize=9)
    if file is not None:
        save_figure(figure, file)
    return figure


def _draw_one(ax: Any, missing: NDArray[np.int64], material: Material) -> None:
    around = list_neighbours(missing, material)
    around = np.concatenate([around, list_neighbours(np.concatenate([missing, around]), material)])
    y, x = _place(around).T
    colours = np.where(around[:, 2] > 0, _SECOND, _FIRST)
    ax.scatter(x, y, s=22, c=colours, linewidths=0)
    y, x = _place(missing).T
    faces = np.where(missing[:, 2] > 0, "white", _MISSING)
    ax.scatter(x, y, s=34, c=faces, edgecolors=_MISSING, linewidths=1.2)
    if not material.both_count:  # the chalcogens around, where a metal atom is left to hold them
        y, x = _place(np.column_stack([around[:, :2], np.ones(len(around), np.int64)])).T
        ax.scatter(x, y, s=8, c=_SECOND, linewidths=0)
    ax.set_aspect("equal")
    ax.margins(0.08)


def _place(sites: NDArray[np.int64]) -> NDArray[np.float64]:
    """Positions (y, x) in lattice constants."""
    i, j, s = sites.T
    u, v = i + s / 3, j + 2 * s / 3
    return np.column_stack([v * np.sqrt(3) / 2, u - v / 2])
