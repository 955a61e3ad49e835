from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import roifile
import tifffile
from helpers import save_simulated

from porescope import Recipe, read, read_standard
from porescope.files import save_labels
from porescope.labels import outline_regions
from porescope.recipes import Threshold
from porescope.runs import Job, run_batch

RECIPE = Recipe()


def test_labels_open_with_their_scale(tmp_path: Path) -> None:
    labels = np.zeros((30, 40), np.int32)
    labels[3, 4] = 7
    save_labels(tmp_path / "l.tif", labels, (0.05, 0.0501))
    assert read(tmp_path / "l.tif").pixel_size == pytest.approx((0.05, 0.0501))
    with tifffile.TiffFile(tmp_path / "l.tif") as tiff:
        assert tiff.is_imagej and tiff.imagej_metadata["unit"] == "nm" and tiff.pages[0].dtype == np.uint8
    labels[5, 5] = 70_000
    save_labels(tmp_path / "m.tif", labels, (0.05, 0.05))
    assert tifffile.imread(tmp_path / "m.tif").max() == 70_000


def test_outlines_filled_again_are_the_labels(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "s.tif")
    run_batch([path], Job(tmp_path, Threshold(RECIPE), overlays=False, rois=True, geojson=True))
    labels = read_standard(tmp_path / "s_labels.tif")
    assert np.array_equal(read_standard(tmp_path / "s_rois.zip", labels.shape), labels)
    assert np.array_equal(read_standard(tmp_path / "s.geojson", labels.shape), labels)
    assert [r.name for r in roifile.roiread(tmp_path / "s_rois.zip")] == ["0001", "0002", "0003"]
    feature = json.loads((tmp_path / "s.geojson").read_text())["features"][0]
    assert (
        feature["properties"]["area_px"] == (labels == 1).sum() and "confidence" not in feature["properties"]
    )
    assert outline_regions(labels)[1].min(axis=0) == pytest.approx(np.argwhere(labels == 1).min(axis=0) - 0.5)
