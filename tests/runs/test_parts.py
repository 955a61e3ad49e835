from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import list_outputs, save_simulated, take_census

from porescope import read_run
from porescope.files import write_whole
from porescope.measurement import PORE_COLUMNS
from porescope.network import EXCESS_COLUMNS
from porescope.recipes import Threshold
from porescope.runs import Job, list_done, read_candidates, read_excess, write_tables
from porescope.runs.folder import clear_parts
from porescope.runs.job import IMAGE_COLUMNS, ImageRecord
from porescope.runs.parts import PartWriter
from porescope.runs.run import restore_parts


def _record(image: str, frame: int = 0, status: str = "ok", pores: int = 1, n_images: int = 1) -> ImageRecord:
    row = {"image": image, "frame": frame, "file": f"{image}.tif", "sha256": image, "status": status}
    columns = {
        name: np.array([image] * pores if kind == "str" else np.arange(pores), dtype=object)
        for name, kind in PORE_COLUMNS.items()
    }
    columns["frame"] = np.full(pores, frame)
    return ImageRecord(row, columns if pores else {}, [f"{image}_labels.tif"], n_images)


def test_a_part_counts_once_its_images_are_there(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path)
    writer.add(_record("a", pores=2))
    writer.close_part()
    writer.add(_record("b"))
    writer.close_part()
    (tmp_path / "run.json").write_text('{"state": "running"}')
    assert read_run(tmp_path).images.image.tolist() == ["a", "b"]
    (tmp_path / "images" / "part-000001.parquet").unlink()  # as if killed between the two
    run = read_run(tmp_path)
    assert run.images.image.tolist() == ["a"] and run.pores.image.tolist() == ["a", "a"]


@pytest.mark.parametrize("kind", ["images", "pores", "candidates"])
@pytest.mark.parametrize("size", [0, 100, None])
def test_a_damaged_part_does_not_count_and_its_images_are_done_again(
    tmp_path: Path, kind: str, size: int | None
) -> None:
    """As after a power cut; the other parts are neither lost nor written over."""
    (tmp_path / "run.json").write_text('{"state": "stopped"}')
    writer = PartWriter(tmp_path)
    for name in "abc":
        writer.add(_record(name))
        writer.close_part()
    damaged = tmp_path / kind / "part-000001.parquet"
    damaged.unlink() if size is None else os.truncate(damaged, size)
    assert read_run(tmp_path).images.image.tolist() == ["a", "c"]
    assert list(list_done(tmp_path)) == ["a", "c"]
    writer = PartWriter(tmp_path)
    writer.add(_record("b"))
    writer.close_part()
    run = read_run(tmp_path)
    assert set(run.images.image) == set(run.pores.image) == set("abc")


def test_of_an_image_done_again_the_last_result_counts(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path)
    for pores in (3, 1):  # twice in one part, as when a worker died
        writer.add(_record("a", pores=pores))
    writer.close_part()
    assert len(read_run(tmp_path).pores) == 1
    writer.add(_record("a", pores=2))
    writer.close_part()
    assert len(read_run(tmp_path).pores) == 2 and len(read_run(tmp_path).images) == 1


def test_a_part_is_written_again_as_it_grows_and_never_mixes_two_results_of_an_image(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"state": "running"}')
    writer = PartWriter(tmp_path)
    for name, pores, parts in (("a", 1, 1), ("b", 2, 1), ("a", 3, 2), ("c", 1, 2)):
        writer.add(_record(name, pores=pores))
        writer.save()
        writer.save()
        assert len(list((tmp_path / "images").iterdir())) == parts
        run = read_run(tmp_path)
        assert (run.images.image == name).any() and (run.pores.image == name).sum() == pores
    writer.close_part()
    assert sorted(read_run(tmp_path).images.image) == ["a", "b", "c"]
    assert len(list((tmp_path / "images").iterdir())) == 2


def test_of_a_stack_that_changed_only_the_new_frames_count(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"state": "running"}')
    writer = PartWriter(tmp_path)
    for frame in range(3):
        writer.add(_record("a", frame, n_images=3))
    writer.add(_record("b"))
    writer.close_part()
    new = _record("a", 0, n_images=2, pores=2)
    new.row["sha256"] = "new"
    writer.add(new)
    writer.close_part()
    run = read_run(tmp_path)
    assert run.images[["image", "frame"]].to_numpy().tolist() == [["a", 0], ["b", 0]]
    assert run.pores.image.tolist() == ["a", "a", "b"]
    failed = _record("a", 1, status="failed", pores=0)  # whose file could not be read
    failed.row["sha256"] = None
    writer.add(failed)
    writer.close_part()
    assert read_run(tmp_path).images.status.tolist() == ["ok", "failed", "ok"]


def test_failed_images_and_unfinished_files_are_not_done(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path)
    writer.add(_record("whole"))
    writer.add(_record("half", 0, n_images=2))
    writer.add(_record("bad", 0, n_images=2))
    writer.add(_record("bad", 1, "failed", 0, n_images=2))
    writer.close_part()
    done = list_done(tmp_path)
    assert done == {
        "whole": {"whole": ({0}, True)}, "half": {"half": ({0}, False)}, "bad": {"bad": ({0}, False)},
    }  # fmt: skip


def test_a_run_without_any_image_has_all_columns(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"state": "running"}')
    run = read_run(tmp_path)
    assert list(run.images) == list(IMAGE_COLUMNS) and list(run.pores) == list(PORE_COLUMNS)
    kinds = ("images", "pores", "candidates", "excess")
    names = [f"{kind}.{ending}" for ending in ("csv", "parquet") for kind in kinds]
    assert write_tables(tmp_path) == names
    assert list(pd.read_csv(tmp_path / "pores.csv")) == list(PORE_COLUMNS)


def test_the_tables_of_an_older_run_are_read(tmp_path: Path) -> None:
    images = pd.DataFrame({"image": ["a"], "frame": [0], "status": ["ok"], "extra": [1]})
    images.to_csv(tmp_path / "images.csv")
    pd.DataFrame({"image": ["a"], "frame": [0], "area_nm2": [0.5]}).to_csv(tmp_path / "pores.csv")
    run = read_run(tmp_path)
    assert run.pores.area_nm2.tolist() == [0.5] and np.isnan(run.pores.confidence[0]) and run.record == {}


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000])
def test_what_is_no_run_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(ValueError, match="holds no run of porescope"):
        read_run(tmp_path)


def test_a_finished_run_gives_its_parts_back(tmp_path: Path) -> None:
    path = save_simulated(tmp_path / "in", "two.tif", frames=2)
    job = Job(tmp_path, Threshold(), overlays=False)
    take_census([path], job)
    before, done, outputs = read_run(tmp_path), list_done(tmp_path), list_outputs(tmp_path)
    write_tables(tmp_path)
    (tmp_path / "run.json").write_text(json.dumps({"state": "finished", "outputs": outputs}))
    for part in tmp_path.glob("*/part-*"):
        part.unlink()
    restore_parts(tmp_path)
    assert list_done(tmp_path) == done and list_outputs(tmp_path) == outputs
    for part in ("images", "pores"):
        pd.testing.assert_frame_equal(getattr(read_run(tmp_path), part), getattr(before, part))


def test_text_in_csv_breaks_no_row_and_runs_in_no_spreadsheet(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path)
    names = ["=1+1", "-x", "a\rb", "plain", "@x", "+5"]
    for name in names:
        writer.add(_record(name))
    writer.close_part()
    write_tables(tmp_path)
    (tmp_path / "run.json").write_text('{"state": "finished"}')
    assert read_run(tmp_path).images.image.tolist() == sorted(names)  # Parquet keeps the plain name
    table = pd.read_csv(tmp_path / "images.csv")
    assert sorted(table.image) == sorted(["'=1+1", "'-x", "a\\rb", "plain", "'@x", "'+5"])
    assert b"\r" not in (tmp_path / "images.csv").read_bytes()


def test_a_run_that_ends_while_it_is_read_is_read_whole(tmp_path: Path) -> None:
    """The parts go once the tables are there; who began with the parts must not see an empty run."""
    names = [f"a{i}" for i in range(4)]
    ended = threading.Event()

    def end_again_and_again() -> None:
        while not ended.is_set():
            with write_whole(tmp_path / "run.json") as part:
                part.write_text(json.dumps({"state": "running", "n": time.monotonic_ns()}))
            for name in ("images", "pores"):
                (tmp_path / f"{name}.parquet").unlink(missing_ok=True)
            write_tables(tmp_path)
            with write_whole(tmp_path / "run.json") as part:
                part.write_text(json.dumps({"state": "finished", "n": time.monotonic_ns()}))
            clear_parts(tmp_path)
            restore_parts(tmp_path)

    writer = PartWriter(tmp_path)
    for name in names:
        writer.add(_record(name))
    writer.close_part()
    thread = threading.Thread(target=end_again_and_again)
    thread.start()
    try:
        time.sleep(0.2)
        for _ in range(60):
            assert read_run(tmp_path).images.image.tolist() == names
    finally:
        ended.set()
        thread.join()


def test_candidates_are_a_table_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"state": "running"}')
    writer = PartWriter(tmp_path)
    for name, candidates in (("a", 2), ("b", 0), ("c", 1)):
        dropped = _record(name, pores=candidates).pores
        writer.add(_record(name)._replace(candidates=dropped))
    writer.close_part()
    run = read_run(tmp_path)
    candidates = read_candidates(tmp_path)
    assert candidates.image.tolist() == ["a", "a", "c"] and run.pores.image.tolist() == ["a", "b", "c"]
    assert {"candidates.csv", "candidates.parquet"} <= set(write_tables(tmp_path))
    written = pd.read_csv(tmp_path / "candidates.csv")
    assert list(written) == list(PORE_COLUMNS) and written.image.tolist() == ["a", "a", "c"]
    (tmp_path / "run.json").write_text('{"state": "finished"}')
    clear_parts(tmp_path)
    pd.testing.assert_frame_equal(read_candidates(tmp_path), candidates)
    restore_parts(tmp_path)
    (tmp_path / "run.json").write_text('{"state": "running"}')
    pd.testing.assert_frame_equal(read_candidates(tmp_path), candidates)


def test_a_run_of_an_older_version_has_no_candidates(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path)
    writer.add(_record("a"))
    writer.close_part()
    write_tables(tmp_path)
    clear_parts(tmp_path)
    for path in tmp_path.glob("candidates.*"):
        path.unlink()
    assert read_candidates(tmp_path).empty and len(read_run(tmp_path).pores) == 1


def _bright(image: str, n: int) -> dict[str, np.ndarray]:
    values = {"str": np.array([image] * n, object), "int64": np.zeros(n, int), "float64": np.arange(n) + 0.5}
    return {name: values[kind] for name, kind in EXCESS_COLUMNS.items()}


def test_bright_sites_are_kept_in_parts_and_in_the_final_tables(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"state": "running"}')
    writer = PartWriter(tmp_path)
    for name, n in (("a", 2), ("b", 0), ("c", 1)):
        writer.add(_record(name)._replace(excess=_bright(name, n)))
        writer.close_part()
    sites = read_excess(tmp_path)
    assert list(sites) == list(EXCESS_COLUMNS) and sites.image.tolist() == ["a", "a", "c"]
    write_tables(tmp_path)
    (tmp_path / "run.json").write_text('{"state": "finished"}')
    pd.testing.assert_frame_equal(read_excess(tmp_path), sites)


def test_parts_of_an_older_version_count_without_bright_sites(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"state": "running"}')
    writer = PartWriter(tmp_path)
    writer.add(_record("a"))
    writer.close_part()
    (tmp_path / "excess" / "part-000000.parquet").unlink()
    assert read_run(tmp_path).images.image.tolist() == ["a"] and list(list_done(tmp_path)) == ["a"]
    writer = PartWriter(tmp_path)  # this version goes on with that run
    writer.add(_record("b")._replace(excess=_bright("b", 1)))
    writer.close_part()
    assert read_excess(tmp_path).image.tolist() == ["b"]
    (tmp_path / "excess" / "part-000001.parquet").write_bytes(b"")
    assert list(list_done(tmp_path)) == ["a"]
