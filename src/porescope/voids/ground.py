"""What a membrane's image consists of: vacuum, sheet, support film."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from porescope.labels import label_regions, measure_areas
from porescope.micrograph import Micrograph
from porescope.modalities import HOLE_SIGN
from porescope.network.views import find_marks
from porescope.voids.levels import SMOOTHING, Level, Smoothed, find_levels, flatten, prepare

#: Diameter from which a dark area may be a hole of the support film [nm], and relative to the frame.
_HOLE_NM, _HOLE_SHARE = 200.0, 0.25
#: Share of the membrane from which what is dark is no pore but the membrane.
_MOST_DARK = 0.5
#: Contrast from which an area darker than the sheet may be vacuum [standard deviations of the noise].
_CLEAR = 8.0
#: Least gradient at the edge of vacuum, relative to that of a step.
_SHARPEST = 0.5
#: Most growth of the area of pores with the threshold, from a third to two thirds of the contrast.
_MOST_GROWTH = 3.5
#: Smallest area that tells the level of vacuum [px].
_SMALLEST = 20


class Ground(NamedTuple):
    """The levels of a membrane's image, vacuum dark."""

    vacuum: float | None  # None: no vacuum shows
    sheet: float
    film: float | None  # level of a support film
    threshold: float  # between vacuum and sheet
    noise: float  # standard deviation of the noise after a Gaussian of `levels.SMOOTHING`
    widest: float  # width from which a region is a hole of the support [px]
    levels: list[Level]
    slope: NDArray[np.float32]  # (M, N), absolute gradient after the same Gaussian [1/px]
    slope_noise: float  # root mean square of the gradient that noise alone has [1/px]
    message: str


def turn_dark(micrograph: Micrograph) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Turn an image so that vacuum is dark, and leave out scale bars and what has no data.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    image : ndarray of float32, shape (M, N)
        Left out pixels have the value of the nearest other one.
    inside : ndarray of bool, shape (M, N), or None
        What was not left out; None: everything.
    """
    image = micrograph.filled
    marks = find_marks(image)
    image = image if HOLE_SIGN[micrograph.modality] < 0 else -image
    if micrograph.field is None and not marks.any():
        return flatten(image, None), None
    marks = cv2.dilate(marks.view(np.uint8), np.ones((5, 5), np.uint8)).view(bool)
    inside = ~marks if micrograph.field is None else micrograph.field & ~marks
    nearest = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    return flatten(np.asarray(image[tuple(nearest)]), inside), inside


def find_ground(
    image: NDArray[np.float32], inside: NDArray[np.bool_] | None, micrograph: Micrograph
) -> Ground:
    """Find the levels of vacuum, sheet and support film.

    Parameters
    ----------
    image, inside
        As `turn_dark` returns them.
    micrograph : Micrograph

    Returns
    -------
    Ground
    """
    smoothed = prepare(image, inside)
    levels = find_levels(smoothed)
    side = _HOLE_SHARE * min(image.shape)
    widest = max(side, _HOLE_NM / float(np.sqrt(micrograph.pixel_area)))
    film = _find_film(levels)
    found = _take_lowest(levels, smoothed, inside, widest, film)
    index = 0
    if found is None:
        found = _take_outliers(levels[0], smoothed, inside, widest)
    else:
        index = 1
    sheet = levels[index]
    film = film if film is not None and film > sheet.value else None
    vacuum, threshold = found or (None, sheet.value)
    return Ground(
        vacuum, sheet.value, film, threshold, smoothed.noise, widest, levels, smoothed.slope,
        smoothed.slope_noise, "",
    )  # fmt: skip


def _find_film(levels: list[Level]) -> float | None:
    """Level of the support film: the commonest of the third and the brighter ones, if a tenth shows it."""
    bright = max(levels[2:], key=lambda level: level.share, default=None)
    return bright.value if bright and bright.share >= 0.1 else None


def _take_lowest(
    levels: list[Level],
    smoothed: Smoothed,
    inside: NDArray[np.bool_] | None,
    widest: float,
    film: float | None,
) -> tuple[float, float] | None:
    """Level of vacuum and threshold, if the lowest level is that of pores."""
    if len(levels) < 2:
        return None
    threshold = (levels[0].last + levels[1].first) / 2
    dark = smoothed.image < threshold
    if inside is not None:
        dark &= inside
    labels = label_regions(dark)
    areas = measure_areas(labels)[1:]
    giant = 2 * measure_depth(dark, labels, len(areas) + 1)[1:] >= widest
    giants, pores = areas[giant].sum(), areas[~giant & (areas >= _SMALLEST)].sum()
    covered = 0 if film is None else np.count_nonzero(smoothed.image > (film + levels[1].value) / 2)
    rest = dark.size - giants - covered
    if pores == 0 or pores > _MOST_DARK * rest:
        return None
    return levels[0].value, threshold


def _take_outliers(
    sheet: Level, smoothed: Smoothed, inside: NDArray[np.bool_] | None, widest: float
) -> tuple[float, float] | None:
    """Level of vacuum and threshold, from areas darker than the sheet that are too few to show a level."""
    inside = np.ones(smoothed.image.shape, np.bool_) if inside is None else inside
    regions = _find_dark(smoothed, sheet.value - _CLEAR * smoothed.noise, inside, widest)
    if not len(regions.lowest):
        return None
    # Small pores are too blurred to reach the level of vacuum, and shades are none.
    deep = regions.lowest <= (sheet.value + np.percentile(regions.lowest, 5)) / 2
    vacuum = float(np.median(regions.lowest[deep])) + 2 * smoothed.noise
    threshold = (vacuum + sheet.value) / 2
    contrast = sheet.value - vacuum
    wide, middle, narrow = (
        _find_dark(smoothed, vacuum + share * contrast, inside, widest) for share in (0.65, 0.5, 0.35)
    )
    # The tail of the sheet's own grey values grows fast with the threshold; pores hardly do.
    if wide.areas.sum() > _MOST_GROWTH * narrow.areas.sum():
        return None
    steep = contrast / np.sqrt(2 * np.pi) / SMOOTHING
    sharp = middle.areas[middle.slope > _SHARPEST * steep].sum()
    return (vacuum, threshold) if sharp > 0.5 * middle.areas.sum() else None


class _Dark(NamedTuple):
    """Regions darker than a threshold, as columns."""

    areas: NDArray[np.int64]  # [px]
    lowest: NDArray[np.float64]  # lowest grey value
    slope: NDArray[np.float64]  # root mean square of the gradient at the edge, without that of noise


def _find_dark(
    smoothed: Smoothed, threshold: float, inside: NDArray[np.bool_], widest: float
) -> _Dark:
    """Regions darker than a threshold that may be pores."""
    dark = (smoothed.image < threshold) & inside
    labels = label_regions(dark)
    areas = measure_areas(labels)
    good = (areas >= _SMALLEST) & (2 * measure_depth(dark, labels, len(areas)) < widest)
    good[0] = False
    lowest = np.full(len(areas), np.inf)
    np.minimum.at(lowest, labels[dark], smoothed.image[dark])
    edge = find_edges(dark)
    square = np.bincount(labels[edge], smoothed.slope[edge] ** 2, len(areas))
    square = square / np.maximum(np.bincount(labels[edge], minlength=len(areas)), 1) - smoothed.slope_noise**2
    return _Dark(areas[good], lowest[good], np.sqrt(np.maximum(square[good], 0)))


def find_edges(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Find the pixels of a mask that have a neighbour outside.

    Parameters
    ----------
    mask : ndarray of bool, shape (M, N)

    Returns
    -------
    ndarray of bool, shape (M, N)
    """
    return mask & ~cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)


def measure_depth(mask: NDArray[np.bool_], labels: NDArray[np.int32], count: int) -> NDArray[np.float64]:
    """Measure the largest disc within each region of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (M, N)
    labels : ndarray of int32, shape (M, N)
    count : int
        Number of labels, the background included.

    Returns
    -------
    ndarray of float, shape (count,)
        Radius [px]; 0 for the background.
    """
    distance = cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    deepest = np.zeros(count)
    np.maximum.at(deepest, labels[mask], distance[mask])
    return deepest
