"""What a membrane's image consists of: vacuum, sheet, support film."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from porescope.labels import label_regions, measure_areas
from porescope.marks import find_marks
from porescope.micrograph import Micrograph
from porescope.modalities import HOLE_SIGN
from porescope.voids.levels import SMOOTHING, Level, Smoothed, find_levels, flatten, prepare

#: Diameter from which a dark area may be a hole of the support film [nm], and relative to the frame.
_HOLE_NM, _HOLE_SHARE = 200.0, 0.25
#: Contrast of a support film to vacuum, relative to the sheet's: less may be a second layer.
_FILM = 2.4
#: Share of the image below which a level is not the sheet's.
_RARE = 0.02
#: Smallest brightness of the film, below its level, relative to its contrast to the sheet.
_TO_FILM = 0.25
#: Share of the membrane from which what is dark is no pore but the membrane.
_MOST_DARK = 0.5
#: Contrast from which an area darker than the sheet may be vacuum [standard deviations of the noise].
_CLEAR = 8.0
#: Least gradient at the edge of vacuum, relative to that of a step.
_SHARPEST = 0.5
#: Most growth of the area of pores with the threshold, from a third to two thirds of the contrast.
_MOST_GROWTH = 3.5
#: Share of the film along its outline from which a dark area may be a part of the film's hole.
_CUT_OFF = 0.2
#: Share of the film along its outline from which a dark area is a hole of the film.
_SURROUNDED = 0.6
#: Smallest area that tells the level of vacuum [px].
_SMALLEST = 20


class Ground(NamedTuple):
    """The levels of a membrane's image, vacuum dark."""

    vacuum: float  # NaN: no vacuum shows
    sheet: float
    film: float | None  # level of a support film
    threshold: float  # between vacuum and sheet
    noise: float  # standard deviation of the noise after a Gaussian of `levels.SMOOTHING`
    widest: float  # width from which a region is a hole of the support [px]
    levels: list[Level]
    slope: NDArray[np.float32]  # (M, N), absolute gradient after the same Gaussian [1/px]
    slope_noise: float  # root mean square of the gradient that noise alone has [1/px]
    message: str

    @property
    def contrast(self) -> float:
        """Level of the sheet above vacuum; NaN if no vacuum shows."""
        return self.sheet - self.vacuum


def turn_dark(micrograph: Micrograph) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Turn an image so that vacuum is dark, and leave out scale bars and what has no data.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    image : ndarray of float32, shape (M, N)
        Left out pixels have the value of the nearest other one, so that a pore goes on under a text.
    inside : ndarray of bool, shape (M, N), or None
        Where there is data; None: everywhere.
    """
    image = micrograph.filled
    marks = find_marks(image)
    image = image if HOLE_SIGN[micrograph.modality] < 0 else -image
    if micrograph.field is None and not marks.any():
        return flatten(image, None), None
    marks = cv2.dilate(marks.view(np.uint8), np.ones((5, 5), np.uint8)).view(bool)
    field = micrograph.field
    nearest = distance_transform_edt(
        marks if field is None else marks | ~field, return_distances=False, return_indices=True
    )
    return flatten(np.asarray(image[tuple(nearest)]), field), field


def find_ground(image: NDArray[np.float32], inside: NDArray[np.bool_] | None, pixel_area: float) -> Ground:
    """Find the levels of vacuum, sheet and support film.

    Parameters
    ----------
    image, inside
        As `turn_dark` returns them.
    pixel_area : float
        [nm²]

    Returns
    -------
    Ground
    """
    smoothed = prepare(image, inside)
    levels = find_levels(smoothed)
    side = _HOLE_SHARE * min(image.shape)
    widest = max(side, _HOLE_NM / float(np.sqrt(pixel_area)))
    levels = _join_rare(levels)
    found = _take_lowest(levels, smoothed, inside, widest, _find_film(levels[2:]))
    index = 0 if found is None else 1
    sheet, film = levels[index], _find_film(levels[index + 1 :])
    found = found or _take_outliers(sheet, smoothed, inside, widest)
    if film is not None and (found is None or film < found[0] + _FILM * (sheet.value - found[0])):
        film = None
    vacuum, threshold = found or (float("nan"), sheet.value)
    message = _explain_nothing(levels) if found is None else ""
    return Ground(
        vacuum, sheet.value, film, threshold, smoothed.noise, widest, levels, smoothed.slope,
        smoothed.slope_noise, message,
    )  # fmt: skip


def _explain_nothing(levels: list[Level]) -> str:
    """Why no pores are found in an image without a level of vacuum."""
    if len(levels) == 1:
        return "the image shows one grey level only, taken as intact sheet: no pores can be told from it"
    return (
        f"the darkest grey level ({levels[0].share:.0%}".replace("%", " %")
        + " of the image) is taken as intact sheet or as holes "
        "of a support film, and nothing darker shows in it: no pores found"
    )


def _join_rare(levels: list[Level]) -> list[Level]:
    """Join the darkest levels as long as they are rare: all of them are vacuum, with fringes or shades."""
    count = next((i for i, level in enumerate(levels) if level.share >= _RARE), 0)
    if count < 2:
        return levels
    main = max(levels[:count], key=lambda level: level.share)
    share = sum(level.share for level in levels[:count])
    return [Level(main.value, levels[0].first, levels[count - 1].last, share), *levels[count:]]


def _find_film(brighter: list[Level]) -> float | None:
    """Level of the support film: the commonest above the sheet's, if a tenth of the image shows it."""
    bright = max(brighter, key=lambda level: level.share, default=None)
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
    on_film = np.zeros(dark.shape, np.bool_)
    if film is not None:
        on_film = find_film(smoothed.image, levels[1].value, film)
    edge = find_edges(dark)
    shares = measure_near(on_film, labels, edge, len(areas) + 1)[1:]
    large = areas >= _SMALLEST
    holes = large & (shares >= _SURROUNDED)
    small = large & ~giant & (shares < _CUT_OFF)
    if not small.any():
        return None
    # The membrane itself may be what is darkest.
    rest = dark.size - np.count_nonzero(on_film) - areas[holes].sum()
    if areas[large & ~holes].sum() > _MOST_DARK * rest:
        return None
    # What lies within the sheet's darkest level may be darker still.
    lowest = np.full(len(areas) + 1, np.inf)
    np.minimum.at(lowest, labels[dark], smoothed.image[dark])
    deepest = float(np.average(lowest[1:][small], weights=areas[small])) + 2 * smoothed.noise
    gap = max(_CLEAR * smoothed.noise, 0.35 * (levels[1].first - levels[0].last))
    return None if deepest < levels[0].first - gap else (levels[0].value, threshold)


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
    large = regions.areas >= np.percentile(regions.areas[deep], 75)
    vacuum = float(np.median(regions.lowest[deep & large])) + 2 * smoothed.noise
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


def _find_dark(smoothed: Smoothed, threshold: float, inside: NDArray[np.bool_], widest: float) -> _Dark:
    """Regions darker than a threshold that may be pores."""
    dark = (smoothed.image < threshold) & inside
    labels = label_regions(dark)
    areas = measure_areas(labels)
    good = (areas >= _SMALLEST) & (2 * measure_depth(dark, labels, len(areas)) < widest)
    good[0] = False
    lowest = np.full(len(areas), np.inf)
    np.minimum.at(lowest, labels[dark], smoothed.image[dark])
    edge = find_edges(dark)
    squares = np.bincount(labels[edge], smoothed.slope[edge] ** 2, len(areas))
    mean = squares / np.maximum(np.bincount(labels[edge], minlength=len(areas)), 1)
    square = mean - smoothed.slope_noise**2
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
    inner = cv2.erode(mask.view(np.uint8), np.ones((3, 3), np.uint8))
    return np.asarray(mask & (inner == 0))


def find_film(image: NDArray[np.float32], sheet: float, film: float) -> NDArray[np.bool_]:
    """Find the pixels of the support film.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    sheet, film : float
        Their grey levels.

    Returns
    -------
    ndarray of bool, shape (M, N)
        Brighter than a second layer of the sheet may be, and at least 9 px wide.
    """
    bright = (image > film - _TO_FILM * (film - sheet)).view(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    opened: NDArray[np.bool_] = np.asarray(cv2.morphologyEx(bright, cv2.MORPH_OPEN, disc)) > 0
    return opened


def measure_near(
    mask: NDArray[np.bool_], labels: NDArray[np.int32], edge: NDArray[np.bool_], count: int
) -> NDArray[np.float64]:
    """Measure which share of the outline of each region is within 5 px of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (M, N)
    labels : ndarray of int32, shape (M, N)
    edge : ndarray of bool, shape (M, N)
        Pixels of the regions' outlines.
    count : int
        Number of labels, the background included.

    Returns
    -------
    ndarray of float, shape (count,)
    """
    near = cv2.dilate(mask.view(np.uint8), np.ones((11, 11), np.uint8)).view(bool)
    owner = labels[edge]
    return np.bincount(owner, near[edge], count) / np.maximum(np.bincount(owner, minlength=count), 1)


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
