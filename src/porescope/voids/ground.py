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
from porescope.voids.levels import Level, Smoothed, find_levels, flatten, prepare

#: Diameter from which a dark area may be a hole of the support film [nm], and relative to the frame.
_HOLE_NM, _HOLE_SHARE = 200.0, 0.25
#: Share of the membrane from which what is dark is no pore but the membrane.
_MOST_DARK = 0.5
#: Contrast from which an area darker than the sheet may be vacuum [standard deviations of the noise].
_CLEAR = 8.0
#: Smallest area that tells the level of vacuum [px].
_SMALLEST = 20


class Ground(NamedTuple):
    """The levels of a membrane's image, vacuum dark."""

    vacuum: float | None  # None: no vacuum shows
    sheet: float
    film: float | None  # level of a support film
    threshold: float  # between vacuum and sheet
    noise: float  # standard deviation after a Gaussian of `levels.SMOOTHING`
    largest: float  # area from which a region is a hole of the support [px]
    levels: list[Level]
    slope: NDArray[np.float32]  # (M, N), absolute gradient after the same Gaussian [1/px]
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
    largest = np.pi / 4 * max(side, _HOLE_NM / np.sqrt(micrograph.pixel_area)) ** 2
    film = _find_film(levels)
    found = _take_lowest(levels, smoothed, inside, largest, film)
    index = 0
    if found is None:
        found = _take_outliers(levels[0], smoothed, inside, largest)
    else:
        index = 1
    sheet = levels[index]
    film = film if film is not None and film > sheet.value else None
    vacuum, threshold = found or (None, sheet.value)
    return Ground(vacuum, sheet.value, film, threshold, smoothed.noise, largest, levels, smoothed.slope, "")


def _find_film(levels: list[Level]) -> float | None:
    """Level of the support film: the commonest of the third and the brighter ones, if a tenth shows it."""
    bright = max(levels[2:], key=lambda level: level.share, default=None)
    return bright.value if bright and bright.share >= 0.1 else None


def _take_lowest(
    levels: list[Level],
    smoothed: Smoothed,
    inside: NDArray[np.bool_] | None,
    largest: float,
    film: float | None,
) -> tuple[float, float] | None:
    """Level of vacuum and threshold, if the lowest level is that of pores."""
    if len(levels) < 2:
        return None
    threshold = (levels[0].last + levels[1].first) / 2
    dark = smoothed.image < threshold
    if inside is not None:
        dark &= inside
    areas = measure_areas(label_regions(dark))[1:]
    giants = areas[areas >= largest].sum()
    pores = areas[(areas < largest) & (areas >= _SMALLEST)].sum()
    covered = 0 if film is None else np.count_nonzero(smoothed.image > (film + levels[1].value) / 2)
    rest = dark.size - giants - covered
    if pores == 0 or pores > _MOST_DARK * rest:
        return None
    return levels[0].value, threshold


def _take_outliers(
    sheet: Level, smoothed: Smoothed, inside: NDArray[np.bool_] | None, largest: float
) -> tuple[float, float] | None:
    """Level of vacuum and threshold, from areas darker than the sheet that are too few to show a level."""
    limit = sheet.value - _CLEAR * smoothed.noise
    dark = smoothed.image < limit
    if inside is not None:
        dark &= inside
    labels = label_regions(dark)
    areas = measure_areas(labels)
    good = (areas >= _SMALLEST) & (areas < largest)
    good[0] = False
    if not good.any():
        return None
    lowest = np.full(len(areas), np.inf)
    at = labels > 0
    np.minimum.at(lowest, labels[at], smoothed.image[at])
    # Large areas reach the level of vacuum, small ones are blurred.
    order = np.argsort(areas[good])[::-1][:50]
    vacuum = float(np.median(lowest[good][order])) + 2 * smoothed.noise
    return vacuum, (vacuum + sheet.value) / 2
