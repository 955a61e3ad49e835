from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import roifile
import tifffile
from PIL import Image

from porescope.corrections import read_labels
from porescope.corrections.reading import find_edited

LABELS = np.zeros((30, 40), np.int32)
LABELS[3:9, 4:12], LABELS[20:26, 30:35] = 1, 200


_PLAIN = ("uint8", "uint16", "int16", "uint32", "int32", "int64", "float32", "float64")


@pytest.mark.parametrize(
    ("dtype", "imagej"),
    [*((dtype, False) for dtype in _PLAIN), *((dtype, True) for dtype in ("uint8", "uint16", "float32"))],
)
def test_label_images_of_other_programs(tmp_path: Path, dtype: str, imagej: bool) -> None:
    tifffile.imwrite(tmp_path / "a_labels.tif", LABELS.astype(dtype), imagej=imagej)
    assert np.array_equal(read_labels(tmp_path / "a_labels.tif", LABELS.shape), LABELS)


def test_a_palette_holds_labels_as_fiji_saves_them(tmp_path: Path) -> None:
    colours = np.arange(768, dtype=np.uint16).reshape(3, 256)
    tifffile.imwrite(tmp_path / "a.tif", LABELS.astype(np.uint8), photometric="palette", colormap=colours)
    assert np.array_equal(read_labels(tmp_path / "a.tif", LABELS.shape), LABELS)
    tifffile.imwrite(tmp_path / "b.tif", LABELS[None, None].astype(np.uint8))  # a stack of one
    assert np.array_equal(read_labels(tmp_path / "b.tif", LABELS.shape), LABELS)
    tifffile.imwrite(tmp_path / "c.tif", LABELS > 0)
    assert np.array_equal(read_labels(tmp_path / "c.tif", LABELS.shape), LABELS > 0)
    Image.fromarray(LABELS.astype(np.uint16)).save(tmp_path / "d.png")
    np.save(tmp_path / "e.npy", LABELS)
    for name in ("d.png", "e.npy"):
        assert np.array_equal(read_labels(tmp_path / name, LABELS.shape), LABELS)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((30, 40, 3), np.uint8), "colour picture (RGB), in which the numbers of the pores are lost"),
        (LABELS * 0.5 + 0.25, "labels must be whole numbers, but 1200 pixels are like 0.25"),
        (np.where(LABELS, np.nan, 0.0), "labels must be whole numbers, but 78 pixels are like nan"),
        (LABELS[:, :20], "has 30 × 20 px, its image 30 × 40; edit an uncropped copy"),
        (LABELS - 1, "labels must be from 0 to 2147483647, not -1 to 199"),
        (LABELS.astype(np.int64) * 2**30, "labels must be from 0 to"),
        (np.zeros((5, 30, 40), np.uint8), "it must be one image, not of shape (5, 30, 40)"),
        (LABELS + 1j, "labels must be numbers, not complex128"),
    ],
)
def test_what_holds_no_labels_is_refused_in_a_sentence(
    tmp_path: Path, values: np.ndarray, words: str
) -> None:
    np.save(tmp_path / "a_labels.npy", values)
    with pytest.raises(ValueError) as error:
        read_labels(tmp_path / "a_labels.npy", LABELS.shape)
    assert words in str(error.value) and str(error.value).startswith("a_labels.npy")


def test_damaged_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    for name in ("a.tif", "a.zip", "a.geojson", "a.png", "a.roi"):
        (tmp_path / name).write_bytes(b"not such a file")
        with pytest.raises(ValueError, match=name):
            read_labels(tmp_path / name, (30, 40))


def test_a_region_with_a_hole_keeps_it(tmp_path: Path) -> None:
    ring = [[2, 2], [12, 2], [12, 12], [2, 12], [2, 2]]
    hole = [[5, 5], [8, 5], [8, 8], [5, 8], [5, 5]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring, hole]},
        "properties": {},
    }
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    wanted = np.zeros((20, 20), int)
    wanted[2:12, 2:12] = 1
    wanted[5:8, 5:8] = 0
    assert np.array_equal(read_labels(tmp_path / "a.geojson", (20, 20)), wanted)
    # The same as a composite ROI of ImageJ, whose paths are flat: 0 moves to, 1 draws to, 4 closes.
    roi = roifile.ImagejRoi(roitype=roifile.ROI_TYPE.RECT)
    roi.left, roi.top, roi.right, roi.bottom = 2, 2, 12, 12
    flat = []
    for one in (ring, hole):
        for i, point in enumerate(one[:-1]):
            flat += [min(i, 1), *point]
        flat.append(4)
    roi.multi_coordinates = np.array(flat, np.float32)
    roi.shape_roi_size = len(flat)
    roifile.roiwrite(tmp_path / "a.roi", roi)
    assert np.array_equal(read_labels(tmp_path / "a.roi", (20, 20)), wanted)


def test_files_are_found_by_the_names_of_the_images(tmp_path: Path) -> None:
    names = ["A_labels.tif", "A_0001_rois.zip", "B.geojson", "C_coco.json", "D.zip", "E.json"]
    strays = ["F_labels.tif", "RoiSet.zip"]
    for name in [*names, *strays, "A_overlay.png", "notes.txt", "run.json"]:
        (tmp_path / name).touch()
    stems = dict.fromkeys(["A", "A_0001", "B", "C", "D", "E"])
    found, left = find_edited(tmp_path, stems)
    assert {stem: [p.name for p in paths] for stem, paths in found.items()} == dict(
        zip(stems, ([n] for n in names), strict=True)
    )
    assert left == strays
    assert find_edited(tmp_path / "D.zip", stems)[0] == {"D": [tmp_path / "D.zip"]}
    with pytest.raises(ValueError, match="does not exist"):
        find_edited(tmp_path / "nowhere", stems)
