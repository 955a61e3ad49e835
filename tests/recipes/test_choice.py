from __future__ import annotations

import numpy as np
import pytest

from porescope import Recipe
from porescope.recipes import Choice, Search, choose, cross_validate, find_metric, rank


def test_choosing_by_successes_first() -> None:
    values = np.array([[0.95, 0.99, 0.2], [0.91, 0.80, 0.99]])
    assert choose(values).tolist() == [0] and choose(values[:, 1:], n=2).tolist() == [0, 1]
    assert rank(values, "mean", 0.9)[:, 0].tolist() == [2, 1, 1]
    assert choose(values, "worst", n=3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="needs a success mark"):
        rank(values, "successes")
    with pytest.raises(ValueError, match="one of mean, worst, successes"):
        rank(values, "median")
    with pytest.raises(ValueError, match="--success must be a finite number, not nan"):
        rank(values, "mean", np.nan)


def test_more_successes_win_over_a_better_objective() -> None:
    values = np.array([[0.61, 1.0], [0.61, 0.59]])
    assert choose(values).tolist() == [1] and choose(values, success=0.6).tolist() == [0]


def test_a_choice_is_its_first_best_point() -> None:
    axes = {"radius": np.array([0.0, 1.0]), "threshold": np.array([40.0, 50.0, 60.0])}
    search = Search(Recipe(grid=7), axes, ["A"], np.zeros((1, 2, 3, 6), np.int32))
    choice = Choice(search, np.array([[0.1, 0.5, 0.6, 0.2, 0.9, 0.5]]), np.array([4, 2]), 0.5, "title")
    assert choice.point == 4 and choice.recipe == Recipe(grid=7, radius=1, threshold=50)
    # A value equal to the mark is no success.
    assert choice.succeeds.tolist() == [[False, False, True, False, True, False]]


def test_leaving_out_chooses_without_the_image() -> None:
    values = np.array([[1.0, 0.0], [0.0, 0.9], [0.1, 0.8]])
    held_out, points = cross_validate(values)
    assert points.tolist() == [1, 0, 0] and held_out.tolist() == [0.0, 0.0, 0.1]


@pytest.mark.parametrize("name", ["nope", "no_such_module:f", "math:nope", "math:pi"])
def test_unknown_metrics_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"metric '{name}'"):
        find_metric(name)


def test_a_users_own_metric() -> None:
    for name, message in {"broken_metric": "fails where tp = 1", "not_a_number": "is not a number"}.items():
        with pytest.raises(ValueError, match=message):
            find_metric(f"helpers:{name}")(np.array([[1, 0, 0, 3, 1, 9]]))
    own = find_metric("helpers:recall_of_pores")
    assert own(np.array([[[1, 0, 0, 3, 1, 9]]])).tolist() == [[0.75]]
