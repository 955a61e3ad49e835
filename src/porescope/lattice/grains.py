"""The number of grains: hexagons of spots of the same size, turned against each other."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.lattice.hexagon import find_stretch, rotate
from porescope.lattice.spectrum import Spectrum, find_peak

#: Largest probability that noise alone shows such a hexagon of peaks.
_CHANCE = 1e-6
#: Smallest power of another grain's spots, relative to the first grain's.
_FAINTEST = 0.03
#: Largest distance of a spot from its place in a perfect hexagon, relative to its frequency.
_ASTRAY = 0.06


def count_grains(spectrum: Spectrum, frequencies: NDArray[np.float64], most: int = 4) -> int:
    """Count the hexagons of this size and distortion, turned against each other by 5° or more.

    Parameters
    ----------
    spectrum : Spectrum
    frequencies : ndarray, shape (2, 2)
        The reciprocal vectors of one of them [cycles/px].
    most : int
        Number from which they are not counted further.

    Returns
    -------
    int
    """
    ratio = spectrum.ratio.copy()
    left = spectrum._replace(ratio=ratio)
    shape = np.array(ratio.shape)
    stretch = find_stretch(frequencies)
    back = np.asarray(np.linalg.inv(stretch), np.float64)
    # Without the distortion, grains differ by a turn.
    first = frequencies[0] @ back
    length = float(np.hypot(*first))
    faintest = _FAINTEST * find_peak(spectrum, frequencies[0], _ASTRAY)[0]
    for grains in range(1, most):
        for degrees in range(0, 360, 60):
            y, x = np.rint(rotate(first, degrees) @ stretch * shape).astype(int) + shape // 2
            reach = max(4, round(0.085 * length * min(shape)))
            ratio[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1] = 0
        peaks, bins = _list_peaks(left, length, back, 6)
        peaks = np.array([p for p in peaks if find_peak(left, p, _ASTRAY)[0] > faintest])
        judged = [(_judge(left, peak @ back, stretch, bins), i) for i, peak in enumerate(peaks)]
        if not judged or min(judged)[0] > np.log10(_CHANCE):
            return grains
        first = peaks[min(judged)[1]] @ back
    return most


def _list_peaks(
    spectrum: Spectrum, length: float, back: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], int]:
    """Highest peaks of a half plane about as far from zero, shape (K, 2); number of bins searched."""
    shape = np.array(spectrum.ratio.shape)
    middle = shape // 2
    y, x = ((np.arange(n) - n // 2) / n for n in shape)
    x = x[middle[1] :]
    half = np.ascontiguousarray(spectrum.ratio[:, middle[1] :])
    down, along = (y[:, None] * b[0] + x[None] * b[1] for b in back.T)
    radius = np.sqrt(down**2 + along**2)
    ring = np.abs(radius / length - 1) <= _ASTRAY
    top = (half >= cv2.dilate(half, np.ones((3, 3), np.uint8))) & ring
    where = np.flatnonzero(top)
    best = where[np.argsort(-half.ravel()[where])[:most]]
    bins = np.stack(np.unravel_index(best, half.shape), axis=1)
    return (bins - (middle[0], 0)) / shape, int(ring.sum())


def _judge(
    spectrum: Spectrum, first: NDArray[np.float64], stretch: NDArray[np.float64], bins: float
) -> float:
    """Log10 probability that noise gives a hexagon, whose first spot was searched in a number of bins."""
    logs = []
    for degrees in (0, 60, 120):
        x, _, n = find_peak(spectrum, rotate(first, degrees) @ stretch, _ASTRAY)
        logs.append(_log_chance(x, n if degrees else bins))
    total = -sum(logs)
    return float((-total + np.log1p(total + total**2 / 2)) / np.log(10))


def _log_chance(x: float, bins: float) -> float:
    """Log of the probability that the largest of ``bins`` exponential variables reaches x."""
    return (
        float(np.log(-np.expm1(bins * np.log1p(-np.exp(-max(x, 1e-6)))) + 1e-300))
        if x < 600
        else -x + np.log(bins)
    )
