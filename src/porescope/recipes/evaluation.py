"""Scores of many recipes on one image, with the results of each stage reused.

The stages form a tree: one equalised image serves all radii, one averaged image all thresholds, and the
regions at one threshold all areas. Regions can be scored apart from each other, because whether a region is
kept, its pixels and the pores that it overlaps do not depend on the other regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from porescope.labels import number_consecutively
from porescope.micrograph import Micrograph
from porescope.recipes.recipe import Recipe
from porescope.recipes.segmentation import (
    average,
    convert_to_gray,
    equalize,
    measure_sides,
    median_gray,
    recipe_pixel_size,
    scale_recipe,
    threshold,
    trace_contours,
)


class PreparedImage(NamedTuple):
    """An image with its standard, and all that does not depend on the recipe."""

    name: str
    gray: NDArray[np.uint8]  # 8-bit image with dark pores, shape (M, N)
    median: float  # median grey
    pixel_size: float  # by which recipes are scaled [nm]
    standard: NDArray[np.int32]  # label image of the pores, numbered without gaps, shape (M, N)
    integral: NDArray[np.int32]  # integral image of the standard's pixels, shape (M + 1, N + 1)


def prepare_image(micrograph: Micrograph, standard: NDArray[np.int32]) -> PreparedImage:
    """Compute all that does not depend on the recipe.

    Parameters
    ----------
    micrograph : Micrograph
    standard : ndarray of int32, shape (M, N)
        Label image of its pores.

    Returns
    -------
    PreparedImage
    """
    gray = convert_to_gray(micrograph)
    standard = number_consecutively(standard)
    integral = cv2.integral((standard > 0).astype(np.uint8))
    size = recipe_pixel_size(micrograph)
    return PreparedImage(micrograph.name, gray, median_gray(gray), size, standard, np.asarray(integral))


class _Regions(NamedTuple):
    """The n regions at one threshold, filled as `select` fills them, by ascending area."""

    area: NDArray[np.float64]  # (n,) area of the outer contour [px²]
    sides: NDArray[np.float64]  # (n, 2) sides of the minimum-area rectangle [px], longer first
    pixels: NDArray[np.int64]  # (n,) number of pixels
    tp: NDArray[np.int64]  # (n,) number of pixels that belong to a pore of the standard
    pores: list[NDArray[np.int32]]  # labels of the standard's pores that each region overlaps


#: Longest contour [points] whose sides are remembered: short contours have few shapes, which recur in noise.
_SHORT = 20

#: Points of a short contour, as bytes → sides of its minimum-area rectangle.
_known_sides: dict[bytes, tuple[float, float]] = {}


def _list_regions(image: PreparedImage, mask: NDArray[np.bool_], min_area: float) -> _Regions:
    """List the regions of a mask whose outer contour encloses more than ``min_area`` [px²].

    A contour of L points that encloses the area A has A + L/2 + 1 pixels in and on it (Pick's theorem), also
    where it touches itself.
    """
    # Single pixels are most of the regions in a noisy mask, and their area is 0.
    neighbours = cv2.boxFilter(
        mask.view(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    contours = [c for c in trace_contours(mask & (neighbours > 1)) if len(c) > 2]
    area, boxes, points = _measure_contours(contours)
    order = np.argsort(area, kind="stable")
    order = order[np.searchsorted(area[order], min_area, side="right") :]
    contours, area, boxes = [contours[i] for i in order], area[order], boxes[order]
    sides = np.array([_find_sides(points[i]) for i in order]).reshape(-1, 2)
    steps = np.array([len(c) for c in contours], dtype=np.int64)
    tp = np.zeros(len(contours), np.int64)
    pores = [np.empty(0, np.int32)] * len(contours)
    for i in np.flatnonzero(_sum_boxes(image.integral, boxes)):
        x, y, width, height = boxes[i]
        fill = np.zeros((height, width), np.uint8)
        cv2.drawContours(fill, [contours[i]], -1, 1, cv2.FILLED, offset=(-int(x), -int(y)))
        under = image.standard[y : y + height, x : x + width][fill > 0]
        under = under[under > 0]
        tp[i], pores[i] = len(under), np.unique(under)
    return _Regions(area, sides, (area + steps / 2 + 1).astype(np.int64), tp, pores)


def _measure_contours(
    contours: Sequence[NDArray[np.int32]],
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[bytes]]:
    """Measure all contours at once.

    Returns their areas by the shoelace formula [px²], their boxes (x, y, width, height) and the bytes of
    their points, counted from the corner of the box.
    """
    if not contours:
        return np.empty(0), np.empty((0, 4), np.int64), []
    ends = np.cumsum([len(c) for c in contours])
    starts = np.append(0, ends[:-1])
    points = np.concatenate(contours)[:, 0]
    low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
    points -= np.repeat(low, ends - starts, axis=0)
    following = np.arange(1, len(points) + 1)
    following[ends - 1] = starts
    x, y = points.T.astype(np.int64)
    area = np.abs(np.add.reduceat(x * y[following] - x[following] * y, starts)) / 2
    data = points.tobytes()
    size = points.itemsize * 2
    parts = [data[a:b] for a, b in zip((size * starts).tolist(), (size * ends).tolist(), strict=True)]
    return area, np.hstack([low, high - low + 1]).astype(np.int64), parts


def _find_sides(points: bytes) -> tuple[float, float]:
    """Measure the minimum-area rectangle of a contour, or remember it."""
    found = _known_sides.get(points)
    if found is None:
        found = measure_sides(np.frombuffer(points, np.int32).reshape(-1, 1, 2))
        if len(points) <= 8 * _SHORT:
            _known_sides[points] = found
    return found


def _sum_boxes(integral: NDArray[np.int32], boxes: NDArray[np.int64]) -> NDArray[np.int32]:
    """Sum an image over boxes (x, y, width, height) by its integral image."""
    x, y, width, height = boxes.T
    bottom, right = y + height, x + width
    sums = integral[bottom, right] - integral[y, right] - integral[bottom, x] + integral[y, x]
    return np.asarray(sums, np.int32)


def _count_at_areas(
    image: PreparedImage, regions: _Regions, areas: NDArray[np.float64], recipe: Recipe
) -> NDArray[np.int32]:
    """Score the regions at each smallest area [px²]; counts of shape (areas, 6), as `Score.counts`."""
    ok = (regions.sides[:, 0] < recipe.max_aspect * regions.sides[:, 1]) & (regions.area < recipe.max_area)
    hit = np.array([len(p) > 0 for p in regions.pores], dtype=bool)
    # Element i of a sum is over the regions from the i-th on, as areas ascend.
    pixels, tp, false = (
        np.append(np.cumsum(values[::-1])[::-1], 0)
        for values in (regions.pixels * ok, regions.tp * ok, ok & ~hit)
    )
    first = np.searchsorted(regions.area, areas, side="right")
    # The number of pores found changes only where a region that overlaps a pore becomes too small.
    overlapping = np.flatnonzero(ok & hit)
    dropped = np.searchsorted(overlapping, first)
    n_pores = int(image.standard.max())
    found = {n: _match([regions.pores[i] for i in overlapping[n:]], n_pores) for n in set(dropped.tolist())}
    out = np.empty((len(areas), 6), np.int32)
    out[:, 0] = tp[first]
    out[:, 1] = pixels[first] - tp[first]
    out[:, 2] = image.integral[-1, -1] - tp[first]
    out[:, 3] = [found[n] for n in dropped.tolist()]
    out[:, 4] = n_pores - out[:, 3]
    out[:, 5] = false[first]
    return out


def _match(pores: Sequence[NDArray[np.int32]], n_pores: int) -> int:
    """Count the pores found: the size of a maximum matching of pores to overlapping regions."""
    if all(len(p) == 1 for p in pores):
        return len({int(p[0]) for p in pores})
    rows = np.repeat(np.arange(len(pores)), [len(p) for p in pores])
    ones = np.ones(len(rows), bool)
    graph = csr_array((ones, (rows, np.concatenate(pores))), shape=(len(pores), n_pores + 1))
    return int((maximum_bipartite_matching(graph) >= 0).sum())


class CachedPipeline:
    """The pipeline on one image, which keeps the latest results of every stage for the next recipe.

    Parameters
    ----------
    image : PreparedImage
    min_area : float
        Smallest area that will be asked for, in the unit of `Recipe.area`.
    keep : int
        Number of results kept per stage.
    """

    def __init__(self, image: PreparedImage, min_area: float, keep: int = 1) -> None:
        self._image, self._min_area = image, min_area
        self._equal = lru_cache(keep)(lambda tiles, clip: equalize(image.gray, tiles, clip))
        self._mean = lru_cache(keep)(lambda tiles, clip, width: average(self._equal(tiles, clip), width))
        self._regions = lru_cache(keep)(
            lambda key, level, smallest: _list_regions(image, threshold(self._mean(*key), level), smallest)
        )

    def count_areas(self, recipe: Recipe, areas: NDArray[np.float64]) -> NDArray[np.int32]:
        """Score a recipe with each of several areas in place of its own.

        Parameters
        ----------
        recipe : Recipe
        areas : ndarray of float64, shape (K,)
            Smallest areas, in the unit of `Recipe.area`; none is smaller than ``min_area``.

        Returns
        -------
        ndarray of int32, shape (K, 6)
            Counts in the order of `Score.counts`.
        """
        image = self._image
        scaled = scale_recipe(
            recipe.with_values({"area": 1}), image.pixel_size, image.gray.shape, image.median
        )
        key = (scaled.tiles, recipe.clip_limit, scaled.width)
        # Greys are integers, so the fraction of the threshold is irrelevant. A constant image has no pores.
        level = int(scaled.threshold) if image.gray.any() else -1
        regions = self._regions(key, level, self._min_area * scaled.area)
        return _count_at_areas(image, regions, areas * scaled.area, recipe)
