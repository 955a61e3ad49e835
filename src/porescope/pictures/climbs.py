"""Plots of climbs: their paths over the objective."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from porescope.files import write_whole

if TYPE_CHECKING:
    import pandas as pd


def draw_ascent(
    surface: NDArray[np.float64],
    axes: dict[str, NDArray[np.float64]],
    path: pd.DataFrame,
    title: str,
    file: Path,
) -> None:
    """Draw the paths of a climb over the objective on a grid, two fields per panel.

    Parameters
    ----------
    surface : ndarray of float64, shape (*axes,)
        The objective on the grid. A panel shows its maximum over the fields that are not the panel's.
    axes : dict
        Field → values of the grid.
    path : pandas.DataFrame
        As `Climb.path`.
    title : str
    file : Path
        The PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(axes)
    n = len(names)
    # Every field has a panel; of an odd number of fields the last but one has two.
    pairs = [(i, i + 1) for i in range(0, n - 1, 2)] + ([(n - 2, n - 1)] if n % 2 and n > 1 else [])
    figure = Figure(figsize=(6.4 * max(len(pairs), 1), 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.atleast_1d(figure.subplots(1, max(len(pairs), 1)))
    if n == 1:
        panels[0].plot(axes[names[0]], surface, color="#3a4552")
        panels[0].plot(path[names[0]], path["objective"], "*", color="#D55E00", label="steps of the climbs")
        panels[0].set(xlabel=names[0], ylabel="objective")
    for ax, (i, j) in zip(panels, pairs, strict=False):
        others = tuple(k for k in range(len(names)) if k not in (i, j))
        image = ax.pcolormesh(
            axes[names[i]], axes[names[j]], surface.max(axis=others).T, cmap="viridis", shading="nearest"
        )
        for restart, steps in path.groupby("restart"):
            line = ax.plot(steps[names[i]], steps[names[j]], "-", color="white", lw=1.4, alpha=0.9)
            ax.plot(*steps[[names[i], names[j]]].iloc[0], "o", color="white", ms=5, mec="black", mew=0.6)
            ax.plot(*steps[[names[i], names[j]]].iloc[-1], "*", color="#D55E00", ms=13, mec="white", mew=0.8,
                    label="end of a climb" if restart == 0 else None)  # fmt: skip
            line[0].set_label("path from its random start" if restart == 0 else None)
        ax.set_xlabel(names[i])
        ax.set_ylabel(names[j])
        figure.colorbar(image, ax=ax, label="objective, best over the other fields")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, facecolor="#9aa3ad")
    figure.suptitle(title, fontsize=12, parse_math=False)
    with write_whole(file) as part:
        figure.savefig(part, dpi=110, format="png")
