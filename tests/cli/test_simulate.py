from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import run

from porescope import read, read_standard
from porescope.simulation import Scene, simulate


@pytest.mark.parametrize("modality", ["haadf", "bf", "hrtem"])
def test_simulate_on_the_command_line(tmp_path: Path, modality: str) -> None:
    options = [
        "--modality",
        modality,
        "--rows",
        150,
        "--columns",
        200,
        "--seed",
        3,
        "--pores",
        2,
        "--dose",
        1e6,
    ]
    result = run("simulate", "-o", tmp_path, *options)
    assert result.exit_code == 0, result.output
    stem = f"WS2_{modality}_3"
    assert {p.name for p in tmp_path.iterdir()} == {
        f"{stem}{ending}" for ending in (".tif", "_standard.tif", "_truth.csv", "_atoms.csv")
    }
    drawn = simulate(Scene("WS2", shape=(150, 200), pores=2, dose=1e6, modality=modality), seed=3)
    image = read(tmp_path / f"{stem}.tif")
    assert image.pixel_size == pytest.approx((0.04, 0.04)) and np.array_equal(
        image.image, drawn.micrograph.image
    )
    assert np.array_equal(read_standard(tmp_path / f"{stem}_standard.tif"), drawn.labels)
    truth = pd.read_csv(tmp_path / f"{stem}_truth.csv")
    assert truth.missing_atoms.tolist() == drawn.missing_atoms.tolist()
    atoms = pd.read_csv(tmp_path / f"{stem}_atoms.csv")
    assert len(atoms) == len(drawn.atoms.positions) and set(atoms.element) == {"W", "S"}
    assert run("simulate", "-o", tmp_path, *options).exit_code == 2


@pytest.mark.parametrize(
    "options", [["--material", "Au"], ["--modality", "sem"], ["--dose", "-1"], ["--pixel-size", "0"]]
)
def test_impossible_simulations_are_refused(tmp_path: Path, options: list[str]) -> None:
    result = run("simulate", "-o", tmp_path / "sim", *options)
    assert result.exit_code == 2 and "must be" in result.output and not (tmp_path / "sim").exists()


@pytest.mark.parametrize(
    ("option", "images"), [(["--frames", 2], 2), (["--tiles", "1x2"], 2), (["--wild"], 1)]
)
def test_movies_tiles_and_wild_scenes_are_written(tmp_path: Path, option: list[object], images: int) -> None:
    result = run("simulate", "-o", tmp_path, "--rows", 100, "--columns", 110, *option)
    assert result.exit_code == 0, result.output
    assert len(list(tmp_path.glob("*_standard.tif"))) == images
    assert read(min(p for p in tmp_path.glob("*.tif") if "standard" not in p.name)).image.shape == (100, 110)
    if "--tiles" in option:
        stage = pd.read_csv(tmp_path / "WS2_haadf_0_stage.csv")
        assert len(stage) == 2 and {"stage_y_nm", "stage_x_nm", "true_y_nm", "true_x_nm"} <= set(stage)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tiles", "many"], "rows x columns"),
        (["--tiles", "2x2", "--frames", 3], "do not go together"),
        (["--wild", "--material", "gold"], "material must be one of"),
        (["--voids", "--tiles", "2x2"], "--voids goes with none of"),
    ],
)
def test_wrong_use_of_simulate(tmp_path: Path, options: list[object], message: str) -> None:
    result = run("simulate", "-o", tmp_path, *options)
    assert result.exit_code == 2 and message in result.output


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("simulate", "-o", tmp_path / "file" / "out")
    sentence = f"{tmp_path / 'file' / 'out'} cannot be read or written (Not a directory); check the path"
    assert result.exit_code == 2 and sentence in result.output


@pytest.mark.parametrize(
    ("pores", "least", "most"), [((), 1, 99), (("--pores", 0), 0, 0), (("--pores", 3), 2, 3)]
)
def test_wild_scenes_have_the_number_of_pores_asked_for(
    tmp_path: Path, pores: tuple[object, ...], least: int, most: int
) -> None:
    size = ["--rows", 150, "--columns", 160]
    result = run("simulate", "-o", tmp_path, "--wild", "--seed", 3, *size, *pores)
    assert result.exit_code == 0, result.output
    truth = pd.read_csv(tmp_path / "WS2_haadf_3_truth.csv")
    assert least <= len(truth) <= most


def test_membranes_without_a_lattice_are_written_and_found_again(tmp_path: Path) -> None:
    size = ["--rows", 300, "--columns", 320, "--pixel-size", 2]
    result = run("simulate", "-o", tmp_path / "sim", "--voids", "--seed", 5, "--pores", 40, *size)
    assert result.exit_code == 0, result.output
    names = {p.name for p in (tmp_path / "sim").iterdir()}
    assert names == {f"voids_haadf_5{ending}" for ending in (".tif", "_standard.tif", "_truth.csv")}
    truth = pd.read_csv(tmp_path / "sim" / "voids_haadf_5_truth.csv")
    assert len(truth) > 20 and truth.missing_atoms.isna().all()
    result = run("detect", tmp_path / "sim" / "voids_haadf_5.tif", "-o", tmp_path / "out", "--no-images")
    assert result.exit_code == 0, result.output
    row = pd.read_csv(tmp_path / "out" / "images.csv").iloc[0]
    assert row.method == "voids" and row.reason == "pixels of 2 nm are too coarse for a lattice"
    assert row.n_pores == pytest.approx(len(truth), abs=3)
    asked = ["--method", "voids", "--no-split", "--no-images"]
    result = run("detect", tmp_path / "sim" / "voids_haadf_5.tif", "-o", tmp_path / "whole", *asked)
    assert result.exit_code == 0, result.output
    assert pd.read_csv(tmp_path / "whole" / "images.csv").reason[0] == "asked for"
