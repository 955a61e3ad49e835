"""Plot of the sizes of pores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from porescope.measurement import density_interval
from porescope.pictures.panels import open_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Number of pores from which on a curve is fitted, and largest number of bars.
_LEAST_FITTED, _MOST_BARS = 8, 40


def draw_sizes(diameters_nm: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw the histogram of equivalent diameters, with intervals and the log-normal curve that fits best.

    Parameters
    ----------
    diameters_nm : array_like, shape (n,)
        [nm]; what is not a number above 0 is left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Notes
    -----
    The width of the bars is that of Freedman and Diaconis; the intervals hold 95 % and are those of Poisson
    counts. The curve is fitted to the diameters, not to the bars, by maximum likelihood.

    Examples
    --------
    >>> draw_sizes([0.4, 0.5, 0.5, 0.9]).get_xlabel()
    'equivalent diameter [nm]'
    """
    from matplotlib.ticker import MaxNLocator

    ax = open_axes(ax, (4.2, 3.2))
    values = np.asarray(diameters_nm, float)
    values = values[np.isfinite(values) & (values > 0)]
    ax.set(xlabel="equivalent diameter [nm]", ylabel="number of pores")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    if not len(values):
        ax.text(0.5, 0.5, "no pores", ha="center", transform=ax.transAxes)
        return ax
    edges = np.histogram_bin_edges(values, "fd" if np.ptp(values) > 0 else 1)
    if len(edges) > _MOST_BARS + 1 or len(edges) < 4:
        edges = np.linspace(values.min(), values.max(), min(max(len(edges) - 1, 4), _MOST_BARS) + 1)
    if edges[-1] <= edges[0]:
        edges = np.array([0.95, 1.05]) * values[0]
    counts, _ = np.histogram(values, edges)
    width, middles = edges[1] - edges[0], (edges[:-1] + edges[1:]) / 2
    limits = np.abs(np.array([density_interval(int(n), 1.0) for n in counts]) - counts[:, None]).T
    some = counts > 0
    ax.bar(middles, counts, 0.94 * width, color="#56B4E9", label=f"{len(values)} pores")
    ax.errorbar(
        middles[some], counts[some], limits[:, some], fmt="none", ecolor="#3a4552", elinewidth=0.8, capsize=2,
        label="95 % interval",
    )  # fmt: skip
    spread = float(np.std(np.log(values)))
    if len(values) >= _LEAST_FITTED and spread > 0:
        median = float(np.exp(np.log(values).mean()))
        x = np.linspace(max(edges[0] - width, 1e-3 * median), edges[-1] + width, 300)
        curve = np.exp(-((np.log(x / median) / spread) ** 2) / 2) / (x * spread * np.sqrt(2 * np.pi))
        label = f"log-normal: median {median:.3g} nm, σ {spread:.2f}"
        ax.plot(x, len(values) * width * curve, color="#D55E00", lw=1.2, label=label)
    ax.set_ylim(0, 1.25 * float((counts + limits[1]).max()))
    ax.legend(frameon=False, fontsize="small", loc="upper right")
    return ax
