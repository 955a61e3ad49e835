"""The grey levels of an image: how many there are, which is vacuum and which sheet.

All images here are turned so that vacuum is dark.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

#: Standard deviation of the Gaussian before levels are looked for [px].
SMOOTHING = 1.5
#: Largest gradient of a flat pixel, relative to the image's median gradient.
_FLAT = 2.0
#: Number of bins of the histogram, and most pixels that are counted.
_BINS, _MOST_SAMPLED = 1024, 2**21
#: Range of grey values, relative to the largest, up to which an image is even.
_EVEN = 1e-5
#: Least prominence of a peak of the histogram, in square roots of independent pixels: four standard
#: deviations.
_PROMINENCE = 2.0
#: Least share of a level's edges that it has in common with the next level: a gradual change of brightness
#: makes no level. And the window in which the two sides of an edge are looked for [px].
_FEWEST_EDGES, _EDGE_WINDOW = 0.05, 9
#: Number of pixels to which the change of brightness is fitted, the entropy that the change of all of it must
#: save, and the least entropy saved.
_FITTED, _COST, _LEAST_GAIN = 40_000, 0.5, 0.03
#: Distance of levels that may be one [standard deviations of the noise], and density between levels that may
#: be one, relative to the lower peak.
_NEAR, _FILLED = 10.0, 0.03


class Level(NamedTuple):
    """A grey level that an image shows."""

    value: float  # commonest grey value
    first: float  # lowest of the peaks that belong to it
    last: float  # highest of them
    share: float  # of the flat pixels


class Smoothed(NamedTuple):
    """An image smoothed so that its levels show."""

    image: NDArray[np.float32]  # (M, N)
    slope: NDArray[np.float32]  # (M, N), absolute gradient [1/px]
    flat: NDArray[np.bool_]  # (M, N), where the image has no edge
    noise: float  # standard deviation of the noise that is left

    @property
    def slope_noise(self) -> float:
        """Root mean square of the gradient that noise alone has [1/px]."""
        return self.noise / SMOOTHING


def smooth(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Smooth an image without moving its curved edges.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    sigma : float
        Standard deviation of the Gaussian [px].

    Returns
    -------
    ndarray of float32, shape (M, N)

    Notes
    -----
    A Gaussian moves the half-way edge of a disc of radius R inwards by σ²/2R. Half its Laplacian undoes that
    to the first order.

    Examples
    --------
    >>> y, x = np.mgrid[-20:21, -20:21]
    >>> disc = (np.hypot(y, x) < 7).astype(np.float32)
    >>> blurred = cv2.GaussianBlur(disc, (0, 0), 2)
    >>> [int((image > 0.5).sum()) for image in (disc, smooth(disc, 2), blurred)]
    [145, 145, 137]
    """
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.asarray(blurred - np.float32(sigma**2 / 2) * cv2.Laplacian(blurred, cv2.CV_32F), np.float32)


def flatten(image: NDArray[np.float32], inside: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Even out a gradual change of brightness across an image.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    inside : ndarray of bool, shape (M, N), or None
        Where there is data; None: everywhere.

    Returns
    -------
    ndarray of float32, shape (M, N)
        The image divided by the plane that makes its histogram the sharpest, or the image itself.

    Notes
    -----
    The histogram's entropy is least where each level has one grey value (Viola 1995; as in the correction of
    shading by Likar et al. 2001, doi:10.1109/42.974929).
    """
    from scipy.optimize import minimize

    smoothed = prepare(image, inside)
    step = max(1, int(np.sqrt(image.size / _FITTED)))
    kept = smoothed.flat[::step, ::step]
    values = smoothed.image[::step, ::step][kept]
    rows, columns = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in image.shape)
    at = np.argwhere(kept) * step
    y, x = rows[at[:, 0]], columns[at[:, 1]]
    low, high = np.percentile(values, (0.1, 99.9)) if len(values) else (0.0, 0.0)
    if len(values) < _BINS or high - low <= _EVEN * max(abs(high), abs(low)):
        return image
    width = max((high - low) / _BINS, smoothed.noise / 2)
    ends = np.arange(low - 0.3 * (high - low), high + 0.3 * (high - low) + width, width)

    def measure_entropy(plane: NDArray[np.float64]) -> float:
        counts = np.histogram(values / (1 + plane[0] * y + plane[1] * x), ends)[0]
        counts = gaussian_filter1d(counts.astype(float), 2.0)
        share = counts[counts > 0] / counts.sum()
        return float(-(share * np.log(share)).sum() + _COST * np.hypot(*plane))

    simplex = np.array([[0, 0], [0.1, 0], [0, 0.1]])
    best = minimize(
        measure_entropy, np.zeros(2), method="Nelder-Mead",
        options={"initial_simplex": simplex, "maxfev": 80, "xatol": 1e-3, "fatol": 1e-4},
    )  # fmt: skip
    if best.fun > measure_entropy(np.zeros(2)) - _LEAST_GAIN:
        return image
    plane = 1 + best.x[0] * rows[:, None] + best.x[1] * columns[None]
    return np.asarray(image / plane, np.float32)


def prepare(image: NDArray[np.float32], inside: NDArray[np.bool_] | None) -> Smoothed:
    """Smooth an image, and say where it is flat.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    inside : ndarray of bool, shape (M, N), or None
        Where there is data; None: everywhere.

    Returns
    -------
    Smoothed
    """
    smoothed = cv2.GaussianBlur(image, (0, 0), SMOOTHING)
    # Without a copy of the image for each direction.
    slope = cv2.Sobel(smoothed, cv2.CV_32F, 1, 0, scale=0.125)
    slope = np.asarray(np.hypot(slope, cv2.Sobel(smoothed, cv2.CV_32F, 0, 1, scale=0.125), out=slope))
    here = slope if inside is None else slope[inside]
    flat = slope <= _FLAT * (float(np.median(here)) if here.size else 0.0)
    if inside is not None:
        flat &= inside
    rest = smoothed - cv2.GaussianBlur(smoothed, (0, 0), 3 * SMOOTHING)
    noise = 1.4826 * float(np.median(np.abs(_sample(rest[flat])))) if flat.any() else 0.0
    return Smoothed(np.asarray(smoothed, np.float32), np.asarray(slope, np.float32), flat, noise)


def _sample(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[:: max(1, len(values) // _MOST_SAMPLED)]


def find_levels(smoothed: Smoothed) -> list[Level]:
    """Find the grey levels of an image: the peaks of the histogram of its flat pixels.

    Parameters
    ----------
    smoothed : Smoothed

    Returns
    -------
    list of Level
        From dark to bright. Two levels have a sharp edge between them: what changes gradually is one level.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(10, 1, (200, 300)).astype(np.float32)
    >>> image[50:120, 60:200] -= 6
    >>> [round(level.value) for level in find_levels(prepare(image, None))]
    [4, 10]
    """
    values = _sample(smoothed.image[smoothed.flat]).astype(float)
    low, high = np.percentile(values, (0.001, 99.999)) if len(values) else (0.0, 0.0)
    if high - low <= _EVEN * max(abs(high), abs(low)):
        return [Level(float(low), float(low), float(low), 1.0)]
    counts, edges = np.histogram(values, _BINS, (low, high))
    step = float(edges[1] - edges[0])
    # Smoothed pixels are not independent.
    counts = counts * (int(smoothed.flat.sum()) / len(values) / (4 * np.pi * SMOOTHING**2))
    width = max(0.7 * smoothed.noise / step, 1.0)
    density = gaussian_filter1d(counts, width, mode="constant")
    root = np.sqrt(density * width * np.sqrt(4 * np.pi))
    peaks = find_peaks(np.pad(root, 1), prominence=_PROMINENCE)[0] - 1
    if not len(peaks):
        peaks = np.array([int(np.argmax(root))])
    centres = ((edges[:-1] + edges[1:]) / 2).tolist()
    ends = [a + int(np.argmin(density[a:b])) for a, b in zip(peaks[:-1], peaks[1:], strict=True)]
    levels = [
        Level(centres[p], centres[p], centres[p], float(counts[a:b].sum() / counts.sum()))
        for p, a, b in zip(peaks, [0, *ends], [*ends, _BINS], strict=True)
    ]
    valleys = [
        float(density[a] / min(density[p], density[q]))
        for a, p, q in zip(ends, peaks[:-1], peaks[1:], strict=True)
    ]
    return _join_gradual(levels, valleys, smoothed)


def _join_gradual(levels: list[Level], valleys: list[float], smoothed: Smoothed) -> list[Level]:
    """Join levels that have hardly an edge between them."""
    if len(levels) < 2:
        return levels
    edges = _count_edges(np.array([level.value for level in levels]), smoothed)
    joined, members = levels[:1], [0]
    for i, level in enumerate(levels[1:], start=1):
        before = joined[-1]
        common = edges[members, i].sum()
        others = edges[members].sum() - edges[np.ix_(members, members)].sum()
        near = level.first - before.last < _NEAR * smoothed.noise
        apart = common >= _FEWEST_EDGES * min(others, edges[i].sum()) > 0
        if apart or not (near or valleys[i - 1] > _FILLED):
            joined.append(level)
            members = [i]
            continue
        main = max(before, level, key=lambda one: one.share)
        joined[-1] = Level(main.value, before.first, level.last, before.share + level.share)
        members.append(i)
    return joined


def _count_edges(values: NDArray[np.float64], smoothed: Smoothed) -> NDArray[np.int64]:
    """Count the pixels of edges between each two levels, shape (n, n), symmetric."""
    window = np.ones((_EDGE_WINDOW, _EDGE_WINDOW), np.uint8)
    steep = ~cv2.dilate(smoothed.flat.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)
    # Flat pixels know no edge; a thin line of edge pixels is enough.
    ends = (values[:-1] + values[1:]) / 2
    # The extremes of a window are those of its noise.
    sides = [
        np.digitize(_sample(extreme(smoothed.image, window)[steep]) + sign * 2 * smoothed.noise, ends)
        for extreme, sign in ((cv2.erode, 1), (cv2.dilate, -1))
    ]
    counts = np.zeros((len(values), len(values)), np.int64)
    np.add.at(counts, tuple(sides), 1)
    np.fill_diagonal(counts, 0)
    return counts + counts.T
