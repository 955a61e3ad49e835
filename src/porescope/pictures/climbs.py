"""Plots of climbs: their paths over the objective."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from porescope.pictures.panels import open_figure, save_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Colour of what was chosen.
_CHOSEN = "#D55E00"


def draw_ascent(
    surface: NDArray[np.float64],
    axes: dict[str, NDArray[np.float64]],
    path: pd.DataFrame,
    title: str,
    file: Path | None = None,
    ax: Axes | None = None,
    chosen: Mapping[str, float] | None = None,
) -> Figure | SubFigure:
    """Draw the paths of a climb over the objective on a grid, two fields per panel, and the chosen point.

    Parameters
    ----------
    surface : ndarray of float64, shape (*axes,)
        The objective on the grid. A panel shows its maximum over the fields that are not the panel's.
    axes : dict
        Field → values of the grid.
    path : pandas.DataFrame
        As `Climb.path`.
    title : str
    file : Path, optional
        The file to write: PNG, SVG or PDF.
    ax : matplotlib.axes.Axes, optional
        In whose place to draw; default: a new figure.
    chosen : mapping, optional
        Field → value of the chosen point; default: that of the path with the most successes, and of these
        with the largest objective.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.figure.SubFigure
    """
    names = list(axes)
    n = len(names)
    # Every field has a panel; of an odd number of fields the last but one has two.
    pairs = [(i, i + 1) for i in range(0, n - 1, 2)] + ([(n - 2, n - 1)] if n % 2 and n > 1 else [])
    figure = open_figure(ax, (6.4 * max(len(pairs), 1), 5.4))
    panels = np.atleast_1d(figure.subplots(1, max(len(pairs), 1)))
    best = path.sort_values(["successes", "objective"], kind="stable").iloc[-1]
    point = {name: float(best[name] if chosen is None else chosen[name]) for name in names}
    if n == 1:
        panels[0].plot(axes[names[0]], surface, color="#3a4552")
        panels[0].plot(path[names[0]], path["objective"], "o", color="#56B4E9", label="steps of the climbs")
        at = point[names[0]]
        height = np.interp(at, axes[names[0]], surface)
        panels[0].plot(at, height, "*", ms=17, color=_CHOSEN, mec="black", label="chosen")
        panels[0].set(xlabel=names[0], ylabel="objective")
    for panel, (i, j) in zip(panels, pairs, strict=False):
        others = tuple(k for k in range(len(names)) if k not in (i, j))
        image = panel.pcolormesh(
            axes[names[i]], axes[names[j]], surface.max(axis=others).T, cmap="viridis", shading="nearest"
        )
        _draw_paths(panel, path, point, names[i], names[j])
        figure.colorbar(image, ax=panel, label="objective, best over the other fields")
    handles, labels = panels[0].get_legend_handles_labels()
    place: dict[str, Any] = {"loc": "outside lower center", "facecolor": "#5b6775", "labelcolor": "white"}
    figure.legend(handles, labels, fontsize=8, ncols=4, **place)
    said = ", ".join(f"{name} {point[name]:.4g}" for name in names)
    figure.suptitle(f"{title}\nchosen: {said}", fontsize=10, parse_math=False)
    if file is not None:
        save_figure(figure, file)
    return figure


def _draw_paths(ax: Axes, path: pd.DataFrame, chosen: Mapping[str, float], x: str, y: str) -> None:
    """Draw each climb from its start to its end in the plane of two fields."""
    first = True
    for _, steps in path.groupby("restart"):
        words = ("path of a climb", "its random start", "its end") if first else (None,) * 3
        ax.plot(steps[x], steps[y], "-", color="white", lw=1.4, alpha=0.9, label=words[0])
        ax.plot(*steps[[x, y]].iloc[0], "o", color="white", ms=5, mec="black", mew=0.6, label=words[1])
        ax.plot(*steps[[x, y]].iloc[-1], "D", color="#56B4E9", ms=6, mec="black", mew=0.6, label=words[2])
        first = False
    at = (float(chosen[x]), float(chosen[y]))
    ax.plot(*at, "*", color=_CHOSEN, ms=17, mec="white", mew=1, label="chosen", zorder=5)
    ax.annotate(
        f"{at[0]:.4g}, {at[1]:.4g}", at, (9, 9), textcoords="offset points", fontsize=9,
        bbox={"facecolor": "white", "edgecolor": _CHOSEN, "alpha": 0.9, "pad": 2},
    )  # fmt: skip
    ax.set_xlabel(x)
    ax.set_ylabel(y)
