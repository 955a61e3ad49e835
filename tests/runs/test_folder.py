from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import save_simulated, take_census

from porescope import Recipe
from porescope.detection import Own
from porescope.measurement import PORE_COLUMNS
from porescope.network import Network
from porescope.recipes import Threshold
from porescope.runs import Job, check_folder, close_run, write_tables
from porescope.runs.job import IMAGE_COLUMNS


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
    done = close_run(job, [path], ["porescope"], datetime.now(UTC), "finished")
    assert len(done.images) == 1 and not (tmp_path / "images").exists()
    again = close_run(job, [path], ["porescope"], datetime.now(UTC), "stopped")
    pd.testing.assert_frame_equal(again.images, done.images)
    assert again.record["state"] == "finished" and len(pd.read_csv(tmp_path / "images.csv")) == 1


@pytest.mark.parametrize(
    "detector", [Network(), Threshold(), Own(f"{__file__}:nothing")], ids=lambda d: d.method
)
def test_the_record_says_all_that_is_needed_to_repeat_a_run(tmp_path: Path, detector) -> None:
    path = save_simulated(tmp_path, "one.tif")
    job = Job(tmp_path, detector, overlays=False)
    take_census([path], job)
    close_run(job, [path], ["porescope", "detect", "one.tif"], datetime.now(UTC), "finished")
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
