from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from helpers import run, save_simulated


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two simulated images and a stack."""
    folder = tmp_path_factory.mktemp("statistics")
    for i in range(2):
        save_simulated(folder / "in", f"{i}.tif", seed=3 * i + 1)
    save_simulated(folder / "in", "stack.tif", seed=9, frames=2)
    out = folder / "out"
    result = run("detect", folder / "in", "-o", out, "--no-images", "--workers", 1, "--material", "WS2")
    assert result.exit_code == 0, result.output
    return out


def test_the_statistics_of_a_run(found: Path, tmp_path: Path) -> None:
    out = tmp_path / "stats"
    result = run("statistics", found, "--dose", "5.1e13", "-o", out)
    assert result.exit_code == 0, result.output
    for words in ("Density:", "95 % interval", "Pores per ion:", "irradiation uniform?", "Sizes:"):
        assert words in result.output
    content = json.loads((out / "statistics.json").read_text(encoding="utf-8"))
    pores, images = pd.read_csv(found / "pores.csv"), pd.read_csv(found / "images.csv")
    single = images[images.frame == 0]
    area = (single.height_px * single.width_px * single.pixel_size_nm**2).sum() / 1e6
    assert content["area_um2"] == pytest.approx(area, rel=1e-3)
    # The same rule as in images.csv: no pore twice in images that tile the plane.
    counted = (single.density_per_um2 * area / 3).sum()
    assert content["n_counted"] == pytest.approx(counted, abs=0.01) and content["sentences"]
    spacing = pd.read_csv(out / "spacing.csv")
    assert len(spacing) == (pores.frame == 0).sum() > 5
    by_label = pores.set_index(["image", "frame", "label"])
    for row in spacing.dropna().itertuples():
        here, there = (by_label.loc[(row.image, row.frame, n)] for n in (row.label, row.nearest_label))
        distance = np.hypot(here.y_nm - there.y_nm, here.x_nm - there.x_nm)
        assert row.nearest_nm == pytest.approx(distance, rel=1e-3)
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["analysis"] == "statistics" and record["dose_per_cm2"] == 5.1e13
    outputs = ["isomers.csv", "isomers.png", "spacing.csv", "statistics.json", "statistics.png"]
    assert record["outputs"] == outputs
    isomers = pd.read_csv(out / "isomers.csv")
    named = pores[(pores.frame == 0) & pores.isomer.notna()]
    assert dict(zip(isomers.isomer, isomers.pores, strict=True)) == named.isomer.value_counts().to_dict()
    assert (isomers.pores.diff().dropna() <= 0).all() and isomers.symmetry.str.startswith("C").all()
    assert run("statistics", found, "-o", out).exit_code == 2
    assert run("conductance", found, "--sigma", 1, "--thickness", 1, "-o", out, "--overwrite").exit_code == 2


def test_only_the_clean_area_counts(found: Path, tmp_path: Path) -> None:
    from shutil import copytree

    other = copytree(found, tmp_path / "run")
    shape = tifffile.imread(other / "0_labels.tif").shape
    mapped = np.ones(shape, np.uint8)
    mapped[:, shape[1] // 2 :] = 2
    tifffile.imwrite(other / "0_field.tif", mapped)
    result = run("statistics", other, "-o", tmp_path / "stats")
    assert result.exit_code == 0, result.output
    spacing = pd.read_csv(tmp_path / "stats" / "spacing.csv", dtype={"image": str})
    whole = pd.read_csv(found / "pores.csv", dtype={"image": str})
    left = whole[(whole.image == "0") & (whole.x_px < shape[1] // 2)]
    assert set(spacing[spacing.image == "0"].label) == set(left.label)
    tifffile.imwrite(other / "0_field.tif", mapped[:50])
    wrong = run("statistics", other)
    assert wrong.exit_code == 2 and "has shape (50" in wrong.output


def test_bad_input_is_told_in_a_sentence(found: Path, tmp_path: Path) -> None:
    for arguments, what in (
        ((found, "--dose", "-3"), "--dose must be above 0"),
        ((tmp_path,), "holds no run"),
        ((found / "pores.csv",), "no folder of a run"),
        ((found, "-o", found, "--overwrite"), "something else"),
        ((found, "-o", found / "pores.csv"), "is a file"),
    ):
        result = run("statistics", *arguments)
        assert result.exit_code == 2 and what in result.output, result.output
    assert not list(tmp_path.iterdir())
