from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from helpers import run, take_census

from porescope import read, read_all
from porescope.files import ReadError
from porescope.reading import open_images
from porescope.runs import Job
from porescope.simulation import Scene, simulate
from porescope.simulation.saving import save_simulation


def test_a_bad_frame_costs_one_frame(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    stack = tifffile.imread(data / "cases" / "c18b_nan_in_frame2.tif")
    stack[2, 80, 100] = np.nan  # within the image, so that no border explains it
    tifffile.imwrite(path, stack, photometric="minisblack")
    run = take_census([path], Job(tmp_path, overlays=False, pixel_size=0.04))
    assert run.images.status.tolist() == ["ok", "ok", "failed", "ok", "ok"]


def _write_channels(path: Path, frames: int = 1) -> list[np.ndarray]:
    """Write an OME-TIFF with the channels BF and HAADF of one field."""
    drawn = simulate(Scene(shape=(150, 180), pores=2, max_missing=40, dose=2e6), seed=3).micrograph
    dark = drawn.image.astype(np.uint16)
    images = [dark.max() - dark, dark]
    size = {f"PhysicalSize{axis}": drawn.pixel_size[0] for axis in "XY"}
    unit = {f"PhysicalSize{axis}Unit": "nm" for axis in "XY"}
    metadata = {"axes": "TCYX", **size, **unit, "Channel": {"Name": ["BF", "HAADF"]}}
    tifffile.imwrite(path, np.stack([np.stack(images)] * frames), ome=True, metadata=metadata)
    return images


def test_one_row_for_each_field_of_view_and_all_on_request(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    bright, dark = _write_channels(path)
    one = read(path)
    assert np.array_equal(one.image, dark) and (one.signal, one.modality, one.frame) == (
        "HAADF",
        "haadf",
        None,
    )
    assert one.stem == "a.ome" and "taken of BF, HAADF" in (one.acquisition.remark or "")
    two = list(read_all(path, signal="all"))
    assert [(m.signal, m.modality, m.stem) for m in two] == [
        ("BF", "bf", "a.ome_BF_0000"), ("HAADF", "haadf", "a.ome_HAADF_0001"),
    ]  # fmt: skip
    assert np.array_equal(read(path, signal="bf").image, bright)
    with pytest.raises(ReadError, match="no signal 'ABF', but BF, HAADF"):
        read(path, signal="ABF")


def test_signals_stand_in_the_tables_and_a_run_of_others_is_another_job(tmp_path: Path) -> None:
    _write_channels(tmp_path / "a.ome.tif", frames=2)
    out = tmp_path / "out"
    command = ["detect", tmp_path / "a.ome.tif", "-o", out, "--method", "threshold", "--no-images"]
    result = run(*command, "--signal", "all")
    assert result.exit_code == 0, result.output
    images, pores = (pd.read_csv(out / name) for name in ("images.csv", "pores.csv"))
    assert images.frame.tolist() == [0, 1, 2, 3] and images.signal.tolist() == ["BF", "BF", "HAADF", "HAADF"]
    assert images.modality.tolist() == ["bf", "bf", "haadf", "haadf"]
    expected = dict(zip(images.frame, images.signal, strict=True))
    assert len(pores) > 0 and pores.signal.tolist() == [expected[frame] for frame in pores.frame]
    assert (out / "a.ome_HAADF_0002_labels.tif").is_file()
    refused = run(*command, "--resume")
    assert refused.exit_code == 2 and "signal = 'all', not None" in refused.output
    (out / "images.parquet").unlink()  # resumed from the CSV alone: the stems must still be known
    again = run(*command, "--signal", "all", "--resume")
    assert again.exit_code == 0 and pd.read_csv(out / "images.csv").equals(images)
    outputs = json.loads((out / "run.json").read_text())["outputs"]
    assert "a.ome_HAADF_0002_labels.tif" in outputs


@pytest.mark.parametrize("modality", ["bf", "haadf"])
def test_simulated_files_say_their_modality(tmp_path: Path, modality: str) -> None:
    drawn = simulate(Scene(shape=(100, 120), pores=1, modality=modality), seed=1)
    name = save_simulation(tmp_path, drawn, "test")[0]
    m = read(tmp_path / name)
    assert m.modality == modality and m.acquisition.modality_source == "header"


@pytest.mark.parametrize("size", [1e-9, 3000.0])
def test_impossible_pixel_sizes_are_doubted(tmp_path: Path, size: float) -> None:
    resolution = (1 / size, 1 / size)
    tifffile.imwrite(
        tmp_path / "a.tif",
        np.eye(9, dtype=np.uint8),
        imagej=True,
        resolution=resolution,
        metadata={"unit": "nm"},
    )
    assert "implausible" in (read(tmp_path / "a.tif").acquisition.remark or "")
    assert read(tmp_path / "a.tif", pixel_size=0.04).acquisition.remark is None


def test_alpha_that_hides_pixels_is_the_field(tmp_path: Path) -> None:
    image = np.full((20, 30, 2), 255, np.uint8)
    image[:, :10, 1] = 0
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="minisblack", extrasamples=["unassalpha"])
    m = open_images(tmp_path / "a.tif", pixel_size=0.04).read(0)
    assert m.field is not None and m.field.sum() == 400 and not m.field[:, :10].any()
    image[..., 1] = 0  # hides everything, which nobody means
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="minisblack", extrasamples=["unassalpha"])
    assert read(tmp_path / "a.tif", pixel_size=0.04).field is None
