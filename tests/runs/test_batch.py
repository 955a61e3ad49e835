from __future__ import annotations

import os
import runpy
import shutil
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import list_outputs, run, save_simulated, take_census
from PIL import Image

from porescope import Recipe, census, detect, measure, read, read_all, read_run, read_standard
from porescope.detection import Own
from porescope.files import find_files, hash_file
from porescope.recipes import Threshold
from porescope.runs import Job, prepare_folder, run_batch, write_tables
from porescope.runs.batch import process_file
from porescope.runs.job import IMAGE_COLUMNS

RECIPE = Recipe()


def test_processes_give_what_the_plain_loop_gives(tmp_path: Path) -> None:
    paths = [save_simulated(tmp_path / "in", f"s{i}.tif", seed=i, frames=1 + i % 2) for i in range(5)]
    (tmp_path / "in" / "bad.tif").write_bytes(b"II*\0 not a tiff")
    paths.append(tmp_path / "in" / "bad.tif")
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    seen: list[tuple[int, int]] = []
    one = take_census(paths, Job(tmp_path / "one", Threshold(RECIPE)))
    two = take_census(
        paths, Job(tmp_path / "two", Threshold(RECIPE)), workers=2, on_progress=lambda *n: seen.append(n)
    )
    pd.testing.assert_frame_equal(one.images, two.images)
    pd.testing.assert_frame_equal(one.pores, two.pores)
    outputs = list_outputs(tmp_path / "one")
    assert seen[-1] == (8, 8) and outputs == list_outputs(tmp_path / "two")
    assert one.images.status.tolist() == ["ok"] * 7 + ["failed"]
    for name in outputs:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_the_tables_agree_with_the_python_interface(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "s.tif")
    micrograph = read(path)
    labels = detect(micrograph, RECIPE)
    taken = take_census([path], Job(tmp_path, Threshold(RECIPE), overlays=False))
    pd.testing.assert_frame_equal(taken.pores, measure(micrograph, labels))
    assert np.array_equal(read_standard(tmp_path / "s_labels.tif"), labels)
    row = taken.images.iloc[0]
    assert row.n_pores == labels.max() == 3 and row.porosity == pytest.approx((labels > 0).mean())
    assert row.density_per_um2 == pytest.approx(3 / (180 * 220 * 0.04**2) * 1e6)


@pytest.mark.parametrize("material", [None, "WS2"])
def test_python_the_command_line_one_process_and_two_give_every_column_alike(
    tmp_path: Path, material: str | None
) -> None:
    paths = [save_simulated(tmp_path / "in", f"s{i}.tif", seed=i, frames=1 + i) for i in range(2)]
    results = [
        census(replace(micrograph, name=path.stem), material=material)
        for path in paths
        for micrograph in read_all(path)
    ]
    pores = pd.concat([result.pores for result in results], ignore_index=True)
    images = pd.DataFrame([result.row for result in results]).drop(columns="file")
    images = images.astype({name: IMAGE_COLUMNS[name] for name in images})
    for workers in (1, 2):
        out = tmp_path / str(workers)
        said = ["--material", material] if material else []
        assert run("detect", *paths, "-o", out, "--workers", workers, *said).exit_code == 0
        got = read_run(out)
        pd.testing.assert_frame_equal(got.pores, pores)
        pd.testing.assert_frame_equal(got.images[list(images)], images)
        assert (set(got.images) - set(images)) == {"file", "sha256"}


def test_a_file_that_kills_its_process_is_the_only_one_lost(tmp_path: Path, monkeypatch) -> None:
    paths = [save_simulated(tmp_path / "in", f"s{i}.tif") for i in range(3)]
    monkeypatch.setattr("porescope.runs.batch.process_file", _die_on_s1)
    taken = take_census(paths, Job(tmp_path, Threshold(RECIPE), overlays=False), workers=2)
    assert taken.images.status.tolist() == ["ok", "failed", "ok"]
    assert "died" in taken.images.message[1]


def test_a_zarr_store_is_a_row_that_says_what_to_do(tmp_path: Path, data: Path) -> None:
    """As a folder, as HyperSpy writes it, and as a single file."""
    shutil.copytree(data / "cases" / "c04b_movie.zspy", tmp_path / "in" / "folder.zspy")
    shutil.make_archive(str(tmp_path / "in" / "file"), "zip", tmp_path / "in" / "folder.zspy")
    (tmp_path / "in" / "file.zip").rename(tmp_path / "in" / "file.zspy")
    save_simulated(tmp_path / "in", "x.tif")
    taken = take_census(find_files([tmp_path / "in"]), Job(tmp_path, Threshold(), overlays=False))
    images = taken.images.set_index("image")
    assert images.status.to_dict() == {"file": "failed", "folder": "failed", "x": "ok"}
    for name in ("file", "folder"):
        assert images.message[name] == (
            f"{name}.zspy is a Zarr store, whose reader may run code from it; save it as .hspy"
        )
    assert pd.isna(images.sha256["folder"])


def _die_on_s1(path: Path, *rest: object) -> object:
    if path.stem == "s1":
        os._exit(1)
    yield from process_file(path, *rest)


def test_an_image_without_pores_still_gets_its_files(tmp_path: Path) -> None:
    np.save(tmp_path / "black.npy", np.zeros((50, 60), np.uint8))
    job = Job(tmp_path, Threshold(RECIPE), pixel_size=0.05, rois=True, geojson=True)
    taken = take_census([tmp_path / "black.npy"], job)
    row = taken.images.iloc[0]
    assert row.status == "ok" and row.n_pores == 0 and "same value" in row.message
    assert np.isnan(row.median_diameter_nm) and np.isnan(row.pixel_size_header_nm)
    assert zipfile.ZipFile(tmp_path / "black_rois.zip").namelist() == []


def test_a_bad_frame_costs_one_frame(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).normal(size=(3, 40, 50))
    stack[1, 20, 20] = np.nan
    np.save(tmp_path / "s.npy", stack)
    taken = take_census(
        [tmp_path / "s.npy"], Job(tmp_path, Threshold(RECIPE), pixel_size=0.04, overlays=False)
    )
    assert taken.images.status.tolist() == ["ok", "failed", "ok"]
    assert taken.images.frame.tolist() == [0, 1, 2]
    assert "s.npy" in taken.images.message[1] and "NaN" in taken.images.message[1]
    assert list_outputs(tmp_path) == ["s_0000_labels.tif", "s_0002_labels.tif"]


def test_a_stack_is_shared_by_all_workers_and_equals_the_plain_loop(tmp_path: Path, monkeypatch) -> None:
    path = save_simulated(tmp_path / "in", "movie.tif", frames=12)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    one = take_census([path], Job(tmp_path / "one", Threshold(RECIPE), overlays=False))
    record = Own(f"{__file__}:say_process")
    two = take_census([path], Job(tmp_path / "two", record, overlays=False, lattice=False), workers=2)
    assert one.images.frame.tolist() == list(range(12)) == two.images.frame.tolist()
    assert sorted(set(two.pores.groupby("frame").area_px.sum())) == [1, 2]  # two processes took part
    three = take_census([path], Job(tmp_path / "one", Threshold(RECIPE), overlays=False), workers=2)
    pd.testing.assert_frame_equal(one.pores, three.pores)


def say_process(micrograph):
    """Detector: a pore of one or two pixels, by whether the process is the first or the second to come."""
    seen = Path(micrograph.acquisition.file).parent
    (seen / f"{os.getpid()}.txt").touch()
    while len(others := sorted(seen.glob("*.txt"))) < 2:
        pass
    found = micrograph.image < -1
    found[50, 50 : 51 + [p.stem for p in others].index(str(os.getpid()))] = True
    return found


def test_frames_that_are_done_are_not_done_again(tmp_path: Path) -> None:
    path = save_simulated(tmp_path / "in", "movie.tif", frames=4)
    job = Job(tmp_path, Threshold(RECIPE), overlays=False)
    sha256 = hash_file(path)
    done = {"movie": {sha256: ({0, 2}, False)}}
    assert take_census([path], job, done=done).images.frame.tolist() == [1, 3]


def test_every_image_keeps_a_picture_in_its_own_pixels(tmp_path: Path) -> None:
    path = save_simulated(tmp_path / "in", "movie.tif", frames=12)
    take_census([path], Job(tmp_path, Threshold(RECIPE)))
    shown = sorted((tmp_path / "pictures").glob("*_image.jpg"))
    assert [p.name for p in shown] == [f"movie_{k:04d}_image.jpg" for k in range(12)]
    with Image.open(shown[0]) as picture:
        assert picture.size == (220, 180)


@pytest.mark.parametrize("kind", ["late", "large"])
def test_an_image_that_takes_too_much_is_given_up_and_named(tmp_path: Path, kind: str) -> None:
    paths = [save_simulated(tmp_path / "in", f"{name}.tif") for name in ("good", kind)]
    job = Job(tmp_path, Own(f"{__file__}:take_{kind}"), overlays=False)
    limits = {"late": {"timeout": 20.0}, "large": {"memory": 2**30}}[kind]
    taken = take_census(paths, job, workers=2, **limits)
    words = {"late": "it took longer than 20 s", "large": "it took more than 1 GB of memory"}[kind]
    assert taken.images.status.tolist() == ["ok", "failed"] and words in taken.images.message[1]


def take_late(micrograph):
    time.sleep(600 * (micrograph.name == "late"))
    return micrograph.image < -1


def take_large(micrograph):
    kept = [np.ones(2**27) for _ in range(2 * (micrograph.name == "large"))]
    time.sleep(2 * len(kept))
    return micrograph.image < -1


def test_damaged_inputs_each_have_their_row(tmp_path: Path, data: Path) -> None:
    """300 of the files of benchmarks/mutate.py: refused in a line or processed, no hang, no dead process."""
    path = Path(__file__).parents[2] / "benchmarks" / "mutate.py"
    mutate = runpy.run_path(str(path), init_globals={"__name__": "mutate"})
    (tmp_path / "in").mkdir()
    paths = mutate["write_mutants"](tmp_path / "in", 300, seed=1)
    ends = mutate["run_mutants"](paths, tmp_path / "out")
    assert set(ends) <= {"ok", "refused"} and ends["refused"] > 100, ends


def test_an_input_is_never_written_over(tmp_path: Path) -> None:
    one = save_simulated(tmp_path, "one.tif")
    picture = save_simulated(tmp_path, "one_labels.tif")
    with pytest.raises(ValueError, match="would be overwritten by this run's own results"):
        prepare_folder(Job(tmp_path, Threshold(RECIPE)), [one, picture])


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_name_that_is_not_unicode_spoils_nothing(tmp_path: Path) -> None:
    good = save_simulated(tmp_path, "good.tif")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.tif"))
    odd.write_bytes(good.read_bytes())
    take_census([odd, good], Job(tmp_path, Threshold(RECIPE)))
    write_tables(tmp_path)
    table = pd.read_csv(tmp_path / "images.csv")
    assert table.status.tolist() == ["ok", "ok"] and "\\xff" in table.file[0]


def test_a_run_whose_folder_is_gone_ends_at_once(tmp_path: Path) -> None:
    """The images after that are not tried, one by one, for a whole night."""
    paths = [save_simulated(tmp_path, f"{name}.tif") for name in "abc"]
    out = tmp_path / "out"
    out.mkdir()
    seen: list[int] = []

    def remove(ended: int, total: int) -> None:
        seen.append(ended)
        shutil.rmtree(out, ignore_errors=True)

    with pytest.raises(OSError):
        run_batch(paths, Job(out, Threshold(), overlays=False), on_progress=remove)
    assert seen == [0, 1] and not out.exists()
