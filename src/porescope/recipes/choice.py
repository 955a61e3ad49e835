"""What makes a recipe the best: metric, objective, choice, cross-validation."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from porescope.scoring import METRICS, Score

if TYPE_CHECKING:
    pass


Metric = Callable[[NDArray[np.integer]], NDArray[np.float64]]


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
    except Exception as error:  # a user's module may raise anything
        raise ValueError(f"metric {name!r} cannot be imported ({error}); is it on PYTHONPATH?") from None
    if not callable(own):
        raise ValueError(f"metric {name!r} is no function")

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
    if success is not None and not np.isfinite(success):
        raise ValueError(f"--success must be a number, not {success:g}")
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
    return np.lexsort((-ranks[:, 1], -ranks[:, 0]))[:n]


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
