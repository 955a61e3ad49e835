"""The conductance of a membrane: the pores that were seen, and those expected in its window."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from porescope.measurement import density_interval
from porescope.membrane.conductance import (
    MOST_INTERACTING,
    cap_conductance,
    find_diameter,
    place_randomly,
    sum_interacting,
)
from porescope.membrane.currents import (
    LIMITS,
    Assumptions,
    Currents,
    Range,
    Shapes,
    conduct,
    read_shapes,
    vary,
)
from porescope.membrane.measured import Measured
from porescope.membrane.patterns import Floats

if TYPE_CHECKING:
    import pandas as pd

#: Number of random placements whose interaction is averaged, and most pores of which there is more than one.
_DRAWS, _MOST_DRAWN = 4, 2000


class Membrane(NamedTuple):
    """The conductance of a membrane; 95 % ranges."""

    n_pores: Range
    sum_ns: Range
    interacting_ns: Range
    cap_ns: float
    warnings: list[str]


def weigh_pores(pores: pd.DataFrame, images: pd.DataFrame) -> Floats:
    """Weigh pores so that sizes are counted without bias by the frame.

    Parameters
    ----------
    pores, images : DataFrame
        Tables of a run.

    Returns
    -------
    ndarray of float, shape (n,)
        0 for a pore that touches the border: its size is not known. For others the inverse of the share of
        places where a pore of their size lies whole in the frame (Miles 1974; Lantuéjoul 1980), with the
        largest Feret diameter for both its sides; 0 if it is as large as the frame.
    """
    size = images.assign(
        height_nm=images.height_px * images.pixel_size_nm, width_nm=images.width_px * images.pixel_size_nm
    )
    frame = pores[["image", "frame"]].merge(
        size[["image", "frame", "height_nm", "width_nm"]], on=["image", "frame"], how="left"
    )
    height, width = (frame[name].to_numpy(float) for name in ("height_nm", "width_nm"))
    feret = pores.feret_diameter_max_nm.fillna(pores.equivalent_diameter_nm).to_numpy(float)
    room = np.clip(height - feret, 0, None) * np.clip(width - feret, 0, None)
    whole = ~pores.touches_border.to_numpy(bool) & (room > 0)
    return np.where(whole, height * width / np.where(whole, room, 1), 0.0)


def estimate_membrane(
    pores: pd.DataFrame,
    currents: Currents,
    assumptions: Assumptions,
    window_nm: float,
    *,
    weights: Floats | None = None,
    counted: tuple[int, float] | None = None,
) -> Membrane:
    """Estimate the conductance of a membrane in a round window.

    Parameters
    ----------
    pores : DataFrame
    currents : Currents
        Of these pores.
    assumptions : Assumptions
    window_nm : float
        Diameter of the window [nm].
    weights : ndarray of float, shape (n,), optional
        Of the pores, from which those of the membrane are drawn; default: equal.
    counted : tuple of int and float, optional
        Number of pores counted and the area in which that was [nm²]; the density times the window's area is
        the number of pores. Default: the pores of the table are those of the window.

    Returns
    -------
    Membrane

    Raises
    ------
    ValueError
        If the window is none, or no pore has a weight.

    Notes
    -----
    The interaction is solved once, for the numbers assumed (`sum_interacting`, pores at random places). It
    acts as a conductance in series with the sum over the pores, and enters all draws as such: with pores half
    as good or a fifth more of them that is within 2 % of solving anew.
    """
    if not 0 < window_nm < np.inf:
        raise ValueError(f"the window must be wider than 0 nm, not {window_nm:g}")
    g = np.nan_to_num(currents.table.g_ns.to_numpy(float))
    share = np.ones(len(g)) if weights is None else weights
    cap = cap_conductance(window_nm, assumptions.sigma_s_m)
    if counted is not None and not counted[0]:
        most = density_interval(0, counted[1])[1] * np.pi / 4 * window_nm**2
        n_pores, unknown = Range(0.0, 0.0, most), Range(0.0, 0.0, np.nan)
        return Membrane(
            n_pores, unknown, unknown, cap, ["no pore was counted: only their number has a limit"]
        )
    if not share.sum() > 0:
        raise ValueError("no pore lies whole in its image, so that no size is known for the window")
    share = share / share.sum()
    rng = np.random.default_rng([assumptions.seed, 2])
    area = np.pi / 4 * window_nm**2
    expected = len(g) if counted is None else counted[0] / counted[1] * area
    numbers = np.full(assumptions.samples, float(expected))
    if counted is not None:  # the density's posterior, then the number in this window
        numbers = rng.poisson(rng.gamma(counted[0] + 0.5, area / counted[1], assumptions.samples)).astype(
            float
        )
    drawn = _Drawn(read_shapes(pores), share, assumptions)
    means = drawn.average(rng) if counted is not None else currents.draws_ns / max(len(g), 1)
    total = float(expected * (share @ g))
    sums = Range(total, *_limits(numbers * means))
    warnings = []
    shared = cap  # what the solution outside of the pores lets through
    if expected > MOST_INTERACTING:
        warnings.append(
            f"{expected:,.0f} pores are more than the {MOST_INTERACTING:,} whose interaction is computed; "
            "their sum and the window's cap are taken in series instead"
        )
    elif round(expected) > 1 and total > 0:
        n = round(expected)
        solved = drawn.interact(n, window_nm, rng, fixed=counted is None)
        shared = 1 / max(1 / solved - expected / (n * total), 1e-12 / total)
    scale = assumptions.draw()[1] / assumptions.sigma_s_m
    interacting = Range(_join(total, shared), *_limits(_join(numbers * means, shared * scale)))
    if total > cap:
        most = int(np.floor(cap / (total / expected))) + 1
        warnings.append(
            f"the sum over {expected:,.0f} pores, {total:,.0f} nS, is more than the solution lets through a "
            f"window of {window_nm:g} nm, {cap:,.0f} nS: from {most:,} such pores on, adding them up breaks "
            "physics"
        )
    return Membrane(Range(float(expected), *_limits(numbers)), sums, interacting, cap, warnings)


def _join(one: Any, other: Any) -> Any:
    """Conductance of two in series."""
    return one * other / np.maximum(one + other, 1e-300)


def _limits(draws: Floats) -> tuple[float, float]:
    low, high = np.percentile(draws, LIMITS)
    return float(low), float(high)


class _Drawn(NamedTuple):
    """Pores of a membrane, drawn from those that were seen."""

    shapes: Shapes
    share: Floats  # (n,) probability of each
    assumptions: Assumptions

    def average(self, rng: np.random.Generator) -> Floats:
        """Mean conductance of a pore [nS], by draws of all that is uncertain and of which pores were seen."""
        known = np.flatnonzero(self.share)
        shapes, share = self.shapes.pick(known), self.share[known]
        means = np.zeros(self.assumptions.samples)
        for i, (thickness, sigma) in enumerate(zip(*self.assumptions.draw(), strict=True)):
            size, where = vary(shapes, (len(known),), rng)
            weight = rng.exponential(size=len(known)) * share  # the Bayesian bootstrap
            g = conduct(shapes, size, where, thickness, sigma, self.assumptions)
            means[i] = np.nan_to_num(g) @ weight / weight.sum()
        return means

    def interact(self, n: int, window_nm: float, rng: np.random.Generator, *, fixed: bool) -> float:
        """Conductance of ``n`` pores at random places that share the solution [nS]; mean of a few draws."""
        thickness, sigma = (
            np.array(v) for v in (self.assumptions.thickness.value_nm, self.assumptions.sigma_s_m)
        )
        drawn = []
        for _ in range(_DRAWS if n <= _MOST_DRAWN else 1):
            which = np.arange(n) if fixed else rng.choice(len(self.share), n, p=self.share)
            shapes = self.shapes.pick(which)
            g = conduct(shapes, np.ones(n), np.full(n, 0.5), thickness, sigma, self.assumptions)
            diameter = np.nan_to_num(shapes.diameter_nm)
            places = place_randomly(diameter, window_nm, rng)
            drawn.append(sum_interacting(np.nan_to_num(g), places, float(sigma), diameter))
        return float(np.mean(drawn))


def sum_seen(
    pores: pd.DataFrame, currents: Currents, assumptions: Assumptions, weights: Floats
) -> tuple[Range, float]:
    """Add up the pores that were seen: each by itself, and sharing the solution with those of its image.

    Parameters
    ----------
    pores : DataFrame
    currents : Currents
        Of these pores.
    assumptions : Assumptions
    weights : ndarray of float, shape (n,)
        How often each pore counts; the same for all of an image.

    Returns
    -------
    total : Range
        Sum [nS].
    interacting : float
        [nS]; NaN if the table does not say where the pores are, or one image has too many.
    """
    g = np.nan_to_num(currents.table.g_ns.to_numpy(float))
    total = Range(float(g @ weights), *_limits(currents.draws_ns))
    if not {"image", "frame", "y_nm", "x_nm"} <= set(pores):
        return total, np.nan
    groups = list(pores.groupby(["image", "frame"]).indices.values())
    if max(map(len, groups), default=0) > MOST_INTERACTING:
        return total, np.nan
    places = pores[["y_nm", "x_nm"]].to_numpy(float)
    diameter = currents.table.equivalent_diameter_nm.fillna(0).to_numpy(float)
    each = (
        weights[rows[0]] * sum_interacting(g[rows], places[rows], assumptions.sigma_s_m, diameter[rows])
        for rows in groups
    )
    return total, float(sum(each))


def explain_measured(measured: Measured, assumptions: Assumptions) -> Range:
    """Find the diameter of the one round pore that explains a measured conductance.

    Parameters
    ----------
    measured : Measured
    assumptions : Assumptions

    Returns
    -------
    Range
        [nm]

    Examples
    --------
    >>> from porescope.membrane import Thickness, read_measured
    >>> sure = Assumptions(11.18, 0.0, Thickness(1.6, 1.6, 1.6, "given"))
    >>> round(explain_measured(read_measured("11.08"), sure).value, 2)
    2.0
    """
    thickness, sigma = assumptions.draw()
    value = float(find_diameter(measured.g_ns, assumptions.thickness.value_nm, assumptions.sigma_s_m))
    spread = (measured.g_high_ns - measured.g_low_ns) / (2 * 1.96)
    noise = np.random.default_rng([assumptions.seed, 3]).standard_normal(len(sigma))
    drawn = find_diameter(np.maximum(measured.g_ns + spread * noise, 0), thickness, sigma)
    return Range(value, *_limits(drawn))
