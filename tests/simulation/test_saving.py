from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import tifffile

from porescope import read, read_standard
from porescope.simulation import Scene, save_simulation, save_stage, simulate
from porescope.simulation.series import Tile


def test_a_simulation_is_written_with_its_truth(tmp_path: Path) -> None:
    drawn = simulate(Scene(shape=(120, 140), pores=2), seed=1, name="one")
    names = save_simulation(tmp_path / "new", drawn, "seed 1")
    assert names == ["one.tif", "one_standard.tif", "one_truth.csv", "one_atoms.csv"]
    folder = tmp_path / "new"
    image = read(folder / "one.tif")
    assert (image.image == drawn.micrograph.image).all() and image.pixel_size == pytest.approx((0.04, 0.04))
    assert (read_standard(folder / "one_standard.tif") == drawn.labels).all()
    with tifffile.TiffFile(folder / "one.tif") as file:
        assert "seed 1" in str(file.imagej_metadata)
    truth = pd.read_csv(folder / "one_truth.csv")
    assert truth.label.tolist() == [1, 2]
    assert truth.area_nm2.to_numpy() == pytest.approx(drawn.area_nm2, rel=1e-5)
    atoms = pd.read_csv(folder / "one_atoms.csv")
    assert set(atoms.element) == {"W", "S"} and atoms.atoms.sum() == drawn.atoms.occupancy.sum()


def test_stage_positions_are_a_table(tmp_path: Path) -> None:
    drawn = simulate(Scene(shape=(60, 70), pores=0), name="tile")
    assert save_stage(tmp_path, "sheet", [Tile(drawn, (1.0, 2.0), (1.1, 1.9))]) == "sheet_stage.csv"
    rows = pd.read_csv(tmp_path / "sheet_stage.csv").to_dict("records")
    assert rows == [
        {"image": "tile", "stage_y_nm": 1.0, "stage_x_nm": 2.0, "true_y_nm": 1.1, "true_x_nm": 1.9}
    ]
