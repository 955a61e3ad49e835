"""Are the pores random, clustered or regular: Ripley's L, pair correlation, nearest neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.membrane.patterns import Floats, Pattern, Window, draw_random

#: Longest side of the mask whose autocorrelation is computed [px], for one window and for each of many.
_LARGEST_MASK, _SMALLEST_MASK = 512, 96
#: Most windows whose patterns are looked at; of more, some are drawn.
_MOST_WINDOWS = 60
#: Number of distances at which a pattern is looked at, and the largest, relative to the window's side; number
#: of them in a step of the pair correlation, which holds few pairs.
_STEPS, _FARTHEST, _COARSER = 40, 0.25, 4
#: Most pairs of pores that are looked at in a pattern.
_MOST_PAIRS = 200_000
#: Number of random patterns that a pattern is compared with, and the share of them outside of the envelope.
_DRAWS, _LEVEL = 199, 0.05
#: Fewest pores of which a pattern tells anything.
FEWEST = 10


class Covariance(NamedTuple):
    """Area in which a window overlaps itself after a shift."""

    area_nm2: Floats  # (P, Q) at shifts of whole steps, from none at ``centre``
    step_nm: float
    centre: tuple[int, int]

    def at(self, shifts_nm: Floats) -> Floats:
        """Look it up, linearly between steps.

        Parameters
        ----------
        shifts_nm : ndarray, shape (n, 2)
            [nm]

        Returns
        -------
        ndarray, shape (n,)
            [nm²]
        """
        at = shifts_nm / self.step_nm + self.centre
        low = np.clip(np.floor(at).astype(int), 0, np.array(self.area_nm2.shape) - 2)
        (y, x), (fy, fx) = low.T, (at - low).T
        a = self.area_nm2
        near = a[y, x] * (1 - fx) + a[y, x + 1] * fx
        return np.asarray(near * (1 - fy) + (a[y + 1, x] * (1 - fx) + a[y + 1, x + 1] * fx) * fy)


def covary(window: Window, largest: int = _LARGEST_MASK) -> Covariance:
    """Compute the set covariance of a window, the weight of the translation correction.

    Parameters
    ----------
    window : Window
    largest : int
        Longest side of the mask that is correlated [px]; a larger one is averaged in blocks.

    Returns
    -------
    Covariance

    Examples
    --------
    >>> shifts = np.array([[0.0, 0.0], [2.0, -3.25]])
    >>> covary(Window(np.ones((20, 30), bool), 0.5)).at(shifts).round(6).tolist()
    [150.0, 94.0]
    """
    from scipy.fft import irfft2, next_fast_len, rfft2

    mask, block = window.mask.astype(np.float32), 1
    while max(mask.shape) / block > largest:
        block += 1
    if block > 1:  # shares of the blocks that lie in the mask
        padded = np.pad(mask, [(0, -n % block) for n in mask.shape])
        size = (padded.shape[1] // block, padded.shape[0] // block)
        mask = np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA), np.float32)
    shape = [next_fast_len(2 * n + 1, real=True) for n in mask.shape]
    spectrum = rfft2(mask.astype(float), shape)
    overlap = irfft2(np.abs(spectrum) ** 2, shape)
    centre = (mask.shape[0], mask.shape[1])
    step = window.pixel_nm * block
    rolled = np.roll(overlap, centre, axis=(0, 1))[: 2 * centre[0] + 1, : 2 * centre[1] + 1]
    return Covariance(np.maximum(rolled, 0) * step**2, step, centre)


class Observed(NamedTuple):
    """What a set of patterns shows at distances."""

    k_nm2: Floats  # (steps,) Ripley's K at the upper edge of each bin
    nearest_nm: float  # mean distance to the nearest neighbour


def correlate(patterns: Sequence[Pattern], covariances: Sequence[Covariance], edges_nm: Floats) -> Observed:
    """Measure Ripley's K and the nearest neighbours of patterns together.

    Parameters
    ----------
    patterns : sequence of Pattern
    covariances : sequence of Covariance
        Of their windows.
    edges_nm : ndarray, shape (steps + 1,)
        Edges of the bins of distance [nm], from 0.

    Returns
    -------
    Observed

    Notes
    -----
    K is corrected for the edge by translation (Ohser 1983): each pair of pores counts 1/γ(shift), where γ is
    the area in which the window overlaps itself after the pair's shift. Over several windows of area W with
    n pores each, K = Σ W/γ over pairs / Σ n(n − 1)/W. For random patterns that is πr², also if their
    densities differ.
    """
    from scipy.spatial import cKDTree

    total, expected, nearest = np.zeros(len(edges_nm) - 1), 0.0, []
    for pattern, covariance in zip(patterns, covariances, strict=True):
        n, area = len(pattern.positions_nm), pattern.window.area_nm2
        if n < 2:
            continue
        expected += n * (n - 1) / area
        tree = cKDTree(pattern.positions_nm)
        nearest.append(np.asarray(tree.query(pattern.positions_nm, 2)[0])[:, 1])
        pairs = tree.query_pairs(float(edges_nm[-1]), output_type="ndarray")
        shift = pattern.positions_nm[pairs[:, 0]] - pattern.positions_nm[pairs[:, 1]]
        weight = 2 * area / np.maximum(covariance.at(shift), 1e-9 * area)
        total += np.histogram(np.hypot(*shift.T), edges_nm, weights=weight)[0]
    mean = float(np.concatenate(nearest).mean()) if nearest else float("nan")
    return Observed(np.cumsum(total) / max(expected, 1e-300), mean)


class Envelope(NamedTuple):
    """A curve, and where random patterns lie."""

    value: Floats  # (steps,)
    mean: Floats  # (steps,) of random patterns
    low: Floats  # (steps,)
    high: Floats  # (steps,)
    p: float  # probability that a random pattern deviates as much somewhere

    @property
    def is_random(self) -> bool:
        """Whether the curve lies inside its envelope."""
        return self.p > _LEVEL


class Randomness(NamedTuple):
    """How a set of patterns compares with random ones."""

    r_nm: Floats  # (steps,) upper edges of the bins
    l_nm: Envelope  # Ripley's L(r) − r
    g_r_nm: Floats  # (coarse steps,) middles of the pair correlation's steps
    g: Envelope  # pair correlation
    nearest_nm: float  # mean distance to the nearest neighbour
    clark_evans: float  # that over its mean in random patterns
    clark_evans_p: float  # probability that a random pattern deviates as much, to either side


def choose_distances(patterns: Sequence[Pattern]) -> Floats:
    """Choose the distances at which patterns are looked at.

    Parameters
    ----------
    patterns : sequence of Pattern

    Returns
    -------
    ndarray, shape (steps + 1,)
        Edges of bins [nm]: up to a quarter of the side of the smallest window, less if there are more than
        `_MOST_PAIRS` pairs.
    """
    side = min(np.sqrt(pattern.window.area_nm2) for pattern in patterns)
    pairs = sum(len(p.positions_nm) ** 2 / p.window.area_nm2 for p in patterns) * np.pi / 2
    farthest = min(_FARTHEST * side, np.sqrt(_MOST_PAIRS / max(pairs, 1e-300)))
    return np.linspace(0, farthest, _STEPS + 1)


def compare_with_random(patterns: Sequence[Pattern], draws: int = _DRAWS, seed: int = 0) -> Randomness:
    """Compare patterns with random ones of discs of the same sizes in the same windows.

    Parameters
    ----------
    patterns : sequence of Pattern
    draws : int
        Number of random patterns.
    seed : int

    Returns
    -------
    Randomness

    Raises
    ------
    ValueError
        If there are fewer than `FEWEST` pores, or too many for random patterns.

    Notes
    -----
    Of more than 60 windows with pores, 60 are drawn.

    The envelopes are global: a random pattern lies in one at all distances with a probability of 95 %. The
    statistic is the largest studentised deviation (Myllymäki et al. 2017, doi:10.1111/rssb.12172).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> window = Window(np.ones((50, 60), bool), 1.0)
    >>> start = Pattern(np.zeros((40, 2)), np.ones(40), window)
    >>> found = compare_with_random([draw_random(start, rng)], draws=99)
    >>> found.l_nm.is_random
    True
    """
    n = sum(len(pattern.positions_nm) for pattern in patterns)
    if n < FEWEST:
        raise ValueError(f"{n} pores are too few to tell a pattern; it takes {FEWEST}")
    patterns = [pattern for pattern in patterns if len(pattern.positions_nm)]
    rng = np.random.default_rng(seed)
    if len(patterns) > _MOST_WINDOWS:
        patterns = [patterns[i] for i in rng.choice(len(patterns), _MOST_WINDOWS, replace=False)]
    largest = max(round(_LARGEST_MASK / np.sqrt(len(patterns))), _SMALLEST_MASK)
    edges, covariances = choose_distances(patterns), [covary(p.window, largest) for p in patterns]
    seen = correlate(patterns, covariances, edges)
    random = [correlate([draw_random(p, rng) for p in patterns], covariances, edges) for _ in range(draws)]
    r, coarse = edges[1:], edges[::_COARSER]
    drawn, distance = np.array([o.k_nm2 for o in random]), np.array([o.nearest_nm for o in random])
    ratio = seen.nearest_nm / distance.mean()
    less, more = (1 + (distance <= seen.nearest_nm).sum()), (1 + (distance >= seen.nearest_nm).sum())
    return Randomness(
        r_nm=r,
        l_nm=_enclose(_flatten(seen.k_nm2, r), _flatten(drawn, r)),
        g_r_nm=(coarse[1:] + coarse[:-1]) / 2,
        g=_enclose(_differentiate(seen.k_nm2, coarse), _differentiate(drawn, coarse)),
        nearest_nm=seen.nearest_nm,
        clark_evans=float(ratio),
        clark_evans_p=float(min(1.0, 2 * min(less, more) / (draws + 1))),
    )


def _flatten(k: Floats, r: Floats) -> Floats:
    """Ripley's L(r) − r."""
    return np.asarray(np.sqrt(k / np.pi) - r)


def _differentiate(k: Floats, coarse: Floats) -> Floats:
    """Pair correlation between coarse edges, from K at the fine ones (last axis)."""
    at = np.concatenate([np.zeros((*k.shape[:-1], 1)), k[..., _COARSER - 1 :: _COARSER]], axis=-1)
    return np.asarray(np.diff(at, axis=-1) / (np.pi * np.diff(coarse**2)))


def _enclose(value: Floats, random: Floats, level: float = _LEVEL) -> Envelope:
    """Global envelope of the largest studentised deviation. Where random patterns never differ it is open."""
    mean, deviation = random.mean(axis=0), random.std(axis=0, ddof=1)
    known: NDArray[np.bool_] = deviation > 1e-9 * max(float(deviation.max()), 1e-300)
    scale = np.where(known, deviation, np.inf)
    largest = np.abs((random - mean) / scale).max(axis=1)
    own = float(np.abs((value - mean) / scale).max())
    critical = float(np.sort(largest)[-max(1, int(level * (len(random) + 1)))])
    p = (1 + int((largest >= own).sum())) / (len(random) + 1)
    half = np.where(known, critical * deviation, np.inf)
    return Envelope(value, mean, mean - half, mean + half, p)
