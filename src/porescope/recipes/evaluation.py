"""Scores of the threshold method at many recipes: every stage is computed once.

An equalisation serves all radii, an average all thresholds, and the regions of one threshold all areas,
because whether a region is kept, what it covers and which pore it meets do not depend on the others.
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
from porescope.modalities import HOLE_SIGN
from porescope.recipes.recipe import Recipe
from porescope.recipes.segmentation import (
    average,
    equalize,
    measure_sides,
    median_gray,
    normalize,
    outer_contours,
    recipe_pixel_size,
    scale_recipe,
    threshold,
)


class Problem(NamedTuple):
    """One image with its standard, prepared once."""

    name: str
    gray: NDArray[np.uint8]
    median: float
    pixel_size: float
    standard: NDArray[np.int32]
    near: NDArray[np.int32]  # integral image of the standard, to ask whether a box meets a pore


def prepare(micrograph: Micrograph, standard: NDArray[np.int32]) -> Problem:
    """Do for an image what no parameter changes."""
    gray = normalize(micrograph.image, HOLE_SIGN[micrograph.modality] > 0)
    standard = number_consecutively(standard)
    near = cv2.integral((standard > 0).astype(np.uint8))
    size = recipe_pixel_size(micrograph)
    return Problem(micrograph.name, gray, median_gray(gray), size, standard, np.asarray(near))


class Regions(NamedTuple):
    """What is dark at one threshold, each region as `select` would fill it, by ascending area."""

    area: NDArray[np.float64]  # of the outer contour [px²]
    sides: NDArray[np.float64]  # (n, 2) of the minimum-area rectangle [px], longer first
    pixels: NDArray[np.int64]
    tp: NDArray[np.int64]  # of its pixels, those of the standard
    pores: list[NDArray[np.int32]]  # labels of the standard that it meets


#: Contours of at most so many steps have few shapes, which noise repeats thousands of times.
SHORT = 20

#: Sides of the minimum-area rectangle of short contours by their points' bytes.
_known_sides: dict[bytes, tuple[float, float]] = {}


def list_regions(problem: Problem, mask: NDArray[np.bool_], min_area: float) -> Regions:
    """List the regions of a mask whose contour encloses more than ``min_area`` [px²].

    Notes
    -----
    A closed walk of L steps over pixels that encloses the area A has A + L/2 + 1 pixels in and on
    it (Pick's theorem), also where it touches itself.
    """
    # Pixels without neighbours are most of a noisy mask's regions, and enclose nothing.
    neighbours = cv2.boxFilter(
        mask.view(np.uint8), -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    contours = [c for c in outer_contours(mask & (neighbours > 1)) if len(c) > 2]
    area, boxes, points = _measure_contours(contours)
    order = np.argsort(area, kind="stable")
    order = order[np.searchsorted(area[order], min_area, side="right") :]
    contours, area, boxes = [contours[i] for i in order], area[order], boxes[order]
    sides = np.array([_find_sides(points[i]) for i in order]).reshape(-1, 2)
    steps = np.array([len(c) for c in contours], dtype=np.int64)
    tp = np.zeros(len(contours), np.int64)
    pores = [np.empty(0, np.int32)] * len(contours)
    for i in np.flatnonzero(_sum_boxes(problem.near, boxes)):
        x, y, width, height = boxes[i]
        fill = np.zeros((height, width), np.uint8)
        cv2.drawContours(fill, [contours[i]], -1, 1, cv2.FILLED, offset=(-int(x), -int(y)))
        under = problem.standard[y : y + height, x : x + width][fill > 0]
        under = under[under > 0]
        tp[i], pores[i] = len(under), np.unique(under)
    return Regions(area, sides, (area + steps / 2 + 1).astype(np.int64), tp, pores)


def _measure_contours(
    contours: Sequence[NDArray[np.int32]],
) -> tuple[NDArray[np.float64], NDArray[np.int64], list[bytes]]:
    """Area (shoelace), box (x, y, width, height) and points from its corner, of all contours at once."""
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
    found = _known_sides.get(points)
    if found is None:
        found = measure_sides(np.frombuffer(points, np.int32).reshape(-1, 1, 2))
        if len(points) <= 8 * SHORT:
            _known_sides[points] = found
    return found


def _sum_boxes(integral: NDArray[np.int32], boxes: NDArray[np.int64]) -> NDArray[np.int32]:
    """Sums over boxes (x, y, width, height) from an integral image."""
    x, y, width, height = boxes.T
    bottom, right = y + height, x + width
    sums = integral[bottom, right] - integral[y, right] - integral[bottom, x] + integral[y, x]
    return np.asarray(sums, np.int32)


def count_at(
    problem: Problem, regions: Regions, areas: NDArray[np.float64], recipe: Recipe
) -> NDArray[np.int32]:
    """Score the regions at each smallest area [px²]; counts of shape (len(areas), 6)."""
    ok = (regions.sides[:, 0] < recipe.max_aspect * regions.sides[:, 1]) & (regions.area < recipe.max_area)
    hit = np.array([len(p) > 0 for p in regions.pores], dtype=bool)
    # Sums over all regions from the i-th on, as areas ascend.
    pixels, tp, false = (
        np.append(np.cumsum(values[::-1])[::-1], 0)
        for values in (regions.pixels * ok, regions.tp * ok, ok & ~hit)
    )
    first = np.searchsorted(regions.area, areas, side="right")
    # How many pores are found changes only where a region that meets one drops out.
    meeting = np.flatnonzero(ok & hit)
    dropped = np.searchsorted(meeting, first)
    n_pores = int(problem.standard.max())
    found = {n: _match([regions.pores[i] for i in meeting[n:]], n_pores) for n in set(dropped.tolist())}
    out = np.empty((len(areas), 6), np.int32)
    out[:, 0] = tp[first]
    out[:, 1] = pixels[first] - tp[first]
    out[:, 2] = problem.near[-1, -1] - tp[first]
    out[:, 3] = [found[n] for n in dropped.tolist()]
    out[:, 4] = n_pores - out[:, 3]
    out[:, 5] = false[first]
    return out


def _match(pores: Sequence[NDArray[np.int32]], n_pores: int) -> int:
    """Most pores that can be given a region of their own."""
    if all(len(p) == 1 for p in pores):
        return len({int(p[0]) for p in pores})
    rows = np.repeat(np.arange(len(pores)), [len(p) for p in pores])
    ones = np.ones(len(rows), bool)
    graph = csr_array((ones, (rows, np.concatenate(pores))), shape=(len(pores), n_pores + 1))
    return int((maximum_bipartite_matching(graph) >= 0).sum())


class Stages:
    """The stages of the pipeline for one image, the latest ``keep`` results of each at hand.

    ``low`` is the smallest area that will be asked for, in the recipe's unit.
    """

    def __init__(self, problem: Problem, low: float, keep: int = 1) -> None:
        self.problem, self.low = problem, low
        self._equal = lru_cache(keep)(lambda tiles, clip: equalize(problem.gray, tiles, clip))
        self._mean = lru_cache(keep)(lambda tiles, clip, width: average(self._equal(tiles, clip), width))
        self._regions = lru_cache(keep)(
            lambda key, level, min_area: list_regions(problem, threshold(self._mean(*key), level), min_area)
        )

    def count_areas(self, recipe: Recipe, areas: NDArray[np.float64]) -> NDArray[np.int32]:
        """Counts of the recipe with each of the areas in place of its own, shape (n, 6)."""
        p = self.problem
        scaled = scale_recipe(recipe.with_values({"area": 1}), p.pixel_size, p.gray.shape, p.median)
        key = (scaled.tiles, recipe.clip_limit, scaled.width)
        # Greys are whole numbers. A constant image has no pores, as `segment` says.
        level = int(scaled.threshold) if p.gray.any() else -1
        regions = self._regions(key, level, self.low * scaled.area)
        return count_at(p, regions, areas * scaled.area, recipe)
