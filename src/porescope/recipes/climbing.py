"""Search by climbing: the paper's gradient ascent, and differential evolution.

Both evaluate few points, each of them once, by the cached pipeline of the exhaustive search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from porescope.micrograph import Micrograph
from porescope.recipes.choice import rank
from porescope.recipes.evaluation import CachedPipeline
from porescope.recipes.recipe import Recipe
from porescope.recipes.search import Metric, check_axes, prepare_images

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Climb:
    """The result of a climb.

    Attributes
    ----------
    recipe : Recipe
        The best recipe.
    values : ndarray of float64, shape (images,)
        Its metric on each image.
    path : pandas.DataFrame
        One row per step: restart, the searched fields, successes, objective.
    evaluations : int
        Number of distinct points evaluated.
    """

    recipe: Recipe
    values: NDArray[np.float64]
    path: pd.DataFrame
    evaluations: int


#: A point of a search: one value per axis.
_Point = tuple[float, ...]


class _ObjectiveFunction:
    """The ranks of a point by `rank`, as a function of the searched fields; each point is evaluated once."""

    def __init__(
        self,
        micrographs: Sequence[Micrograph],
        standards: Sequence[NDArray[np.int32]],
        axes: Mapping[str, NDArray[np.float64]],
        recipe: Recipe | None,
        metric: Metric,
        objective: str,
        success: float | None,
    ) -> None:
        self.recipe = recipe = recipe or Recipe()
        self.axes = axes = check_axes(axes, recipe)
        self._metric, self._objective, self._success = metric, objective, success
        self._low = np.array([values[0] for values in axes.values()])
        self._high = np.array([values[-1] for values in axes.values()])
        #: Smallest step along each axis: 1, or the axis's own where that is smaller.
        self.finest = np.array(
            [min(1.0, *np.diff(values)) if len(values) > 1 else 1.0 for values in axes.values()]
        )
        min_area = axes["area"][0] if "area" in axes else recipe.area
        images = prepare_images(micrographs, standards)
        self._pipelines = [CachedPipeline(image, float(min_area), keep=64) for image in images]
        #: Points evaluated so far → metric of each image.
        self.known: dict[_Point, NDArray[np.float64]] = {}

    def round_to_grid(self, point: NDArray[np.float64]) -> _Point:
        """Give the nearest point within the bounds that is whole finest steps from the lower bounds."""
        steps = np.rint((point - self._low) / self.finest)
        return tuple(np.round(np.clip(self._low + steps * self.finest, self._low, self._high), 9).tolist())

    def recipe_at(self, point: _Point) -> Recipe:
        """Give the recipe of a point."""
        return self.recipe.with_values(dict(zip(self.axes, point, strict=True)))

    def values(self, point: _Point) -> NDArray[np.float64]:
        """Compute the metric of each image, or remember it."""
        if point not in self.known:
            recipe = self.recipe_at(point)
            area = np.array([recipe.area])
            counts = np.array([pipeline.count_areas(recipe, area)[0] for pipeline in self._pipelines])
            self.known[point] = self._metric(counts)
        return self.known[point]

    def __call__(self, point: _Point) -> tuple[float, float]:
        """Rank a point: number of images above the success mark, then the combined value."""
        successes, objective = rank(self.values(point), self._objective, self._success)
        return float(successes), float(objective)


def gradient_ascent(
    micrographs: Sequence[Micrograph],
    standards: Sequence[NDArray[np.int32]],
    axes: Mapping[str, NDArray[np.float64]],
    metric: Metric,
    recipe: Recipe | None = None,
    *,
    objective: str = "mean",
    success: float | None = None,
    restarts: int = 5,
    seed: int = 0,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Climb:
    """Climb from random points, each time to the best neighbour, with steps that shrink.

    A neighbour differs in one field by one step. The step is a quarter of each range at first, and is halved
    where no neighbour is better. The finest step is 1, or the axis's own where that is smaller.

    Parameters
    ----------
    micrographs, standards, recipe
        As for `grid_search`.
    axes : mapping
        Field of the recipe → values, of which the smallest and the largest are the bounds.
    metric : callable
        One of `porescope.scoring.METRICS`, or as `find_metric` gives it.
    objective, success
        As for `rank`.
    restarts : int
        Number of random starts.
    seed : int
        Seed of the random starts.
    on_progress : callable
        Called with the share of the work that is done.

    Returns
    -------
    Climb

    Raises
    ------
    ValueError
        As `grid_search` and `rank`.
    """
    function = _ObjectiveFunction(micrographs, standards, axes, recipe, metric, objective, success)
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    for restart in range(restarts):
        start = function.round_to_grid(np.array([rng.uniform(v[0], v[-1]) for v in function.axes.values()]))
        rows += [(restart, *point, *function(point)) for point in _climb(function, start)]
        on_progress((restart + 1) / restarts)
    return _finish(function, rows)


def _climb(function: _ObjectiveFunction, start: _Point) -> list[_Point]:
    """List the points of one climb, from the start to the summit."""
    spans = np.array([values[-1] - values[0] for values in function.axes.values()])
    finest = function.finest
    step = np.maximum(np.rint(spans / 4 / finest), 1) * finest
    path = [start]
    while True:
        here = path[-1]
        moves = np.vstack([np.diag(step), -np.diag(step)])
        neighbours = {function.round_to_grid(np.array(here) + move) for move in moves} - {here}
        best = max(sorted(neighbours), key=function, default=here)
        if function(best) > function(here):
            path.append(best)
        elif (step <= finest).all():
            return path
        else:
            step = np.maximum(np.rint(step / 2 / finest), 1) * finest


def evolve(
    micrographs: Sequence[Micrograph],
    standards: Sequence[NDArray[np.int32]],
    axes: Mapping[str, NDArray[np.float64]],
    metric: Metric,
    recipe: Recipe | None = None,
    *,
    objective: str = "mean",
    success: float | None = None,
    restarts: int = 5,
    seed: int = 0,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Climb:
    """Climb by SciPy's differential evolution.

    Parameters
    ----------
    micrographs, standards, axes, metric, recipe, objective, success
        As for `gradient_ascent`.
    restarts : int
        Effort: the number of generations is 8 times this.
    seed : int
        Seed of the random population.
    on_progress : callable
        As for `gradient_ascent`.

    Returns
    -------
    Climb
        Its path lists each new best point, with restart 0.

    Raises
    ------
    ValueError
        As `grid_search` and `rank`.

    References
    ----------
    Storn and Price 1997, doi:10.1023/A:1008202821328
    """
    from scipy.optimize import Bounds, differential_evolution

    function = _ObjectiveFunction(micrographs, standards, axes, recipe, metric, objective, success)
    rows: list[tuple[float, ...]] = []

    def loss(point: NDArray[np.float64]) -> float:
        at = function.round_to_grid(point)
        successes, value = function(at)
        if not rows or (successes, value) > rows[-1][-2:]:
            rows.append((0, *at, successes, value))
        return -(1e3 * successes + value)

    generations, done = 8 * restarts, count(1)
    differential_evolution(
        loss,
        Bounds(*zip(*((v[0], v[-1]) for v in function.axes.values()), strict=True)),
        maxiter=generations,
        callback=lambda *state, **more: on_progress(min(next(done) / generations, 1.0)),
        popsize=6,
        seed=seed,
        polish=False,
        tol=0,
    )
    return _finish(function, rows)


def _finish(function: _ObjectiveFunction, rows: list[tuple[float, ...]]) -> Climb:
    import pandas as pd

    path = pd.DataFrame(rows, columns=["restart", *function.axes, "successes", "objective"])
    path = path.astype({"restart": "int64", "successes": "int64"})
    best = max(function.known, key=function)
    return Climb(function.recipe_at(best), function.values(best), path, len(function.known))


#: The climbs, by the name that ``porescope tune --method`` gives them.
CLIMBERS: dict[str, Callable[..., Climb]] = {"ascend": gradient_ascent, "evolve": evolve}
