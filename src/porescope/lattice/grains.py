"""Grains: hexagons of spots of the same size, turned against each other; their number and frequencies."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.linalg import polar

from porescope.lattice.hexagon import find_stretch, list_spots, rotate
from porescope.lattice.spectrum import Spectrum, find_peak

#: Largest probability that noise alone shows such a hexagon of peaks.
_CHANCE = 1e-6
#: Smallest power of another grain's spots, relative to the first grain's.
_FAINTEST = 0.03
#: Largest distance of a spot from its place in a perfect hexagon, relative to its frequency.
_ASTRAY = 0.06
#: Smallest misorientation of two grains [degrees]: with less, one's waves follow the other's atoms.
_LEAST_TURN = 5.0
#: Steps of the misorientation [bins of the spectrum], and relative sizes of the hexagon that are tried.
_STEP, _SIZES = 0.7, (0.97, 1.0, 1.03)
#: Smallest power of each of a grain's three spots, in mean powers of noise. In some thousand places noise
#: reaches it in all three, each the highest of nine bins, once in a million times.
_CLEAR = 10.0
#: The same, in mean powers of a known grain's spots, which are smeared where a part is small.
_CLEAR_OF_KNOWN = 0.5
#: Smallest area in which a grain can be told from noise [unit cells].
_FEWEST_CELLS = 30.0


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
    # The box that holds the ring, and a bin more.
    largest = (1 + _ASTRAY) * length * np.hypot(*np.linalg.inv(back))
    reach = np.minimum(np.ceil(largest * shape).astype(int) + 2, middle)
    high = np.minimum(middle + reach, shape)
    low = np.array([middle[0] - reach[0], middle[1]])
    half = np.ascontiguousarray(spectrum.ratio[low[0] : high[0], low[1] : high[1]])
    y, x = ((np.arange(a, b) - m) / n for a, b, m, n in zip(low, high, middle, shape, strict=True))
    down, along = (y[:, None] * b[0] + x[None] * b[1] for b in back.T)
    radius = np.sqrt(down**2 + along**2)
    ring = np.abs(radius / length - 1) <= _ASTRAY
    top = (half >= cv2.dilate(half, np.ones((3, 3), np.uint8))) & ring
    where = np.flatnonzero(top)
    best = where[np.argsort(-half.ravel()[where])[:most]]
    bins = np.stack(np.unravel_index(best, half.shape), axis=1)
    return (bins + low - middle) / shape, int(ring.sum())


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


def find_grain(
    flat: NDArray[np.float32], inside: NDArray[np.bool_], grains: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Find a grain in the part of an image where the known ones have no amplitude.

    Parameters
    ----------
    flat : ndarray of float32, shape (M, N)
        As `flatten` returns it.
    inside : ndarray of bool, shape (M, N)
        The part.
    grains : ndarray, shape (G, 2, 2)
        Two reciprocal vectors of each known grain, 60° apart; that of the first comes first [cycles/px].

    Returns
    -------
    ndarray, shape (2, 2), or None
        Those of the grain whose weakest spot is the strongest: the first grain's, turned, with the image's
        distortion as it is. None if noise may well have given it.
    """
    cell = 1 / abs(float(np.linalg.det(grains[0])))
    if inside.sum() < _FEWEST_CELLS * cell:
        return None
    # A soft edge: a hard one would spread other grains' spots over the spectrum.
    window = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 0.5 * np.sqrt(cell))
    level = np.float32((flat * window).sum() / window.sum())
    power = np.asarray(np.abs(fft.fft2((flat - level) * window)) ** 2, np.float32)
    turned = _list_turned(grains, max(flat.shape))
    highest = np.asarray(cv2.dilate(power, np.ones((3, 3), np.uint8)), np.float32)
    noise = float(np.median(_look_up(power, turned))) / np.log(2)
    known = max(float(_look_up(highest, list_spots(grain)).mean()) for grain in grains)
    weakest = _look_up(highest, turned).min(axis=1)
    best = int(weakest.argmax())
    is_clear = weakest[best] >= max(_CLEAR * noise, _CLEAR_OF_KNOWN * known)
    return turned[best, :2] if is_clear else None


def _list_turned(grains: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Spots of the first grain turned and resized, all known grains' own orientations left out, (K, 3, 2)."""
    length = float(np.sqrt(abs(np.linalg.det(grains[0])) * 2 / np.sqrt(3)))
    perfect = length * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
    if np.linalg.det(grains[0]) < 0:
        perfect[1, 1] *= -1
    # Distortion acts on the image, hence after the turn: a grain's vectors are a perfect hexagon's, turned,
    # times the symmetric factor.
    _, distortion = polar(np.linalg.solve(perfect, grains[0]))
    straight = grains[:, 0] @ np.linalg.inv(distortion)
    known = np.degrees(np.arctan2(straight[:, 1], straight[:, 0]))
    step = np.degrees(_STEP / side / length)
    angles = np.arange(0, 60, step)
    apart = np.abs((angles[:, None] - known[None] + 30) % 60 - 30)
    angles = angles[(apart >= _LEAST_TURN).all(axis=1)]
    spots = [
        list_spots(np.array([rotate(vector, float(degrees)) for vector in size * perfect]) @ distortion)
        for degrees in angles
        for size in _SIZES
    ]
    return np.array(spots).reshape(-1, 3, 2)


def _look_up(power: NDArray[np.float32], spots: NDArray[np.float64]) -> NDArray[np.float32]:
    """Power in the bins nearest to frequencies, shape (…)."""
    bins = np.rint(spots * np.array(power.shape)).astype(int) % np.array(power.shape)
    return np.asarray(power[bins[..., 0], bins[..., 1]], np.float32)


def turn_between(grains: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn the first grain's three spots to where no grain has any.

    Parameters
    ----------
    grains : ndarray, shape (G, 2, 2)
        As for `find_grain`.

    Returns
    -------
    ndarray, shape (3, 2)
        [cycles/px]

    Examples
    --------
    >>> one = np.array([[0.1, 0.0], [0.05, 0.0866]])
    >>> np.round(turn_between(one[None])[0], 3)  # by 30°
    array([0.087, 0.05 ])
    """
    known = np.degrees(np.arctan2(grains[:, 0, 1], grains[:, 0, 0])) - np.degrees(
        np.arctan2(grains[0, 0, 1], grains[0, 0, 0])
    )
    angles = np.arange(0.0, 60.0, 2.0)
    apart = np.abs((angles[:, None] - known[None] + 30) % 60 - 30).min(axis=1)
    return np.array([rotate(spot, float(angles[apart.argmax()])) for spot in list_spots(grains[0])])
