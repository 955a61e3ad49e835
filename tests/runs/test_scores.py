from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from helpers import run, save_simulated

from porescope.runs import score_results
from porescope.simulation import Scene, Simulation, save_simulation, simulate


def test_results_with_names_like_numbers_are_scored(tmp_path: Path) -> None:
    drawn = simulate(Scene(shape=(128, 160), pores=2), seed=1)
    for name in ("001", "NA"):
        save_simulation(tmp_path, replace(drawn, name), "test")
    images = [tmp_path / "001.tif", tmp_path / "NA.tif"]
    assert run("detect", *images, "-o", tmp_path / "out", "--no-images").exit_code == 0
    scores = score_results(tmp_path / "out", tmp_path)
    assert set(scores) == {"001", "NA"} and scores["NA"].found == 2


def replace(drawn: Simulation, name: str) -> Simulation:
    return drawn._replace(micrograph=dataclasses.replace(drawn.micrograph, name=name))


def test_unreadable_images_are_left_out(tmp_path: Path) -> None:
    save_simulation(tmp_path, replace(simulate(Scene(shape=(128, 160), pores=2), seed=1), "one"), "test")
    (tmp_path / "bad.tif").write_bytes(b"no image")
    (tmp_path / "bad_standard.tif").write_bytes((tmp_path / "one_standard.tif").read_bytes())
    run("detect", tmp_path / "one.tif", tmp_path / "bad.tif", "-o", tmp_path / "out", "--no-images")
    assert set(score_results(tmp_path / "out", tmp_path)) == {"one"}


def test_stacks_are_left_out_with_a_warning(tmp_path: Path) -> None:
    save_simulation(tmp_path, replace(simulate(Scene(shape=(128, 160), pores=2), seed=1), "one"), "test")
    stack = save_simulated(tmp_path, "movie.tif", frames=2)
    assert run("detect", tmp_path / "one.tif", stack, "-o", tmp_path / "out", "--no-images").exit_code == 0
    with pytest.warns(UserWarning, match="1 stacks are not scored"):
        assert set(score_results(tmp_path / "out", tmp_path)) == {"one"}


def test_what_cannot_be_scored_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no run of porescope"):
        score_results(tmp_path, tmp_path)
    (tmp_path / "images.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="it lacks the column image"):
        score_results(tmp_path, tmp_path)
    with pytest.raises(ValueError, match="is not a folder"):
        score_results(tmp_path, tmp_path / "nothing")
    (tmp_path / "images.csv").write_text("image,file,status\nA,A.dm3,ok\n")
    with pytest.raises(ValueError, match="holds no standard of an image"):
        score_results(tmp_path, tmp_path)
