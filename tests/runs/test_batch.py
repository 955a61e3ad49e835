from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import roifile
import tifffile
from helpers import save_simulated

from porescope import Recipe, detect, measure, read, read_standard
from porescope.files.exports import save_labels
from porescope.files.names import find_files, name_files
from porescope.files.writing import write_whole
from porescope.labels import outline_regions
from porescope.measurement import PORE_COLUMNS
from porescope.recipes.detector import Threshold
from porescope.runs.batch import process_file, run_batch
from porescope.runs.folder import write_tables
from porescope.runs.job import IMAGE_COLUMNS, Job

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


def test_processes_give_what_the_plain_loop_gives(tmp_path: Path) -> None:
    paths = [save_simulated(tmp_path / "in", f"s{i}.tif", seed=i, frames=1 + i % 2) for i in range(5)]
    (tmp_path / "in" / "bad.tif").write_bytes(b"II*\0 not a tiff")
    paths.append(tmp_path / "in" / "bad.tif")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    seen: list[Path] = []
    one = run_batch(paths, Job(tmp_path / "one", Threshold(RECIPE)))
    two = run_batch(paths, Job(tmp_path / "two", Threshold(RECIPE)), workers=2, on_file=seen.append)
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
    census = run_batch([path], Job(tmp_path, Threshold(RECIPE), overlays=False))
    pd.testing.assert_frame_equal(census.pores, measure(micrograph, labels))
    assert np.array_equal(read_standard(tmp_path / "s_labels.tif"), labels)
    row = census.images.iloc[0]
    assert row.n_pores == labels.max() == 3 and row.porosity == pytest.approx((labels > 0).mean())
    assert row.density_per_um2 == pytest.approx(3 / (180 * 220 * 0.04**2) * 1e6)


def test_tables_have_all_columns_even_when_all_fails(tmp_path: Path) -> None:
    (tmp_path / "bad.dm3").write_bytes(b"nothing")
    census = run_batch([tmp_path / "bad.dm3"], Job(tmp_path, Threshold(RECIPE)))
    write_tables(census, tmp_path)
    for name, columns in {"pores": PORE_COLUMNS, "images": IMAGE_COLUMNS}.items():
        for table in (pd.read_csv(tmp_path / f"{name}.csv"), pd.read_parquet(tmp_path / f"{name}.parquet")):
            assert list(table.columns) == list(columns)
    row = pd.read_csv(tmp_path / "images.csv").iloc[0]
    assert row.status == "failed" and "bad.dm3" in row.message and np.isnan(row.n_pores)


def test_a_file_that_kills_its_process_is_the_only_one_lost(tmp_path: Path, monkeypatch) -> None:
    paths = [save_simulated(tmp_path / "in", f"s{i}.tif") for i in range(3)]
    monkeypatch.setattr("porescope.runs.batch.process_file", _die_on_s1)
    census = run_batch(paths, Job(tmp_path, Threshold(RECIPE), overlays=False), workers=2)
    assert census.images.status.tolist() == ["ok", "failed", "ok"]
    assert "died" in census.images.message[1]


def _die_on_s1(path: Path, *rest: object) -> object:
    if path.stem == "s1":
        os._exit(1)
    return process_file(path, *rest)


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError), write_whole(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and (tmp_path / "a.txt").read_text() == "old"


def test_labels_open_with_their_scale(tmp_path: Path) -> None:
    labels = np.zeros((30, 40), np.int32)
    labels[3, 4] = 7
    save_labels(tmp_path / "l.tif", labels, (0.05, 0.0501))
    assert read(tmp_path / "l.tif").pixel_size == pytest.approx((0.05, 0.0501))
    with tifffile.TiffFile(tmp_path / "l.tif") as tiff:
        assert tiff.is_imagej and tiff.imagej_metadata["unit"] == "nm" and tiff.pages[0].dtype == np.uint8
    labels[5, 5] = 70_000
    save_labels(tmp_path / "m.tif", labels, (0.05, 0.05))
    assert tifffile.imread(tmp_path / "m.tif").max() == 70_000


def test_outlines_filled_again_are_the_labels(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "s.tif")
    run_batch([path], Job(tmp_path, Threshold(RECIPE), overlays=False, rois=True, geojson=True))
    labels = read_standard(tmp_path / "s_labels.tif")
    assert np.array_equal(read_standard(tmp_path / "s_rois.zip", labels.shape), labels)
    assert np.array_equal(read_standard(tmp_path / "s.geojson", labels.shape), labels)
    assert [r.name for r in roifile.roiread(tmp_path / "s_rois.zip")] == ["0001", "0002", "0003"]
    feature = json.loads((tmp_path / "s.geojson").read_text())["features"][0]
    assert (
        feature["properties"]["area_px"] == (labels == 1).sum() and "confidence" not in feature["properties"]
    )
    assert outline_regions(labels)[1].min(axis=0) == pytest.approx(np.argwhere(labels == 1).min(axis=0) - 0.5)


def test_an_image_without_pores_still_gets_its_files(tmp_path: Path) -> None:
    np.save(tmp_path / "black.npy", np.zeros((50, 60), np.uint8))
    job = Job(tmp_path, Threshold(RECIPE), pixel_size=0.05, rois=True, geojson=True)
    census = run_batch([tmp_path / "black.npy"], job)
    row = census.images.iloc[0]
    assert row.status == "ok" and row.n_pores == 0 and "same value" in row.message
    assert np.isnan(row.median_diameter_nm) and np.isnan(row.pixel_size_header_nm)
    assert zipfile.ZipFile(tmp_path / "black_rois.zip").namelist() == []


def test_every_picture_of_ours_is_passed_over_in_folders(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "one.tif")
    first = run_batch([path], Job(tmp_path, Threshold(RECIPE), lattice=True))
    (tmp_path / "cvvp.png").touch()
    assert len(first.outputs) == 3 and find_files([tmp_path]) == [path]


def test_a_bad_frame_keeps_the_good_ones_before_it(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).normal(size=(3, 40, 50))
    stack[1, 0, 0] = np.nan
    np.save(tmp_path / "s.npy", stack)
    census = run_batch(
        [tmp_path / "s.npy"], Job(tmp_path, Threshold(RECIPE), pixel_size=0.04, overlays=False)
    )
    assert census.images.status.tolist() == ["ok", "failed"] and census.images.frame.tolist() == [0, 1]
    assert census.outputs == ["s_0000_labels.tif"]


def test_an_input_is_never_written_over(tmp_path: Path) -> None:
    one = save_simulated(tmp_path, "one.tif")
    picture = save_simulated(tmp_path, "one_labels.tif")
    with pytest.raises(ValueError, match="would be overwritten by this run's own results"):
        run_batch([one, picture], Job(tmp_path, Threshold(RECIPE)))


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_name_that_is_not_unicode_spoils_nothing(tmp_path: Path) -> None:
    good = save_simulated(tmp_path, "good.tif")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.tif"))
    odd.write_bytes(good.read_bytes())
    census = run_batch([odd, good], Job(tmp_path, Threshold(RECIPE)))
    write_tables(census, tmp_path)
    table = pd.read_csv(tmp_path / "images.csv")
    assert table.status.tolist() == ["ok", "ok"] and "\\xff" in table.file[0]
