"""Two images compared at every offset, over what both know."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft


class Comparison(NamedTuple):
    """Two images compared at every offset, shape (M + m − 1, N + n − 1).

    Element (m − 1 + y, n − 1 + x) belongs to the second image's first pixel at (y, x) of the first.
    """

    correlation: NDArray[np.float32]  # normalised
    difference: NDArray[np.float32]  # variance of the difference of the images
    common: NDArray[np.float32]  # number of pixels in common


def compare(
    one: NDArray[np.float32],
    one_known: NDArray[np.bool_],
    two: NDArray[np.float32],
    two_known: NDArray[np.bool_],
) -> Comparison:
    """Compare two images over what both know, at every offset; each without its mean there.

    The normalised correlation is that of Padfield (2012), doi 10.1109/TIP.2011.2181402.

    Parameters
    ----------
    one, two : ndarray of float32, shapes (M, N) and (m, n)
    one_known, two_known : ndarray of bool

    Returns
    -------
    Comparison

    Examples
    --------
    >>> a = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)
    >>> known = np.ones((20, 30), bool)
    >>> found = compare(a, known, a[5:, 7:], known[5:, 7:])
    >>> large = np.where(found.common > 99, found.correlation, 0)
    >>> y, x = np.unravel_index(large.argmax(), large.shape)
    >>> int(y) - 14, int(x) - 22
    (5, 7)
    """
    shape = tuple(a + b - 1 for a, b in zip(one.shape, two.shape, strict=True))
    size = [fft.next_fast_len(n, real=True) for n in shape]
    level = float(one[one_known].mean()) if one_known.any() else 0.0
    a = np.where(one_known, one - level, 0).astype(np.float64)
    b = np.where(two_known, two - level, 0).astype(np.float64)[::-1, ::-1]
    spectra = [fft.rfft2(image, size) for image in (a, a * a, one_known.astype(float))]
    others = [fft.rfft2(image, size) for image in (b, b * b, two_known[::-1, ::-1].astype(float))]

    def sum_products(i: int, j: int) -> NDArray[np.float64]:
        return np.asarray(fft.irfft2(spectra[i] * others[j], size)[: shape[0], : shape[1]])

    common = np.rint(sum_products(2, 2))
    n = np.maximum(common, 1)
    mean_a, mean_b = sum_products(0, 2) / n, sum_products(2, 0) / n
    var_a = np.maximum(sum_products(1, 2) / n - mean_a**2, 0)
    var_b = np.maximum(sum_products(2, 1) / n - mean_b**2, 0)
    covariance = sum_products(0, 0) / n - mean_a * mean_b
    scale = np.sqrt(var_a * var_b)
    least = 1e-6 * float(scale.max(initial=0)) + np.finfo(float).tiny
    correlation = np.where(scale > least, covariance / np.maximum(scale, least), 0)
    difference = np.maximum(var_a + var_b - 2 * covariance, 0)
    return Comparison(*(v.astype(np.float32) for v in (np.clip(correlation, -1, 1), difference, common)))


def refine_peak(values: NDArray[np.float32], peak: NDArray[np.intp]) -> NDArray[np.float64]:
    """Place a peak between pixels: at the top of the parabola through it, in each direction.

    Parameters
    ----------
    values : ndarray of float32, shape (M, N)
    peak : ndarray of int, shape (2,)
        Row and column of a local maximum that is not on the border.

    Returns
    -------
    ndarray, shape (2,)

    Examples
    --------
    >>> y, x = np.mgrid[:5, :5]
    >>> refine_peak((-((y - 2.2) ** 2) - (x - 1.9) ** 2).astype(np.float32), np.array([2, 2])).round(3)
    array([2.2, 1.9])
    """
    y, x = peak
    place = np.array([y, x], float)
    for axis, three in enumerate((values[y - 1 : y + 2, x], values[y, x - 1 : x + 2])):
        before, here, after = map(float, three)
        curvature = before - 2 * here + after
        if curvature < 0:
            place[axis] += float(np.clip((before - after) / (2 * curvature), -0.5, 0.5))
    return place
