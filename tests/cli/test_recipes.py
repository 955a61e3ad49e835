from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import dump, run
from typer.main import get_command

from porescope.cli.recipes import Objective, Scaling, TuneMethod, app
from porescope.recipes import CLIMBERS, PAPER_AXES, Recipe, load_recipe, parameters
from porescope.recipes.choice import OBJECTIVES
from porescope.recipes.recipe import SCALINGS
from porescope.recipes.search import read_axis


def test_the_options_are_those_of_the_library() -> None:
    assert set(Objective) == set(OBJECTIVES) and set(Scaling) == set(SCALINGS)
    assert set(TuneMethod) == {"grid", *CLIMBERS}


def test_the_help_names_the_papers_axes() -> None:
    options = {p.name: p for p in get_command(app).commands["tune"].params}
    axes = options["axis"].help.split("Default: ")[1].rstrip(".").split(", ")
    said = dict(read_axis(text) for text in axes)
    assert list(said) == list(PAPER_AXES)
    assert all(np.array_equal(said[name], values) for name, values in PAPER_AXES.items())


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
    shown = dump(chromium, out / "cvvp.html").split('id="recipe">')[1].split("</pre>")[0]
    (out / "point.toml").write_text(shown)
    chosen = Recipe(**{name: recipe[name] for name in ("grid", "threshold", "area")})
    assert load_recipe(out / "point.toml") == chosen
    assert "The default network on the same images" in result.output
    assert run("tune", ws2 / "A.dm3", "--standards", ws2, "-o", out, *small).exit_code == 2
    twice = run("tune", ws2 / "A.dm3", "--standards", ws2, "-o", tmp_path / "t", *small, "--axis", "area=3")
    assert twice.exit_code == 2 and "given twice" in twice.output
    nowhere = run("tune", ws2 / "A.dm3", "--standards", tmp_path / "none", "-o", tmp_path / "t")
    assert nowhere.exit_code == 2 and "is not a folder" in nowhere.output


@pytest.mark.parametrize("method", ["ascend", "evolve"])
def test_tune_by_climbing(ws2: Path, tmp_path: Path, method: str) -> None:
    out = tmp_path / "tuned"
    result = run("tune", ws2 / "A.dm3", "--standards", ws2, "-o", out, "--method", method, "--restarts", 2)
    assert result.exit_code == 0, result.output
    assert "distinct points were looked at" in result.output and "Leave one" not in result.output
    assert {"ascent.png", "path.csv", "recipe.toml"} <= {p.name for p in out.iterdir()}


def test_score_prints_what_was_found(ws2: Path, tmp_path: Path) -> None:
    images = [ws2 / f"{n}.dm3" for n in "ABCDE"]
    assert run("detect", *images, "-o", tmp_path / "out", "--no-images", "--recipe", "ws2").exit_code == 0
    result = run("score", tmp_path / "out", "--standards", ws2)
    assert result.exit_code == 0, result.output
    assert "15 of 17 pores found (95 % interval 66% to 97%), 0 false" in result.output
    assert run("score", tmp_path, "--standards", ws2).exit_code == 2


def test_explain_draws_the_network_or_the_stages(ws2: Path, tmp_path: Path) -> None:
    images, out = [ws2 / "A.dm3", ws2 / "B.dm3"], tmp_path / "explain"
    for kind, options in (("stages", ["--recipe", "ws2"]), ("network", [])):
        result = run("explain", images[0], "-o", out, *options)
        assert result.exit_code == 0, result.output
        assert (out / f"A_{kind}.png").stat().st_size > 50_000
    assert run("explain", images[0], "-o", out).exit_code == 2
    both = run("explain", images[0], "-o", tmp_path / "both", "--recipe", "ws2", "--model", "mine.onnx")
    assert both.exit_code == 2 and "give one" in both.output and not (tmp_path / "both").exists()
    (tmp_path / "bad.npy").write_bytes(b"no")
    assert run("explain", tmp_path / "bad.npy", images[1], "-o", out).exit_code == 1
    assert (out / "B_network.png").exists()


def test_recipes_are_listed_shown_exported_and_added(ws2: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    assert "ws2-published" in run("recipes", "list").output
    shown = run("recipes", "show", "ws2").output
    assert all(p.name in shown and p.metadata["doc"] in shown for p in parameters())
    assert run("recipes", "export", "ws2", mine).exit_code == 0
    assert run("recipes", "add", mine, "--name", "ws2-lab").exit_code == 0
    for name in ("../evil", "ws2", "ws2-lab"):
        assert run("recipes", "add", mine, "--name", name).exit_code == 2
    assert run("recipes", "export", "ws2", tmp_path / "mine.txt").exit_code == 2
    detected = run("detect", ws2 / "A.dm3", "-o", tmp_path / "out", "--recipe", "ws2-lab", "--no-images")
    assert detected.exit_code == 0
