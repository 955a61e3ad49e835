from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from shutil import copytree

import numpy as np
import pandas as pd
import pytest
import tifffile
from conftest import require
from helpers import run


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated tiles of 2 × 2 with their stage positions."""
    folder = tmp_path_factory.mktemp("tiles")
    size = ("--rows", 260, "--columns", 300, "--pores", 60, "--max-missing", 30)
    result = run("simulate", "--tiles", "2x2", *size, "--seed", 3, "-o", folder)
    assert result.exit_code == 0, result.output
    return folder


def read_zarr_labels(store: Path) -> tuple[np.ndarray, list[float], float]:
    """Labels of the finest level, place of the first pixel, pixel size."""
    import zarr

    group = zarr.open_group(str(store), mode="r")["labels/pores"]
    scale, move = group.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    return group["s0"][:], move["translation"], scale["scale"][0]


def test_a_sheet_of_tiles(tiles: Path, tmp_path: Path) -> None:
    out, stage = tmp_path / "sheet", tiles / "WS2_haadf_3_stage.csv"
    result = run("map", tiles, "--stage", stage, "-o", out, "--no-images", "--workers", 1)
    assert result.exit_code == 0, result.output
    assert "4 tiles: 4 placed by their neighbours" in result.output
    table, true = pd.read_csv(out / "tiles.csv"), pd.read_csv(stage)
    columns = ["file", "frame", "stage_y_nm", "stage_x_nm", "sheet_y_nm", "sheet_x_nm", "residual_nm"]
    assert list(table) == [*columns, "n_pairs", "status", "margin"]
    assert (table.status == "placed").all() and table.n_pairs.tolist() == [2, 2, 2, 2]
    apart = table[["sheet_y_nm", "sheet_x_nm"]].to_numpy() - true[["true_y_nm", "true_x_nm"]].to_numpy()
    assert np.hypot(*(apart - apart.mean(axis=0)).T).max() < 0.02
    pores, found = pd.read_csv(out / "pores.csv"), pd.read_csv(out / "detect" / "pores.csv")
    assert len(pores) < len(found) and pores.n_tiles.max() >= 2
    assert pores.n_tiles.sum() <= len(found)
    # No pore twice: none lies within another.
    at = pores[["sheet_y_nm", "sheet_x_nm"]].to_numpy()
    distance = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1)) + 9 * np.eye(len(at))
    assert distance.min() > 0.3
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["analysis"] == "map" and record["n_pores"] == len(pores)
    assert record["outputs"] == ["density.csv", "density.png", "mosaic.png", "pores.csv", "tiles.csv"]
    again = run("map", tiles, "--stage", stage, "-o", out, "--no-images", "--workers", 1)
    assert again.exit_code == 2 and "earlier map" in again.output
    require(find_spec("ome_zarr") is not None, "ome-zarr")
    resume = ("map", tiles, "--stage", stage, "-o", out, "--no-images", "--workers", 1, "--resume")
    resumed = run(*resume, "--zarr")
    assert resumed.exit_code == 0, resumed.output
    pd.testing.assert_frame_equal(pd.read_csv(out / "pores.csv"), pores)
    labels, origin, pixel = read_zarr_labels(out / "sheet.zarr")
    assert np.unique(labels[labels > 0]).tolist() == pores.sheet_label.tolist()
    for row in pores.itertuples():
        middle = np.argwhere(labels == row.sheet_label).mean(axis=0) * pixel + origin
        assert np.hypot(*(middle - (row.sheet_y_nm, row.sheet_x_nm))) < 0.1
    assert run(*resume).exit_code == 0
    assert not (out / "sheet.zarr").exists()  # that of another map


def test_a_raster_and_a_damaged_tile(tiles: Path, tmp_path: Path) -> None:
    folder, out = copytree(tiles, tmp_path / "in"), tmp_path / "sheet"
    (folder / "WS2_haadf_3_1_1.tif").write_bytes(b"II*\0 no image")
    result = run(
        "map", folder, "--grid", "2x2", "--overlap", 0.1, "-o", out, "--no-images", "--workers", 1, "-q"
    )
    assert result.exit_code == 1, result.output
    table = pd.read_csv(out / "tiles.csv")
    assert table.status.tolist() == ["placed"] * 3 + ["failed"]
    assert np.isnan(table.sheet_y_nm[3]) and table.n_pairs[3] == 0


def test_bad_input_is_told_in_a_sentence(tiles: Path, tmp_path: Path) -> None:
    stage = pd.read_csv(tiles / "WS2_haadf_3_stage.csv")
    lacking, doubled = tmp_path / "lacking.csv", tmp_path / "doubled.csv"
    stage[1:].to_csv(lacking, index=False)
    stage.iloc[1, 1:3] = stage.iloc[0, 1:3]
    stage.to_csv(doubled, index=False)
    other = copytree(tiles, tmp_path / "other")
    image = tifffile.imread(other / "WS2_haadf_3_0_0.tif")
    resolution = (1 / 0.05, 1 / 0.05)
    tifffile.imwrite(
        other / "WS2_haadf_3_0_0.tif", image, imagej=True, resolution=resolution, metadata={"unit": "nm"}
    )
    out = tmp_path / "out"
    for arguments, what in (
        ((tiles, "--stage", lacking), "no row for WS2_haadf_3_0_0.tif"),
        ((tiles, "--stage", doubled), "WS2_haadf_3_0_0.tif and WS2_haadf_3_0_1.tif have the same stage"),
        ((tiles, "--stage", tmp_path / "none.csv"), "none.csv cannot be read or written (No such file"),
        ((other, "--grid", "2x2"), "has pixels of 0.05 nm, other tiles of 0.04 nm"),
        ((tiles,), "WS2_haadf_3_0_0.tif and 3 more tiles say no stage position"),
        ((tiles, "--grid", "3x3"), "takes 9 tiles, but there are 4"),
        ((tiles, "--grid", "2x3", "--stage", doubled), "contradict each other"),
        ((tmp_path / "nothing", "--grid", "2x3"), "names no file"),
    ):
        result = run("map", *arguments, "-o", out)
        assert result.exit_code == 2 and what in " ".join(result.output.split()), result.output
        assert not out.exists()
