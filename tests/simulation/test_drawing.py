from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import run

from porescope import read, read_standard
from porescope.materials import MATERIALS
from porescope.simulation.drawing import simulate
from porescope.simulation.scene import Scene


@pytest.mark.parametrize(("material", "area"), [("WS2", 0.078), ("MoS2", 0.069), ("graphene", 0.064)])
def test_a_lone_vacancy_has_the_area_of_the_definition(material: str, area: float) -> None:
    areas = [
        simulate(
            Scene(material, shape=(120, 130), pixel_size=0.02, pores=1, max_missing=1), seed=seed
        ).area_nm2[0]
        for seed in range(8)
    ]
    assert min(areas) == pytest.approx(area, rel=0.02)
    assert max(areas) <= 0.17  # with its chalcogens gone


@pytest.mark.parametrize("material", MATERIALS)
def test_truth_and_image_belong_together(material: str) -> None:
    dose = 1e8 if material in ("graphene", "hBN") else 5e5
    drawn = simulate(Scene(material, shape=(200, 260), pores=3, dose=dose), seed=2)
    labels, image = drawn.labels, drawn.micrograph.image
    assert labels.max() == len(drawn.area_nm2) == len(drawn.missing_atoms)
    assert image[labels > 0].mean() < 0.8 * image[labels == 0].mean()
    pixels = np.bincount(labels.ravel())[1:] * drawn.micrograph.pixel_area
    np.testing.assert_allclose(pixels, drawn.area_nm2, rtol=0.15)


def test_the_seed_decides_all() -> None:
    one, same, other = (simulate(Scene(shape=(90, 100)), seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.micrograph.image, same.micrograph.image)
    assert not np.array_equal(one.micrograph.image, other.micrograph.image)


def test_a_sheet_without_pores_has_no_truth() -> None:
    drawn = simulate(Scene(shape=(90, 100), pores=0), seed=3)
    assert not drawn.labels.any() and len(drawn.area_nm2) == 0


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
    ],
)
def test_wrong_use_of_simulate(tmp_path: Path, options: list[object], message: str) -> None:
    result = run("simulate", "-o", tmp_path, *options)
    assert result.exit_code == 2 and message in result.output
