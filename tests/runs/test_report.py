from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
