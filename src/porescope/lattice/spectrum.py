"""The power spectrum of an image, relative to its background of noise, film and contamination."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import median_filter

from porescope.lattice.medians import find_medians
from porescope.lattice.waves import Flat, flatten

#: Side of the tiles over which the spectrum of a larger image is averaged [px].
_TILE = 1024
#: Number of angles at which a ring of the spectrum is sampled, over half a turn: the rest is the same.
_ANGLES = 180
#: Side of the blocks whose median is the local background, and distance from zero up to which it does not
#: count, because there the spectrum falls within a block [bins].
_BLOCK, _NEAR = 16, 32


class Spectrum(NamedTuple):
    """Power spectrum of an image, frequency (0, 0) in the middle."""

    ratio: NDArray[np.float32]  # (R, C), power over its background: exponentially distributed in noise
    power: NDArray[np.float32]  # (R, C)


def measure_spectrum(
    image: NDArray[np.float32], field: NDArray[np.bool_] | None = None, flat: Flat | None = None
) -> Spectrum:
    """Measure the power spectrum of an image, averaged over tiles where it is larger than one.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    field : ndarray of bool, shape (M, N), optional
        As for `flatten`.
    flat : Flat, optional
        The image flattened; default: anew.

    Returns
    -------
    Spectrum
    """
    rows, columns = (min(n, _TILE) for n in image.shape)
    starts = [
        sorted({0, *(round(s) for s in np.linspace(0, n - t, -(-n // t)))})
        for n, t in zip(image.shape, (rows, columns), strict=True)
    ]
    window = np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1]).astype(np.float32)
    power = np.zeros((rows, columns // 2 + 1), np.float32)
    for top, left in product(*starts):
        part = np.s_[top : top + rows, left : left + columns]
        if flat is not None and (rows, columns) == image.shape:
            tile = flat.read()
        else:
            tile = flatten(image[part], None if field is None else field[part])
        wave = fft.rfft2(tile * window)
        power += wave.real**2 + wave.imag**2
    whole = _complete(power, columns)
    return Spectrum(np.asarray(whole / _measure_background(whole), np.float32), whole)


def _complete(half: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """Complete a half of a spectrum by the power at the opposite frequencies, and put 0 in the middle."""
    rows, middle = len(half), columns // 2
    half = np.roll(half, rows // 2, axis=0)
    whole = np.empty((rows, columns), np.float32)
    whole[:, middle:] = half[:, : columns - middle]
    opposite = half[:, middle:0:-1]
    if rows % 2:
        whole[:, :middle] = opposite[::-1]
    else:  # the lowest frequency is its own opposite
        whole[0, :middle], whole[1:, :middle] = opposite[0], opposite[:0:-1]
    return whole


def find_peak(
    spectrum: Spectrum, frequency: NDArray[np.float64], astray: float
) -> tuple[float, NDArray[np.int64], int]:
    """Find the highest peak near a frequency.

    Parameters
    ----------
    spectrum : Spectrum
    frequency : ndarray, shape (2,)
        [cycles/px]
    astray : float
        Largest distance from it, relative to it.

    Returns
    -------
    ratio : float
        Its power over the background.
    bin : ndarray of int, shape (2,)
    bins : int
        Number of bins searched.
    """
    shape = np.array(spectrum.ratio.shape)
    middle = np.rint(frequency * shape).astype(int) + shape // 2
    reach = np.ceil(astray * np.hypot(*frequency) * shape).astype(int)
    low, high = np.maximum(middle - reach, 0), np.minimum(middle + reach + 1, shape)
    box = spectrum.ratio[low[0] : high[0], low[1] : high[1]]
    if box.size == 0:
        return 0.0, middle, 1
    at = np.array(np.unravel_index(int(box.argmax()), box.shape))
    return float(box[tuple(at)]), low + at, box.size


def _measure_background(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean power of noise at each frequency: by medians of the ring, the surroundings, or a streak."""
    rows, columns = power.shape
    size = min(rows, columns) // 2
    # Rings are circles in cycles per pixel, hence ellipses in the bins of an oblong image.
    angle = np.linspace(0, np.pi, _ANGLES, endpoint=False, dtype=np.float32)
    steps = np.arange(size, dtype=np.float32)[:, None] / (2 * size)
    y, x = (n // 2 + n * steps * part for n, part in ((rows, np.sin(angle)), (columns, np.cos(angle))))
    polar = cv2.remap(power, x, y, cv2.INTER_NEAREST, None, cv2.BORDER_REPLICATE)
    ring = find_medians(np.asarray(polar, np.float32))
    ring = cv2.GaussianBlur(ring[None], (0, 0), 1.5) + np.float32(1e-30)
    down, along = ((np.arange(n, dtype=np.float32) - n // 2) / n for n in (rows, columns))
    radius = np.sqrt(down[:, None] ** 2 + along[None] ** 2) * np.float32(2 * size)
    background = np.asarray(
        cv2.remap(ring, radius, np.zeros_like(radius), cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE),
        np.float32,
    )
    surroundings = _measure_surroundings(power)
    surroundings[tuple(slice(max(n // 2 - _NEAR, 0), n // 2 + _NEAR + 1) for n in power.shape)] = 0
    np.maximum(background, surroundings, out=background)
    background /= np.float32(np.log(2))
    for k in range(-2, 3):
        for lines, source in ((background, power), (background.T, power.T)):
            line = len(lines) // 2 + k
            streak = median_filter(source[line], 41) / np.log(2)
            lines[line] = np.maximum(lines[line], streak)
    return background


def _measure_surroundings(power: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median power around each frequency, which noise with a direction raises, but no spot or ridge."""
    rows, columns = (n // _BLOCK * _BLOCK for n in power.shape)
    if min(rows, columns) == 0:
        return np.zeros_like(power)
    half = power[:rows, : columns // 2 // _BLOCK * _BLOCK + _BLOCK]
    blocks = half.reshape(rows // _BLOCK, _BLOCK, -1, _BLOCK).swapaxes(1, 2)
    medians = find_medians(blocks.reshape(*blocks.shape[:2], -1))
    size = (half.shape[1], rows)
    local = np.zeros_like(power)
    local[:rows, : half.shape[1]] = cv2.resize(medians, size, interpolation=cv2.INTER_LINEAR)
    # The spectrum is the same at opposite frequencies.
    middle = power.shape[1] // 2
    opposite = np.roll(local[::-1, ::-1], [1 - n % 2 for n in power.shape], (0, 1))
    local[:, middle:] = opposite[:, middle:]
    return local
