"""Plots of the report, laid out in fractions of their sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from porescope.measurement import density_interval
from porescope.membrane import FEWEST_FITTED, Sizes, fit_sizes, weigh_pores
from porescope.runs import Summary

if TYPE_CHECKING:
    import pandas as pd

#: Number of points of the fitted curve.
_CURVE_POINTS = 120
#: Most sizes that are fitted: the interval of more is too narrow to be seen.
_MOST_FITTED = 20_000


def describe_sizes(pores: pd.DataFrame, images: pd.DataFrame, summary: Summary) -> dict[str, Any]:
    """Lay out the distribution of sizes with its intervals and the fitted curve.

    Parameters
    ----------
    pores, images : DataFrame
        Tables of the run.
    summary : Summary
        Of the run.

    Returns
    -------
    dict
        ``histogram`` (see `draw_histogram`, or None), ``fit`` (`Sizes` or None), and the numbers of pores
        that are shown and that are left out since they touch the border.
    """
    shown = images[images.status == "ok"] if summary.counts_frames else summary.images
    pores = pores.merge(shown[["image", "frame"]], on=["image", "frame"])
    whole = pores[~pores.touches_border.to_numpy(bool) & (pores.equivalent_diameter_nm > 0)]
    diameters = whole.equivalent_diameter_nm.to_numpy(float)
    fit = None
    # The same pores come back in each frame, so that nothing is known of the interval.
    if not summary.counts_frames and FEWEST_FITTED <= len(diameters) <= _MOST_FITTED:
        weights = weigh_pores(whole, images)
        known = weights > 0
        if known.sum() >= FEWEST_FITTED:
            fit = fit_sizes(diameters[known], weights[known])
    return {
        "histogram": draw_histogram(diameters, fit, intervals=not summary.counts_frames),
        "fit": fit,
        "n_shown": len(whole),
        "n_cut": len(pores) - len(whole),
        "too_many": len(diameters) > _MOST_FITTED,
    }


def draw_histogram(
    diameters: NDArray[np.float64], fit: Sizes | None = None, intervals: bool = True
) -> dict[str, Any] | None:
    """Lay out a histogram of diameters.

    Parameters
    ----------
    diameters : ndarray of float, shape (n,)
        Equivalent diameters [nm].
    fit : Sizes, optional
        The log-normal distribution to draw over it.
    intervals : bool
        Whether to draw the 95 % interval of each bar, by Poisson's distribution.

    Returns
    -------
    dict or None
        Bars, ticks and curve, in fractions of the plot's sides; None without pores.

    Examples
    --------
    >>> import numpy as np
    >>> histogram = draw_histogram(np.array([0.5, 0.52, 0.9]))
    >>> sum(bar["count"] for bar in histogram["bars"])
    3
    """
    if not len(diameters):
        return None
    edges, step = _choose_bins(diameters)
    counts, _ = np.histogram(diameters, edges)
    limits = [density_interval(int(c), 1.0) if intervals else (c, c) for c in counts]
    curve = _draw_curve(fit, edges, step, len(diameters))
    top = max(float(max(high for _, high in limits)), float(counts.max()), float(curve[:, 1].max(initial=0)))
    rise = _nice(top / 4) if top > 4 else 1
    digits = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    width = edges[-1] - edges[0]
    every = int(np.ceil(len(edges) / 12))
    return {
        "bars": [
            {"x": i / len(counts), "height": c / top, "count": int(c),
             "low": low / top, "high": high / top,
             "range": f"{edges[i]:.{digits}f}–{edges[i + 1]:.{digits}f} nm",
             "limits": f" (95 % interval {low:.3g} to {high:.3g})" if intervals else ""}
            for i, (c, (low, high)) in enumerate(zip(counts, limits, strict=True))
        ],
        "intervals": intervals,
        "width": 1 / len(counts),
        "curve": [((x - edges[0]) / width, y / top) for x, y in curve.tolist()],
        "x_ticks": [(i / len(counts), f"{edges[i]:.{digits}f}") for i in range(0, len(edges), every)],
        "y_ticks": [(t / top, f"{t:g}") for t in np.arange(0, top * 1.001, rise).tolist()],
    }  # fmt: skip


def _choose_bins(diameters: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Edges and width of the bars, by Freedman and Diaconis' rule, limited to between about 5 and 60 bars."""
    low, high = float(diameters.min()), float(diameters.max())
    iqr = float(np.subtract(*np.percentile(diameters, (75, 25))))
    wanted = 2 * iqr / len(diameters) ** (1 / 3) or (high - low) / 10 or 0.1 * high
    # Half of it, since the nearest round width above is taken.
    step = _nice(min(max(wanted, (high - low) / 40), max((high - low) / 5, 1e-3 * high)) / 2)
    start = np.floor(low / step) * step
    edges = np.asarray(start + step * np.arange(int((high - start) / step + 1e-9) + 2))
    # Rounding must not exclude a pore.
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    return edges, step


def _draw_curve(fit: Sizes | None, edges: NDArray[np.float64], step: float, n: int) -> NDArray[np.float64]:
    """Points (diameter [nm], pores a bar) of a log-normal distribution of n pores."""
    if fit is None or not fit.spread > 0:
        return np.empty((0, 2))
    d = np.linspace(max(edges[0], 1e-6), edges[-1], _CURVE_POINTS)
    z = np.log(d / fit.median_nm) / fit.spread
    density = np.exp(-(z**2) / 2) / (d * fit.spread * np.sqrt(2 * np.pi))
    return np.stack([d, n * step * density], axis=1)


def draw_counts(frames: pd.DataFrame) -> dict[str, Any]:
    """Lay out the number of pores against the frame.

    Parameters
    ----------
    frames : DataFrame
        Rows of a stack's frames, as in ``images.csv``.

    Returns
    -------
    dict
        Points (with their frame) and ticks, in fractions of the plot's sides.
    """
    x, y = frames.frame.to_numpy(), frames.n_pores.to_numpy(float)
    span, top = max(int(x.max() - x.min()), 1), max(float(y.max()), 1.0)
    step, rise = max(round(_nice(span / 8)), 1), _nice(top / 4) if top > 4 else 1.0
    points = zip(x.tolist(), y.tolist(), strict=True)
    return {
        "points": [((f - x.min()) / span, n / top, f, int(n)) for f, n in points],
        "x_ticks": [((f - x.min()) / span, f"{f}") for f in range(int(x.min()), int(x.max()) + 1, step)],
        "y_ticks": [(t / top, f"{t:g}") for t in np.arange(0, top * 1.001, rise).tolist()],
    }


def _nice(value: float) -> float:
    """Smallest of 1, 2, 5 times a power of ten that is not below the value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999))
