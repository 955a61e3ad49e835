"""Tune a recipe by climbing: the paper's gradient ascent, and differential evolution beside it.

Both look at few points and remember each; they share the stages of the exhaustive search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from porescope.micrograph import Micrograph
from porescope.recipes.choice import Metric, rank
from porescope.recipes.evaluation import Stages
from porescope.recipes.recipe import Recipe
from porescope.recipes.search import check_axes, prepare_all

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Climb:
    """Where a climb led.

    Attributes
    ----------
    recipe : Recipe
        The best point.
    values : ndarray, shape (images,)
        The metric of each image there.
    path : pandas.DataFrame
        A row a step: restart, the searched fields, successes, objective.
    evaluations : int
        Distinct points looked at.
    """

    recipe: Recipe
    values: NDArray[np.float64]
    path: pd.DataFrame
    evaluations: int


class Landscape:
    """The objective as a function of the searched fields; every point is evaluated once."""

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
        self.grain = np.array(
            [min(1.0, *np.diff(values)) if len(values) > 1 else 1.0 for values in axes.values()]
        )
        smallest = axes["area"][0] if "area" in axes else recipe.area
        problems = prepare_all(micrographs, standards)
        self._stages = [Stages(problem, float(smallest), keep=64) for problem in problems]
        self.known: dict[tuple[float, ...], NDArray[np.float64]] = {}

    def clip(self, point: NDArray[np.float64]) -> tuple[float, ...]:
        """The nearest point within the bounds, in whole numbers or in the axis's finer steps."""
        steps = np.rint((point - self._low) / self.grain)
        return tuple(np.round(np.clip(self._low + steps * self.grain, self._low, self._high), 9).tolist())

    def recipe_at(self, point: tuple[float, ...]) -> Recipe:
        """The recipe of a point."""
        return self.recipe.with_values(dict(zip(self.axes, point, strict=True)))

    def values(self, point: tuple[float, ...]) -> NDArray[np.float64]:
        """The metric of each image."""
        if point not in self.known:
            recipe = self.recipe_at(point)
            area = np.array([recipe.area])
            counts = np.array([stages.count_areas(recipe, area)[0] for stages in self._stages])
            self.known[point] = self._metric(counts)
        return self.known[point]

    def __call__(self, point: tuple[float, ...]) -> tuple[float, float]:
        """Number of successes and objective, to be compared in that order."""
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
) -> Climb:
    """Climb from random points to the steepest neighbour, with steps that shrink.

    Parameters
    ----------
    micrographs, standards, recipe
        As for `grid_search`.
    axes : mapping
        Field of the recipe → values; the first and last are the bounds.
    metric : callable
        As `find_metric` gives it.
    objective, success
        As for `rank`.
    restarts : int
        Number of random starts.
    seed : int

    Returns
    -------
    Climb
    """
    landscape = Landscape(micrographs, standards, axes, recipe, metric, objective, success)
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    for restart in range(restarts):
        start = landscape.clip(np.array([rng.uniform(v[0], v[-1]) for v in landscape.axes.values()]))
        rows += [(restart, *point, *landscape(point)) for point in _climb(landscape, start)]
    return _finish(landscape, rows)


def _climb(landscape: Landscape, start: tuple[float, ...]) -> list[tuple[float, ...]]:
    """Points of one climb; a step is a quarter of each range at first and the finest at last."""
    spans = np.array([values[-1] - values[0] for values in landscape.axes.values()])
    finest = landscape.grain
    step = np.maximum(np.rint(spans / 4 / finest), 1) * finest
    path = [start]
    while True:
        here = path[-1]
        moves = np.vstack([np.diag(step), -np.diag(step)])
        neighbours = {landscape.clip(np.array(here) + move) for move in moves} - {here}
        best = max(sorted(neighbours), key=landscape, default=here)
        if landscape(best) > landscape(here):
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
) -> Climb:
    """Search by SciPy's differential evolution; parameters and result are `gradient_ascent`'s.

    ``restarts`` sets the effort: that many times 8 generations.

    References
    ----------
    Storn and Price 1997, doi:10.1023/A:1008202821328
    """
    from scipy.optimize import Bounds, differential_evolution

    landscape = Landscape(micrographs, standards, axes, recipe, metric, objective, success)
    rows: list[tuple[float, ...]] = []

    def loss(point: NDArray[np.float64]) -> float:
        at = landscape.clip(point)
        successes, value = landscape(at)
        if not rows or (successes, value) > rows[-1][-2:]:
            rows.append((0, *at, successes, value))
        return -(1e3 * successes + value)

    differential_evolution(
        loss,
        Bounds(*zip(*((v[0], v[-1]) for v in landscape.axes.values()), strict=True)),
        maxiter=8 * restarts,
        popsize=6,
        seed=seed,
        polish=False,
        tol=0,
    )
    return _finish(landscape, rows)


def _finish(landscape: Landscape, rows: list[tuple[float, ...]]) -> Climb:
    import pandas as pd

    path = pd.DataFrame(rows, columns=["restart", *landscape.axes, "successes", "objective"])
    path = path.astype({"restart": "int64", "successes": "int64"})
    best = max(landscape.known, key=landscape)
    return Climb(landscape.recipe_at(best), landscape.values(best), path, len(landscape.known))


#: What ``porescope tune --method`` takes beside the grid.
CLIMBERS: dict[str, Callable[..., Climb]] = {"ascend": gradient_ascent, "evolve": evolve}
