"""Find the crystal's lattice: a hexagon of peaks in the power spectrum, refined by phase.

Frequencies are in cycles per pixel, (row, column).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import median_filter

from porescope.lattice.hexagon import list_spots, measure_constant, measure_uncertainty, rotate
from porescope.lattice.orders import DOUBTFUL, STANDS_OUT, find_lower_order
from porescope.lattice.waves import LONGEST, flatten, refine_by_phase
from porescope.micrograph import Micrograph

#: Smallest lattice constant whose spots are searched [px]; constants above `LONGEST` show by higher orders.
_SHORTEST = 3.8
#: Significance level: largest probability that noise alone shows such a hexagon of peaks.
_CHANCE = 1e-6
#: Largest relative standard deviation of an accepted lattice constant: about half of 0.5 %.
_VAGUEST = 0.0026
#: Least number of lattice planes across an image: with fewer the order of the spots cannot be told.
_FEWEST_PLANES = 6.0
#: Smallest power of another grain's spots, relative to the first grain's.
_FAINTEST_GRAIN = 0.03
#: Largest distance of a spot from its place in a perfect hexagon, relative to its frequency.
_DISTORTION = 0.06
#: Side of the tiles over which the spectrum of a larger image is averaged [px].
_TILE = 1024


class Spectrum(NamedTuple):
    """Power spectrum of an image, frequency (0, 0) in the middle."""

    ratio: NDArray[np.float32]  # (R, C), power over its background: exponentially distributed in noise
    power: NDArray[np.float32]  # (R, C)


@dataclass(frozen=True, eq=False)
class Lattice:
    """A lattice found in an image.

    Attributes
    ----------
    frequencies : ndarray, shape (2, 2)
        The two shortest reciprocal vectors, 60° apart in a hexagonal lattice [cycles/px].
    constant_nm, constant_std_nm : float
        Lattice constant (of the hexagonal cell of the same area) and its standard deviation [nm]: noise,
        distortion, pixel quantisation.
    grains : int
        Number of orientations, moiré layers included.
    image : ndarray of float32, shape (M, N)
        The image in which the lattice was found.
    field : ndarray of bool, shape (M, N), or None
        Where it has data; None: everywhere.
    spectrum : Spectrum
        The power spectrum in which the lattice was found.
    """

    frequencies: NDArray[np.float64]
    constant_nm: float
    constant_std_nm: float
    grains: int
    image: NDArray[np.float32] = dataclasses.field(repr=False)
    field: NDArray[np.bool_] | None = dataclasses.field(repr=False)
    spectrum: Spectrum = dataclasses.field(repr=False)

    @cached_property
    def flat(self) -> NDArray[np.float32]:
        """The image as `flatten` returns it, from which maps and sites are measured, shape (M, N)."""
        return flatten(self.image, self.field)

    @property
    def vectors(self) -> NDArray[np.float64]:
        """Real-space lattice vectors as rows, shape (2, 2) [px]."""
        return np.asarray(np.linalg.inv(self.frequencies).T, np.float64)

    @property
    def constant_px(self) -> float:
        """Lattice constant [px]."""
        return measure_constant(self.frequencies)

    @property
    def spots(self) -> NDArray[np.float64]:
        """Frequencies of the three first-order spots, shape (3, 2) [cycles/px]."""
        return list_spots(self.frequencies)


def find_lattice(micrograph: Micrograph) -> Lattice | None:
    """Find the lattice of a micrograph.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    Lattice or None
        None if there is no lattice of 4 px per constant or more, or if there is doubt: fewer than six
        lattice planes across the image, an uncertain order of the spots, a vague constant.

    Notes
    -----
    Spots are peaks of the windowed power spectrum, relative to the median of their ring. Three spots
    60° apart are tested together by Fisher's method, corrected for the number of bins searched. Then
    hexagons of lower order are looked for (`find_lower_order`).

    Examples
    --------
    >>> from porescope.simulation import Scene, simulate
    >>> lattice = find_lattice(simulate(Scene(shape=(256, 300), pores=1), seed=1).micrograph)
    >>> round(lattice.constant_nm, 3)
    0.315
    >>> import numpy as np
    >>> find_lattice(Micrograph(np.random.default_rng(0).normal(size=(200, 210)), 0.04)) is None
    True
    """
    image = micrograph.filled
    if min(image.shape) < 24 or float(np.ptp(image)) == 0:
        return None
    spectrum = _measure_spectrum(image, micrograph.field)
    spots = _find_hexagon(spectrum)
    if spots is None:
        return None
    fitted = _fit_first_order(spectrum, spots, image, micrograph.field)
    if fitted is None or fitted[1] > _VAGUEST:
        return None
    frequencies, deviation = fitted
    grains = _count_grains(spectrum, frequencies)
    constant = measure_constant(frequencies) * float(np.sqrt(micrograph.pixel_area))
    return Lattice(
        frequencies=frequencies,
        constant_nm=constant,
        constant_std_nm=constant * measure_uncertainty(frequencies, deviation, image.shape),
        grains=grains,
        image=image,
        field=micrograph.field,
        spectrum=spectrum,
    )


def _measure_spectrum(image: NDArray[np.float32], field: NDArray[np.bool_] | None) -> Spectrum:
    """Power spectrum of an image, averaged over tiles where it is larger than one."""
    rows, columns = (min(n, _TILE) for n in image.shape)
    starts = [
        sorted({0, *(round(s) for s in np.linspace(0, n - t, -(-n // t)))})
        for n, t in zip(image.shape, (rows, columns), strict=True)
    ]
    window = np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1]).astype(np.float32)
    power = np.zeros((rows, columns), np.float32)
    for top, left in product(*starts):
        part = np.s_[top : top + rows, left : left + columns]
        tile = flatten(image[part], None if field is None else field[part])
        power += np.abs(fft.fft2(tile * window)) ** 2
    power = np.asarray(fft.fftshift(power), np.float32)
    return Spectrum(np.asarray(power / _measure_background(power), np.float32), power)


def _measure_background(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean power of noise at each frequency: from the ring's median, or from the streak of scan lines."""
    rows, columns = power.shape
    size = min(rows, columns) // 2
    # Rings are circles in cycles per pixel, hence ellipses in the bins of an oblong image.
    square = cv2.resize(power, (2 * size, 2 * size), interpolation=cv2.INTER_NEAREST)
    polar = cv2.warpPolar(square, (size, 360), (size, size), size, cv2.INTER_NEAREST)
    ring = np.median(polar, axis=0).astype(np.float32) / np.float32(np.log(2))
    ring = cv2.GaussianBlur(ring[None], (0, 0), 1.5)[0] + np.float32(1e-30)
    y, x = ((np.arange(n) - n // 2) / n for n in (rows, columns))
    radius = np.hypot(y[:, None], x[None]) * 2 * size
    background = np.interp(radius, np.arange(size), ring).astype(np.float32)
    for k in range(-2, 3):
        for lines, source in ((background, power), (background.T, power.T)):
            line = len(lines) // 2 + k
            streak = median_filter(source[line], 41) / np.log(2)
            lines[line] = np.maximum(lines[line], streak)
    return np.asarray(background, np.float32)


def _log_chance(x: float, bins: float) -> float:
    """Log of the probability that the largest of ``bins`` exponential variables reaches x."""
    return (
        float(np.log(-np.expm1(bins * np.log1p(-np.exp(-max(x, 1e-6)))) + 1e-300))
        if x < 600
        else -x + np.log(bins)
    )


def _combine(logs: list[float]) -> float:
    """Log10 of Fisher's combined probability of three independent tests, given their logs."""
    total = -sum(logs)
    return float((-total + np.log1p(total + total**2 / 2)) / np.log(10))


def _find_peak(spectrum: Spectrum, frequency: NDArray[np.float64]) -> tuple[float, NDArray[np.int64], int]:
    """Highest peak near a frequency: its ratio, its bin, and the number of bins searched."""
    shape = np.array(spectrum.ratio.shape)
    middle = np.rint(frequency * shape).astype(int) + shape // 2
    reach = np.ceil(_DISTORTION * np.hypot(*frequency) * shape).astype(int)
    low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, shape)
    box = spectrum.ratio[low[0] : high[0], low[1] : high[1]]
    if box.size == 0:
        return 0.0, middle, 1
    at = np.array(np.unravel_index(int(box.argmax()), box.shape))
    return float(box[tuple(at)]), low + at, box.size


def _judge(
    spectrum: Spectrum, first: NDArray[np.float64], bins: float | None = None
) -> tuple[float, NDArray[np.int64]]:
    """Log10 probability that noise gives a hexagon with a spot at ``first``; bins of its three spots.

    ``bins`` is the number of bins searched for the first spot; default: its neighbourhood.
    """
    logs, at = [], []
    for degrees in (0, 60, 120):
        x, where, n = _find_peak(spectrum, rotate(first, degrees))
        logs.append(_log_chance(x, n if bins is None or degrees else bins))
        at.append(where)
    return _combine(logs), np.array(at)


def _list_peaks(spectrum: Spectrum, low: float, high: float, most: int) -> tuple[NDArray[np.float64], int]:
    """Highest peaks of the half plane between two frequencies, shape (K, 2); number of bins searched."""
    shape = np.array(spectrum.ratio.shape)
    y, x = ((np.arange(n) - n // 2) / n for n in shape)
    radius = np.hypot(y[:, None], x[None])
    ring = (radius >= low) & (radius <= high) & ((x > 0) | ((x == 0) & (y[:, None] > 0)))
    top = (spectrum.ratio >= cv2.dilate(spectrum.ratio, np.ones((3, 3), np.uint8))) & ring
    where = np.flatnonzero(top)
    values = spectrum.ratio.ravel()[where]
    best = where[np.argsort(-values)[:most]]
    bins = np.stack(np.unravel_index(best, spectrum.ratio.shape), axis=1)
    return (bins - shape // 2) / shape, int(ring.sum())


def _find_hexagon(spectrum: Spectrum) -> NDArray[np.int64] | None:
    """Bins of the three first-order spots, shape (3, 2); None if noise may well have given them."""
    low, high = (2 / np.sqrt(3) / a for a in (LONGEST, _SHORTEST))
    peaks, bins = _list_peaks(spectrum, low, high, 40)
    if len(peaks) == 0:
        return None
    judged = [_judge(spectrum, peak, bins) for peak in peaks]
    chance, spots = min(judged, key=lambda j: j[0])
    return spots if chance + np.log10(len(peaks)) <= np.log10(_CHANCE) else None


def _fit_first_order(
    spectrum: Spectrum,
    spots: NDArray[np.int64],
    image: NDArray[np.float32],
    field: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.float64], float] | None:
    """Fit the hexagon of first order, given one of any order: arguments and results of `_fit_hexagon`.

    None if the order is in doubt, or if the image has too few unit cells to tell it.
    """
    frequencies, deviation = _fit_hexagon(spectrum, spots, image, field)
    if np.hypot(*frequencies[0]) * min(spectrum.power.shape) < _FEWEST_PLANES:
        return None
    height, lower = find_lower_order(spectrum.power, frequencies)
    if height < DOUBTFUL:
        return frequencies, deviation
    if height < STANDS_OUT:
        return None
    spots = np.array([_find_peak(spectrum, spot)[1] for spot in list_spots(lower)])
    return _fit_first_order(spectrum, spots, image, field)


def _fit_hexagon(
    spectrum: Spectrum,
    spots: NDArray[np.int64],
    image: NDArray[np.float32],
    field: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.float64], float]:
    """Two reciprocal vectors from three spots, and the relative standard deviation of their length."""
    shape = np.array(spectrum.power.shape)
    f = np.array([_refine(spectrum.power, spot) for spot in spots]) / shape - (shape // 2) / shape
    heights = np.array([spectrum.ratio[tuple(spot)] for spot in spots])
    # The position of a peak has a standard deviation of a twentieth of a bin, more if the peak is low.
    deviations = 0.05 * np.sqrt(1 + 20 / heights) / min(shape)
    for i, (refined, deviation) in enumerate(refine_by_phase(image, f, field)):
        near = bool((np.abs(refined - f[i]) * shape < 0.5).all())
        if near and deviation < deviations[i]:
            f[i], deviations[i] = refined, deviation
    # The third spot is the second minus the first: a least-squares fit of two vectors to three spots.
    gap = f[0] - f[1] + f[2]
    basis = np.array([f[0] - gap / 3, f[1] + gap / 3])
    spread = max(float(np.hypot(*gap)) / np.sqrt(6), float(np.sqrt((deviations**2).mean())))
    length = np.sqrt(np.hypot(*basis[0]) * np.hypot(*basis[1]))
    return basis, float(spread / length / np.sqrt(3))


def _refine(power: NDArray[np.float32], spot: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sub-bin position of a peak: parabola through the logarithm of three bins, along each axis."""
    place = spot.astype(float)
    for axis in (0, 1):
        steps = [spot.copy(), spot, spot.copy()]
        steps[0][axis] -= 1
        steps[2][axis] += 1
        if steps[0][axis] < 0 or steps[2][axis] >= power.shape[axis]:
            continue
        a, b, c = (float(np.log(power[tuple(s)] + 1e-30)) for s in steps)
        curve = a - 2 * b + c
        if curve < 0:
            place[axis] += float(np.clip((a - c) / (2 * curve), -0.5, 0.5))
    return place


def _count_grains(spectrum: Spectrum, frequencies: NDArray[np.float64], most: int = 4) -> int:
    """Number of hexagons of this size, rotated against each other by 5° or more; at most ``most``."""
    ratio = spectrum.ratio.copy()
    left = spectrum._replace(ratio=ratio)
    shape = np.array(ratio.shape)
    length = float(np.hypot(*frequencies[0]))
    first = frequencies[0]
    faintest = _FAINTEST_GRAIN * _find_peak(spectrum, first)[0]
    for grains in range(1, most):
        for degrees in range(0, 360, 60):
            y, x = np.rint(rotate(first, degrees) * shape).astype(int) + shape // 2
            reach = max(4, round(0.085 * length * min(shape)))
            ratio[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1] = 0
        peaks, bins = _list_peaks(left, length * (1 - _DISTORTION), length * (1 + _DISTORTION), 6)
        peaks = np.array([p for p in peaks if _find_peak(left, p)[0] > faintest])
        judged = [(_judge(left, peak, bins)[0], i) for i, peak in enumerate(peaks)]
        if not judged or min(judged)[0] > np.log10(_CHANCE):
            return grains
        first = peaks[min(judged)[1]]
    return most
