from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from porescope import Recipe, detect, score, segment
from porescope.recipes import load_recipe
from porescope.runs import Goal, read_labelled_images, tune
from porescope.runs.labelled import LabelledImages
from porescope.runs.tuning import _describe, _Result
from porescope.simulation import Scene, simulate

AXES = {"threshold": np.array([40.0, 60.0, 80.0]), "area": np.array([2.0, 20.0])}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> LabelledImages:
    folder = tmp_path_factory.mktemp("images")
    paths, standards = [folder / "a.npy", folder / "b.npy"], [folder / f"{n}_standard.npy" for n in "ab"]
    for seed, (path, standard) in enumerate(zip(paths, standards, strict=True)):
        drawn = simulate(Scene(shape=(128, 160), pores=3), seed=seed)
        np.save(path, drawn.micrograph.image)
        np.save(standard, drawn.labels)
    return read_labelled_images(paths, folder, pixel_size=0.03)


def test_images_without_a_standard_are_left_out(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(20))
    np.save(tmp_path / "b.npy", np.eye(20))
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    with pytest.raises(ValueError, match="holds no standard of a.npy, b.npy; name it like a_standard.png"):
        read_labelled_images(paths, tmp_path)
    np.save(tmp_path / "b_standard.npy", np.eye(20, dtype=np.int32))
    with pytest.warns(UserWarning, match="no standard for a.npy"):
        kept = read_labelled_images(paths, tmp_path, pixel_size=0.1)
    assert kept.paths == paths[1:] and [m.name for m in kept.micrographs] == ["b"]
    with pytest.raises(ValueError, match="is not a folder"):
        read_labelled_images(paths, tmp_path / "none")


@pytest.mark.parametrize("method", ["grid", "ascend"])
def test_scores_are_those_of_the_recipe_on_these_and_on_left_out_images(
    data: LabelledImages, method: str, tmp_path: Path
) -> None:
    recipe, lines = tune(data, AXES, Recipe(), Goal(method=method, restarts=1), tmp_path)
    record = json.loads((tmp_path / "tuning.json").read_text())

    def measure(image: int, recipe: Recipe) -> float:
        return score(data.standards[image], segment(data.micrographs[image], recipe)).f1

    assert load_recipe(tmp_path / "recipe.toml") == recipe and recipe.provenance["method"] == method
    assert list(record["values"].values()) == [measure(0, recipe), measure(1, recipe)]
    # With two images, the recipe that leaves one out is the one tuned on the other alone.
    for i in (0, 1):
        only = LabelledImages(*(getattr(data, name)[1 - i : 2 - i] for name in data.__dataclass_fields__))
        other, _ = tune(only, AXES, Recipe(), Goal(method=method, restarts=1), tmp_path / str(i))
        assert record["left_out"][i] == measure(i, other)
    assert lines[1].startswith("Leave one image out") and record["notes"] == lines
    network = [score(s, detect(m)).f1 for m, s in zip(data.micrographs, data.standards, strict=True)]
    assert record["network"] == network and f"{np.mean(network):.3f}" in lines[3]


def data_of(data: LabelledImages, n: int) -> LabelledImages:
    """The first n images of two, the first of which comes twice."""
    some = LabelledImages(*((getattr(data, name) * 2)[:n] for name in data.__dataclass_fields__))
    some.micrographs[:] = [replace(m, name=str(i)) for i, m in enumerate(some.micrographs)]
    return some


@pytest.mark.parametrize("n", [1, 2, 3])
def test_what_is_known_of_the_next_image(data: LabelledImages, n: int, tmp_path: Path) -> None:
    _, lines = tune(data_of(data, n), AXES, Recipe(), Goal(), tmp_path)
    assert ("Leave one image out" in " ".join(lines)) == (n > 1)
    assert ("expect this on the next image" in " ".join(lines)) == (n > 2)
    unknown = f"Nothing is known about the next image: that takes 3 standards or more, not {n}."
    assert (unknown in lines) == (n < 3)
    assert ("±" in lines[0]) == (n > 1)


@pytest.mark.parametrize(
    ("network", "left_out", "verdict"),
    [
        ([0.9, 0.9, 0.9], [0.7, 0.7, 0.7], ", which is better: no recipe is needed."),
        ([0.6, 0.6, 0.6], [0.7, 0.7, 0.7], ", which is worse than the recipe on images left out."),
        ([0.9, 0.9, 0.9], None, ", which is better: no recipe is needed."),
        ([0.6, 0.6, 0.6], None, ")."),
    ],
)
def test_the_network_is_held_against_images_left_out(
    network: list[float], left_out: list[float] | None, verdict: str, data: LabelledImages
) -> None:
    result = _Result(Recipe(), np.full(3, 0.8), None if left_out is None else np.array(left_out), [])
    assert _describe(data_of(data, 3), Goal(), result, np.array(network))[-1].endswith(verdict)


def test_a_climb_tells_how_it_did_beside_a_grid(data: LabelledImages, tmp_path: Path) -> None:
    _, lines = tune(data, AXES, Recipe(), Goal(method="evolve", restarts=1), tmp_path)
    best = json.loads((tmp_path / "tuning.json").read_text())["values"].values()
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    f1 = 2 * scores.tp / (2 * scores.tp + scores.fp + scores.fn)
    grid = f1.groupby([scores.threshold, scores.area]).mean().max()
    better = "which is better: try --method grid" if grid > np.mean(list(best)) else "which is no better"
    reached = np.mean(list(best))
    assert lines[-1] == (
        f"The climbs reached {reached:.3f}; a coarse grid of 6 points reaches {grid:.3f}, {better}."
    )


def test_an_earlier_tunings_files_are_removed(data: LabelledImages, tmp_path: Path) -> None:
    tune(data, AXES, Recipe(), Goal(method="evolve", restarts=1, cross_validate=False), tmp_path)
    assert {"path.csv", "ascent.png"} <= {p.name for p in tmp_path.iterdir()}
    tune(data, AXES, Recipe(), Goal(cross_validate=False), tmp_path)
    names = {"recipe.toml", "scores.parquet", "cvvp.png", "cvvp.html", "tuning.json"}
    assert {p.name for p in tmp_path.iterdir()} == names
    assert json.loads((tmp_path / "tuning.json").read_text())["left_out"] is None
    scores = pd.read_parquet(tmp_path / "scores.parquet")
    assert len(scores) == 2 * 6 and set(scores.image) == {"a", "b"}


def test_impossible_goals_leave_an_earlier_tuning_alone(data: LabelledImages, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("grid = 7")
    for goal in (Goal("nope"), Goal(objective="successes"), Goal(success=float("nan"))):
        with pytest.raises(ValueError, match="metric|success"):
            tune(data, AXES, Recipe(), goal, tmp_path)
    assert load_recipe(tmp_path / "recipe.toml").grid == 7


@pytest.mark.parametrize(
    ("goal", "mark", "words"),
    [
        (Goal(), None, "f1, mean of images"),
        (Goal("precision"), 0.9, "precision, mean of images, most images over 0.9 first"),
        (Goal("precision", success=0.5), 0.5, "precision, mean of images, most images over 0.5 first"),
        (Goal(objective="worst"), None, "f1, worst image"),
    ],
)
def test_goals(goal: Goal, mark: float | None, words: str) -> None:
    assert goal.mark == mark and goal.describe() == words


@pytest.mark.parametrize("method", ["grid", "ascend", "evolve"])
def test_progress_rises_to_one(data: LabelledImages, tmp_path: Path, method: str) -> None:
    shares: list[float] = []
    goal = Goal(method=method, restarts=1, cross_validate=True)
    tune(data, AXES, Recipe(), goal, tmp_path / "tuned", on_progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) >= 3


def test_areas_without_data_are_left_out_as_in_detection(tmp_path: Path) -> None:
    drawn = simulate(Scene(shape=(128, 160), pores=3), seed=1)
    image = np.pad(drawn.micrograph.image, ((0, 40), (0, 0)))  # an information bar
    np.save(tmp_path / "a.npy", image)
    np.save(tmp_path / "a_standard.npy", np.pad(drawn.labels, ((0, 40), (0, 0))))
    np.save(tmp_path / "b.npy", drawn.micrograph.image)
    np.save(tmp_path / "b_standard.npy", drawn.labels)
    both = read_labelled_images([tmp_path / "a.npy", tmp_path / "b.npy"], tmp_path, pixel_size=0.03)
    for pair in (both.standards, [m.image for m in both.micrographs]):
        np.testing.assert_array_equal(*pair)
