from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import run, save_simulated
from PIL import Image

from porescope import read


def test_standard_writes_pictures_that_tune_reads_once_they_are_painted(tmp_path: Path) -> None:
    image = save_simulated(tmp_path, "a.tif")
    made = run("standard", image, "-o", tmp_path / "paint")
    picture = tmp_path / "paint" / "a_standard.png"
    assert made.exit_code == 0 and str(picture) in made.output and "pure green (0, 255, 0)" in made.output
    shown = np.asarray(Image.open(picture))
    assert shown.shape == (*read(image).image.shape, 3)
    again = run("standard", image, "-o", tmp_path / "paint")
    assert again.exit_code == 1 and "may be painted" in again.output
    painted = shown.copy()
    painted[60:90, 40:80] = (0, 255, 0)
    Image.fromarray(painted).save(picture)
    out = tmp_path / "out"
    assert run("detect", image, "-o", out, "--no-images", "--method", "threshold", "-q").exit_code == 0
    scored = run("score", out, "--standards", tmp_path / "paint")
    assert scored.exit_code == 0 and "of 1 pores found" in scored.output


def test_standard_refuses_what_is_no_image_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.dm3").write_bytes(b"nothing")
    made = run("standard", tmp_path / "bad.dm3", "-o", tmp_path / "paint")
    assert made.exit_code == 1 and made.output.startswith("failed: bad.dm3")
    (tmp_path / "file").touch()
    assert "is a file; give a folder" in run("standard", tmp_path / "bad.dm3", "-o", tmp_path / "file").output


@pytest.mark.parametrize("given", ["nowhere", "."])
def test_measure_refuses_what_is_no_run(given: str, tmp_path: Path) -> None:
    made = run("measure", tmp_path / given, "--labels", tmp_path, "-o", tmp_path / "out")
    assert made.exit_code == 2 and "holds no run of porescope" in made.output
