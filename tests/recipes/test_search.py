from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import dump, run
from hypothesis import given, settings
from hypothesis import strategies as st

from porescope import Micrograph, Recipe, gradient_ascent, grid_search, read, read_standard, score, segment
from porescope.labels import label_regions
from porescope.pictures.cvvp import lay_out, read_off
from porescope.recipes.choice import choose, cross_validate, find_metric, rank
from porescope.recipes.climbing import evolve
from porescope.recipes.search import PAPER_AXES, read_axis
from porescope.scoring import METRICS
from porescope.simulation.drawing import simulate
from porescope.simulation.scene import Scene

AXES = {"grid": np.array([4.0, 10]), "radius": np.array([0.0, 1, 2]), "threshold": np.array([30.0, 50, 80]),
        "area": np.array([0.0, 2, 5, 20])}  # fmt: skip


@pytest.fixture(scope="module")
def published(ws2: Path) -> tuple[list[Micrograph], list[np.ndarray]]:
    standards = [read_standard(ws2 / f"{letter}_standard.png") for letter in "ABCDE"]
    return [read(ws2 / f"{letter}.dm3") for letter in "ABCDE"], standards


@given(
    seed=st.integers(0, 10_000),
    scaling=st.sampled_from(["published", "physical"]),
    modality=st.sampled_from(["haadf", "bf"]),
    noise=st.floats(0, 60),
    blobs=st.integers(0, 8),
)
@settings(max_examples=40)
def test_the_search_equals_detecting_and_scoring_point_by_point(
    seed, scaling, modality, noise, blobs
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.normal(100, noise, (70, 90))
    standard = np.zeros(image.shape, bool)
    for _ in range(blobs):
        y, x = rng.integers(0, 60), rng.integers(0, 80)
        height, width = rng.integers(1, 12, 2)
        image[y : y + height, x : x + width] -= 90
        standard[y : y + height, x : x + rng.integers(1, 14)] = True
    micrograph, labels = Micrograph(image, 0.03, modality), label_regions(standard)
    base = Recipe(scaling=scaling, max_aspect=2.5, max_area=2000)
    search = grid_search([micrograph], [labels], {**AXES, "max_aspect": np.array([1.5, 3])}, base)
    counts = search.counts.reshape(-1, 6)
    for point in rng.integers(0, len(counts), 25):
        plain = score(labels, segment(micrograph, search.recipe_at(point)))
        assert counts[point].tolist() == plain.counts.tolist(), search.recipe_at(point)


def test_gaps_in_the_standards_numbers_do_not_matter() -> None:
    drawn = simulate(Scene(shape=(128, 160), pores=3), seed=1)
    gaps = drawn.labels * 3 + 2 * (drawn.labels > 0)
    one = grid_search([drawn.micrograph], [drawn.labels], AXES)
    assert np.array_equal(one.counts, grid_search([drawn.micrograph], [gaps], AXES).counts)


def test_climbing_keeps_to_fine_steps() -> None:
    drawn = simulate(Scene(shape=(128, 160), pores=3), seed=1)
    axes = {"max_aspect": np.arange(1.5, 2.55, 0.1), "threshold": np.array([40.0, 80])}
    path = gradient_ascent([drawn.micrograph], [drawn.labels], axes, METRICS["f1"], seed=2).path
    assert (path.max_aspect % 1 != 0).any() and (path.threshold % 1 == 0).all()


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


def test_ascent_reaches_the_grids_best(published) -> None:
    search = grid_search(*published, PAPER_AXES, Recipe(scaling="physical"), workers=2)
    best = search.evaluate(METRICS["f1"]).mean(axis=0).max()
    climbs = [gradient_ascent(*published, PAPER_AXES, METRICS["f1"], seed=seed) for seed in range(5)]
    assert np.median([climb.values.mean() for climb in climbs]) >= 0.99 * best
    steps = climbs[0].path.groupby("restart").objective
    assert (steps.diff().dropna() > 0).all() and climbs[0].path.restart.nunique() == 5
    again = gradient_ascent(*published, PAPER_AXES, METRICS["f1"], seed=0)
    pd.testing.assert_frame_equal(climbs[0].path, again.path)


@pytest.mark.parametrize("climb", [gradient_ascent, evolve])
def test_a_climbs_values_are_those_of_detect_and_score(climb) -> None:
    drawn = simulate(Scene(shape=(128, 160), pores=3), seed=1)
    found = climb([drawn.micrograph], [drawn.labels], AXES, METRICS["f1"], restarts=2, seed=3)
    assert found.values[0] == score(drawn.labels, segment(drawn.micrograph, found.recipe)).f1
    assert found.evaluations <= 500 and found.path.objective.max() == found.values.mean()


def test_choosing_by_successes_first() -> None:
    values = np.array([[0.95, 0.99, 0.2], [0.91, 0.80, 0.99]])
    assert choose(values).tolist() == [0] and choose(values[:, 1:], n=2).tolist() == [0, 1]
    assert rank(values, "mean", 0.9)[:, 0].tolist() == [2, 1, 1]
    assert choose(values, "worst", n=3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="needs a success mark"):
        rank(values, "successes")
    with pytest.raises(ValueError, match="one of mean, worst, successes"):
        rank(values, "median")


def test_leaving_out_chooses_without_the_image() -> None:
    values = np.array([[1.0, 0.0], [0.0, 0.9], [0.1, 0.8]])
    held_out, points = cross_validate(values)
    assert points.tolist() == [1, 0, 0] and held_out.tolist() == [0.0, 0.0, 0.1]


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
    with pytest.raises(ValueError, match="grid must be from 1"):
        grid_search([image], [standard], {"grid": np.array([0.0, 5])})
    with pytest.raises(ValueError, match=r"image has shape \(9, 8\)"):
        grid_search([image], [standard.T], AXES)
    with pytest.raises(ValueError, match="one standard per image"):
        grid_search([image], [], AXES)
    for name in ("nope", "no_such_module:f", "math:nope", "math:pi"):
        with pytest.raises(ValueError, match="metric"):
            find_metric(name)


def test_a_users_own_metric() -> None:
    for name, message in {"broken_metric": "fails where tp = 1", "not_a_number": "is not a number"}.items():
        with pytest.raises(ValueError, match=message):
            find_metric(f"helpers:{name}")(np.array([[1, 0, 0, 3, 1, 9]]))
    own = find_metric("helpers:recall_of_pores")
    assert own(np.array([[[1, 0, 0, 3, 1, 9]]])).tolist() == [[0.75]]


@pytest.mark.parametrize("axes", [1, 2, 3, 4, 5])
def test_the_plot_makes_sense_with_any_number_of_axes(axes: int, tmp_path: Path) -> None:
    from porescope.pictures.cvvp import draw_cvvp

    drawn = simulate(Scene(shape=(96, 120), pores=2), seed=1)
    chosen = dict(list({**AXES, "max_aspect": np.array([2.0, 3.0])}.items())[-axes:])
    search = grid_search([drawn.micrograph], [drawn.labels], chosen)
    values = search.evaluate(METRICS["f1"])
    best = int(choose(values)[0])
    layout = lay_out(search, best)
    assert best in layout.points and len(set(zip(layout.x, layout.y, strict=True))) == len(layout.points)
    assert len(layout.fixed) == max(0, axes - 4)
    draw_cvvp(search, values, 0.5, best, "title", tmp_path / "cvvp.png")
    assert (tmp_path / "cvvp.png").stat().st_size > 5000


def test_what_the_plot_says() -> None:
    drawn = [simulate(Scene(shape=(128, 160), pores=3), seed=s) for s in (1, 2)]
    search = grid_search([d.micrograph for d in drawn], [d.labels for d in drawn], AXES)
    values = search.evaluate(METRICS["f1"])
    best = int(choose(values)[0])
    lines = read_off(search, values, 0.5, best)
    passing = int((values > 0.5).all(axis=0).sum())
    assert lines[0].startswith(f"{passing} of {values.shape[1]} points succeed")
    hopeless = read_off(search, values, 1.5, best)
    assert len(hopeless) == 7 and "Lower the success mark" in hopeless[5]


def test_tune_on_the_command_line(ws2: Path, tmp_path: Path, chromium: str) -> None:
    out, small = (
        tmp_path / "tuned",
        ["--axis", "grid=5:15:5", "--axis", "threshold=50:70:10", "--axis", "area=20"],
    )
    result = run("tune", *(ws2 / f"{n}.dm3" for n in "ABC"), "--standards", ws2, "-o", out, *small)
    assert result.exit_code == 0, result.output
    assert "Leave one image out" in result.output
    names = {"recipe.toml", "scores.parquet", "cvvp.png", "cvvp.html", "tuning.json"}
    assert {p.name for p in out.iterdir()} == names
    recipe = tomllib.loads((out / "recipe.toml").read_text())
    assert recipe["area"] == 20 and "A.dm3, B.dm3, C.dm3" in recipe["provenance"]["tuned_on"]
    assert "leave one image out" in recipe["provenance"]["cross_validated"]
    scores = pd.read_parquet(out / "scores.parquet")
    assert len(scores) == 3 * 9 and set(scores.image) == {"A", "B", "C"}
    assert len(json.loads((out / "tuning.json").read_text())["inputs"]) == 6
    page = (out / "cvvp.html").read_text()
    click = "document.getElementById('plot').emit('plotly_click', {points: [{pointIndex: 0}]})"
    (out / "cvvp.html").write_text(page.replace("</body>", f"<script>{click}</script></body>"))
    shown = dump(chromium, out / "cvvp.html").split('id="command">')[1].split("</div>")[0]
    assert "--axis grid=5" in shown and "--axis threshold=50" in shown and shown.endswith("-o point")
    assert run("tune", ws2 / "A.dm3", "--standards", ws2, "-o", out, *small).exit_code == 2
    twice = run("tune", ws2 / "A.dm3", "--standards", ws2, "-o", tmp_path / "t", *small, "--axis", "area=3")
    assert twice.exit_code == 2 and "given twice" in twice.output


@pytest.mark.parametrize("method", ["ascend", "evolve"])
def test_tune_by_climbing(ws2: Path, tmp_path: Path, method: str) -> None:
    out = tmp_path / "tuned"
    result = run("tune", ws2 / "A.dm3", "--standards", ws2, "-o", out, "--method", method, "--restarts", 2)
    assert result.exit_code == 0, result.output
    assert "distinct points were looked at" in result.output and "Leave one" not in result.output
    assert {"ascent.png", "path.csv", "recipe.toml"} <= {p.name for p in out.iterdir()}


def test_detect_score_explain_and_recipes(ws2: Path, tmp_path: Path) -> None:
    images = [ws2 / f"{n}.dm3" for n in "ABCDE"]
    assert run("detect", *images, "-o", tmp_path / "out", "--no-images", "--recipe", "ws2").exit_code == 0
    result = run("score", tmp_path / "out", "--standards", ws2)
    assert (
        result.exit_code == 0 and "15 of 17 pores found (95 % interval 66% to 97%), 0 false" in result.output
    )
    for kind, options in (("stages", ["--recipe", "ws2"]), ("network", [])):
        result = run("explain", images[0], "-o", tmp_path / "explain", *options)
        assert result.exit_code == 0, result.output
        assert (tmp_path / "explain" / f"A_{kind}.png").stat().st_size > 50_000
    assert run("explain", images[0], "-o", tmp_path / "explain").exit_code == 2
    both = run("explain", images[0], "-o", tmp_path / "both", "--recipe", "ws2", "--model", "mine.onnx")
    assert both.exit_code == 2 and "give one" in both.output and not (tmp_path / "both").exists()
    assert "ws2-published" in run("recipes", "list").output
    assert "tiles a side" in run("recipes", "show", "ws2").output
    assert run("recipes", "export", "ws2", tmp_path / "mine.toml").exit_code == 0
    assert run("recipes", "add", tmp_path / "mine.toml", "--name", "ws2-lab").exit_code == 0
    for name in ("../evil", "ws2", "ws2-lab"):
        assert run("recipes", "add", tmp_path / "mine.toml", "--name", name).exit_code == 2
    assert run("recipes", "export", "ws2", tmp_path / "mine.txt").exit_code == 2
    (tmp_path / "bad.npy").write_bytes(b"no")
    assert run("explain", tmp_path / "bad.npy", images[1], "-o", tmp_path / "explain").exit_code == 1
    assert (tmp_path / "explain" / "B_network.png").exists()
    assert (
        run("detect", images[0], "-o", tmp_path / "o2", "--recipe", "ws2-lab", "--no-images").exit_code == 0
    )
    assert run("score", tmp_path, "--standards", ws2).exit_code == 2
    assert run("tune", images[0], "--standards", tmp_path / "none", "-o", tmp_path / "t").exit_code == 2
