"""Tune a recipe on standards: the exhaustive search, the metrics, the choice, leaving one out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from porescope.micrograph import Micrograph
from porescope.processes import start_pool
from porescope.recipes.choice import Metric
from porescope.recipes.evaluation import Problem, Stages, prepare
from porescope.recipes.recipe import Recipe, parameters

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
    >>> from porescope.simulation.drawing import simulate
    >>> from porescope.simulation.scene import Scene
    >>> drawn = simulate(Scene(shape=(128, 160), pores=2))
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
        if not np.isfinite(numbers).all():
            raise ValueError
        if len(numbers) == 1:
            return name, np.array(numbers)
        start, stop, step = numbers
        if step <= 0 or stop < start:
            raise ValueError
    except ValueError:
        raise ValueError(f"axis {text!r} must be NAME=START:STOP:STEP, as in grid=5:30:5") from None
    # The stop is included though steps of 0.1 do not add up exactly.
    return name, start + step * np.arange(int((stop - start) / step + 1e-9) + 1)
