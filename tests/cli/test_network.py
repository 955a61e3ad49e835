from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import require
from helpers import run

from porescope.network import Network, load_model
from porescope.simulation import Scene, simulate


@pytest.fixture
def torch_installed() -> None:
    require(find_spec("torch") is not None, "PyTorch (pip install '.[train]')")


@pytest.mark.usefixtures("torch_installed")
def test_train_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("NEW_SAMPLES", 25), ("ROUND", 4), ("VALIDATION", range(2))):
        monkeypatch.setattr(f"porescope.training.trainer.{name}", value)
    monkeypatch.setattr("porescope.training.rating.INDICES", range(20_000, 20_002))
    mine = tmp_path / "mine"
    assert run("simulate", "-o", mine, "--max-missing", 40, "--seed", 3).exit_code == 0
    options = ["--steps", 4, "--from", "shipped", "--standards", mine]
    result = run("train", "-o", tmp_path / "model", *options)
    assert result.exit_code == 0, result.output
    assert "100%  step 4" in result.output
    path = tmp_path / "model" / "model.onnx"
    card = load_model(path).card
    assert card["steps"] == 4 and card["own_images"] == 1 and card["porescope"]
    assert card["rated_on"][0] == 2
    # Four careful steps leave a good network good.
    drawn = simulate(Scene(pores=4, max_missing=30, dose=2e6), seed=9)
    found = Network(path).find(drawn.micrograph)
    shipped = Network().find(drawn.micrograph)
    assert np.abs(found.probability - shipped.probability).mean() < 0.02
    assert run("detect", mine, "--model", path, "-o", tmp_path / "out").exit_code == 0


@pytest.mark.usefixtures("torch_installed")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "say how long to train"),
        (["--steps", 2, "--from", "nothing.onnx"], "nothing.onnx cannot be read"),
        (["--steps", 2, "--standards", "."], "hold"),
        (["--steps", 2, "--model", "maskrcnn"], "its extra maskrcnn"),
    ],
)
def test_wrong_use_of_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[object], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("train", "-o", tmp_path / "model", *options)
    assert result.exit_code == 2 and message in result.output and "Traceback" not in result.output
