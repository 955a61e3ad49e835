from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope.live import Alarm, Board
from porescope.runs import ImageRecord


def _record(
    name: str, diameters: list[float], frame: int = 0, sha256: str | None = "0a" * 32, **row: Any
) -> ImageRecord:
    given = {
        "image": name,
        "frame": frame,
        "file": f"{name}.tif",
        "sha256": sha256,
        "n_pores": len(diameters),
    }
    size = {"height_px": 100, "width_px": 50, "pixel_size_nm": 0.2, "field_fraction": 0.5}
    row = {**given, **size, "density_per_um2": 20_000.0, "status": "ok", "message": "", **row}
    columns = {"equivalent_diameter_nm": np.array(diameters), "label": 1 + np.arange(len(diameters))}
    return ImageRecord(row, columns, [])


def _board(out: Path, alarms: tuple[Alarm, ...] = ()) -> Board:
    return Board(Path("today"), out, alarms, {"method": "threshold"}, True)


def test_totals_by_hand(tmp_path: Path) -> None:
    board = _board(tmp_path)
    board.add(_record("a", [1.0, 2.0]), 0.0)
    board.add(_record("b", [4.0]), 0.0)
    board.add(_record("c", [], status="failed", message="holds no image", sha256=None), 0.0)
    page = board.describe(3, [Path("x/d.tif")])
    # 100 px x 50 px x 0.04 nm² = 200 nm², half of it in the field, of two images
    assert page["images"] == 2 and page["failed"] == 1 and page["pores"] == 3
    assert page["area_um2"] == pytest.approx(2e-4) and page["density_per_um2"] == pytest.approx(20_000)
    assert page["median_diameter_nm"] == pytest.approx(2.0, rel=0.003)
    assert page["waiting"] == 3 and page["growing"] == ["d.tif"] and page["pores_of_latest"] == [2, 1]
    assert [entry["image"] for entry in page["latest"]] == ["c", "b", "a"]
    assert [entry["message"] for entry in page["failures"]] == ["holds no image"]


def test_an_image_that_comes_again_counts_once_and_frames_of_an_older_file_not_at_all(tmp_path: Path) -> None:
    board = _board(tmp_path)
    for frame in range(3):
        board.add(_record("a", [1.0, 1.0], frame=frame), 0.0)
    board.add(_record("a", [5.0], frame=0, sha256="ff" * 32), 0.0)
    page = board.describe(0, [])
    assert page["images"] == 1 and page["pores"] == 1
    assert page["median_diameter_nm"] == pytest.approx(5.0, rel=0.003)
    board.add(_record("c", [], status="failed", message="m", sha256=None), 0.0)
    board.add(_record("c", [2.0]), 0.0)
    page = board.describe(0, [])
    assert page["failed"] == 0 and page["failures"] == [] and page["images"] == 2


@given(st.lists(st.floats(0.02, 900), min_size=1, max_size=40))
def test_the_median_is_right_within_half_a_percent(diameters: list[float]) -> None:
    board = _board(Path("out"))
    board.add(_record("a", diameters), 0.0)
    median = board.describe(0, [])["median_diameter_nm"]
    assert median == pytest.approx(float(np.median(diameters)), rel=0.005)


def test_what_is_unknown_is_null_and_what_is_hostile_is_escaped(tmp_path: Path) -> None:
    board = _board(tmp_path)
    assert board.describe(0, [])["median_diameter_nm"] is None and board.describe(0, [])["lag_s"] is None
    name = "</script>\u202e\u2028<b>"
    board.add(_record(name, [], density_per_um2=float("nan"), field_fraction=float("nan")), 0.0)
    board.save(0, [Path("\udcff.tif")])
    page = json.loads((tmp_path / "live.json").read_text())
    assert page["latest"][0]["image"] == "</script>\\u202e\\u2028<b>" and page["growing"] == ["\\xff.tif"]
    assert (tmp_path / "live.js").read_text().isascii()


def test_alarms_count_on_and_the_lists_stay_short(tmp_path: Path) -> None:
    alarm = Alarm("equivalent_diameter_nm", ">", 2.0)
    board = _board(tmp_path, (alarm,))
    for i in range(500):
        record = _record(f"i{i}", [3.0, 2.5])
        board.add(record, 0.0)
        said = board.raise_alarm(alarm, record, *alarm.find(record))
        board.add(_record(f"f{i}", [], status="failed", message="m", sha256=None), 0.0)
        board.remark("r")
    assert said == "2 pores, equivalent_diameter_nm = 3, equivalent_diameter_nm > 2"
    page = board.describe(0, [])
    assert page["alarms"]["raised"] == 500 and page["alarms"]["latest"][0]["number"] == 500
    assert page["latest"][1]["alarm"] and not page["latest"][0]["alarm"]
    assert max(map(len, (page["alarms"]["latest"], page["latest"], page["failures"], page["remarks"]))) == 20
    assert len(json.dumps(page)) < 30_000
