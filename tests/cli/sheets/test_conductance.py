from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import run, save_simulated

SALT = ("--salt", "1 M KCl")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two simulated images."""
    folder = tmp_path_factory.mktemp("membrane")
    for i in range(2):
        save_simulated(folder / "in", f"{i}.tif", seed=3 * i + 1)
    out = folder / "out"
    result = run("detect", folder / "in", "-o", out, "--material", "WS2", "--no-images", "--workers", 1)
    assert result.exit_code == 0, result.output
    return out


def test_the_conductance_of_a_run(found: Path, tmp_path: Path) -> None:
    out = tmp_path / "current"
    result = run("conductance", found, *SALT, "--window", "100nm", "-o", out)
    assert result.exit_code == 0, result.output
    for words in (
        "11.17 S/m",
        "Pratt",
        "25 °C",
        "0.7 nm (0.6 to 1.7)",
        "closed below 0.6 nm",
        "no more than 1117 nS",
    ):
        assert words in result.output
    pores, table = pd.read_csv(found / "pores.csv"), pd.read_csv(out / "conductance.csv")
    assert len(table) == len(pores) > 0
    assert {"image", "frame", "label", "g_ns", "g_low_ns", "g_high_ns", "model", "open"} <= set(table)
    assert (table.open == (pores.equivalent_diameter_nm >= 0.6)).all()
    assert (table.g_ns[table.open] > 0).all() and (table.g_ns[~table.open] == 0).all()
    content = json.loads((out / "membrane.json").read_text(encoding="utf-8"))
    assert content["seen"]["sum_ns"]["value"] == pytest.approx(table.g_ns.sum(), rel=1e-5)
    assert 0 < content["membrane"]["interacting_ns"]["value"] < content["membrane"]["cap_ns"]
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["analysis"] == "conductance" and record["salt"] == "1 M KCl" and record["material"] == "WS2"
    assert [Path(i["file"]).name for i in record["inputs"]] == ["pores.csv", "images.csv"]
    assert record["outputs"] == ["conductance.csv", "conductance.png", "membrane.json"]
    again = run("conductance", found, *SALT, "-o", out)
    assert again.exit_code == 2 and "--overwrite" in again.output
    assert run("conductance", found, *SALT, "-o", out, "--overwrite").exit_code == 0
    assert "membrane" not in json.loads((out / "membrane.json").read_text(encoding="utf-8"))


def test_without_a_folder_nothing_is_written(
    found: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("conductance", found, *SALT)
    assert result.exit_code == 0 and "g_ns" in result.output and not list(tmp_path.iterdir())


def test_a_table_of_one_s_own(tmp_path: Path) -> None:
    """The membrane of the issue: a thousand pores of 1 nm in a window of 150 nm."""
    path = tmp_path / "pores.csv"
    pd.DataFrame({"equivalent_diameter_nm": np.ones(1000)}).to_csv(path, index=False)
    options = ("--sigma", 11.18, "--thickness", "0.7", "--window", 150)
    result = run("conductance", path, *options)
    assert (
        result.exit_code == 0 and "sum 5911 nS" in result.output and "no more than 1677 nS" in result.output
    )
    assert "from 284 such pores on" in result.output and "980 more" in result.output


def test_a_measured_conductance(found: Path, tmp_path: Path) -> None:
    alone = run("conductance", "--measured", 11.08, "--sigma", 11.18, "--thickness", 1.6)
    assert alone.exit_code == 0 and "one round pore of 2 nm" in alone.output
    curve = tmp_path / "iv.csv"
    voltage = np.linspace(-100, 100, 11)
    pd.DataFrame({"voltage_mV": voltage, "current_nA": 0.01 * voltage}).to_csv(curve, index=False)
    beside = run("conductance", found, "--measured", curve, *SALT)
    assert "measured 10 nS" in beside.output and "in the images: largest pore" in beside.output
    dilute = run("conductance", "--measured", curve, "--salt", "0.1 M KCl", "--material", "WS2")
    assert "charge of the surface" in dilute.output


def test_a_function_of_one_s_own(found: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text("def access(diameter, thickness, sigma):\n    return sigma * diameter\n")
    result = run("conductance", found, "--sigma", 10, "--thickness", 1, "--function", f"{own}:access")
    assert result.exit_code == 0 and "function" in result.output
    missing = run("conductance", found, "--sigma", 10, "--thickness", 1, "--function", f"{own}:no")
    assert missing.exit_code == 2 and "--function" in missing.output


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((), "say the solution"), (("--salt", "1 M KCl", "--sigma", "11"), "say the solution"),
        (("--salt", "1 M MgCl2"), "MgCl2 is not at hand"), (("--salt", "3 M KCl"), "--sigma"),
        (("--sigma", "-1"), "above 0 S/m"), (("--sigma", "1", "--thickness", "-1"), "above 0 nm"),
        (("--sigma", "1", "--thickness", "2:1:3"), "LOW:NM:HIGH"),
        (("--sigma", "1", "--window", "0"), "above 0 nm"),
        (("--sigma", "1", "--measured", "none.csv"), "neither a number"),
    ],
)  # fmt: skip
def test_bad_input_is_told_in_a_sentence(
    found: Path, tmp_path: Path, arguments: tuple[str, ...], what: str
) -> None:
    result = run("conductance", found, *arguments, "-o", tmp_path / "new")
    said = " ".join(result.output.replace("│", " ").split())
    assert result.exit_code == 2 and what in said and "Traceback" not in said
    assert not list(tmp_path.iterdir())


def test_results_of_something_else_are_never_replaced(found: Path, tmp_path: Path) -> None:
    before = (found / "run.json").read_bytes()
    result = run("conductance", found, *SALT, "-o", found, "--overwrite")
    assert result.exit_code == 2 and "something else" in result.output
    assert (found / "run.json").read_bytes() == before
    assert run("conductance", *SALT).exit_code == 2 and run("conductance", tmp_path, *SALT).exit_code == 2
    assert "does not exist" in run("conductance", tmp_path / "no.csv", *SALT).output
    no_sheet = run("conductance", "--measured", 1, *SALT)
    assert no_sheet.exit_code == 2 and "--material" in no_sheet.output
