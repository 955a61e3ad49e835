"""The image flattened, its waves demodulated, and their frequencies refined by phase.

Frequencies are in cycles per pixel, (row, column).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.strips import STRIP, cut_strips

#: Largest lattice constant that is searched [px].
LONGEST = 64.0
#: Largest side of the grid on which the phase of a wave is followed [px].
_COARSE = 2048
#: Clipping limit of a flattened image, in standard deviations.
_CLIP = 4.0


def flatten(image: NDArray[np.float32], field: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
    """Subtract slow changes of the intensity, and clip outliers: contamination, hot pixels, pore floors.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    field : ndarray of bool, shape (M, N), optional
        Where it has data; the rest becomes 0, so that the spectrum has no streaks of the field's edge.

    Returns
    -------
    ndarray of float32, shape (M, N)
        Of median 0, within four standard deviations.

    Examples
    --------
    >>> import numpy as np
    >>> ramp = np.tile(np.arange(400, dtype=np.float32), (400, 1))
    >>> bool(np.abs(flatten(ramp)[150:250, 150:250]).max() < 1)
    True
    """
    small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    slow = cv2.GaussianBlur(small, (0, 0), max(LONGEST / 8, 1))
    slow = cv2.resize(slow, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
    flat = image - slow
    sample = flat[::4, ::4]
    middle = np.median(sample)
    limit = _CLIP * 1.4826 * np.median(np.abs(sample - middle)) + 1e-12
    clipped = np.asarray(np.clip(flat - middle, -limit, limit), np.float32)
    return clipped if field is None else np.asarray(clipped * field, np.float32)


class Flat:
    """An image flattened once, or strip by strip if it is a large one.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    field : ndarray of bool, shape (M, N), optional
        As for `flatten`.
    """

    def __init__(self, image: NDArray[np.float32], field: NDArray[np.bool_] | None = None) -> None:
        self.shape = image.shape
        self._image, self._field = image, field
        self._whole = flatten(image, field) if image.size <= STRIP else None

    def read(self, rows: slice = slice(None)) -> NDArray[np.float32]:
        """Read some rows of the flattened image.

        Parameters
        ----------
        rows : slice
            Default: all.

        Returns
        -------
        ndarray of float32, shape (K, N)
            Those of a large image are flattened by themselves.
        """
        if self._whole is not None:
            return self._whole[rows]
        return flatten(self._image[rows], None if self._field is None else self._field[rows])


def mix(flat: NDArray[np.float32], frequency: NDArray[np.float64], top: int = 0) -> NDArray[np.float32]:
    """Demodulate an image: shift a frequency to 0.

    Parameters
    ----------
    flat : ndarray of float32, shape (M, N)
    frequency : ndarray, shape (2,)
        [cycles/px]
    top : int
        First row, where this is a part of an image [px].

    Returns
    -------
    ndarray of float32, shape (M, N, 2)
        Real and imaginary part.
    """
    down, along = (
        np.exp(-2j * np.pi * f * np.arange(start, start + n)).astype(np.complex64)
        for f, start, n in zip(frequency, (top, 0), flat.shape, strict=True)
    )
    mixed = np.asarray((flat * down[:, None]) * along, np.complex64)
    return mixed.view(np.float32).reshape(*flat.shape, 2)


def mix_coarsely(
    flat: Flat, frequencies: NDArray[np.float64], sizes: Sequence[tuple[int, int]]
) -> list[NDArray[np.float32]]:
    """Demodulate an image, and average it to fewer pixels, strip by strip.

    Parameters
    ----------
    flat : Flat
    frequencies : ndarray, shape (K, 2)
        [cycles/px]
    sizes : sequence of tuple of int
        (R, C) for each frequency.

    Returns
    -------
    list of ndarray of float32, shape (R, C, 2)
        Real and imaginary part for each frequency.
    """
    waves = [np.empty((*size, 2), np.float32) for size in sizes]
    steps = [flat.shape[0] / size[0] for size in sizes]
    margin = ceil(max(steps))
    for strip in cut_strips(flat.shape):
        top = max(strip.start - margin, 0)
        inside = flat.read(slice(top, strip.stop + margin))
        for wave, frequency, step in zip(waves, frequencies, steps, strict=True):
            # Only whole rows of the result, which begin beside the strip.
            rows = slice(round(strip.start / step), round(strip.stop / step))
            low, high = (round(row * step) for row in (rows.start, rows.stop))
            if low < high:
                part = mix(inside[low - top : high - top], frequency, low)
                size = (wave.shape[1], rows.stop - rows.start)
                wave[rows] = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    return waves


def refine_by_phase(flat: Flat, frequencies: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], float]]:
    """Correct frequencies by the phase drift of their waves across the image.

    Parameters
    ----------
    flat : Flat
    frequencies : ndarray, shape (K, 2)
        [cycles/px]

    Returns
    -------
    list of tuple
        Each frequency, shape (2,), and its standard deviation [cycles/px].
    """
    sizes = []
    for frequency in frequencies:
        period = 1 / float(np.hypot(*frequency))
        size = [max(round(3 * n / period), 8) if period > 3 else n for n in flat.shape]
        shrink = min(1.0, _COARSE / max(size))
        sizes.append((max(round(size[0] * shrink), 1), max(round(size[1] * shrink), 1)))
    waves = mix_coarsely(flat, frequencies, sizes)
    return [_follow_phase(wave, f, flat.shape) for wave, f in zip(waves, frequencies, strict=True)]


def _follow_phase(
    coarse: NDArray[np.float32], frequency: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], float]:
    """Correct a frequency by the phase drift of its wave; give its standard deviation.

    The spectrum gives the frequency to a fraction of a bin, so the drift over a sixth of the image is
    unambiguous. That makes the drift over a third unambiguous, and this the drift over a half.
    """
    period = 1 / float(np.hypot(*frequency))
    size = coarse.shape[:2]
    steps = [n / s for n, s in zip(shape, size, strict=True)]
    # A Gaussian with a standard deviation of one period suppresses the other spots.
    pair = np.asarray(cv2.GaussianBlur(coarse, (0, 0), period / steps[0]), np.float32)
    wave = np.ascontiguousarray(pair).view(np.complex64)[..., 0]
    # What it averages over is sampled once or twice.
    every = [max(int(period / step / 2), 1) for step in steps]
    steps = [step * skip for step, skip in zip(steps, every, strict=True)]
    wave = np.ascontiguousarray(wave[:: every[0], :: every[1]])
    corrected, deviation = frequency.copy(), 0.0
    # Number of independent samples: half the area over 4π times the Gaussian's variance.
    independent = max(wave.size / 2 / (4 * np.pi * (period / steps[0]) ** 2), 1.0)
    for axis, n in enumerate(wave.shape):
        drift = 0.0
        for apart in sorted({max(1, n // part) for part in (6, 3, 2)}):
            here, there = (np.take(wave, range(k, k + n - apart), axis) for k in (0, apart))
            pairs = there * here.conj()
            turn = 2 * np.pi * steps[axis] * apart
            total = complex(pairs.sum()) * np.exp(-1j * drift * turn)
            drift += float(np.angle(total)) / turn
        coherence = abs(total) / max(float(np.abs(pairs).sum()), 1e-30)
        phase = np.sqrt((1 - min(coherence, 1.0) ** 2) / 2 / independent) / max(coherence, 1e-6)
        corrected[axis] += drift
        deviation += float(phase / turn) ** 2
    return corrected, float(np.sqrt(deviation / 2))
