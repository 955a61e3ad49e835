from __future__ import annotations

from pathlib import Path

import pytest
from helpers import run, save_simulated

from porescope import Recipe
from porescope.files import ENDINGS, FILES, find_files, name_files
from porescope.recipes import Threshold
from porescope.runs import Job, run_batch

RECIPE = Recipe()


def test_names_are_told_apart_by_the_shortest_differing_folder() -> None:
    paths = [Path(p) for p in ("r/1/a/x.dm3", "r/2/a/x.dm3", "r/2/b/x.dm3", "r/y.dm3")]
    assert name_files(paths) == ["1_a_x", "2_a_x", "b_x", "y"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.dm3", "a/x.tif"], ["x_dm3", "x_tif"]),
        (["a/X.tif", "b/x.tif"], ["a_X", "b_x"]),
        (["a/x.tif", "a/x_0000.tif"], ["a_x", "x_0000"]),
        (["con.tif", "a b.tif", "é.tif"], ["_con", "a b", "é"]),
        (['q"<b>.tif', "tab\t.tif", "..tif"], ["q__b_", "tab_", "image"]),
    ],
)
def test_names_are_unique_and_safe(tmp_path: Path, paths: list[str], names: list[str]) -> None:
    got = name_files([Path("/root") / p for p in paths])
    assert len({n.casefold() for n in got}) == len(got)
    assert got == names
    assert all(Path(n).name == n for n in got)


def test_files_folders_globs_and_emi(tmp_path: Path) -> None:
    for name in (
        "s.emi",
        "s_1.ser",
        "t_1.ser",
        "x.tif",
        "x_standard.png",
        "x_labels.tif",
        "n.txt",
        "sub/z.dm3",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.name for p in find_files([tmp_path])] == ["s.emi", "t_1.ser", "x.tif"]
    assert [p.name for p in find_files([f"{tmp_path}/**/*.dm3"])] == ["z.dm3"]
    assert [p.name for p in find_files([tmp_path / "x.tif", tmp_path])] == ["x.tif", "s.emi", "t_1.ser"]
    assert [p.name for p in find_files([tmp_path / "s_1.ser"])] == ["s_1.ser"]
    with pytest.raises(ValueError, match="names no file"):
        find_files([tmp_path / "nope*.tif"])
    with pytest.raises(ValueError, match="holds no image files"):
        (tmp_path / "empty").mkdir()
        find_files([tmp_path / "empty"])


def test_every_picture_of_ours_is_passed_over_in_folders(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "one.tif")
    first = run_batch([path], Job(tmp_path, Threshold(RECIPE), lattice=True))
    (tmp_path / "cvvp.png").touch()
    assert len(first.outputs) == 3 and find_files([tmp_path]) == [path]


@pytest.mark.parametrize("name", [*(f"one{ending}" for ending in ENDINGS.values()), *FILES.values()])
def test_nothing_that_porescope_writes_is_taken_for_a_micrograph(tmp_path: Path, name: str) -> None:
    for file in ("one.tif", name):
        (tmp_path / file).touch()
    assert [p.name for p in find_files([tmp_path])] == ["one.tif"]


def test_explaining_into_the_images_own_folder_adds_no_micrograph(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "one.tif")
    for options in ([], ["--recipe", "ws2"]):
        assert run("explain", path, "-o", tmp_path, *options).exit_code == 0
    names = {"one.tif", "one_network.png", "one_stages.png"}
    assert {p.name for p in tmp_path.iterdir()} == names and find_files([tmp_path]) == [path]
