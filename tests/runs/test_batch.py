from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import list_outputs, save_simulated, take_census

from porescope import Recipe, detect, measure, read, read_standard
from porescope.files import find_files
from porescope.recipes import Threshold
from porescope.runs import Job, write_tables
from porescope.runs.batch import process_file

RECIPE = Recipe()


def test_processes_give_what_the_plain_loop_gives(tmp_path: Path) -> None:
    paths = [save_simulated(tmp_path / "in", f"s{i}.tif", seed=i, frames=1 + i % 2) for i in range(5)]
    (tmp_path / "in" / "bad.tif").write_bytes(b"II*\0 not a tiff")
    paths.append(tmp_path / "in" / "bad.tif")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    seen: list[Path] = []
    one = take_census(paths, Job(tmp_path / "one", Threshold(RECIPE)))
    two = take_census(paths, Job(tmp_path / "two", Threshold(RECIPE)), workers=2, on_file=seen.append)
    pd.testing.assert_frame_equal(one.images, two.images)
    pd.testing.assert_frame_equal(one.pores, two.pores)
    outputs = list_outputs(tmp_path / "one")
    assert sorted(seen) == sorted(paths) and outputs == list_outputs(tmp_path / "two")
    assert one.images.status.tolist() == ["ok"] * 7 + ["failed"]
    for name in outputs:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_the_tables_agree_with_the_python_interface(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "s.tif")
    micrograph = read(path)
    labels = detect(micrograph, RECIPE)
    census = take_census([path], Job(tmp_path, Threshold(RECIPE), overlays=False))
    pd.testing.assert_frame_equal(census.pores, measure(micrograph, labels))
    assert np.array_equal(read_standard(tmp_path / "s_labels.tif"), labels)
    row = census.images.iloc[0]
    assert row.n_pores == labels.max() == 3 and row.porosity == pytest.approx((labels > 0).mean())
    assert row.density_per_um2 == pytest.approx(3 / (180 * 220 * 0.04**2) * 1e6)


def test_a_file_that_kills_its_process_is_the_only_one_lost(tmp_path: Path, monkeypatch) -> None:
    paths = [save_simulated(tmp_path / "in", f"s{i}.tif") for i in range(3)]
    monkeypatch.setattr("porescope.runs.batch.process_file", _die_on_s1)
    census = take_census(paths, Job(tmp_path, Threshold(RECIPE), overlays=False), workers=2)
    assert census.images.status.tolist() == ["ok", "failed", "ok"]
    assert "died" in census.images.message[1]


def test_a_zarr_store_is_a_row_that_says_what_to_do(tmp_path: Path, data: Path) -> None:
    """As a folder, as HyperSpy writes it, and as a single file."""
    shutil.copytree(data / "cases" / "c04b_movie.zspy", tmp_path / "in" / "folder.zspy")
    shutil.make_archive(str(tmp_path / "in" / "file"), "zip", tmp_path / "in" / "folder.zspy")
    (tmp_path / "in" / "file.zip").rename(tmp_path / "in" / "file.zspy")
    save_simulated(tmp_path / "in", "x.tif")
    census = take_census(find_files([tmp_path / "in"]), Job(tmp_path, Threshold(), overlays=False))
    images = census.images.set_index("image")
    assert images.status.to_dict() == {"file": "failed", "folder": "failed", "x": "ok"}
    for name in ("file", "folder"):
        assert images.message[name] == (
            f"{name}.zspy is a Zarr store, whose reader may run code from it; save it as .hspy"
        )
        assert pd.isna(images.sha256[name])


def _die_on_s1(path: Path, *rest: object) -> object:
    if path.stem == "s1":
        os._exit(1)
    yield from process_file(path, *rest)


def test_an_image_without_pores_still_gets_its_files(tmp_path: Path) -> None:
    np.save(tmp_path / "black.npy", np.zeros((50, 60), np.uint8))
    job = Job(tmp_path, Threshold(RECIPE), pixel_size=0.05, rois=True, geojson=True)
    census = take_census([tmp_path / "black.npy"], job)
    row = census.images.iloc[0]
    assert row.status == "ok" and row.n_pores == 0 and "same value" in row.message
    assert np.isnan(row.median_diameter_nm) and np.isnan(row.pixel_size_header_nm)
    assert zipfile.ZipFile(tmp_path / "black_rois.zip").namelist() == []


def test_a_bad_frame_keeps_the_good_ones_before_it(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).normal(size=(3, 40, 50))
    stack[1, 0, 0] = np.nan
    np.save(tmp_path / "s.npy", stack)
    census = take_census(
        [tmp_path / "s.npy"], Job(tmp_path, Threshold(RECIPE), pixel_size=0.04, overlays=False)
    )
    assert census.images.status.tolist() == ["ok", "failed"] and census.images.frame.tolist() == [0, 1]
    assert list_outputs(tmp_path) == ["s_0000_labels.tif"]


def test_an_input_is_never_written_over(tmp_path: Path) -> None:
    one = save_simulated(tmp_path, "one.tif")
    picture = save_simulated(tmp_path, "one_labels.tif")
    with pytest.raises(ValueError, match="would be overwritten by this run's own results"):
        take_census([one, picture], Job(tmp_path, Threshold(RECIPE)))


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_name_that_is_not_unicode_spoils_nothing(tmp_path: Path) -> None:
    good = save_simulated(tmp_path, "good.tif")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.tif"))
    odd.write_bytes(good.read_bytes())
    take_census([odd, good], Job(tmp_path, Threshold(RECIPE)))
    write_tables(tmp_path)
    table = pd.read_csv(tmp_path / "images.csv")
    assert table.status.tolist() == ["ok", "ok"] and "\\xff" in table.file[0]
