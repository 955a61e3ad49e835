"""Where one tile lies against another: the offsets that their images allow, and how likely each is.

A lattice looks the same after each of its vectors, so that raw images allow many offsets, each precise.
Smooth images, without lattice, tell which of them is likely; all pairs together decide (`closure`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.registration import Comparison, compare, refine_peak

#: Standard deviation of the Gaussian that leaves nothing of a lattice [nm]: the most telling of 0.12 to 0.3.
SMOOTH_NM = 0.3
#: Pixel size of smooth images [nm].
_COARSE_NM = 0.09
#: Share of the best correlation of the raw images that another offset must reach.
_LEAST_PEAK = 0.7
#: Least correlation of the raw images, in standard deviations of that of independent noise.
_LEAST_SIGMA = 6.0
#: Share of the predicted area in common that an offset must leave.
_LEAST_SHARE = 0.25
#: Factor of the log-likelihood, as neither noise nor the images between pixels are known: measured.
_TRUST = 0.7
#: Distance from which on two places of a tile are different ones [nm].
_APART_NM = 1.0
#: Most offsets that are kept of a pair of tiles.
_MOST_OFFSETS = 60
#: Offsets that are less likely than the best one by this log-likelihood are left out.
_LEAST_SCORE = -15.0


class View(NamedTuple):
    """A tile as it is compared."""

    image: NDArray[np.float32]  # (M, N)
    known: NDArray[np.bool_]  # (M, N): where there is data
    smooth: NDArray[np.float32]  # (M // step, N // step)
    clear: NDArray[np.bool_]  # of the same shape: where the smooth image is not disturbed by borders
    step: int  # pixels of the image for one of the smooth image


class Offsets(NamedTuple):
    """Where the second of two tiles may lie against the first."""

    places_px: NDArray[np.float64]  # (K, 2): (row, column) of its first pixel in the first's pixels
    difference: NDArray[np.float64]  # (K,): variance of the difference of the smooth images
    cells: NDArray[np.float64]  # (K,): number of independent areas that they have in common
    least: float  # least variance of the difference at any offset; NaN if nothing is in common


def prepare_view(image: NDArray[np.float32], known: NDArray[np.bool_] | None, pixel_nm: float) -> View:
    """Prepare a tile to be compared.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    known : ndarray of bool, shape (M, N), or None
        Where there is data; None: everywhere.
    pixel_nm : float

    Returns
    -------
    View
    """
    if known is None:
        known = np.ones(image.shape, bool)
    else:
        image = np.where(known, image, image[known].mean()).astype(np.float32)
    sigma = max(SMOOTH_NM / pixel_nm, 1.0)
    step = max(1, int(_COARSE_NM / pixel_nm))
    blurred = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    reach = 2 * round(sigma / 2) + 1
    inside = cv2.erode(
        known.astype(np.uint8),
        np.ones((reach, reach), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    coarse = slice(step // 2, None, step), slice(step // 2, None, step)
    return View(image, known, np.asarray(blurred[coarse], np.float32), inside[coarse] > 0, step)


def crop_view(
    view: View, low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[View, NDArray[np.int64]]:
    """Cut a part out of a view, along its coarse pixels.

    Parameters
    ----------
    view : View
    low, high : ndarray, shape (2,)
        Bounds (row, column) [px].

    Returns
    -------
    view : View
    origin : ndarray of int, shape (2,)
        Place of its first pixel [px].
    """
    shape = np.array(view.smooth.shape)
    first = np.clip(np.floor(low / view.step), 0, shape - 1).astype(int)
    last = np.maximum(np.clip(np.ceil(high / view.step), 0, shape).astype(int), first + 1)
    fine = tuple(slice(a * view.step, b * view.step) for a, b in zip(first, last, strict=True))
    coarse = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    part = View(view.image[fine], view.known[fine], view.smooth[coarse], view.clear[coarse], view.step)
    return part, first * view.step


def list_offsets(
    one: View,
    two: View,
    predicted_px: NDArray[np.float64],
    reach_px: float,
    pixel_nm: float,
) -> Offsets:
    """List the offsets of two tiles that their images allow, near where the stage says.

    Parameters
    ----------
    one, two : View
    predicted_px : ndarray, shape (2,)
        Where the second tile's first pixel should be in the first one's pixels.
    reach_px : float
        Offsets are looked for within this distance.
    pixel_nm : float

    Returns
    -------
    Offsets
    """
    size_one, size_two = np.array(one.image.shape), np.array(two.image.shape)
    a, origin_a = crop_view(one, predicted_px - reach_px, predicted_px + reach_px + size_two)
    b, origin_b = crop_view(two, -predicted_px - reach_px, -predicted_px + reach_px + size_one)
    shift = origin_a - origin_b
    coarse = compare(a.smooth, a.clear, b.smooth, b.clear)
    y, x = _list_places(a.smooth.shape, b.smooth.shape, shift, one.step)
    away = np.hypot((y - predicted_px[0])[:, None], (x - predicted_px[1])[None])
    near = away <= reach_px
    predicted = coarse.common[np.abs(y - predicted_px[0]).argmin(), np.abs(x - predicted_px[1]).argmin()]
    near &= coarse.common >= max(_LEAST_SHARE * predicted, 4)
    full = near & (coarse.common >= 0.5 * predicted)
    if predicted < 4 or not full.any():
        return Offsets(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.nan)
    least = float(coarse.difference[full].min())
    cells = coarse.common * (one.step * pixel_nm) ** 2 / (4 * np.pi * max(SMOOTH_NM, pixel_nm) ** 2)
    raw = compare(a.image, a.known, b.image, b.known)
    places = _find_peaks(raw, a.image.shape, b.image.shape, shift, predicted_px, reach_px)
    rows = np.clip(np.rint((places[:, 0] - y[0]) / one.step).astype(int), 0, len(y) - 1)
    columns = np.clip(np.rint((places[:, 1] - x[0]) / one.step).astype(int), 0, len(x) - 1)
    kept = near[rows, columns]
    at = rows[kept], columns[kept]
    offsets = Offsets(places[kept], coarse.difference[at].astype(float), cells[at].astype(float), least)
    scores = score_offsets(offsets, least)
    order = np.argsort(-scores)[:_MOST_OFFSETS]
    order = order[scores[order] >= scores.max(initial=-np.inf) + _LEAST_SCORE]
    places, difference, cells = (values[order] for values in offsets[:3])
    return Offsets(places, difference, cells, least)


def score_offsets(offsets: Offsets, noise: float) -> NDArray[np.float64]:
    """Log-likelihood of each offset, against that of images which differ by noise only.

    Parameters
    ----------
    offsets : Offsets
    noise : float
        Variance of the difference of smooth images of the same place.

    Returns
    -------
    ndarray, shape (K,)
    """
    ratio = offsets.difference / max(noise, float(np.finfo(np.float32).tiny))
    return np.asarray(-_TRUST * offsets.cells / 2 * (ratio - 1))


def _list_places(
    shape_one: tuple[int, ...], shape_two: tuple[int, ...], shift: NDArray[np.int64], step: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the offsets of a comparison [px]."""
    y, x = (
        (np.arange(n + m - 1) - (m - 1)) * step + s
        for n, m, s in zip(shape_one, shape_two, shift, strict=True)
    )
    return y, x


def _find_peaks(
    raw: Comparison,
    shape_one: tuple[int, ...],
    shape_two: tuple[int, ...],
    shift: NDArray[np.int64],
    predicted_px: NDArray[np.float64],
    reach_px: float,
) -> NDArray[np.float64]:
    """Offsets at which the raw images agree, between pixels; those that agree much less are left out."""
    y, x = _list_places(shape_one, shape_two, shift, 1)
    values = raw.correlation
    is_peak = (cv2.dilate(values, np.ones((3, 3), np.uint8)) == values) & (values > 0)
    is_peak &= np.hypot((y - predicted_px[0])[:, None], (x - predicted_px[1])[None]) <= reach_px
    at = (np.abs(y - predicted_px[0]).argmin(), np.abs(x - predicted_px[1]).argmin())
    is_peak &= raw.common >= max(_LEAST_SHARE * raw.common[at], 16)
    is_peak[[0, -1]] = False
    is_peak[:, [0, -1]] = False
    is_peak &= values * np.sqrt(raw.common) >= _LEAST_SIGMA
    peaks = np.argwhere(is_peak)
    if not len(peaks):
        return np.zeros((0, 2))
    # A small area agrees by chance: only where half the predicted area is common is the best one looked for.
    heights: NDArray[np.float32] = values[is_peak]
    large = raw.common[is_peak] >= 0.5 * raw.common[at]
    best = float(np.max(heights[large] if large.any() else heights))
    peaks = peaks[heights >= _LEAST_PEAK * best]
    fine = np.array([refine_peak(values, peak) for peak in peaks])
    return np.asarray(fine + [y[0], x[0]])


def locate_tile(
    view: View, others: Sequence[tuple[View, NDArray[np.float64]]], noise: float, pixel_nm: float
) -> tuple[NDArray[np.float64], float]:
    """Look for a tile among others, wherever it overlaps them.

    Parameters
    ----------
    view : View
    others : sequence of (View, ndarray)
        Tiles with the places of their first pixels [px].
    noise : float
        As for `score_offsets`.
    pixel_nm : float

    Returns
    -------
    place_px : ndarray, shape (2,)
        Of the tile's first pixel.
    margin : float
        How much likelier it is than any other place.
    """
    step, size = view.step, np.array(view.smooth.shape)
    places = np.array([place for _, place in others])
    low = np.floor(places.min(axis=0) / step).astype(int) - size
    high = np.ceil((places + [v.image.shape for v, _ in others]).max(axis=0) / step).astype(int) + size
    total = np.zeros(high - low, np.float32)
    cell_px = 4 * np.pi * (max(SMOOTH_NM, pixel_nm) / pixel_nm / step) ** 2
    for other, place in others:
        found = compare(other.smooth, other.clear, view.smooth, view.clear)
        # An area that fits better than twice the noise speaks for the place, another one against it.
        gain = _TRUST * found.common / cell_px / 2 * (2 - found.difference / max(noise, 1e-30))
        at = np.rint(place / step).astype(int) - (size - 1) - low
        part = total[at[0] : at[0] + gain.shape[0], at[1] : at[1] + gain.shape[1]]
        part += gain[: part.shape[0], : part.shape[1]]
    best = np.array(np.unravel_index(int(total.argmax()), total.shape))
    highest = float(total[tuple(best)])
    reach = int(np.ceil(_APART_NM / pixel_nm / step))
    total[max(best[0] - reach, 0) : best[0] + reach + 1, max(best[1] - reach, 0) : best[1] + reach + 1] = 0
    return (best + low) * float(step), highest - max(float(total.max()), 0.0)
