"""Offsets of the rows of a scan, from the phases of the lattice's waves: drift and row jitter.

A row is a short exposure: the lattice within it is whole, but it stands shifted against that of the rows
before it. A shift by t along the column and s along the row turns the phase of a wave of frequency (u, v)
by 2π (u t + v s).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.lattice.hexagon import list_spots, rotate
from porescope.lattice.waves import Flat
from porescope.strips import cut_strips

#: Largest width of the parts of a row whose phases are followed apart [px].
_PART = 512
#: Standard deviation of the Gaussian over which slow drift is followed first [shares of the height].
_SLOWEST = 1 / 64
#: Standard deviation of the Gaussian that parts the other waves, and in time jitter from drift: at least
#: [planes], [rows].
_APART, _DRIFTS = 0.5, 32.0
#: Largest number of times that rows are followed, each time from the frequencies found before, and the change
#: of these below which that ends [bins].
_PASSES, _SETTLED = 3, 1.0
#: Weight of "no shift", relative to that of the phases in a usual row.
_CALM = 0.05
#: Share of a variance that must be more than noise: below, it is not followed.
_LEAST_GAIN = 0.3
#: Shifts that are tried for a row, in shares of the longest that can be told from the opposite one.
_TRIED = np.linspace(-1, 1, 41)


class RowOffsets(NamedTuple):
    """Where the rows of an image stand, against a scan without drift and jitter."""

    down: NDArray[np.float64]  # (M,), offset along the column [px], without its linear part
    along: NDArray[np.float64]  # (M,), offset along the row [px], without its linear part
    frequencies: NDArray[np.float64]  # (2, 2), reciprocal vectors, the linear parts included [cycles/px]
    jitter: float  # root mean square of the rows' own offsets along the row, without drift and noise [px]


def measure_rows(flat: Flat, frequencies: NDArray[np.float64]) -> RowOffsets:
    """Measure the offsets of an image's rows.

    Parameters
    ----------
    flat : Flat
    frequencies : ndarray, shape (2, 2)
        Two reciprocal vectors, 60° apart, exact to about a bin [cycles/px].

    Returns
    -------
    RowOffsets
    """
    rows = np.arange(flat.shape[0])
    for _ in range(_PASSES):
        basis = _refine_along(flat, frequencies)
        offsets, jitter = _follow_rows(flat, list_spots(basis))
        lines = [np.polyfit(rows, offset, 1) for offset in offsets]
        basis[:, 0] += basis @ np.array([line[0] for line in lines])
        settled = np.abs(basis - frequencies).max() * len(rows) < _SETTLED
        frequencies = basis
        if settled:
            break
    down, along = (o - np.polyval(line, rows) for o, line in zip(offsets, lines, strict=True))
    return RowOffsets(down, along, basis, jitter)


def shift_rows(image: NDArray[np.float32], rows: RowOffsets) -> NDArray[np.float32]:
    """Put the rows of an image where they belong.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    rows : RowOffsets

    Returns
    -------
    ndarray of float32, shape (M, N)
    """
    y = np.repeat(find_rows(np.arange(len(image)), rows)[:, None], image.shape[1], axis=1)
    x = np.broadcast_to(np.arange(image.shape[1], dtype=np.float32)[None], y.shape)
    slid = slide_rows(image, rows)
    return np.asarray(cv2.remap(slid, x.copy(), y, cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT), np.float32)


def slide_rows(image: NDArray[np.float32], rows: RowOffsets) -> NDArray[np.float32]:
    """Put the rows of an image where they belong along themselves. Each row is interpolated by itself.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    rows : RowOffsets

    Returns
    -------
    ndarray of float32, shape (M, N)
    """
    x = np.arange(image.shape[1], dtype=np.float32)[None] - rows.along.astype(np.float32)[:, None]
    y = np.repeat(np.arange(len(image), dtype=np.float32)[:, None], image.shape[1], axis=1)
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT), np.float32)


def find_rows(places: NDArray[Any], rows: RowOffsets) -> NDArray[np.float32]:
    """Find the row that belongs to each place, for slow drift.

    Parameters
    ----------
    places : ndarray, any shape
        Rows of a scan without drift [px].
    rows : RowOffsets

    Returns
    -------
    ndarray of float32, same shape
        Rows of the recorded image [px].
    """
    at = np.arange(len(rows.down))
    first = places - np.interp(places, at, rows.down)
    return np.asarray(places - np.interp(first, at, rows.down), np.float32)


def _follow_rows(flat: Flat, spots: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Offsets down and along of each row, shape (2, M), and their jitter."""
    shape = flat.shape
    waves = _transform_rows(flat, spots)
    # Between the spots, at their radius, the spectrum holds only noise.
    between = _transform_rows(flat, np.array([rotate(spot, 30.0) for spot in spots]))
    apart = _APART / float(np.hypot(*spots.T).min())
    level = max(_SLOWEST * shape[0], apart)
    offsets = _follow_drift(waves, spots, level)
    unseen = 0.0
    while True:
        noise = float((np.abs(_smooth(between, level)) ** 2).mean(axis=(0, 2)).min())
        shift = _shift_slowly if level >= apart else _shift_along
        step, error = shift(waves, spots, offsets, level, noise)
        spread = float((step[1] ** 2).mean())
        signal = max(spread - error, 0.0)
        if signal < _LEAST_GAIN * spread:
            break
        offsets = offsets + signal / spread * step
        # Noise had to be held back, and some of the signal with it.
        unseen += signal * (1 - signal / spread)
        if level == 0:
            break
        level = level / 2 if level > 1 else 0.0
    rows = np.arange(shape[0])
    along = (offsets[1] - np.polyval(np.polyfit(rows, offsets[1], 1), rows))[:, None, None].astype(
        np.complex64
    )
    fast = (along - _smooth(along, _DRIFTS)).real
    return offsets, float(np.sqrt(fast.var() + unseen))


def _transform_rows(flat: Flat, spots: NDArray[np.float64], parts: int = 0) -> NDArray[np.complex64]:
    """Demodulated waves of each part of each row, shape (M, K, P)."""
    shape = flat.shape
    parts = parts or max(-(-shape[1] // _PART), 1)
    # Hann windows that overlap by half.
    edges = np.linspace(0, shape[1], parts + 2).astype(int)
    waves = np.empty((shape[0], len(spots), parts), np.complex64)
    kernels = []
    for left, right in zip(edges, edges[2:], strict=False):
        columns = np.arange(left, right)
        turns = (
            np.exp(-2j * np.pi * spots[:, 1] * columns[:, None]) * np.hanning(len(columns) + 2)[1:-1, None]
        )
        kernels.append(np.hstack([turns.real, turns.imag]).astype(np.float32))
    for strip in cut_strips(shape):
        inside = flat.read(strip)
        for part, (left, kernel) in enumerate(zip(edges, kernels, strict=False)):
            mixed = inside[:, left : left + len(kernel)] @ kernel
            waves[strip, :, part] = mixed[:, : len(spots)] + 1j * mixed[:, len(spots) :]
    waves *= np.exp(-2j * np.pi * np.arange(shape[0])[:, None] * spots[:, 0]).astype(np.complex64)[..., None]
    return waves


def _refine_along(flat: Flat, frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correct the frequencies along the row, by phases between parts of the same row: without jitter."""
    spots = list_spots(frequencies)
    parts = 4
    waves = _smooth(_transform_rows(flat, spots, parts), _APART / float(np.hypot(*spots.T).min()))
    turns = (waves[..., 1:] * waves[..., :-1].conj()).sum(axis=(0, 2))
    steps = np.angle(turns) / (2 * np.pi * flat.shape[1] / (parts + 1))
    # The third spot is the second minus the first: a weighted fit of two numbers to three.
    weights = np.abs(turns)[:, None]
    design = np.array([[1, 0], [0, 1], [-1, 1]])
    fitted = np.linalg.solve((design * weights).T @ design, (design * weights).T @ steps)
    return np.asarray(frequencies + np.stack([np.zeros(2), fitted], axis=1), np.float64)


def _smooth(waves: NDArray[np.complex64], level: float) -> NDArray[np.complex64]:
    """Average waves over a Gaussian of rows, shape (M, K, P)."""
    if level == 0:
        return waves
    pairs = waves.reshape(len(waves), -1).view(np.float32)
    smooth = np.ascontiguousarray(cv2.GaussianBlur(pairs, (1, 0), sigmaX=0.1, sigmaY=level), np.float32)
    return smooth.reshape(pairs.shape).view(np.complex64).reshape(waves.shape)


def _follow_drift(
    waves: NDArray[np.complex64], spots: NDArray[np.float64], level: float
) -> NDArray[np.float64]:
    """Offsets down and along of each row, shape (2, M), by the waves' turn from row to row."""
    smooth = _smooth(waves, level)
    turns = (smooth[1:] * smooth[:-1].conj()).sum(axis=2, keepdims=True)
    turns = _smooth(turns, 2 * level)[..., 0].T
    steps = _fit_shifts(np.angle(turns).astype(float), np.abs(turns).astype(float), spots)[0]
    return np.concatenate([np.zeros((2, 1)), np.cumsum(steps, axis=1)], axis=1)


def _pull(
    waves: NDArray[np.complex64], spots: NDArray[np.float64], offsets: NDArray[np.float64], level: float
) -> NDArray[np.complex128]:
    """Each wave in each row against its mean, offsets taken off, shape (K, M)."""
    turned = waves * np.exp(-2j * np.pi * (spots @ offsets).T).astype(np.complex64)[..., None]
    return np.asarray((_smooth(turned, level) * turned.mean(axis=0).conj()).sum(axis=2).T, np.complex128)


def _fit_shifts(
    phases: NDArray[np.float64], weights: NDArray[np.float64], spots: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shifts that explain the phases of three waves, shape (2, M); inverse information of those along."""
    directions = 2 * np.pi * spots
    down, along = directions.T
    a, b, c = ((one * two) @ weights for one, two in ((down, down), (down, along), (along, along)))
    calm = _CALM * float(np.median(a + c)) + 1e-30
    a, c = a + calm, c + calm
    pulls = directions.T @ (weights * phases)
    area = a * c - b * b
    return np.stack([c * pulls[0] - b * pulls[1], a * pulls[1] - b * pulls[0]]) / area, a / area


def _shift_slowly(
    waves: NDArray[np.complex64],
    spots: NDArray[np.float64],
    offsets: NDArray[np.float64],
    level: float,
    noise: float,
) -> tuple[NDArray[np.float64], float]:
    """Shifts of the rows in both directions, shape (2, M), and the variance by noise of those along."""
    total = np.zeros_like(offsets)
    for _ in range(2):
        pull = _pull(waves, spots, offsets + total, level)
        step, inverse = _fit_shifts(np.angle(pull), np.abs(pull), spots)
        total += step
    return total, noise / 2 * float(inverse.mean())


def _shift_along(
    waves: NDArray[np.complex64],
    spots: NDArray[np.float64],
    offsets: NDArray[np.float64],
    level: float,
    noise: float,
) -> tuple[NDArray[np.float64], float]:
    """Shifts of the rows along themselves, shape (2, M), and their variance by noise.

    Waves of the same frequency along the row cannot be told apart in one row: the shift is that at which they
    fit together.
    """
    pull = _pull(waves, spots, offsets, level)
    turn = 2 * np.pi * spots[:, 1]
    tried = _TRIED * np.pi / float(np.abs(turn).max())
    fit = (np.exp(-1j * tried[:, None] * turn) @ pull).real
    curve = float(np.median((turn[:, None] ** 2 * np.abs(pull)).sum(axis=0)))
    fit -= _CALM * curve / 2 * tried[:, None] ** 2
    best = np.clip(fit.argmax(axis=0), 1, len(tried) - 2)
    columns = np.arange(fit.shape[1])
    before, at, after = (fit[best + k, columns] for k in (-1, 0, 1))
    bend = np.maximum(2 * at - before - after, 1e-30)
    width = float(tried[1] - tried[0])
    shift = tried[best] + width * np.clip((after - before) / (2 * bend), -1, 1)
    error = noise / 2 * float(np.median(width**2 / bend))
    return np.stack([np.zeros_like(shift), shift]), error
