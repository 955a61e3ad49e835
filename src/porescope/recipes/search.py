"""Exhaustive search: score every combination of parameter values on every image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from porescope.micrograph import Micrograph
from porescope.processes import start_pool
from porescope.recipes.evaluation import CachedPipeline, PreparedImage, prepare_image
from porescope.recipes.recipe import Recipe, parameters, stage_order

if TYPE_CHECKING:
    import pandas as pd

#: A metric: counts of shape (…, 6), in the order of `Score.counts` → values of shape (…); larger is better.
Metric = Callable[[NDArray[np.integer]], NDArray[np.float64]]

#: The axes of the paper's search: field of the recipe → values.
PAPER_AXES = {
    "grid": np.arange(5.0, 31, 5),
    "radius": np.arange(0.0, 5),
    "threshold": np.arange(40.0, 121, 10),
    "area": np.arange(0.0, 91, 10),
}

#: Names of the six counts, in the order of `Score.counts`.
_COUNTS = ("tp", "fp", "fn", "found", "missed", "false")


@dataclass(frozen=True, eq=False)
class Search:
    """The counts of an exhaustive search at every point.

    A point is one combination of values. Points are numbered along the axes, the last axis fastest.

    Attributes
    ----------
    recipe : Recipe
        Gives the values of the fields that were not searched.
    axes : dict
        Field → values in ascending order; the fields are in the order of `stage_order`.
    names : list of str
        Names of the images.
    counts : ndarray of int32, shape (images, *axes, 6)
        Counts at every point: tp, fp, fn [px]; found, missed, false [pores].
    """

    recipe: Recipe
    axes: dict[str, NDArray[np.float64]]
    names: list[str]
    counts: NDArray[np.int32]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of values of each axis."""
        return tuple(len(values) for values in self.axes.values())

    def recipe_at(self, point: int) -> Recipe:
        """Give the recipe of a point.

        Parameters
        ----------
        point : int
            Number of the point.

        Returns
        -------
        Recipe
        """
        at = np.unravel_index(point, self.shape)
        values = {name: float(v[i]) for (name, v), i in zip(self.axes.items(), at, strict=True)}
        return self.recipe.with_values(values)

    def evaluate(self, metric: Metric) -> NDArray[np.float64]:
        """Compute a metric at every point.

        Parameters
        ----------
        metric : callable
            One of `porescope.scoring.METRICS`, or as `find_metric` gives it.

        Returns
        -------
        ndarray of float64, shape (images, points)
        """
        return metric(self.counts.reshape(len(self.names), -1, 6))

    def table(self, image: int) -> pd.DataFrame:
        """List the points of one image with their counts.

        Parameters
        ----------
        image : int
            Number of the image.

        Returns
        -------
        pandas.DataFrame
            One row per point: image, the searched fields, tp, fp, fn, found, missed, false.
        """
        import pandas as pd

        grids = np.meshgrid(*self.axes.values(), indexing="ij")
        columns: dict[str, Any] = {
            name: g.ravel().astype(np.float32) for name, g in zip(self.axes, grids, strict=True)
        }
        columns |= dict(zip(_COUNTS, self.counts[image].reshape(-1, 6).T, strict=True))
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
    on_progress: Callable[[float], None] = lambda share: None,
) -> Search:
    """Score every combination of values on every image.

    The counts are identical to those of `segment` and `score` at each point.

    Parameters
    ----------
    micrographs : sequence of Micrograph
    standards : sequence of ndarray of int32
        The label image of each, as `read_standard` gives it.
    axes : mapping
        Field of the recipe → its values; default: `PAPER_AXES`.
    recipe : Recipe, optional
        Gives the values of the other fields; default: ``Recipe()``.
    workers : int
        Number of processes.
    on_progress : callable
        Called with the share of the work that is done.

    Returns
    -------
    Search

    Raises
    ------
    ValueError
        If a field is unknown, a value is out of bounds, or the shape of a standard is not its image's.

    Examples
    --------
    >>> from porescope.simulation import Scene, simulate
    >>> drawn = simulate(Scene(shape=(128, 160), pores=2))
    >>> grid_search([drawn.micrograph], [drawn.labels], {"threshold": np.array([40.0, 60.0])}).shape
    (2,)
    """
    recipe = recipe or Recipe()
    axes = check_axes(axes, recipe)
    images = prepare_images(micrographs, standards)
    # A task is one image with one value of the first axis, so that several processes get equal shares.
    first = next(iter(axes))
    tasks = [
        (image, recipe, {**axes, first: axes[first][i : i + 1]})
        for image in images
        for i in range(len(axes[first]))
    ]
    parts: list[NDArray[np.int32]] = []
    with start_pool(workers) if workers > 1 else nullcontext() as pool:
        for part in (pool.map if pool else map)(_count_points, *zip(*tasks, strict=True)):
            parts.append(part)
            on_progress(len(parts) / len(tasks))
    shape = tuple(len(values) for values in axes.values())
    counts = np.concatenate(parts).reshape(len(images), *shape, 6)
    return Search(recipe, axes, [image.name for image in images], counts)


def _count_points(
    image: PreparedImage, recipe: Recipe, axes: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.int32]:
    """Count at every point of one image, shape (*axes, 6)."""
    order = stage_order()
    # The areas come last: they are counted together.
    *outer, areas = (axes.get(name, np.array([getattr(recipe, name)])) for name in order)
    pipeline = CachedPipeline(image, float(areas.min()))
    counts = [
        pipeline.count_areas(recipe.with_values(dict(zip(order, point, strict=False))), areas)
        for point in product(*(values.tolist() for values in outer))
    ]
    return np.array(counts).reshape(*(len(axes[name]) for name in order if name in axes), 6)


def prepare_images(
    micrographs: Sequence[Micrograph], standards: Sequence[NDArray[np.int32]]
) -> list[PreparedImage]:
    """Prepare several images with their standards.

    Parameters
    ----------
    micrographs : sequence of Micrograph
    standards : sequence of ndarray of int32
        The label image of each.

    Returns
    -------
    list of PreparedImage

    Raises
    ------
    ValueError
        If there are no images, not one standard per image, or the shape of a standard is not its image's.
    """
    if not micrographs or len(micrographs) != len(standards):
        raise ValueError(f"need one standard per image, have {len(standards)} for {len(micrographs)} images")
    for m, standard in zip(micrographs, standards, strict=True):
        if m.image.shape != standard.shape:
            raise ValueError(f"{m.name}: image has shape {m.image.shape}, its standard {standard.shape}")
    return [prepare_image(m, s) for m, s in zip(micrographs, standards, strict=True)]


def check_axes(axes: Mapping[str, NDArray[np.float64]], recipe: Recipe) -> dict[str, NDArray[np.float64]]:
    """Check the axes of a search, and put them in the order of the stages.

    Parameters
    ----------
    axes : mapping
        Field of the recipe → its values.
    recipe : Recipe
        Gives the values of the other fields.

    Returns
    -------
    dict
        Field → distinct values in ascending order; the fields are in the order of `stage_order`.

    Raises
    ------
    ValueError
        If there is no axis, a field is unknown, an axis is empty, or a value is out of bounds.
    """
    known = [p.name for p in parameters()]
    unknown = [name for name in axes if name not in known]
    if not axes:
        raise ValueError(f"a search needs at least one axis; give one of {', '.join(known)}")
    if unknown:
        raise ValueError(f"axis {unknown[0]!r} is none of {', '.join(known)}")
    ordered = {n: np.unique(np.asarray(axes[n], float)) for n in stage_order() if n in axes}
    for name, values in ordered.items():
        if len(values) == 0:
            raise ValueError(f"axis {name} has no values; give START:STOP:STEP with START ≤ STOP")
        for value in (values[0], values[-1]):
            recipe.with_values({name: float(value)})
    return ordered


def read_axis(text: str) -> tuple[str, NDArray[Any]]:
    """Parse an axis of the command line.

    Parameters
    ----------
    text : str
        ``NAME=START:STOP:STEP``, with the stop included, or ``NAME=VALUE``.

    Returns
    -------
    str
        Name of the field.
    ndarray of float64, shape (K,)
        Its values.

    Raises
    ------
    ValueError
        If the text has another form, a number is not finite, or the range is empty.

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
        raise ValueError(
            f"axis {text!r} must be NAME=START:STOP:STEP with START ≤ STOP, as in grid=5:30:5"
        ) from None
    # The tolerance includes the stop where steps such as 0.1 do not add up exactly.
    return name, start + step * np.arange(int((stop - start) / step + 1e-9) + 1)
