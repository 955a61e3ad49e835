"""The choice of the best recipe: metric, objective, ranking, cross-validation."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from porescope.recipes.recipe import Recipe
from porescope.recipes.search import Metric, Search
from porescope.scoring import METRICS, Score

#: How the scores of several images are combined; see `rank`.
OBJECTIVES = ("mean", "worst", "successes")


@dataclass(frozen=True, eq=False)
class Choice:
    """The best points of an exhaustive search.

    Attributes
    ----------
    search : Search
    values : ndarray of float64, shape (images, points)
        The metric at every point.
    best : ndarray of int64, shape (K,)
        Numbers of the best points, best first; the first is the chosen one.
    mark : float
        The success mark: an image succeeds at a point if its value is larger.
    title : str
        What was searched and for what, for the heads of plots.
    reason : str
        Where the mark comes from, in a sentence.
    """

    search: Search
    values: NDArray[np.float64]
    best: NDArray[np.int64]
    mark: float
    title: str
    reason: str = ""

    @property
    def point(self) -> int:
        """The number of the chosen point."""
        return int(self.best[0])

    @property
    def recipe(self) -> Recipe:
        """The recipe of the chosen point."""
        return self.search.recipe_at(self.point)

    @property
    def succeeds(self) -> NDArray[np.bool_]:
        """Whether each image succeeds at each point, shape (images, points)."""
        return self.values > self.mark


def find_metric(name: str) -> Metric:
    """Find a metric by its name, or import the user's own.

    Parameters
    ----------
    name : str
        A key of `porescope.scoring.METRICS`, or ``module:function``: a function `Score` → number, larger is
        better.

    Returns
    -------
    callable
        Counts of shape (…, 6), in the order of `Score.counts` → values of shape (…).

    Raises
    ------
    ValueError
        If there is no such metric; on evaluation, if the user's function fails or gives NaN.

    Examples
    --------
    >>> float(find_metric("precision")(np.array([3, 1, 0, 1, 0, 0])))
    0.75
    """
    if name in METRICS:
        return METRICS[name]
    module, _, function = name.partition(":")
    if not function:
        raise ValueError(f"metric {name!r} is none of {', '.join(METRICS)}; or give module:function")
    try:
        own = getattr(importlib.import_module(module), function)
    except Exception as error:  # a user's module may raise anything
        raise ValueError(f"metric {name!r} cannot be imported ({error}); is it on PYTHONPATH?") from None
    if not callable(own):
        raise ValueError(f"metric {name!r} must be a function, not a {type(own).__name__}; give another")

    def evaluate(counts: NDArray[np.integer]) -> NDArray[np.float64]:
        flat = []
        for tp, fp, fn, found, missed, false in counts.reshape(-1, 6).tolist():
            try:
                flat.append(float(own(Score(tp, fp, fn, found, missed, false))))
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
                raise ValueError(
                    f"metric {name!r} fails where tp = {tp}, fp = {fp}, fn = {fn} ({what})"
                ) from None
            if np.isnan(flat[-1]):
                raise ValueError(f"metric {name!r} is not a number where tp = {tp}, fp = {fp}, fn = {fn}")
        return np.array(flat).reshape(counts.shape[:-1])

    return evaluate


def rank(
    values: NDArray[np.float64], objective: str = "mean", success: float | None = None
) -> NDArray[np.float64]:
    """Rank points by the number of images above the success mark, then by the objective.

    Parameters
    ----------
    values : ndarray of float64, shape (images, …)
        A metric; larger is better.
    objective : {"mean", "worst", "successes"}
        How the values of the images are combined: their mean, their minimum, or the number of images above
        the mark, with the mean for equal numbers.
    success : float, optional
        The success mark. Without it points are ranked by the objective alone.

    Returns
    -------
    ndarray of float64, shape (…, 2)
        Number of images above the mark (0 without a mark) and combined value; larger is better, the first
        before the second.

    Raises
    ------
    ValueError
        If the objective is unknown, the mark is not finite, or ``successes`` has no mark.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(OBJECTIVES)}, not {objective!r}")
    if success is not None and not np.isfinite(success):
        raise ValueError(f"--success must be a finite number, not {success:g}")
    if objective == "successes" and success is None:
        raise ValueError("objective successes needs a success mark; give --success")
    over = np.zeros(values.shape[1:]) if success is None else (values > success).sum(axis=0)
    then = values.min(axis=0) if objective == "worst" else values.mean(axis=0)
    return np.stack([over, then], axis=-1)


def choose(
    values: NDArray[np.float64], objective: str = "mean", success: float | None = None, n: int = 1
) -> NDArray[np.int64]:
    """Choose the best points.

    Parameters
    ----------
    values : ndarray of float64, shape (images, points)
        A metric; larger is better.
    objective, success
        As for `rank`.
    n : int
        Number of points to choose.

    Returns
    -------
    ndarray of int64, shape (min(n, points),)
        Numbers of the points, best first; of equal points the first.

    Raises
    ------
    ValueError
        As `rank`.

    Examples
    --------
    >>> choose(np.array([[0.5, 0.9, 0.8], [0.6, 0.1, 0.7]])).tolist()
    [2]
    """
    ranks = rank(values, objective, success)
    return np.lexsort((-ranks[:, 1], -ranks[:, 0]))[:n]


def cross_validate(
    values: NDArray[np.float64], objective: str = "mean", success: float | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Estimate the metric on new images by leave-one-out cross-validation.

    Parameters
    ----------
    values : ndarray of float64, shape (images, points)
        A metric; at least two images.
    objective, success
        As for `rank`.

    Returns
    -------
    ndarray of float64, shape (images,)
        The metric of each image at the point chosen on the other images.
    ndarray of int64, shape (images,)
        Numbers of those points.
    """
    images = np.arange(len(values))
    points = np.array([choose(values[images != i], objective, success)[0] for i in images])
    return values[images, points], points
