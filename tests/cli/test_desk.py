from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import require
from helpers import run, save_simulated

import porescope.cli.desk as module


def test_without_a_display_it_is_said(tmp_path: Path) -> None:
    """In a process of its own: Qt would end it."""
    require(find_spec("napari") is not None, "napari (pip install '.[gui]')")
    np.save(tmp_path / "a.npy", np.ones((9, 9)))
    gone = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    made = subprocess.run(
        [sys.executable, "-c", "from porescope.cli.start import main; main()", "label", str(tmp_path)],
        env={name: value for name, value in os.environ.items() if name not in gone},
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = "porescope: there is no display, so no window can be opened; start it at a desktop"
    assert (made.returncode, made.stdout, made.stderr[: len(said)]) == (2, "", said)
    assert len(made.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy"]


def test_a_missing_extra_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    made = run("label", tmp_path)
    assert made.exit_code == 2 and "pip install '.[gui]'" in made.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--signal", "all"], "--signal all"),
        (["-o", "a.tif"], "a.tif is a file"),
        (["nowhere"], "nowhere"),
    ],
)
def test_wrong_use_is_said(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_simulated(tmp_path, "a.tif")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    made = run("label", "a.tif", *options)
    assert made.exit_code == 2 and said in made.output


def test_the_method_is_handed_on_to_a_run_on_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("porescope.desk.check_display", lambda: None)
    opened = []
    monkeypatch.setattr("porescope.desk.open_desk", lambda *given: opened.append(given))
    image = save_simulated(tmp_path, "a.tif")
    options = ["--method", "voids", "--no-split", "--least-confidence", "0.8", "--no-lattice", "-q"]
    assert run("label", image, "-o", tmp_path / "out", "--material", "WS2", *options).exit_code == 0
    [(paths, job, words)] = opened
    assert paths == [image] and job.material == "WS2" and job.detector.method == "voids"
    assert words == options[:2] + ["--least-confidence", "0.8", "--no-split", "--no-lattice"]
    unsaid = dict.fromkeys(
        ("method", "recipe", "model", "device", "precision", "lattice", "least_confidence")
    )
    assert module._list_words({**unsaid, "turned": True, "split": True}) == ["--turned"]
