from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import run, save_simulated

from porescope.report.analyses import count_isomers, find_analyses, read_analysis
from porescope.runs.parts import make_tables


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, statistics beside it and conductance in it, and folders of something else."""
    folder = tmp_path_factory.mktemp("night")
    path = save_simulated(folder / "in", "one.tif")
    for command in (
        ("detect", path, "-o", folder / "out", "--method", "threshold", "--material", "WS2", "--no-images"),
        ("detect", path, "-o", folder / "other", "--method", "threshold", "--no-images"),
        ("statistics", folder / "out", "-o", folder / "stat"),
        ("statistics", folder / "other", "-o", folder / "stat_of_other"),
        ("conductance", folder / "out", "--salt", "1 M KCl", "-o", folder / "out" / "current"),
    ):
        assert run(*command).exit_code == 0
    (folder / "junk").mkdir()
    (folder / "junk" / "run.json").write_text("[")
    return folder


def test_analyses_of_this_run_are_found_and_read(folder: Path) -> None:
    out = folder / "out"
    assert [path.name for path in find_analyses(out)] == ["current", "stat"]
    statistics = read_analysis(folder / "stat", out, "./../stat/")
    assert statistics["title"] == "statistics" and statistics["lines"][0].startswith("Density: ")
    assert [name for name, _ in statistics["pictures"]] == ["isomers.png", "statistics.png"]
    assert not statistics["is_old"]
    assert all(len(value) < 60 for _, value in statistics["numbers"]), "curves are no numbers"
    current = read_analysis(out / "current", out, "./current/")
    assert any("nS" in line or "S/m" in line for line in current["lines"])
    assert [(t["name"], t["n"]) for t in current["tables"]] == [("conductance.csv", 3)]
    assert ("conductance.png", "./current/conductance.png") in current["files"]


def test_an_analysis_of_other_tables_is_told_apart(folder: Path) -> None:
    assert read_analysis(folder / "stat_of_other", folder / "out", "")["is_old"]
    page = folder / "out" / "report.html"
    assert run("report", folder / "out").exit_code == 0
    assert "made from other tables" not in page.read_text() and ">statistics: " in page.read_text()
    assert run("report", folder / "out", folder / "stat_of_other").exit_code == 0
    assert "made from other tables" in page.read_text()
    refused = run("report", folder / "out", folder / "in")
    assert refused.exit_code == 2 and "holds no results of porescope" in refused.output


def test_a_forged_record_leads_to_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    analysis = tmp_path / "stat"
    analysis.mkdir()
    (analysis / "statistics.json").write_text("[" * 100_000)
    (analysis / "broken.png").write_bytes(b"x" * 500_000)
    (analysis / "broken.csv").write_bytes(b"")
    outputs = ["../secret.png", str(tmp_path / "secret.png"), "statistics.json", "broken.png", "broken.csv"]
    (analysis / "run.json").write_text(json.dumps({"analysis": "<b>", "outputs": outputs, "inputs": 5}))
    read = read_analysis(analysis, tmp_path, "./stat/")
    assert (read["pictures"], read["tables"], read["lines"]) == ([], [], [])
    assert [name for name, _ in read["files"]] == ["broken.csv", "broken.png", "statistics.json"]


def test_isomers_are_counted() -> None:
    pores = make_tables([])[1].reindex(range(4))
    pores = pores.assign(isomer=["W1", "V2", None, "W1"], symmetry=["C3v", None, None, "C3v"])
    assert count_isomers(pores) == [("W1", "C3v", 2), ("V2", "", 1)]
    assert count_isomers(make_tables([])[1]) == []
