from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from porescope import gradient_ascent, grid_search, read, read_standard, score, segment
from porescope.recipes import PAPER_AXES
from porescope.recipes.climbing import evolve
from porescope.scoring import METRICS
from porescope.simulation import Scene, simulate

AXES = {"grid": np.array([4.0, 10]), "radius": np.array([0.0, 2]), "threshold": np.array([30.0, 80]),
        "area": np.array([0.0, 20])}  # fmt: skip


def test_climbing_keeps_to_fine_steps() -> None:
    drawn = simulate(Scene(shape=(128, 160), pores=3), seed=1)
    axes = {"max_aspect": np.arange(1.5, 2.55, 0.1), "threshold": np.array([40.0, 80])}
    path = gradient_ascent([drawn.micrograph], [drawn.labels], axes, METRICS["f1"], seed=2).path
    assert (path.max_aspect % 1 != 0).any() and (path.threshold % 1 == 0).all()


@pytest.mark.parametrize("climb", [gradient_ascent, evolve])
def test_a_climbs_values_are_those_of_detect_and_score(climb) -> None:
    drawn = simulate(Scene(shape=(128, 160), pores=3), seed=1)
    found = climb([drawn.micrograph], [drawn.labels], AXES, METRICS["f1"], restarts=2, seed=3)
    assert found.values[0] == score(drawn.labels, segment(drawn.micrograph, found.recipe)).f1
    assert found.evaluations <= 500 and found.path.objective.max() == found.values.mean()
    for name, bounds in AXES.items():
        assert found.path[name].between(*bounds).all()


def test_ascent_reaches_the_grids_best(ws2: Path) -> None:
    standards = [read_standard(ws2 / f"{letter}_standard.png") for letter in "ABCDE"]
    published = [read(ws2 / f"{letter}.dm3") for letter in "ABCDE"], standards
    search = grid_search(*published, PAPER_AXES, workers=2)
    best = search.evaluate(METRICS["f1"]).mean(axis=0).max()
    climbs = [gradient_ascent(*published, PAPER_AXES, METRICS["f1"], seed=seed) for seed in range(5)]
    assert np.median([climb.values.mean() for climb in climbs]) >= 0.99 * best
    steps = climbs[0].path.groupby("restart").objective
    assert (steps.diff().dropna() > 0).all() and climbs[0].path.restart.nunique() == 5
    again = gradient_ascent(*published, PAPER_AXES, METRICS["f1"], seed=0)
    pd.testing.assert_frame_equal(climbs[0].path, again.path)
