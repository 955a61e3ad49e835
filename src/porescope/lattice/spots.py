"""The search for a hexagon of spots in a power spectrum: three spots are judged together.

The rows of a scan jitter and drift. That smears a spot along the row frequency, because a row by itself is a
short exposure. So each spot is looked for as a ridge, and the hexagon may be stretched and sheared.
"""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.lattice.hexagon import list_spots, measure_distortion, rotate
from porescope.lattice.spectrum import Spectrum

#: Largest probability that noise alone shows a hexagon that is taken for a lattice.
CHANCE = 1e-7
#: Least area of a higher order's cell, relative to a lower order's: 3 but for errors of smeared spots. Least
#: logarithm of the lower order's probability, relative to the higher order's.
_NEXT_ORDER, _LEAST_OF_NEXT = 2.0, 0.3
#: Lengths of the ridges into which spots are smeared along the row frequency [bins].
_RIDGES = (1, 3, 9, 27)
#: Power over background above which a bin counts no more for its ridge: about the highest in noise.
_MOST_OF_RIDGE = 12.0
#: Correlation of the power in neighbouring bins, at one bin and at two: that of a Hann window.
_CORRELATION = (4 / 9, 1 / 36)
#: Largest number of spots that are tried as the first and as the second of a hexagon.
_MOST = 70
#: Least evidence of such a spot: a hundredth or so of the bins of noise exceed it.
_LEAST = 4.0
#: Largest distortion of a hexagon: that of a square lattice is √3 − 1.
_LARGEST_DISTORTION = 0.5
#: Distance within which the second spot lies from its place in a perfect hexagon without being improbable,
#: relative to its frequency.
_USUAL_DISTORTION = 0.03
#: Reach of the search for the third spot, in rows and columns [bins]: of spots, ridges, bent lattices.
_REACHES = ((2, 1), (8, 1), (5, 5))
#: Evidence of a spot that counts beyond that of the weakest of the three.
_MOST_ALONE = 8.0
#: Highest overtone of an interference.
_OVERTONES = 5
#: Pairs of overtones, the first of either sign.
_MULTIPLES = np.array(
    [(sign * a, b) for a, b in permutations(range(1, _OVERTONES + 1), 2) for sign in (1, -1)]
)
#: Largest reach, but for the first, relative to the third spot's frequency.
_WIDEST = 0.3


class Hexagon(NamedTuple):
    """Three spots that may be those of a lattice."""

    chance: float  # log10 of the probability that noise gives it
    spots: NDArray[np.float64]  # (3, 2) [cycles/px]; the third is the second minus the first


def find_hexagons(spectrum: Spectrum, low: float, high: float) -> list[Hexagon]:
    """Find the hexagon of spots that noise gives with the least probability, and those of lower order.

    Parameters
    ----------
    spectrum : Spectrum
    low, high : float
        Least and largest frequency of a spot [cycles/px].

    Returns
    -------
    list of Hexagon
        The lowest order first, the most certain last; empty if noise may well have given them.

    Notes
    -----
    The three spots are combined by Fisher's method. Each is corrected for the number of bins in which it was
    looked for: the first for all, the second for those that are as near to its place in a perfect hexagon,
    the third for a few around the second minus the first.
    """
    shape = np.array(spectrum.ratio.shape)
    middle = shape // 2
    half = spectrum.ratio[:, middle[1] :]
    evidence = _weigh_ridges(half)
    y, x = (np.arange(shape[0]) - middle[0]) / shape[0], np.arange(half.shape[1]) / shape[1]
    radius = np.sqrt(y[:, None] ** 2 + x[None] ** 2)
    bins = _list_peaks(np.where((radius >= low) & (radius <= high), evidence, 0))
    if len(bins) == 0:
        return []
    # The opposite of each spot is a spot too.
    places, sharp = (
        np.concatenate([at, -at]) / shape
        for at in (bins - (middle[0], 0), _find_highest(half, bins) - (middle[0], 0))
    )
    one, two, gap = _pair_up(places)
    if len(one) == 0:
        return []
    pairs, found = places[np.stack([one, two], axis=1)], np.tile(evidence[bins[:, 0], bins[:, 1]], 2)
    # Each octave of frequencies has the same share of the chance: coarse lattices have few bins.
    size = shape.prod()
    within = np.log2(high / low) * np.pi / 2 * (pairs[:, 0] ** 2).sum(axis=1) * size
    logs = [
        _log_chance(found[one], within),
        _log_chance(found[two], np.maximum(np.pi * gap**2 * size, 9.0)),
    ]
    chance = _judge_thirds(logs, evidence, pairs[:, 1] - pairs[:, 0], shape)
    cells = np.abs(np.linalg.det(pairs))
    orders = _list_orders(chance, cells, sharp[np.stack([one, two], axis=1)] * shape, float(shape[0]))
    return [Hexagon(float(chance[i]), list_spots(pairs[i])) for i in orders]


def _pair_up(
    places: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pairs of spots about 60° apart: first and second, and how far the second is from its usual place.

    ``places``, shape (2 K, 2): spots and their opposites. The first of a pair is none of the opposites.
    """
    one, two = (index.ravel() for index in np.indices((len(places) // 2, len(places))))
    pairs = places[np.stack([one, two], axis=1)]
    length = np.hypot(*pairs[:, 0].T)
    turned = [rotate(places.T, degrees).T for degrees in (60.0, -60.0)]
    gap = np.min([np.hypot(*(pairs[:, 1] - perfect[one]).T) for perfect in turned], axis=0)
    usable = (measure_distortion(pairs) <= _LARGEST_DISTORTION) & (gap < length)
    return one[usable], two[usable], np.maximum(gap, _USUAL_DISTORTION * length)[usable]


def _judge_thirds(
    logs: list[NDArray[np.float64]],
    evidence: NDArray[np.float32],
    thirds: NDArray[np.float64],
    shape: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Log10 of the probability that noise gives a hexagon, given the logs of its first two spots'."""
    # As many third spots were looked for as there are stronger pairs.
    log_tries = np.log1p(np.argsort(np.argsort(logs[0] + logs[1])))
    at, lengths = _find_bins(thirds, shape), np.hypot(*(thirds * shape).T)
    chance = np.zeros(len(thirds))
    for reach in _REACHES:
        sides = [2 * r + 1 for r in reach]
        wide = np.asarray(cv2.dilate(evidence, np.ones(sides, np.uint8)), np.float32)
        log_three = _log_chance(wide[at[:, 0], at[:, 1]], float(np.prod(sides)))
        combined = _combine(np.stack([*logs, np.minimum(log_three + log_tries, 0)]))
        # In a coarse lattice, so wide a reach would meet other spots.
        usable = (max(reach) <= _WIDEST * lengths) | (reach == _REACHES[0])
        chance = np.where(usable, np.minimum(chance, combined + np.log10(2 * len(_REACHES))), chance)
    return chance


def _are_overtones(pair: NDArray[np.float64], rows: float) -> bool:
    """Whether two spots [bins] may be overtones of one interference, whose waves run on from row to row.

    In time they are multiples a and b of one frequency. The rows sample it, so their row frequencies are the
    same multiples but for whole numbers.
    """
    a, b = _MULTIPLES.T
    down, along = (b * pair[0, axis] - a * pair[1, axis] for axis in (0, 1))
    whole = np.rint(down / rows)
    apart = np.maximum(np.abs(down - whole * rows), np.abs(along))
    return bool(((whole != 0) & (apart <= (np.abs(a) + b) / 2)).any())


def _find_highest(ratio: NDArray[np.float32], bins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Highest bin of the ridge about each of some bins, shape (K, 2)."""
    reach = (_RIDGES[-1] // 2, 1)
    rows, columns = np.indices([2 * r + 1 for r in reach]).reshape(2, -1, 1) - np.reshape(reach, (2, 1, 1))
    near = np.stack(
        [np.clip(bins[:, 0] + rows, 0, len(ratio) - 1), np.clip(bins[:, 1] + columns, 0, ratio.shape[1] - 1)]
    )
    best = ratio[near[0], near[1]].argmax(axis=0)
    return np.asarray(near[:, best, np.arange(len(bins))].T, np.int64)


def _list_orders(
    chance: NDArray[np.float64], cell: NDArray[np.float64], sharp: NDArray[np.float64], rows: float
) -> list[int]:
    """The most certain hexagon of each order, the lowest first, given the area of each one's cell."""
    orders: list[int] = []
    level, largest = np.log10(CHANCE), np.inf
    for i in np.argsort(chance).tolist():
        if chance[i] >= np.log10(CHANCE):
            break
        if chance[i] < level and cell[i] < largest and not _are_overtones(sharp[i], rows):
            orders.insert(0, i)
            level, largest = _LEAST_OF_NEXT * chance[i], cell[i] / _NEXT_ORDER
    return orders


def _weigh_ridges(ratio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Evidence at each bin of a half spectrum: minus log of a bound of the probability in noise.

    The mean of k independent exponential variables exceeds m with a probability below exp(−k (m − 1 − ln m)).
    """
    evidence = np.zeros_like(ratio)
    # A single high bin makes no ridge.
    capped = np.minimum(ratio, np.float32(_MOST_OF_RIDGE))
    for length in _RIDGES:
        mean = ratio if length == 1 else cv2.blur(capped, (1, length))
        lags = sum(2 * (length - lag) * c for lag, c in enumerate(_CORRELATION, 1) if lag < length)
        mean = np.maximum(mean, np.float32(1))
        weighed = mean - 1 - np.log(mean)
        weighed *= np.float32(length**2 / (length + lags))
        np.maximum(evidence, weighed, out=evidence)
    return np.asarray(np.maximum(evidence - np.float32(np.log(len(_RIDGES))), 0), np.float32)


def _list_peaks(evidence: NDArray[np.float32]) -> NDArray[np.int64]:
    """Bins of the strongest peaks, shape (K, 2)."""
    where = np.flatnonzero(evidence > _LEAST)
    top = cv2.dilate(evidence, np.ones((5, 3), np.uint8)).ravel()[where]
    values = evidence.ravel()[where]
    where, values = where[values >= top], values[values >= top]
    best = where[np.argsort(-values)[:_MOST]]
    return np.stack(np.unravel_index(best, evidence.shape), axis=1)


def _find_bins(frequencies: NDArray[np.float64], shape: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bins of frequencies, shape (K, 2), in a half spectrum; those beyond its edge are put at the edge."""
    bins = np.rint(np.where(frequencies[:, 1:] < 0, -frequencies, frequencies) * shape).astype(int)
    bins[:, 0] += shape[0] // 2
    return np.asarray(np.clip(bins, 0, (shape[0] - 1, shape[1] - shape[1] // 2 - 1)), np.int64)


def _log_chance(evidence: NDArray[np.float32], bins: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Log of the probability that noise gives this evidence in one of some bins."""
    expected = bins * np.exp(-np.asarray(evidence, np.float64))
    return np.where(expected > 1e-12, np.log(-np.expm1(-expected) + 1e-300), np.log(bins) - evidence)


def _combine(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log10 of Fisher's combined probability of three independent tests, given their logs, shape (3, K).

    Interference gives one or two spots of any height, but a lattice has all three: the others count for no
    more than `_MOST_ALONE` beyond the weakest.
    """
    logs = np.maximum(logs, logs.max(axis=0) - _MOST_ALONE)
    total = -logs.sum(axis=0)
    return np.asarray((-total + np.log1p(total + total**2 / 2)) / np.log(10), np.float64)
