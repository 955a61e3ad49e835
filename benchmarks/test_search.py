"""Speed of the paper's search, against a naive loop, and of climbs; ``make bench`` prints it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from porescope import Recipe, gradient_ascent, grid_search, read, read_standard, score, segment
from porescope.processes import count_cores, prepare_workers
from porescope.recipes import PAPER_AXES
from porescope.recipes.climbing import evolve
from porescope.scoring import METRICS

#: Number of climbs; one takes seconds.
RUNS = 100 if os.environ.get("FULL") else 10

WS2 = Path(__file__).parents[2] / "shared" / "data" / "ws2"


@pytest.fixture(scope="module")
def data():
    if not WS2.is_dir():
        pytest.skip(f"the published images are not at {WS2}")
    standards = [read_standard(WS2 / f"{letter}_standard.png") for letter in "ABCDE"]
    return [read(WS2 / f"{letter}.dm3") for letter in "ABCDE"], standards


def test_paper_search(data) -> None:
    prepare_workers("porescope.recipes.search")
    recipe = Recipe(scaling="published")
    times = []
    for _ in range(3):
        start = time.perf_counter()
        search = grid_search(*data, PAPER_AXES, recipe, workers=count_cores())
        times.append(time.perf_counter() - start)
    points = np.random.default_rng(0).integers(0, 2700, 40)
    start = time.perf_counter()
    for point in points:
        for micrograph, standard in zip(*data, strict=True):
            score(standard, segment(micrograph, search.recipe_at(point)))
    naive = (time.perf_counter() - start) / len(points) * 2700
    print(
        f"\n2,700 points × 5 images: {min(times):.2f} s on {count_cores()} cores, processes' start included"
    )
    print(f"  naive loop on one core, from 40 points: {naive:.0f} s; ratio {naive / min(times):.0f}")


@pytest.mark.parametrize(("climb", "runs"), [(gradient_ascent, RUNS), (evolve, max(3, RUNS // 12))])
def test_climbs(data, climb, runs: int) -> None:
    search = grid_search(*data, PAPER_AXES, Recipe(), workers=count_cores())
    best = search.evaluate(METRICS["f1"]).mean(axis=0).max()
    shares, times, evaluations = [], [], []
    for seed in range(runs):
        start = time.perf_counter()
        found = climb(*data, PAPER_AXES, METRICS["f1"], seed=seed)
        times.append(time.perf_counter() - start)
        shares.append(found.values.mean() / best)
        evaluations.append(found.evaluations)
    print(
        f"\n{runs} runs of {climb.__name__}, effort 5: {np.median(shares):.1%} of the grid's best (median),"
    )
    print(f"  worst {min(shares):.1%}; {np.median(times):.1f} s a run, {np.median(evaluations):.0f} points")


@pytest.mark.full
def test_full_search(data) -> None:
    import resource

    axes = {
        "grid": np.arange(5.0, 31),
        "radius": np.arange(0.0, 9),
        "threshold": np.arange(20.0, 141),
        "area": np.arange(0.0, 91),
    }
    start = time.perf_counter()
    search = grid_search(*data, axes, Recipe(), workers=count_cores())
    f1 = search.evaluate(METRICS["f1"]).mean(axis=0)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\n{f1.size:,} points × 5 images: {seconds:.0f} s, at most {peak:.2f} GB in this process")
    print(f"  best mean F1 {f1.max():.3f} at {search.recipe_at(int(f1.argmax())).numbers()}")
