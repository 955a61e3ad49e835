from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import roifile
import tifffile
from helpers import run
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from porescope import Score, read_standard, score
from porescope.scoring import score_results, wilson_interval
from porescope.simulation.drawing import Simulation, simulate
from porescope.simulation.saving import save_simulation
from porescope.simulation.scene import Scene
from porescope.standards import find_standards

masks = hnp.arrays(bool, (12, 17))


def test_figure_3a_of_the_paper() -> None:
    s = Score(tp=54, fp=5, fn=11, found=1, missed=0, false=0)
    assert round(100 * s.precision, 1) == 91.5 and s.hamming == 16
    assert s.recall == pytest.approx(54 / 65) and s.iou == pytest.approx(54 / 70)
    assert s.f1 == pytest.approx(2 * 54 / (2 * 54 + 16))


def test_pores_are_matched_one_to_one() -> None:
    standard, labels = np.zeros((10, 30), int), np.zeros((10, 30), int)
    standard[2:6, 2:6], standard[2:6, 12:16], standard[2:6, 20:24] = 1, 2, 3
    labels[2:6, 2:14] = 1  # one region over two pores
    labels[3, 20], labels[5, 23] = 2, 3  # two regions over one pore
    labels[9, 9] = 4  # nothing there
    s = score(standard, labels)
    assert (s.found, s.missed, s.false) == (2, 1, 1)
    strict = score(standard, labels, min_iou=0.3)
    assert (strict.found, strict.missed, strict.false) == (1, 2, 3)


def test_as_many_pores_as_can_be_are_matched() -> None:
    standard, labels = np.zeros((4, 20), int), np.zeros((4, 20), int)
    standard[:, 0:4], standard[:, 4:8] = 1, 2
    labels[:, 3:8] = 1  # overlaps both, the second better
    labels[:, 8:9], standard[0, 8] = 2, 2  # overlaps only the second
    assert score(standard, labels).found == 2


@given(standard=masks, labels=masks)
def test_scores_add_up(standard: np.ndarray, labels: np.ndarray) -> None:
    s, back = score(standard, labels), score(labels, standard)
    assert s.tp + s.fn == standard.sum() and s.tp + s.fp == labels.sum()
    assert s.hamming == (standard ^ labels).sum()
    assert (s.precision, s.found) == (back.recall, back.found)
    assert 0 <= s.iou <= s.f1 <= 1 and len(s.diameter_ratios) == s.found
    n_standard = cv2.connectedComponents(standard.astype(np.uint8), connectivity=8)[0] - 1
    assert s.found + s.missed == n_standard


@given(mask=masks)
def test_a_standard_scores_itself_perfectly(mask: np.ndarray) -> None:
    s = score(mask, mask)
    assert s.precision == s.recall == s.f1 == 1 and s.missed == s.false == 0
    if s.found:
        assert s.diameter_bias == s.diameter_error == 0


def test_finding_nothing_is_no_precision() -> None:
    something, nothing = np.eye(3, 4, dtype=bool), np.zeros((3, 4), bool)
    assert score(something, nothing).precision == 0
    assert score(nothing, nothing).precision == 1


def test_wilson_by_hand() -> None:
    assert wilson_interval(0, 0) == (0, 1)
    assert wilson_interval(1, 2) == pytest.approx((0.0945, 0.9055), abs=1e-3)


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


def test_results_with_names_like_numbers_are_scored(tmp_path: Path) -> None:
    drawn = simulate(Scene(shape=(128, 160), pores=2), seed=1)
    for name in ("001", "NA"):
        save_simulation(tmp_path, replace(drawn, name), "test")
    images = [tmp_path / "001.tif", tmp_path / "NA.tif"]
    assert run("detect", *images, "-o", tmp_path / "out", "--no-images").exit_code == 0
    scores = score_results(tmp_path / "out", tmp_path)
    assert set(scores) == {"001", "NA"} and scores["NA"].found == 2


def replace(drawn: Simulation, name: str) -> Simulation:
    return drawn._replace(micrograph=dataclasses.replace(drawn.micrograph, name=name))


def test_standards_are_found_by_name(tmp_path: Path) -> None:
    for name in ("A.dm3", "B.dm3", "A_standard.png", "A.png", "B.tif", "B.png"):
        (tmp_path / name).touch()
    with pytest.warns(UserWarning, match=r"B\.dm3 has several standards \(B\.png, B\.tif\)"):
        found = find_standards([tmp_path / "A.dm3", tmp_path / "B.dm3", tmp_path / "C.dm3"], tmp_path)
    assert {k.name: v.name for k, v in found.items()} == {"A.dm3": "A_standard.png", "B.dm3": "B.png"}


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    low, high = wilson_interval(hits, n)
    assert 0 <= low <= hits / n + 1e-12 and hits / n - 1e-12 <= high <= 1
