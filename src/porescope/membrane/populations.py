"""The sizes of pores: a log-normal fit, one population or more; and whether counts are even."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.membrane.patterns import Floats, Pattern

#: Number of draws for intervals, and of simulated sets for probabilities.
_RESAMPLED, _SIMULATED = 1000, 199
#: Fewest pores that are fitted, and fewest of which populations are told.
FEWEST_FITTED, FEWEST_SPLIT = 5, 30
#: Least standard deviation of a population in ln(diameter): sizes are not known better.
_NARROWEST = 0.05
#: Steps of the fit of two populations, and most sizes that it uses.
_FIT_STEPS, _MOST_SIZES = 60, 300
#: Least mean count of a part of a window.
_LEAST_COUNT = 5


class Sizes(NamedTuple):
    """A log-normal fit of diameters, with 95 % intervals."""

    median_nm: float
    median_low_nm: float
    median_high_nm: float
    spread: float  # standard deviation of ln(diameter)
    spread_low: float
    spread_high: float
    n: int


class Populations(NamedTuple):
    """Two log-normal populations, and whether one would do."""

    median_nm: tuple[float, float]
    spread: tuple[float, float]  # standard deviations of ln(diameter)
    share: float  # of the first, which is the smaller one's
    p: float  # probability that sizes of one population look as much like two


class Evenness(NamedTuple):
    """Whether counts follow the areas in which they were made."""

    n_parts: int
    dispersion: float  # variance of the counts over what chance makes of them
    p: float  # probability of as much or more by chance


def fit_sizes(diameter_nm: Floats, weights: Floats | None = None, seed: int = 0) -> Sizes:
    """Fit a log-normal distribution to diameters.

    Parameters
    ----------
    diameter_nm : ndarray, shape (n,)
        [nm], above 0.
    weights : ndarray, shape (n,), optional
        How often each counts; default: equal.
    seed : int

    Returns
    -------
    Sizes
        Intervals by the bootstrap.

    Raises
    ------
    ValueError
        If there are fewer than `FEWEST_FITTED`.

    Examples
    --------
    >>> sizes = fit_sizes(np.exp(np.random.default_rng(0).normal(0, 0.3, 400)))
    >>> round(sizes.median_nm, 1), round(sizes.spread, 1)
    (1.0, 0.3)
    """
    n = len(diameter_nm)
    if n < FEWEST_FITTED:
        raise ValueError(f"{n} pores of known size are too few for a distribution; it takes {FEWEST_FITTED}")
    share = np.ones(n) if weights is None else weights
    logs, rng = np.log(diameter_nm), np.random.default_rng(seed)

    def fit(weight: Floats) -> tuple[Floats, Floats]:
        total = weight.sum(axis=-1)
        mean = weight @ logs / total
        variance = np.maximum(weight @ logs**2 / total - mean**2, 0)
        return np.exp(mean), np.sqrt(variance * n / (n - 1))

    median, spread = fit(share)
    counts = rng.multinomial(n, np.full(n, 1 / n), _RESAMPLED)
    medians, spreads = fit(counts * share)
    (a, b), (c, d) = (np.percentile(drawn, (2.5, 97.5)) for drawn in (medians, spreads))
    return Sizes(float(median), float(a), float(b), float(spread), float(c), float(d), n)


def split_sizes(diameter_nm: Floats, seed: int = 0) -> Populations:
    """Fit two log-normal populations, and test them against one.

    Parameters
    ----------
    diameter_nm : ndarray, shape (n,)
        [nm], above 0.
    seed : int

    Returns
    -------
    Populations

    Raises
    ------
    ValueError
        If there are fewer than `FEWEST_SPLIT`.

    Notes
    -----
    Maximum likelihood by expectation and maximisation. The likelihood ratio is compared with that of
    simulated sets of one population (McLachlan 1987, doi:10.2307/2347790), since no tabulated distribution
    holds for it.
    """
    if len(diameter_nm) < FEWEST_SPLIT:
        raise ValueError(
            f"{len(diameter_nm)} pores of known size are too few to tell populations; it takes {FEWEST_SPLIT}"
        )
    rng = np.random.default_rng(seed)
    logs = np.log(diameter_nm)
    if len(logs) > _MOST_SIZES:
        logs = rng.choice(logs, _MOST_SIZES, replace=False)
    simulated = rng.normal(logs.mean(), max(logs.std(ddof=1), _NARROWEST), (_SIMULATED, len(logs)))
    mean, spread, share, gain = _fit_two(np.vstack([logs, simulated]))
    own, chance = gain[0], gain[1:]
    order = np.argsort(mean[0])
    small, large = (int(i) for i in order)
    return Populations(
        (float(np.exp(mean[0, small])), float(np.exp(mean[0, large]))),
        (float(spread[0, small]), float(spread[0, large])),
        float(share[0, small]),
        float((1 + (chance >= own).sum()) / (len(chance) + 1)),
    )


def _fit_two(logs: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Two normal populations in each row: means, deviations, shares (rows, 2), gain in log-likelihood."""
    x = np.sort(logs, axis=1)
    one = np.maximum(x.std(axis=1), _NARROWEST)
    single = _log_density(x, x.mean(axis=1), one).sum(axis=1)
    best: list[Floats] = []
    for quantile in (0.2, 0.5, 0.8):  # of where the populations are cut at first
        cut = np.quantile(x, quantile, axis=1, keepdims=True)
        weight = np.stack([x <= cut, x > cut]).astype(float)
        for _ in range(_FIT_STEPS):
            total = weight.sum(axis=2) + 1e-9
            mean = (weight * x).sum(axis=2) / total
            variance = (weight * (x - mean[..., None]) ** 2).sum(axis=2) / total
            spread = np.maximum(np.sqrt(variance), _NARROWEST)
            share = total / total.sum(axis=0)
            each = np.log(share)[..., None] + np.stack([_log_density(x, mean[k], spread[k]) for k in (0, 1)])
            together = np.logaddexp(each[0], each[1])
            weight = np.exp(each - together)
        found = np.concatenate([mean.T, spread.T, share.T, (together.sum(axis=1) - single)[:, None]], axis=1)
        best.append(found)
    tries = np.stack(best)
    rows = np.arange(len(x))
    chosen = tries[tries[:, :, 6].argmax(axis=0), rows]
    return chosen[:, 0:2], chosen[:, 2:4], chosen[:, 4:6], chosen[:, 6]


def _log_density(x: Floats, mean: Floats, spread: Floats) -> Floats:
    z = (x - mean[:, None]) / spread[:, None]
    return np.asarray(-0.5 * z**2 - np.log(spread)[:, None] - 0.5 * np.log(2 * np.pi))


def count_evenly(patterns: list[Pattern], seed: int = 0) -> Evenness:
    """Test whether pores are spread evenly over windows and their parts.

    Parameters
    ----------
    patterns : list of Pattern
    seed : int

    Returns
    -------
    Evenness
        The probability is NaN with fewer than two parts.

    Notes
    -----
    Each window is cut into k × k parts, k at most 4 and so that a part has a mean count of 5 or more.
    Pearson's sum is compared with that of counts drawn by area.
    """
    n = sum(len(p.positions_nm) for p in patterns)
    parts = n / max(len(patterns), 1) / _LEAST_COUNT
    k = int(np.clip(np.sqrt(parts), 1, 4))
    areas, counts = (np.concatenate(values) for values in zip(*(_cut(p, k) for p in patterns), strict=True))
    kept = areas > 0.25 * areas.max()
    areas, counts = areas[kept], counts[kept]
    if len(areas) < 2 or not counts.sum():
        return Evenness(len(areas), np.nan, np.nan)
    expected = counts.sum() * areas / areas.sum()
    drawn = np.random.default_rng(seed).multinomial(counts.sum(), areas / areas.sum(), 1999)
    own, chance = (((c - expected) ** 2 / expected).sum(axis=-1) for c in (counts, drawn))
    p = (1 + (chance >= own).sum()) / (len(drawn) + 1)
    return Evenness(len(areas), float(own / (len(areas) - 1)), float(p))


def _cut(pattern: Pattern, k: int) -> tuple[Floats, NDArray[np.int64]]:
    """Areas and counts of k × k parts of a window."""
    mask, pixel = pattern.window.mask, pattern.window.pixel_nm
    edges = [np.linspace(0, size, k + 1).round().astype(int) for size in mask.shape]
    areas = np.add.reduceat(np.add.reduceat(mask.astype(np.int64), edges[0][:-1], 0), edges[1][:-1], 1)
    at = pattern.positions_nm / pixel + 0.5
    counts = np.histogram2d(at[:, 0], at[:, 1], bins=edges)[0]
    return areas.ravel() * pixel**2, counts.ravel().astype(np.int64)
