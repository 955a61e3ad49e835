from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from helpers import save_simulated

from porescope.cli.start import protect_name


@pytest.mark.parametrize("name", ["-o.tif", "--overwrite.png", "--pixel-size=0.04.NPY", "-r.toml", "-f.zspy"])
def test_a_name_that_looks_like_an_option_becomes_a_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert protect_name(name) == name  # no such file: an option, right or wrong
    Path(name).touch()
    assert protect_name(name) == f"./{name}"


@pytest.mark.parametrize("option", ["-o", "--overwrite", "-", "--", "--pixel-size=0.04", "a-o.tif"])
def test_options_and_plain_names_stay(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-o").touch()
    Path("a-o.tif").touch()
    assert protect_name(option) == option


def test_a_glob_that_stands_for_options_names_files(tmp_path: Path) -> None:
    for name in ("-o.tif", "--overwrite.tif"):
        save_simulated(tmp_path, name)
    code = "from porescope.cli.start import main; main()"
    inputs = sorted(path.name for path in tmp_path.glob("*.tif"))
    command = [sys.executable, "-c", code, "detect", *inputs, "-o", "out", "--recipe", "ws2", "--no-images"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    images = pd.read_parquet(tmp_path / "out" / "images.parquet")
    assert images.file.tolist() == ["--overwrite.tif", "-o.tif"]
