from __future__ import annotations

import json
import warnings
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import cv2
import numpy as np
import pytest
import roifile
import tifffile
from helpers import save_simulated, take_census
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.measure import points_in_poly

from porescope import read_standard
from porescope.labels import number_consecutively
from porescope.pictures.overlays import ORANGE
from porescope.recipes import Threshold
from porescope.runs import Job
from porescope.standards import _OUTLINE, find_standards


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


def _draw_pores(count: int = 7, radius: float = 6.0, seed: int = 0) -> np.ndarray:
    """Discs that do not touch, drawn eight times finer than pixels: their cover of each, from 0 to 1."""
    fine = np.zeros((8 * 120, 8 * 160), np.uint8)
    rng = np.random.default_rng(seed)
    places = [(y, x) for y in range(20, 110, 22) for x in range(20, 150, 22)]
    for y, x in rng.permutation(places)[:count]:
        center = (int(8 * (x + rng.uniform(-3, 3))), int(8 * (y + rng.uniform(-3, 3))))
        cv2.circle(fine, center, int(8 * radius), 1, -1)
    return cv2.resize(fine.astype(np.float32), (160, 120), interpolation=cv2.INTER_AREA)


def _save_mask(path: Path, cover: np.ndarray, colour: str = "L", **options: object) -> Path:
    grey = np.round(255 * cover).astype(np.uint8)
    Image.fromarray(grey).convert(colour).save(path, **options)
    return path


@pytest.mark.parametrize("colour", ["L", "RGB"])
@pytest.mark.parametrize("radius", [1.6, 3.0, 7.0])
@pytest.mark.parametrize(
    "soft", ["sharp", "antialiased", "blurred", "enlarged", "jpeg 95", "jpeg 75", "jpeg 40"]
)
def test_masks_as_people_save_them(tmp_path: Path, soft: str, radius: float, colour: str) -> None:
    cover = _draw_pores(radius=radius)
    kind, _, quality = soft.partition(" ")
    if kind in ("sharp", "jpeg"):
        cover = (cover > 0.5).astype(np.float32)
    elif kind == "blurred":
        cover = cv2.GaussianBlur(cover, (0, 0), 0.6)
    elif kind == "enlarged":
        half = cv2.resize(cover, (80, 60), interpolation=cv2.INTER_AREA)
        cover = cv2.resize(half, (160, 120), interpolation=cv2.INTER_LINEAR)
    grey = np.round(255 * cover)
    truth = cv2.connectedComponents((grey > grey.max() / 2).astype(np.uint8))[1]
    options = {"quality": int(quality)} if quality else {}
    path = _save_mask(tmp_path / f"a.{'jpg' if quality else 'png'}", cover, colour, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        labels = read_standard(path, truth.shape)
    assert labels.max() == truth.max() == 7
    wrong = ((labels > 0) ^ (truth > 0)).sum()
    assert wrong <= 0.1 * (truth > 0).sum() if quality else wrong == 0


@pytest.mark.parametrize("quality", [30, 75, 95])
@pytest.mark.parametrize("pitch", [9, 12])
def test_dense_pores_in_a_jpeg_mask(tmp_path: Path, pitch: int, quality: int) -> None:
    mask = np.zeros((120, 160), np.uint8)
    for y in range(6, 115, pitch):
        for x in range(6, 155, pitch):
            cv2.circle(mask, (x, y), 3, 1, -1)
    path = _save_mask(tmp_path / "a.jpg", mask, quality=quality)
    with warnings.catch_warnings(action="ignore"):
        labels = read_standard(path)
    assert labels.max() == cv2.connectedComponents(mask)[0] - 1


@pytest.mark.parametrize("count", [3, 120, 250])
@pytest.mark.parametrize("side", [2, 3, 6])
def test_labels_are_no_greys_of_a_mask(tmp_path: Path, count: int, side: int) -> None:
    """Squares that touch in pairs: only their numbers tell them apart."""
    labels = np.zeros((200, 300), np.uint8)
    for i in range(count):
        row, column = divmod(i, 20)
        y, x = 14 * row + 2, 7 * 2 * (column // 2) + side * (column % 2) + 2
        labels[y : y + side, x : x + side] = i + 1
    Image.fromarray(labels).save(tmp_path / "a.png")
    assert np.array_equal(read_standard(tmp_path / "a.png"), labels)


@pytest.mark.parametrize("colour", ["L", "RGB"])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("sharp", [True, False])
def test_an_inverted_mask_is_told(tmp_path: Path, sharp: bool, suffix: str, colour: str) -> None:
    cover = _draw_pores()
    path = _save_mask(tmp_path / f"a.{suffix}", 1 - (cover > 0.5 if sharp else cover), colour)
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(ValueError, match=rf"a\.{suffix}: 96% of the frame is marked, as in an inverted"),
    ):
        read_standard(path)


def test_pores_that_are_most_of_the_image_are_told(tmp_path: Path) -> None:
    labels = np.ones((10, 20), np.int32)
    labels[:, :8] = 0
    np.save(tmp_path / "a.npy", labels)
    with pytest.warns(UserWarning, match=r"a\.npy: 60% of the image is marked"):
        assert np.array_equal(read_standard(tmp_path / "a.npy"), labels)


@pytest.mark.parametrize(
    ("name", "pores"), [("c17c_soft_mask.png", 3), ("c17g_rgbgrey.png", 3), ("c17b_inverted_mask.png", None)]
)
def test_the_field_cases(data: Path, name: str, pores: int | None) -> None:
    path = data / "cases" / name
    if pores is None:
        with pytest.raises(ValueError, match="94% of the frame is marked"):
            read_standard(path)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert read_standard(path, (256, 320)).max() == pores


@pytest.mark.parametrize("suffix", ["png", "npy", "tif", "jpg"])
@pytest.mark.parametrize("colour", ["L", "RGB"])
@pytest.mark.parametrize("kind", ["plain", "hot", "clipped"])
def test_a_micrograph_is_no_mask(tmp_path: Path, kind: str, colour: str, suffix: str) -> None:
    """Also one with a few saturated pixels, beside which all else is dark, or with black clipped."""
    rng = np.random.default_rng(0)
    center, spread = {"plain": (100, 10), "hot": (8, 3), "clipped": (20, 80)}[kind]
    least = 0 if kind == "clipped" else 1
    grey = rng.normal(center, spread, (120, 160)).clip(least, 255).astype(np.uint8)
    grey[5, 5:9] = 255
    pixels = np.asarray(Image.fromarray(grey).convert(colour))
    path = tmp_path / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, pixels)
    elif suffix == "tif":
        tifffile.imwrite(path, pixels)
    else:
        Image.fromarray(pixels).save(path)
    words = "looks like a micrograph" if colour == "L" else "nothing is marked"
    with pytest.raises(ValueError, match=words):
        read_standard(path)


def test_an_overlay_is_no_standard(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "a.tif")
    take_census([path], Job(tmp_path, Threshold()))
    Image.open(tmp_path / "a_overlay.png").save(tmp_path / "a_overlay.jpg")
    for name in ("a_overlay.png", "a_overlay.jpg"):
        with pytest.raises(ValueError, match=f"{name}: is an overlay of porescope's.* paint each pore"):
            read_standard(tmp_path / name, (180, 220))
    assert _OUTLINE == ORANGE


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_outlines_are_filled_as_the_plain_way_does(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The plain way asks for each pixel's centre whether it lies in the polygon, in the whole frame."""
    rng = np.random.default_rng(seed)
    shape = (23, 31)
    polygons = [rng.uniform(-2, 30, 2) + rng.uniform(-6, 6, (int(rng.integers(3, 8)), 2)) for _ in range(5)]
    features = [{"geometry": {"type": "Polygon", "coordinates": [p.tolist()]}} for p in polygons]
    path = tmp_path_factory.mktemp("outlines") / "a.geojson"
    path.write_text(json.dumps({"features": features}))
    centres = np.argwhere(np.ones(shape))[:, ::-1] + 0.5
    plain = np.zeros(shape, np.int32)
    for label, polygon in enumerate(polygons, start=1):
        plain[points_in_poly(centres, polygon).reshape(shape)] = label
    assume(plain.any())
    assert np.array_equal(read_standard(path, shape), number_consecutively(plain))


_POLYGON = '{{"features": [{{"geometry": {{"type": "Polygon", "coordinates": {}}}}}]}}'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.geojson", _POLYGON.format("[[[0, NaN], [1, 1], [2, 0]]]"), "finite"),
        ("a.geojson", _POLYGON.format("[[0, 1, 2]]"), "finite"),
        ("a.geojson", _POLYGON.format("[[[0, 1], [2]]]"), "finite"),
        ("a.json", "[" * 100_000, "RecursionError"),
        ("a.json", '{"images": [{"height": 900000, "width": 900000}], "annotations": []}', "900000 px"),
        ("a.geojson", '{"features": [{"geometry": null}]}', "cannot be read"),
    ],
    ids=["nan", "flat", "ragged", "nested", "huge", "null"],
)
def test_hostile_outlines_get_a_sentence(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=rf"standard {name}.*{message}"):
        read_standard(tmp_path / name, (60, 80))


def test_outlines_that_unpack_to_gigabytes_get_a_sentence(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w", ZIP_DEFLATED) as archive:
        archive.writestr("a.roi", bytes(300_000_000))
    assert (tmp_path / "a.zip").stat().st_size < 1_000_000
    with pytest.raises(ValueError, match="at most 256,000,000 bytes, not 300,000,000"):
        read_standard(tmp_path / "a.zip", (60, 80))
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(300_000_000)  # a hole, which takes no room on the disk
    with pytest.raises(ValueError, match="at most 256,000,000 bytes, not 300,000,000"):
        read_standard(tmp_path / "a.json", (60, 80))


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
