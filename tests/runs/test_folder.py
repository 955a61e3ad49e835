from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import save_simulated, take_census

from porescope import Recipe, read_run
from porescope.detection import Own
from porescope.measurement import PORE_COLUMNS
from porescope.network import Network
from porescope.recipes import Threshold
from porescope.report import write_report
from porescope.runs import (
    Job,
    check_folder,
    close_run,
    lock_folder,
    lock_tables,
    prepare_folder,
    replace_run,
    run_batch,
    write_record,
    write_tables,
)
from porescope.runs.folder import clear_parts
from porescope.runs.job import IMAGE_COLUMNS
from porescope.runs.run import restore_parts


@pytest.mark.parametrize("name", ["file", "a\udcff"])
def test_a_folder_that_cannot_hold_results_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"is a file|a\\xff is not valid UTF-8"):
        check_folder(tmp_path / name)
    check_folder(tmp_path)


def test_a_finished_run_is_not_closed_again(tmp_path: Path) -> None:
    """A signal may come while the parts of a finished run are removed: its tables must stay."""
    path = save_simulated(tmp_path, "one.tif")
    job = Job(tmp_path, Threshold(), overlays=False)
    take_census([path], job)
    done = close_run(job, [path], ["porescope"], datetime.now(UTC), "finished", write_report)
    assert len(done.images) == 1 and not (tmp_path / "images").exists()
    again = close_run(job, [path], ["porescope"], datetime.now(UTC), "stopped", write_report)
    pd.testing.assert_frame_equal(again.images, done.images)
    assert again.record["state"] == "finished" and len(pd.read_csv(tmp_path / "images.csv")) == 1


@pytest.mark.parametrize(
    "detector", [Network(), Threshold(), Own(f"{__file__}:nothing")], ids=lambda d: d.method
)
def test_the_record_says_all_that_is_needed_to_repeat_a_run(tmp_path: Path, detector) -> None:
    path = save_simulated(tmp_path, "one.tif")
    job = Job(tmp_path, detector, overlays=False)
    take_census([path], job)
    close_run(job, [path], ["porescope", "detect", "one.tif"], datetime.now(UTC), "finished", write_report)
    record = json.loads((tmp_path / "run.json").read_text())
    assert (
        record["state"] == "finished"
        and record["method"] == detector.method
        and record["folder"] == os.getcwd()
    )
    touched = {"numpy", "pandas", "pyarrow", "tifffile", "rosettasciio", "pillow", "onnxruntime", "h5py"}
    assert touched <= set(record["libraries"]) and "pytest" not in record["libraries"]
    assert (record["seed"] is not None) == (detector.method == "network")
    assert len(record["inputs"][0]["sha256"]) == 64
    if detector.method == "test_folder.py:nothing":
        assert record["function"]["name"] == "nothing" and len(record["function"]["sha256"]) == 64


def nothing(micrograph):
    """A detector of one's own that finds nothing."""
    return micrograph.image < -1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"material": "Au"}, "material must be one of WS2, MoS2"),
        ({"pixel_size": 0.0}, "--pixel-size must be above 0 nm, not 0"),
        ({"calibrate": True}, "--calibrate lattice needs the crystal"),
        ({"structure": True}, "--structure needs the crystal"),
        ({"structure": True, "material": "WS2", "lattice": False}, "--no-lattice leaves nothing"),
    ],
)
def test_a_job_that_contradicts_itself_is_refused(tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Job(tmp_path, **options)


RECIPE = Recipe()


def test_tables_have_all_columns_even_when_all_fails(tmp_path: Path) -> None:
    (tmp_path / "bad.dm3").write_bytes(b"nothing")
    take_census([tmp_path / "bad.dm3"], Job(tmp_path, Threshold(RECIPE)))
    write_tables(tmp_path)
    for name, columns in {"pores": PORE_COLUMNS, "images": IMAGE_COLUMNS}.items():
        for table in (pd.read_csv(tmp_path / f"{name}.csv"), pd.read_parquet(tmp_path / f"{name}.parquet")):
            assert list(table.columns) == list(columns)
    row = pd.read_csv(tmp_path / "images.csv").iloc[0]
    assert row.status == "failed" and "bad.dm3" in row.message and np.isnan(row.n_pores)


def _finish(path: Path, out: Path, **options: object) -> None:
    """A run of one image, as the command line does it."""
    job = Job(out, Threshold(), overlays=True, lattice=False)
    with lock_folder(out):
        job = prepare_folder(job, [path], **options)
        write_record(job, [path], ["porescope"], datetime.now(UTC), "running")
        run_batch([path], job)
        close_run(job, [path], ["porescope"], datetime.now(UTC), "finished", write_report)


def _content(out: Path) -> dict[str, bytes]:
    files = [p for p in out.rglob("*") if p.is_file() and p.name not in ("run.json", "report.html")]
    return {str(p.relative_to(out)): p.read_bytes() for p in files}


def test_an_earlier_run_stays_until_the_new_one_is_finished(tmp_path: Path) -> None:
    old, new = (save_simulated(tmp_path / "in", f"{name}.tif", seed=s) for s, name in enumerate("ab"))
    out = tmp_path / "out"
    _finish(old, out)
    (out / "mine.txt").write_text("a user's own")
    (out / "mine_labels.tif").write_text("a user's own, too")
    before = _content(out)
    _finish(new, out, overwrite=True)
    assert {name: content for name, content in _content(out).items() if "_next" not in name} == before
    assert read_run(out).images.image.tolist() == ["a"]
    replace_run(out)
    assert read_run(out).images.image.tolist() == ["b"] and not (out / "_next").exists()
    left = {p.name for p in out.rglob("*") if p.is_file()}
    assert {"mine.txt", "mine_labels.tif", "b_labels.tif", "b_image.jpg"} <= left
    assert not left & {"a_labels.tif", "a_overlay.png", "a_image.jpg"}


@pytest.mark.parametrize("step", range(0, 26, 2))
def test_a_replacement_that_is_cut_short_is_completed_by_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    old, new = (save_simulated(tmp_path / "in", f"{name}.tif", seed=s) for s, name in enumerate("ab"))
    out, straight = tmp_path / "out", tmp_path / "straight"
    _finish(old, out)
    _finish(new, straight)
    _finish(new, out, overwrite=True)
    left = [step]

    def stop_after(function):
        def call(*args, **options):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return function(*args, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", stop_after(Path.unlink))
        patch.setattr(os, "replace", stop_after(os.replace))
        with suppress(KeyboardInterrupt):
            replace_run(out)
    if not (out / "run.json").exists():
        with pytest.raises(ValueError, match="half replaced by a new run"):
            read_run(out)
    with lock_folder(out):
        pass
    assert _content(out) == _content(straight)
    assert read_run(out).images.image.tolist() == ["b"]


@pytest.mark.parametrize("damaged", [False, True])
def test_parts_that_a_killed_replacement_left_are_no_rows_of_a_later_run(
    tmp_path: Path, damaged: bool
) -> None:
    """It was killed when it was finished, or its record is damaged, but its parts were still there."""
    paths = [save_simulated(tmp_path / "in", f"{name}.tif", seed=s) for s, name in enumerate("abc")]
    out = tmp_path / "out"
    _finish(paths[0], out)
    _finish(paths[1], out, overwrite=True)
    restore_parts(out / "_next")
    if damaged:
        (out / "_next" / "run.json").write_text("{")
    _finish(paths[2], out, overwrite=True)
    replace_run(out)
    assert read_run(out).images.image.tolist() == ["c"] and not list(out.rglob("part-*"))


def test_a_stopped_replacement_is_gone_on_with_and_leaves_the_earlier_run(tmp_path: Path) -> None:
    old, new = (save_simulated(tmp_path / "in", f"{name}.tif", seed=s) for s, name in enumerate("ab"))
    out = tmp_path / "out"
    _finish(old, out)
    job = Job(out, Threshold(), lattice=False)
    later = prepare_folder(job, [new], overwrite=True)
    assert later.out == out / "_next"
    write_record(later, [new], ["porescope"], datetime.now(UTC), "running")
    close_run(later, [new], ["porescope"], datetime.now(UTC), "stopped", write_report)
    assert read_run(out).images.image.tolist() == ["a"]
    assert prepare_folder(job, [new], resume=True).out == out / "_next"
    with pytest.raises(ValueError, match="or say --overwrite, or --resume"):
        prepare_folder(job, [new])


def test_a_forged_record_costs_no_file_of_the_users(tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = save_simulated(out, "raw.tif")
    victims = [
        tmp_path / "up_labels.tif",
        out / "raw.dm3",
        out / "in_labels.tif",
        out / "sub" / "x_labels.tif",
    ]
    for victim in victims:
        victim.parent.mkdir(exist_ok=True)
        victim.write_text("raw data")
    (out / "pictures").mkdir()
    (out / "pictures" / "holiday_1.jpg").write_text("a user's own")
    (out / "link_labels.tif").symlink_to(victims[0])
    names = ["../up_labels.tif", "raw.dm3", "raw.tif", "in_labels.tif", "sub/x_labels.tif", "link_labels.tif"]
    forged = {
        "state": "finished",
        "outputs": [*names, str(victims[0])],
        "inputs": [{"file": str(victims[2])}],
    }
    (out / "run.json").write_text(json.dumps(forged))
    raw = path.read_bytes()
    _finish(path, out, overwrite=True)
    replace_run(out)
    assert path.read_bytes() == raw and read_run(out).images.image.tolist() == ["raw"]
    assert [victim.read_text() for victim in victims] == ["raw data"] * 4
    assert (out / "pictures" / "holiday_1.jpg").exists() and (out / "link_labels.tif").is_symlink()


def test_a_report_on_a_run_that_ends_writes_no_older_tables(tmp_path: Path) -> None:
    """It waits for the tables of the end, and then leaves them as they are."""
    path = save_simulated(tmp_path, "one.tif")
    out = tmp_path / "out"
    job = Job(out, Threshold(), overlays=False)
    with lock_folder(out):
        write_record(job, [path], ["porescope"], datetime.now(UTC), "running")
        run_batch([path], job)
        command = [sys.executable, "-c", "from porescope.cli.app import app; app()", "report", str(out)]
        with lock_tables(out):
            report = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            with pytest.raises(subprocess.TimeoutExpired):
                report.wait(4)
            assert not (out / "images.csv").exists()
            write_tables(out)
            write_record(job, [path], ["porescope"], datetime.now(UTC), "finished")
            clear_parts(out)
        said = report.communicate(timeout=60)[1]
    assert report.returncode == 0 and "1 files, finished" in said, said
    assert read_run(out).images.image.tolist() == ["one"] and not list(out.glob("_*"))


def test_a_link_in_place_of_the_new_runs_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "_next").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="is a link"):
        prepare_folder(Job(tmp_path, Threshold()), [])


def test_a_remote_folder_is_refused() -> None:
    with pytest.raises(ValueError, match="remote address"), lock_folder(Path("s3://bucket/run")):
        pass
    assert not Path("s3:").exists()
