"""Tune a recipe on standards: the exhaustive search and gradient ascent over any of its fields.

The pipeline is a tree of stages, and every stage is computed once: an equalisation serves all radii,
an average all thresholds, and the regions of one threshold all areas, because whether a region is
kept, what it covers and which pore it meets do not depend on the others.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from porescope.micrograph import Micrograph
from porescope.processes import start_pool
from porescope.recipe import Recipe, parameters
from porescope.scoring import METRICS, Score
from porescope.segmentation import (
    BRIGHT_HOLES,
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

if TYPE_CHECKING:
    import pandas as pd

#: The recipe's fields in the order of the stages that use them; arrays of results follow it.
STAGE_ORDER = ("grid", "clip_limit", "radius", "threshold", "max_aspect", "max_area", "area")

#: The axes of the paper's search.
PAPER_AXES = {
    "grid": np.arange(5.0, 31, 5),
    "radius": np.arange(0.0, 5),
    "threshold": np.arange(40.0, 121, 10),
    "area": np.arange(0.0, 91, 10),
}

#: The columns of counts, as `Score` names them.
COUNTS = ("tp", "fp", "fn", "found", "missed", "false")

Metric = Callable[[NDArray[np.integer]], NDArray[np.float64]]


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
    gray = normalize(micrograph.image, micrograph.modality in BRIGHT_HOLES)
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


def _walk(problem: Problem, recipe: Recipe, axes: Mapping[str, NDArray[np.float64]]) -> NDArray[np.int32]:
    """Counts at every point of one image, shape (*axes, 6)."""
    *outer, areas = (axes.get(name, np.array([getattr(recipe, name)])) for name in STAGE_ORDER)
    stages = Stages(problem, float(areas.min()))
    counts = [
        stages.count_areas(recipe.with_values(dict(zip(STAGE_ORDER, point, strict=False))), areas)
        for point in product(*(values.tolist() for values in outer))
    ]
    return np.array(counts).reshape(*(len(axes[name]) for name in STAGE_ORDER if name in axes), 6)


@dataclass(frozen=True, eq=False)
class Search:
    """What an exhaustive search found.

    Attributes
    ----------
    recipe : Recipe
        Holds the values of the fields that were not searched.
    axes : dict
        Field → values, in the order of the stages.
    names : list of str
        The images.
    counts : ndarray of int32, shape (images, *axes, 6)
        `COUNTS` at every point.
    """

    recipe: Recipe
    axes: dict[str, NDArray[np.float64]]
    names: list[str]
    counts: NDArray[np.int32]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each axis."""
        return tuple(len(values) for values in self.axes.values())

    def recipe_at(self, point: int) -> Recipe:
        """The recipe of a point, numbered along the axes, the last one fastest."""
        at = np.unravel_index(point, self.shape)
        values = {name: float(v[i]) for (name, v), i in zip(self.axes.items(), at, strict=True)}
        return self.recipe.with_values(values)

    def evaluate(self, metric: Metric) -> NDArray[np.float64]:
        """The metric, shape (images, points)."""
        return metric(self.counts.reshape(len(self.names), -1, 6))

    def table(self, image: int) -> pd.DataFrame:
        """Every point of one image with its counts, one row each."""
        import pandas as pd

        grids = np.meshgrid(*self.axes.values(), indexing="ij")
        columns: dict[str, Any] = {
            name: g.ravel().astype(np.float32) for name, g in zip(self.axes, grids, strict=True)
        }
        columns |= dict(zip(COUNTS, self.counts[image].reshape(-1, 6).T, strict=True))
        table = pd.DataFrame(columns)
        name = pd.Categorical([self.names[image]], categories=self.names)
        return pd.concat([pd.Series(name.repeat(len(table)), name="image"), table], axis=1)


def grid_search(
    micrographs: Sequence[Micrograph],
    standards: Sequence[NDArray[np.int32]],
    axes: Mapping[str, NDArray[np.float64]] = PAPER_AXES,
    recipe: Recipe | None = None,
    *,
    workers: int = 1,
) -> Search:
    """Score every combination of values on every image.

    The result is the same, bit by bit, as that of `segment` and `score` at each point.

    Parameters
    ----------
    micrographs : sequence of Micrograph
    standards : sequence of ndarray of int32
        A label image of each, as `read_standard` gives it.
    axes : mapping
        Field of the recipe → its values; default: the paper's.
    recipe : Recipe, optional
        Gives the other fields.
    workers : int
        Number of processes.

    Returns
    -------
    Search

    Raises
    ------
    ValueError
        If a field is unknown, a value out of bounds, or a standard of another shape.

    Examples
    --------
    >>> from porescope.simulation import simulate
    >>> drawn = simulate(shape=(128, 160), pores=2)
    >>> grid_search([drawn.micrograph], [drawn.labels], {"threshold": np.array([40.0, 60.0])}).shape
    (2,)
    """
    recipe = recipe or Recipe()
    axes = check_axes(axes, recipe)
    problems = prepare_all(micrographs, standards)
    # A task is an image and a value of the first axis, so that two cores share five images evenly.
    first = next(iter(axes))
    tasks = [
        (problem, recipe, {**axes, first: axes[first][i : i + 1]})
        for problem in problems
        for i in range(len(axes[first]))
    ]
    if workers > 1:
        with start_pool(workers) as pool:
            parts = list(pool.map(_walk, *zip(*tasks, strict=True)))
    else:
        parts = [_walk(*task) for task in tasks]
    shape = tuple(len(values) for values in axes.values())
    counts = np.concatenate(parts).reshape(len(problems), *shape, 6)
    return Search(recipe, axes, [p.name for p in problems], counts)


def prepare_all(micrographs: Sequence[Micrograph], standards: Sequence[NDArray[np.int32]]) -> list[Problem]:
    """Prepare each image with its standard."""
    if not micrographs or len(micrographs) != len(standards):
        raise ValueError(f"need one standard per image, have {len(standards)} for {len(micrographs)} images")
    for m, standard in zip(micrographs, standards, strict=True):
        if m.image.shape != standard.shape:
            raise ValueError(f"{m.name}: image has shape {m.image.shape}, its standard {standard.shape}")
    return [prepare(m, s) for m, s in zip(micrographs, standards, strict=True)]


def check_axes(axes: Mapping[str, NDArray[np.float64]], recipe: Recipe) -> dict[str, NDArray[np.float64]]:
    """Put axes in the order of the stages; refuse unknown fields and values out of bounds."""
    known = {p.name: p.metadata["bounds"] for p in parameters()}
    unknown = [name for name in axes if name not in known]
    if unknown or not axes:
        raise ValueError(f"axis {unknown[0] if unknown else 'missing'!r} is none of {', '.join(known)}")
    ordered = {n: np.unique(np.asarray(axes[n], float)) for n in STAGE_ORDER if n in axes}
    for name, values in ordered.items():
        if len(values) == 0:
            raise ValueError(f"axis {name} has no values; give START:STOP:STEP with START ≤ STOP")
        for value in (values[0], values[-1]):
            recipe.with_values({name: float(value)})
    return ordered


def read_axis(text: str) -> tuple[str, NDArray[Any]]:
    """Read an axis as the command line has it: ``NAME=START:STOP:STEP``, the stop included.

    Examples
    --------
    >>> read_axis("grid=5:15:5")
    ('grid', array([ 5., 10., 15.]))
    >>> read_axis("area=5")
    ('area', array([5.]))
    """
    name, _, span = text.partition("=")
    try:
        numbers = [float(part) for part in span.split(":")]
        if len(numbers) == 1:
            return name, np.array(numbers)
        start, stop, step = numbers
        if step <= 0 or stop < start:
            raise ValueError
    except ValueError:
        raise ValueError(f"axis {text!r} must be NAME=START:STOP:STEP, as in grid=5:30:5") from None
    # The stop is included though steps of 0.1 do not add up exactly.
    return name, start + step * np.arange(int((stop - start) / step + 1e-9) + 1)


def find_metric(name: str) -> Metric:
    """Find a metric by its name or as ``module:function``, a function of a `Score`.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name in METRICS:
        return METRICS[name]
    module, _, function = name.partition(":")
    if not function:
        raise ValueError(f"metric {name!r} is none of {', '.join(METRICS)}; or give module:function")
    try:
        own = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"metric {name!r} cannot be imported ({error}); is its folder on PYTHONPATH?"
        ) from None

    def evaluate(counts: NDArray[np.integer]) -> NDArray[np.float64]:
        rows = counts.reshape(-1, 6).tolist()
        flat = [
            float(own(Score(tp, fp, fn, found, missed, false))) for tp, fp, fn, found, missed, false in rows
        ]
        return np.array(flat).reshape(counts.shape[:-1])

    return evaluate


OBJECTIVES = ("mean", "worst", "successes")


def rank(
    values: NDArray[np.float64], objective: str = "mean", success: float | None = None
) -> NDArray[np.float64]:
    """Rank points: the number of images over the success mark first, then the objective.

    Parameters
    ----------
    values : ndarray, shape (images, ...)
        A metric.
    objective : {"mean", "worst", "successes"}
        Over the images; ``successes`` ranks equal numbers by the mean.
    success : float, optional
        Without it only the objective counts.

    Returns
    -------
    ndarray, shape (..., 2)
        Number of successes (0 without a mark) and objective; to be compared in that order.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, not {objective!r}")
    if objective == "successes" and success is None:
        raise ValueError("objective successes needs a success mark; give --success")
    over = np.zeros(values.shape[1:]) if success is None else (values > success).sum(axis=0)
    then = values.min(axis=0) if objective == "worst" else values.mean(axis=0)
    return np.stack([over, then], axis=-1)


def choose(
    values: NDArray[np.float64], objective: str = "mean", success: float | None = None, n: int = 1
) -> NDArray[np.int64]:
    """Numbers of the ``n`` best points of ``values``, shape (images, points), best first."""
    ranks = rank(values, objective, success)
    # The objective's n best within the best numbers of successes; no need to sort millions.
    order = np.lexsort((-ranks[:, 1], -ranks[:, 0])) if len(ranks) < 100_000 else _top(ranks, n)
    return order[:n]


def _top(ranks: NDArray[np.float64], n: int) -> NDArray[np.int64]:
    """As a full sort would, but only among points at least as good as the n-th best."""
    marks = np.sort(ranks[:, 0])[::-1]
    likely = np.flatnonzero(ranks[:, 0] >= marks[n - 1])
    return likely[np.lexsort((-ranks[likely, 1], -ranks[likely, 0]))]


def cross_validate(
    values: NDArray[np.float64], objective: str = "mean", success: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Leave each image out in turn: choose on the others, look at what it then gets.

    Parameters
    ----------
    values : ndarray, shape (images, points)

    Returns
    -------
    ndarray, shape (images,)
        The metric of each image at the point chosen without it.
    ndarray of int, shape (images,)
        Those points.
    """
    images = np.arange(len(values))
    points = np.array([choose(values[images != i], objective, success)[0] for i in images])
    return values[images, points], points
