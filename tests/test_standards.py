from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import roifile
import tifffile
from PIL import Image

from porescope import read_standard
from porescope.standards import find_standards


def _paint(tmp_path: Path, name: str = "a_standard.png", **options: object) -> tuple[Path, np.ndarray]:
    rng = np.random.default_rng(0)
    image = np.repeat(rng.integers(0, 255, (60, 80, 1), dtype=np.uint8), 3, axis=2)
    mask = np.zeros((60, 80), bool)
    mask[10:20, 12:24] = mask[40:47, 60:66] = True
    image[mask] = (0, 255, 0)
    Image.fromarray(image).save(tmp_path / name, **options)
    return tmp_path / name, mask


def test_green_paint(tmp_path: Path) -> None:
    path, mask = _paint(tmp_path)
    labels = read_standard(path, (60, 80))
    assert labels.max() == 2 and np.array_equal(labels > 0, mask)


def test_softened_paint_tells_how_much_is_in_doubt(tmp_path: Path) -> None:
    path, mask = _paint(tmp_path, "a.jpg", quality=92)
    with pytest.warns(UserWarning, match=r"a\.jpg: \d+ pixels of softened edges are in doubt"):
        labels = read_standard(path)
    assert labels.max() == 2 and ((labels > 0) ^ mask).sum() <= 6


def test_masks_labels_and_outlines_say_the_same(tmp_path: Path) -> None:
    _, mask = _paint(tmp_path)
    labels = cv2.connectedComponents(mask.astype(np.uint8))[1]
    corners = [[(12, 10), (24, 10), (24, 20), (12, 20)], [(60, 40), (66, 40), (66, 47), (60, 47)]]
    tifffile.imwrite(tmp_path / "labels.tif", labels.astype(np.uint16))
    np.save(tmp_path / "mask.npy", mask)
    Image.fromarray(mask.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    roifile.roiwrite(tmp_path / "rois.zip", [roifile.ImagejRoi.frompoints(c) for c in corners])
    roifile.ImagejRoi.frompoints(corners[0]).tofile(tmp_path / "one.roi")
    coco = {
        "images": [{"id": 1, "height": 60, "width": 80}],
        "annotations": [{"image_id": 1, "segmentation": [np.ravel(c).tolist()]} for c in corners],
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    polygons = [
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[*c, c[0]]]}, "properties": {}}
        for c in corners
    ]
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": polygons}))
    for name in ("labels.tif", "mask.npy", "mask.png", "rois.zip", "coco.json", "a.geojson"):
        assert np.array_equal(read_standard(tmp_path / name, (60, 80)), labels), name
    assert np.array_equal(read_standard(tmp_path / "one.roi", (60, 80)), labels == 1)


def test_useless_standards_get_a_sentence(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(1, 255, (60, 80), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "micrograph.png")
    Image.fromarray(np.repeat(grey[..., None], 3, axis=2)).save(tmp_path / "unpainted.png")
    np.save(tmp_path / "all.npy", np.ones((60, 80), bool))
    (tmp_path / "bad.json").write_text("{")
    np.save(tmp_path / "empty.npy", np.zeros((0, 0), bool))
    np.save(tmp_path / "huge.npy", np.array([[0, 1, 2**40]]))
    (tmp_path / "rle.json").write_text('{"annotations": [{"segmentation": {"counts": [1]}}], "images": []}')
    path, _ = _paint(tmp_path)
    for name, message in {
        "micrograph.png": "looks like a micrograph",
        "unpainted.png": "nothing is marked; paint each pore pure green",
        "all.npy": "every pixel is marked",
        "bad.json": "bad.json",
        "empty.npy": "is empty",
        "huge.npy": "labels must be from 0",
        "rle.json": "run-length masks",
        "missing.png": "not a file",
    }.items():
        with pytest.raises(ValueError, match=message):
            read_standard(tmp_path / name, (60, 80))
    with pytest.raises(ValueError, match="has 60 × 80 px, the micrograph 61 × 80"):
        read_standard(path, (61, 80))


def test_standards_are_found_by_name(tmp_path: Path) -> None:
    for name in ("A.dm3", "B.dm3", "A_standard.png", "A.png", "B.tif", "B.png"):
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match=r"B\.dm3 has several standards \(B\.png, B\.tif\)"):
        found = find_standards([tmp_path / "A.dm3", tmp_path / "B.dm3", tmp_path / "C.dm3"], tmp_path)
    assert {k.name: v.name for k, v in found.items()} == {"A.dm3": "A_standard.png", "B.dm3": "B.png"}


def test_the_holes_of_a_ring_of_paint_stay_unmarked_and_corners_join(tmp_path: Path) -> None:
    mask = np.zeros((8, 9), np.uint8)
    mask[1:4, 1:4], mask[2, 2], mask[4, 4] = 255, 0, 255
    Image.fromarray(mask).save(tmp_path / "a.png")
    labels = read_standard(tmp_path / "a.png")
    assert labels.max() == 1 and labels[2, 2] == 0 and labels[4, 4] == 1


def test_half_green_counts_as_painted(tmp_path: Path) -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    image[1, 1:5, 1] = (127, 128, 31, 255)  # 31 is clean background, 255 clean paint
    Image.fromarray(image).save(tmp_path / "a.png")
    with pytest.warns(UserWarning, match="2 pixels of softened edges are in doubt"):
        assert np.argwhere(read_standard(tmp_path / "a.png")).tolist() == [[1, 2], [1, 4]]


def test_outlines_need_the_size_of_the_image(tmp_path: Path) -> None:
    corners = [(1, 2), (4, 2), (4, 6), (1, 6)]
    roifile.ImagejRoi.frompoints(corners).tofile(tmp_path / "a.roi")
    with pytest.raises(ValueError, match=r"a\.roi: outlines lack the size of the image"):
        read_standard(tmp_path / "a.roi")
    labels = read_standard(tmp_path / "a.roi", (7, 8))  # rows 2 to 5, columns 1 to 3
    assert (labels[2:6, 1:4] == 1).all() and labels.sum() == 12
