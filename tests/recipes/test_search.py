from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from porescope import Micrograph, Recipe, grid_search, read, read_standard, score, segment
from porescope.recipes import PAPER_AXES, choose, cross_validate, parameters, read_axis
from porescope.scoring import METRICS
from porescope.simulation import Scene, simulate

AXES = {"grid": np.array([4.0, 10]), "radius": np.array([0.0, 1, 2]), "threshold": np.array([30.0, 50, 80]),
        "area": np.array([0.0, 2, 5, 20])}  # fmt: skip


@pytest.fixture(scope="module")
def published(ws2: Path) -> tuple[list[Micrograph], list[np.ndarray]]:
    standards = [read_standard(ws2 / f"{letter}_standard.png") for letter in "ABCDE"]
    return [read(ws2 / f"{letter}.dm3") for letter in "ABCDE"], standards


@pytest.mark.parametrize("parameter", parameters(), ids=lambda p: p.name)
def test_every_field_can_be_searched_alone(parameter) -> None:
    low, high = parameter.metadata["bounds"]
    values = np.array([parameter.default, min(parameter.default + 1, high)])
    image, standard = Micrograph(np.ones((9, 8)), 1.0), np.zeros((9, 8), np.int32)
    search = grid_search([image], [standard], {parameter.name: values})
    assert list(search.axes) == [parameter.name] and search.shape == (2,)
    assert [getattr(search.recipe_at(i), parameter.name) for i in (0, 1)] == values.tolist()
    with pytest.raises(ValueError, match=f"{parameter.name} must be from"):
        grid_search([image], [standard], {parameter.name: np.array([low - 1])})


def test_points_are_numbered_along_the_axes_the_last_one_fastest() -> None:
    drawn = simulate(Scene(shape=(64, 72), pores=1), seed=1)
    axes = {"area": np.array([5.0, 1]), "radius": np.array([2.0, 1, 2])}  # in no order, with a value twice
    search = grid_search([drawn.micrograph], [drawn.labels], axes)
    assert {name: values.tolist() for name, values in search.axes.items()} == {
        "radius": [1, 2],
        "area": [1, 5],
    }
    assert [(r.radius, r.area) for r in map(search.recipe_at, range(4))] == [(1, 1), (1, 5), (2, 1), (2, 5)]
    table = search.table(0)
    assert table[["radius", "area"]].values.tolist() == [[1, 1], [1, 5], [2, 1], [2, 5]]
    assert np.array_equal(
        table[["tp", "fp", "fn", "found", "missed", "false"]], search.counts[0].reshape(-1, 6)
    )
    assert search.evaluate(METRICS["recall"]).shape == (1, 4)


def test_gaps_in_the_standards_numbers_do_not_matter() -> None:
    drawn = simulate(Scene(shape=(128, 160), pores=3), seed=1)
    gaps = drawn.labels * 3 + 2 * (drawn.labels > 0)
    one = grid_search([drawn.micrograph], [drawn.labels], AXES)
    assert np.array_equal(one.counts, grid_search([drawn.micrograph], [gaps], AXES).counts)


def test_a_constant_image_scores_as_if_alone() -> None:
    micrograph, standard = Micrograph(np.ones((20, 30)), 0.05), np.zeros((20, 30), np.int32)
    standard[3:5, 3:5] = 1
    search = grid_search([micrograph], [standard], AXES)
    assert (search.counts == [0, 0, 4, 0, 1, 0]).all()


def test_processes_give_what_one_gives() -> None:
    drawn = [simulate(Scene(shape=(128, 160), pores=3), seed=s) for s in (1, 2)]
    data = [d.micrograph for d in drawn], [d.labels for d in drawn]
    assert np.array_equal(grid_search(*data, AXES).counts, grid_search(*data, AXES, workers=2).counts)


def test_random_points_of_the_published_images(published) -> None:
    micrographs, standards = published
    axes = {name: values[::2] for name, values in PAPER_AXES.items()}
    search = grid_search(micrographs, standards, axes, Recipe(scaling="published"), workers=2)
    rng = np.random.default_rng(0)
    for point in rng.integers(0, np.prod(search.shape), 12):
        for i, (micrograph, standard) in enumerate(zip(micrographs, standards, strict=True)):
            plain = score(standard, segment(micrograph, search.recipe_at(point))).counts
            assert np.array_equal(search.counts[i].reshape(-1, 6)[point], plain)


@pytest.mark.parametrize(("scaling", "about"), [("published", 45), ("physical", 107)])
def test_points_with_high_precision_on_all_images(
    published, scaling: str, about: int, record_property
) -> None:
    axes = {
        "grid": np.array([*PAPER_AXES["grid"], 19]),
        "radius": PAPER_AXES["radius"],
        "threshold": np.array([*PAPER_AXES["threshold"], 71]),
        "area": np.array([*PAPER_AXES["area"], 5]),
    }
    search = grid_search(*published, axes, Recipe(scaling=scaling), workers=2)
    assert np.prod(search.shape) == 3850
    precision, f1 = (search.evaluate(METRICS[name]) for name in ("precision", "f1"))
    passing = int((precision > 0.9).all(axis=0).sum())
    best, (held_out, _) = choose(f1)[0], cross_validate(f1)
    record_property(
        "figure",
        f"A–E, {scaling}: {passing} of 3,850 points above 90 % precision on all five; F1 tuned in-sample "
        f"{f1[:, best].mean():.3f}, leave one out {held_out.mean():.3f} ± {held_out.std(ddof=1):.3f}",
    )
    assert abs(passing - about) <= 5


@pytest.mark.parametrize(
    ("text", "values"),
    [("a=5:30:5", 6), ("a=0:0.3:0.1", 4), ("a=40:120:1", 81), ("a=7", 1), ("a=1:2:3", 1)],
)
def test_axes_include_their_stop(text: str, values: int) -> None:
    name, axis = read_axis(text)
    assert name == "a" and len(axis) == values


@pytest.mark.parametrize(
    "text",
    ["grid", "grid=", "grid=5:1:1", "grid=1:5:0", "grid=1:5", "grid=a:b:c", "grid=1:inf:1", "grid=1:9:nan"],
)
def test_bad_axes_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="NAME=START:STOP:STEP"):
        read_axis(text)


def test_impossible_searches_are_refused() -> None:
    image, standard = Micrograph(np.ones((9, 8)), 1.0), np.zeros((9, 8), np.int32)
    with pytest.raises(ValueError, match="'gird' is none of grid, radius"):  # codespell:ignore
        grid_search([image], [standard], {"gird": np.ones(1)})  # codespell:ignore
    with pytest.raises(ValueError, match="at least one axis; give one of grid, radius"):
        grid_search([image], [standard], {})
    with pytest.raises(ValueError, match="axis grid has no values"):
        grid_search([image], [standard], {"grid": np.empty(0)})
    with pytest.raises(ValueError, match="grid must be from 1"):
        grid_search([image], [standard], {"grid": np.array([0.0, 5])})
    with pytest.raises(ValueError, match=r"image has shape \(9, 8\)"):
        grid_search([image], [standard.T], AXES)
    with pytest.raises(ValueError, match="one standard per image"):
        grid_search([image], [], AXES)
