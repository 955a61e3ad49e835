from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers import save_simulated, take_census

from porescope import read_run
from porescope.recipes import Threshold
from porescope.runs import Job, write_report


@pytest.mark.parametrize(
    "change",
    [
        None,
        {"recipe": "x", "recipe_provenance": [1], "model": 5, "libraries": None},
        {"model": {}},
        {"model": {"trained_by": [], "sha256": 5}},
        {"version": {"a": 1}, "method": None, "command": ["<b>"], "platform": "x" * 100_000},
    ],
)
def test_a_record_of_another_form_gives_a_report(change: dict[str, Any] | None, tmp_path: Path) -> None:
    take_census([save_simulated(tmp_path, "one.tif")], Job(tmp_path, Threshold(), overlays=False))
    record = json.loads((tmp_path / "run.json").read_text())
    changed = {"state": "running"} if change is None else {**record, **change}
    (tmp_path / "run.json").write_text(json.dumps(changed))
    page = write_report(read_run(tmp_path), tmp_path).read_text()
    assert "<h1>3 pores in 1 image</h1>" in page and "<b>" not in page.split("How it was made")[1]
    assert len(page) < 50_000


def test_failures_come_first_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(b"II*\0 no image")
    paths = [save_simulated(tmp_path, "good.tif"), tmp_path / "broken.tif"]
    run = take_census(paths, Job(tmp_path, Threshold(), overlays=False))
    many = pd.concat([run.images.head(1)] * 219 + [run.images.tail(1)], ignore_index=True)
    many = many.assign(image=[*(f"good{i}" for i in range(219)), "broken"])
    page = write_report(run._replace(images=many), tmp_path).read_text()
    cards = page.split("<h3><bdi>")[1:]
    assert len(cards) == 200 and cards[0].startswith("broken<")
    assert "The first 200 images; the other 20 are in <code>images.csv</code>" in page
