"""Pictures of what the pores of a sheet tell together: their conductance, their pattern and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from porescope.measurement import density_interval
from porescope.membrane import (
    Assumptions,
    Currents,
    Envelope,
    Measured,
    Membrane,
    Range,
    Statistics,
    conduct_circle,
)
from porescope.pictures.panels import open_axes, open_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Colours of the models in Okabe and Ito's palette.
_COLOURS = {"circle": "#0072B2", "ellipse": "#0072B2", "bounds": "#D55E00", "function": "#009E73"}
#: Number of pores from which on a curve is fitted, and largest number of bars.
_LEAST_FITTED, _MOST_BARS = 8, 40
#: Most pores that are drawn with their ranges.
_MOST_RANGES = 500


def draw_conductance(
    currents: Currents,
    membrane: Membrane | None,
    measured: Measured | None,
    assumptions: Assumptions,
    words: Sequence[str],
    file: Path | None = None,
    ax: Axes | None = None,
) -> Figure | SubFigure:
    """Draw the conductance of each pore against its diameter, and the membrane's beside.

    Parameters
    ----------
    currents : Currents
    membrane : Membrane or None
    measured : Measured or None
    assumptions : Assumptions
    words : sequence of str
        What was assumed; written above.
    file : Path, optional
        The file to write: PNG, SVG or PDF.
    ax : matplotlib.axes.Axes, optional
        In whose place to draw; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.figure.SubFigure
    """
    figure = open_figure(ax, (9.6, 4.8))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_pores(left, currents, assumptions)
    _draw_totals(right, currents, membrane, measured)
    figure.suptitle("\n".join(words), fontsize=8, parse_math=False)
    if file is not None:
        save_figure(figure, file)
    return figure


def _draw_pores(ax: Any, currents: Currents, assumptions: Assumptions) -> None:
    table = currents.table
    diameter, g = table.equivalent_diameter_nm.to_numpy(float), table.g_ns.to_numpy(float)
    largest = float(np.nanmax(diameter, initial=1.0)) if len(table) else 1.0
    d = np.linspace(assumptions.cutoff_nm, 1.1 * max(largest, 1.5 * assumptions.cutoff_nm), 200)
    low, value, high, _ = assumptions.thickness
    if assumptions.function is None:
        limits = [conduct_circle(d, thickness, assumptions.sigma_s_m) for thickness in (high, low)]
        ax.fill_between(d, *limits, color="#d5dbe1", label="round pore, range of the thickness")
        ax.plot(d, conduct_circle(d, value, assumptions.sigma_s_m), color="#3a4552", lw=1, label="round pore")
    for model in sorted(set(table.model)):
        its = (table.model == model).to_numpy() & table.open.to_numpy(bool)
        colour = _COLOURS[model]
        if len(table) <= _MOST_RANGES:
            ax.vlines(
                diameter[its], table.g_low_ns[its], table.g_high_ns[its], color=colour, lw=0.6, alpha=0.6
            )
        ax.plot(diameter[its], g[its], "o", ms=3.5, color=colour, label=f"pores: {model}")
    closed = ~table.open.to_numpy(bool)
    ax.plot(
        diameter[closed], np.zeros(closed.sum()), "x", ms=4, color="#9aa3ad", label=f"closed: {closed.sum()}"
    )
    ax.axvline(assumptions.cutoff_nm, color="#9aa3ad", ls=":", lw=1)
    ax.set(xlabel="equivalent diameter [nm]", ylabel="conductance [nS]", ylim=(0, None), xlim=(0, None))
    ax.legend(fontsize=7, frameon=False)


def _draw_totals(ax: Any, currents: Currents, membrane: Membrane | None, measured: Measured | None) -> None:
    rows: list[tuple[str, float, Range | None]] = [
        ("sum of the pores seen", float(np.nansum(currents.table.g_ns)), None)
    ]
    if membrane is not None:
        rows = [
            ("membrane: sum", membrane.sum_ns.value, membrane.sum_ns),
            ("membrane: interacting", membrane.interacting_ns.value, membrane.interacting_ns),
            ("window's cap", membrane.cap_ns, None),
        ]
    if measured is not None:
        rows.append(("measured", measured.g_ns, None))
    for i, (_, value, limits) in enumerate(rows):
        ax.barh(i, value, color="#56B4E9", height=0.6)
        if limits is not None:
            ax.hlines(i, limits.low, limits.high, color="#3a4552", lw=2)
        ax.annotate(f"{value:.3g}", (value, i), xytext=(3, 6), textcoords="offset points", fontsize=8)
    ax.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("conductance [nS]")
    ax.margins(x=0.15)


def draw_statistics(
    found: Statistics, diameter_nm: NDArray[np.float64], file: Path | None = None, ax: Axes | None = None
) -> Figure | SubFigure:
    """Draw Ripley's L and the pair correlation with their envelopes, and the sizes with their fit.

    Parameters
    ----------
    found : Statistics
    diameter_nm : ndarray, shape (n,)
        Diameters of the pores whose size is known.
    file : Path, optional
        The file to write: PNG, SVG or PDF.
    ax : matplotlib.axes.Axes, optional
        In whose place to draw; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.figure.SubFigure
    """
    figure = open_figure(ax, (12, 4.6))
    axes = figure.subplots(1, 3)
    random = found.randomness
    if random is None:
        for panel in axes[:2]:
            panel.text(0.5, 0.5, "too few pores", ha="center", transform=panel.transAxes)
            panel.set_axis_off()
    else:
        _draw_envelope(axes[0], random.r_nm, random.l_nm, "Ripley's L(r) − r [nm]")
        _draw_envelope(axes[1], random.g_r_nm, random.g, "pair correlation g(r)")
        axes[1].set_ylim(0, None)
    _draw_sizes(axes[2], found, diameter_nm)
    figure.suptitle("\n".join(found.sentences), fontsize=8, parse_math=False, x=0.01, ha="left")
    if file is not None:
        save_figure(figure, file)
    return figure


def _draw_envelope(ax: Any, r_nm: NDArray[np.float64], curve: Envelope, name: str) -> None:
    known = np.isfinite(curve.low)
    r, low, high, mean, value = (v[known] for v in (r_nm, curve.low, curve.high, curve.mean, curve.value))
    ax.fill_between(r, low, high, color="#d5dbe1", label="95 % of random patterns (global)")
    ax.plot(r, mean, color="#9aa3ad", lw=1, label="mean of random patterns")
    ax.plot(
        r, value, color="#D55E00" if not curve.is_random else "#0072B2", label=f"pores, p = {curve.p:.2g}"
    )
    ax.set(xlabel="distance r [nm]", ylabel=name, xlim=(0, None))
    ax.legend(fontsize=7, frameon=False)


def _draw_sizes(ax: Any, found: Statistics, diameter_nm: NDArray[np.float64]) -> None:
    ax.set(xlabel="equivalent diameter [nm]", ylabel="pores")
    if found.sizes is None:
        ax.plot(diameter_nm, 0 * diameter_nm, "|", color="#0072B2")
        return
    logs = np.log(diameter_nm)
    n_bins = int(np.clip(np.sqrt(len(logs)), 5, 40))
    edges = np.exp(np.linspace(logs.min() - 0.05, logs.max() + 0.05, n_bins + 1))
    ax.hist(diameter_nm, edges, color="#56B4E9", edgecolor="white")
    ax.set_xscale("log")
    for axis in (ax.xaxis.set_major_formatter, ax.xaxis.set_minor_formatter):
        axis("{x:g}")
    ax.tick_params(which="both", labelsize=7)
    d = np.geomspace(edges[0], edges[-1], 200)
    scale = len(logs) * np.log(edges[1] / edges[0])

    def bell(median: float, spread: float) -> NDArray[np.float64]:
        z = np.log(d / median) / spread
        return np.asarray(scale * np.exp(-(z**2) / 2) / (spread * np.sqrt(2 * np.pi)))

    ax.plot(
        d, bell(found.sizes.median_nm, max(found.sizes.spread, 1e-3)), color="#3a4552", label="log-normal"
    )
    two = found.populations
    if two is not None and two.p <= 0.05:
        for median, spread, share in zip(two.median_nm, two.spread, (two.share, 1 - two.share), strict=True):
            ax.plot(
                d, share * bell(median, spread), "--", color="#D55E00", label=f"population, {median:.3g} nm"
            )
    ax.legend(fontsize=7, frameon=False)


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
