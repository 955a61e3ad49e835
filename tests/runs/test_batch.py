from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import save_simulated

from porescope import Recipe, detect, measure, read, read_standard
from porescope.measurement import PORE_COLUMNS
from porescope.runs.batch import process_file, run_batch
from porescope.runs.folder import write_tables
from porescope.runs.job import IMAGE_COLUMNS, Job

RECIPE = Recipe()


def test_processes_give_what_the_plain_loop_gives(tmp_path: Path) -> None:
    paths = [save_simulated(tmp_path / "in", f"s{i}.tif", seed=i, frames=1 + i % 2) for i in range(5)]
    (tmp_path / "in" / "bad.tif").write_bytes(b"II*\0 not a tiff")
    paths.append(tmp_path / "in" / "bad.tif")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    seen: list[Path] = []
    one = run_batch(paths, Job(tmp_path / "one", RECIPE))
    two = run_batch(paths, Job(tmp_path / "two", RECIPE), workers=2, on_file=seen.append)
    pd.testing.assert_frame_equal(one.images, two.images)
    pd.testing.assert_frame_equal(one.pores, two.pores)
    assert sorted(seen) == sorted(paths) and one.outputs == two.outputs
    assert one.images.status.tolist() == ["ok"] * 7 + ["failed"]
    for name in one.outputs:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_the_tables_agree_with_the_python_interface(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "s.tif")
    micrograph = read(path)
    labels = detect(micrograph, RECIPE)
    census = run_batch([path], Job(tmp_path, RECIPE, overlays=False))
    pd.testing.assert_frame_equal(census.pores, measure(micrograph, labels))
    assert np.array_equal(read_standard(tmp_path / "s_labels.tif"), labels)
    row = census.images.iloc[0]
    assert row.n_pores == labels.max() == 3 and row.porosity == pytest.approx((labels > 0).mean())
    assert row.density_per_um2 == pytest.approx(3 / (180 * 220 * 0.04**2) * 1e6)


def test_tables_have_all_columns_even_when_all_fails(tmp_path: Path) -> None:
    (tmp_path / "bad.dm3").write_bytes(b"nothing")
    census = run_batch([tmp_path / "bad.dm3"], Job(tmp_path, RECIPE))
    write_tables(census, tmp_path)
    for name, columns in {"pores": PORE_COLUMNS, "images": IMAGE_COLUMNS}.items():
        for table in (pd.read_csv(tmp_path / f"{name}.csv"), pd.read_parquet(tmp_path / f"{name}.parquet")):
            assert list(table.columns) == list(columns)
    row = pd.read_csv(tmp_path / "images.csv").iloc[0]
    assert row.status == "failed" and "bad.dm3" in row.message and np.isnan(row.n_pores)


def test_a_file_that_kills_its_process_is_the_only_one_lost(tmp_path: Path, monkeypatch) -> None:
    paths = [save_simulated(tmp_path / "in", f"s{i}.tif") for i in range(3)]
    monkeypatch.setattr("porescope.runs.batch.process_file", _die_on_s1)
    census = run_batch(paths, Job(tmp_path, RECIPE, overlays=False), workers=2)
    assert census.images.status.tolist() == ["ok", "failed", "ok"]
    assert "died" in census.images.message[1]


def _die_on_s1(path: Path, *rest: object) -> object:
    if path.stem == "s1":
        os._exit(1)
    return process_file(path, *rest)


def test_an_image_without_pores_still_gets_its_files(tmp_path: Path) -> None:
    np.save(tmp_path / "black.npy", np.zeros((50, 60), np.uint8))
    job = Job(tmp_path, RECIPE, pixel_size=0.05, rois=True, geojson=True)
    census = run_batch([tmp_path / "black.npy"], job)
    row = census.images.iloc[0]
    assert row.status == "ok" and row.n_pores == 0 and "same value" in row.message
    assert np.isnan(row.median_diameter_nm) and np.isnan(row.pixel_size_header_nm)
    assert zipfile.ZipFile(tmp_path / "black_rois.zip").namelist() == []


def test_a_bad_frame_keeps_the_good_ones_before_it(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).normal(size=(3, 40, 50))
    stack[1, 0, 0] = np.nan
    np.save(tmp_path / "s.npy", stack)
    census = run_batch([tmp_path / "s.npy"], Job(tmp_path, RECIPE, pixel_size=0.04, overlays=False))
    assert census.images.status.tolist() == ["ok", "failed"] and census.images.frame.tolist() == [0, 1]
    assert census.outputs == ["s_0000_labels.tif"]


def test_an_input_is_never_written_over(tmp_path: Path) -> None:
    one = save_simulated(tmp_path, "one.tif")
    picture = save_simulated(tmp_path, "one_labels.tif")
    with pytest.raises(ValueError, match="would be overwritten by this run's own results"):
        run_batch([one, picture], Job(tmp_path, RECIPE))


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_name_that_is_not_unicode_spoils_nothing(tmp_path: Path) -> None:
    good = save_simulated(tmp_path, "good.tif")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.tif"))
    odd.write_bytes(good.read_bytes())
    census = run_batch([odd, good], Job(tmp_path, RECIPE))
    write_tables(census, tmp_path)
    table = pd.read_csv(tmp_path / "images.csv")
    assert table.status.tolist() == ["ok", "ok"] and "\\xff" in table.file[0]
