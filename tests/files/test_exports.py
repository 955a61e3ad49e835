from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import roifile
import tifffile
from helpers import save_simulated, take_census

from porescope import read, read_standard
from porescope.files.exports import save_coco, save_geojson, save_labels, save_rois, save_structure
from porescope.labels import outline_regions
from porescope.recipes import Threshold
from porescope.runs.job import Job


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


def test_a_large_label_image_is_written_in_strips(tmp_path: Path) -> None:
    labels = np.arange(2300 * 2000, dtype=np.int32).reshape(2300, 2000) // 5000
    save_labels(tmp_path / "l.tif", labels, (0.05, 0.05))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "l.tif"), labels)
    with tifffile.TiffFile(tmp_path / "l.tif") as tiff:
        assert len(tiff.pages[0].dataoffsets) == 2 and tiff.is_imagej
    assert read(tmp_path / "l.tif").pixel_size == pytest.approx((0.05, 0.05))


def test_outlines_filled_again_are_the_labels(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "s.tif")
    take_census([path], Job(tmp_path, Threshold(), overlays=False, rois=True, geojson=True))
    labels = read_standard(tmp_path / "s_labels.tif")
    assert np.array_equal(read_standard(tmp_path / "s_rois.zip", labels.shape), labels)
    assert np.array_equal(read_standard(tmp_path / "s.geojson", labels.shape), labels)
    assert [r.name for r in roifile.roiread(tmp_path / "s_rois.zip")] == ["0001", "0002", "0003"]
    feature = json.loads((tmp_path / "s.geojson").read_text())["features"][0]
    assert (
        feature["properties"]["area_px"] == (labels == 1).sum() and "confidence" not in feature["properties"]
    )
    assert outline_regions(labels)[1].min(axis=0) == pytest.approx(np.argwhere(labels == 1).min(axis=0) - 0.5)


def test_outlines_count_from_the_corner_of_the_first_pixel(tmp_path: Path) -> None:
    labels = np.zeros((6, 8), np.int32)
    labels[1:3, 4:7] = 5  # rows 1 and 2, columns 4 to 6: x from 4 to 7, y from 1 to 3
    table = {"label": np.array([5]), "area_nm2": np.array([0.25]), "confidence": np.array([np.nan])}
    save_geojson(tmp_path / "a.geojson", labels, table)
    (feature,) = json.loads((tmp_path / "a.geojson").read_text())["features"]
    ring = np.array(feature["geometry"]["coordinates"][0])
    assert ring.min(axis=0).tolist() == [4, 1] and ring.max(axis=0).tolist() == [7, 3]
    assert feature["properties"] == {"objectType": "annotation", "name": "5", "label": 5, "area_nm2": 0.25}
    save_rois(tmp_path / "a.zip", labels)
    (roi,) = roifile.roiread(tmp_path / "a.zip")
    points = roi.coordinates()
    assert (
        roi.name == "0005" and points.min(axis=0).tolist() == [4, 1] and points.max(axis=0).tolist() == [7, 3]
    )


def test_without_regions_the_archive_is_empty(tmp_path: Path) -> None:
    save_rois(tmp_path / "a.zip", np.zeros((3, 4), np.int32))
    assert zipfile.ZipFile(tmp_path / "a.zip").namelist() == []


@pytest.mark.parametrize("form", ["extxyz", "cif"])
def test_structures_open_in_a_box_with_vacuum(tmp_path: Path, form: str) -> None:
    from ase.io import read as read_atoms

    atoms = np.array([[2.0, 3.0, -1.5], [5.0, 7.0, 1.5]])
    save_structure(tmp_path / "a", ["W", "S"], atoms, form)
    got = read_atoms(tmp_path / "a", format=form)
    assert got.get_chemical_symbols() == ["W", "S"]
    assert got.cell.lengths() == pytest.approx([6, 7, 23])  # 1.5 Å beside, 10 Å above and below
    assert got.positions == pytest.approx(np.array([[1.5, 1.5, 10], [4.5, 5.5, 13]]))


@pytest.mark.parametrize(("highest", "depth"), [(12, np.uint8), (480, np.uint16), (84_000, np.uint32)])
def test_imagej_shows_labels_in_colours(tmp_path: Path, highest: int, depth: type) -> None:
    labels = np.zeros((30, 40), np.int32)
    labels[3:6, 4:9] = highest
    save_labels(tmp_path / "l.tif", labels, (0.05, 0.05))
    with tifffile.TiffFile(tmp_path / "l.tif") as tiff:
        page = tiff.pages[0]
        assert page.dtype == depth and page.asarray().max() == highest
        # ImageJ takes a table of 256 colours for its own, at any depth, and the range from the description.
        red, green, blue = np.array(page.tags[320].value).reshape(3, 256)
        assert tiff.imagej_metadata["min"] == 0 and tiff.imagej_metadata["max"] == max(highest, 255)
    colours = np.stack([red, green, blue], axis=1) // 257
    assert colours[0].tolist() == [0, 0, 0] and (colours[1:].max(axis=1) > 180).all()
    # Neighbouring labels are easily told apart.
    steps = np.abs(np.diff(colours[1:].astype(int), axis=0)).max(axis=1)
    assert steps.min() > 60 and len(np.unique(colours, axis=0)) == 256


def test_coco_counts_from_the_corner_of_the_first_pixel(tmp_path: Path) -> None:
    labels = np.zeros((6, 8), np.int32)
    labels[1:3, 4:7] = 5  # rows 1 and 2, columns 4 to 6: x from 4 to 7, y from 1 to 3
    table = {"label": np.array([5]), "area_px": np.array([6]), "confidence": np.array([np.nan])}
    save_coco(tmp_path / "a.json", labels, table, "a.dm3")
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["images"] == [{"id": 1, "file_name": "a.dm3", "height": 6, "width": 8}]
    (one,) = content["annotations"]
    assert (one["id"], one["bbox"], one["area"]) == (5, [4, 1, 3, 2], 6) and "score" not in one
    assert np.array_equal(read_standard(tmp_path / "a.json"), labels > 0)
