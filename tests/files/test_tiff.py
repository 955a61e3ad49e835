from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from porescope import read, read_all
from porescope.files import ReadError, claims


@pytest.mark.parametrize(
    ("unit", "resolution", "nm"),
    [
        ("CENTIMETER", 1e7 / 0.5, 0.5),
        ("INCH", 2.54e7 / 0.05, 0.05),
        ("INCH", 72, None),
        ("INCH", 96, None),
        ("INCH", 300, None),
        ("NONE", 20, None),
    ],
)
def test_resolution_tags_count_where_they_make_sense(
    tmp_path: Path, unit: str, resolution: float, nm: float | None
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((3, 4), np.uint8), resolution=(resolution,) * 2, resolutionunit=unit)
    if nm is None:
        with pytest.raises(ReadError, match="--pixel-size"):
            read(path)
    else:
        assert read(path).pixel_size == pytest.approx((nm, nm))


@pytest.mark.parametrize(
    ("unit", "nm"),
    [
        ("nm", 1), ("micron", 1e3), ("pm", 1e-3), ("\\u00B5m", 1e3), ("\\u00C5", 0.1),
        ("\\xb5m", 1e3), ("\\xc5", 0.1), ("\\u212B", 0.1),
    ],
)  # fmt: skip
def test_imagej_units(tmp_path: Path, unit: str, nm: float) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.ones((3, 4), np.uint8), imagej=True, resolution=(20, 20), metadata={"unit": unit}
    )
    assert read(path).pixel_size == pytest.approx((nm / 20, nm / 20))


def test_ome_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "YX", "PhysicalSizeX": 40, "PhysicalSizeXUnit": "pm", "PhysicalSizeY": 0.00004}
    tifffile.imwrite(path, np.ones((3, 4), np.uint16), ome=True, metadata=metadata)
    assert read(path).pixel_size == pytest.approx((0.04, 0.04))


GREY = np.random.default_rng(0).integers(0, 250, (40, 50)).astype(np.uint8)
SCALE: dict[str, Any] = {"resolution": (2.5e8, 2.5e8), "resolutionunit": "CENTIMETER"}  # 0.04 nm


def _rgb(*planes: np.ndarray) -> np.ndarray:
    return np.stack(planes or (GREY, GREY, GREY), -1)


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (_rgb(), {"photometric": "rgb"}),
        (_rgb().astype(np.uint16), {"photometric": "rgb"}),
        (
            _rgb(GREY, GREY, GREY, np.full_like(GREY, 255)),
            {"photometric": "rgb", "extrasamples": ["unassalpha"]},
        ),
        (_rgb().transpose(2, 0, 1), {"photometric": "rgb", "planarconfig": "separate"}),
        (_rgb(GREY, np.full_like(GREY, 255)), {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
        (_rgb(GREY)[..., None, :1].transpose(2, 0, 1, 3)[0], {"photometric": "minisblack"}),
        (GREY[None, None], {"photometric": "minisblack"}),
        (255 - GREY, {"photometric": "miniswhite"}),
        (65535 - GREY.astype(np.uint16), {"photometric": "miniswhite"}),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.filterwarnings("ignore:.*FileIO")
def test_one_image_in_every_order_of_samples(tmp_path, monkeypatch, pixels, options, lazy) -> None:
    monkeypatch.setattr(claims, "_LARGE", -1 if lazy else 2**26)
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options, **SCALE)
    m = read(tmp_path / "a.tif")
    assert np.array_equal(m.image, GREY) and m.pixel_size == pytest.approx((0.04, 0.04))
    inverted = options["photometric"] == "miniswhite"
    assert ("inverted" in (m.acquisition.remark or "")) == inverted
    gc.collect()


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.filterwarnings("ignore:.*FileIO")
def test_colours_and_inverted_grey_in_a_stack(tmp_path: Path, monkeypatch, lazy: bool) -> None:
    monkeypatch.setattr(claims, "_LARGE", -1 if lazy else 2**26)
    stack = np.stack([GREY, GREY + 5])
    tifffile.imwrite(tmp_path / "a.tif", np.stack([stack] * 3, -1), photometric="rgb", **SCALE)
    tifffile.imwrite(tmp_path / "b.tif", 255 - stack, photometric="miniswhite", **SCALE)
    for name in ("a.tif", "b.tif"):
        got = list(read_all(tmp_path / name))
        assert len(got) == 2 and all(np.array_equal(m.image, f) for m, f in zip(got, stack, strict=True)), (
            name
        )
        assert ("inverted" in (got[1].acquisition.remark or "")) == (name == "b.tif")
        del got
        gc.collect()


def test_floats_with_white_as_zero_change_their_sign(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.float32), photometric="miniswhite", **SCALE)
    assert np.array_equal(read(tmp_path / "a.tif").image, -GREY.astype(np.float32))


def test_imagejs_inverting_table_is_read_as_it_is_shown(tmp_path: Path) -> None:
    table = np.stack([np.arange(255, -1, -1, np.uint8)] * 3)
    metadata = {"unit": "nm", "LUTs": [table]}
    tifffile.imwrite(tmp_path / "a.tif", 255 - GREY, imagej=True, resolution=(25, 25), metadata=metadata)
    m = read(tmp_path / "a.tif")
    assert np.array_equal(m.image, GREY) and "inverted" in (m.acquisition.remark or "")


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (np.stack([GREY, GREY + 1, GREY]), {"photometric": "rgb", "planarconfig": "separate"}),
        (_rgb(GREY, GREY, GREY, GREY), {"photometric": "separated"}),
        (_rgb(GREY, GREY), {"photometric": "minisblack", "planarconfig": "contig"}),
        (np.zeros((40, 50, 6), np.uint16), {"photometric": "minisblack"}),
    ],
)
def test_samples_and_orders_that_nobody_can_know_are_refused(tmp_path: Path, pixels, options) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options, **SCALE)
    with pytest.raises(ReadError, match=r"a\.tif (stores|has shape)"):
        read(tmp_path / "a.tif")


def test_frames_whose_axes_are_said_may_have_any_shape(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 99, (40, 50, 6)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "TYX"})
    got = list(read_all(tmp_path / "a.tif", pixel_size=1))
    assert len(got) == 40 and np.array_equal(got[7].image, stack[7])


@pytest.mark.parametrize("makes_pages_alike", [False, True])
def test_each_page_has_its_own_pixel_size(tmp_path: Path, makes_pages_alike: bool) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for k in (1, 1, 4) if makes_pages_alike else (1, 2, 4):
            resolution = (2.5e8 / k, 2.5e8 / k)
            tiff.write(GREY + k, resolution=resolution, resolutionunit="CENTIMETER", metadata=None)
    sizes = [m.pixel_size[0] for m in read_all(tmp_path / "a.tif")]
    assert sizes == pytest.approx([0.04, 0.04, 0.16] if makes_pages_alike else [0.04, 0.08, 0.16])


def test_pages_that_their_maker_calibrates_differently_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for size in (0.04, 0.08):
            tags = [(65003, "s", 3, "nm", False), (65009, "d", 1, size, False), (65010, "d", 1, size, False)]
            tiff.write(GREY, extratags=tags, metadata=None)
    with pytest.raises(ReadError, match="different pixel sizes"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("axes", ["TCYX", "CTYX", "CZYX"])
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.filterwarnings("ignore:.*FileIO")
def test_channels_are_no_frames(tmp_path: Path, monkeypatch, axes: str, lazy: bool) -> None:
    monkeypatch.setattr(claims, "_LARGE", -1 if lazy else 2**26)
    frames = np.stack([GREY, GREY + 1, GREY + 2])
    stack = np.stack([frames, 250 - frames], 1 if axes == "TCYX" else 0)
    metadata = {
        "axes": axes,
        "Channel": {"Name": ["HAADF", "BF"]},
        "PhysicalSizeX": 4e-5,
        "PhysicalSizeY": 4e-5,
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, ome=True, metadata=metadata)
    got = list(read_all(tmp_path / "a.ome.tif", signal="all"))
    assert [(m.signal, m.modality) for m in got] == [("HAADF", "haadf")] * 3 + [("BF", "bf")] * 3
    assert np.array_equal(got[1].image, GREY + 1) and np.array_equal(got[5].image, 250 - GREY - 2)
    del got
    gc.collect()


def test_channels_without_names_are_frames_with_a_word(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY, GREY]), imagej=True, metadata={"axes": "CYX"})
    got = list(read_all(tmp_path / "a.tif", pixel_size=1))
    assert len(got) == 2 and "no names" in (got[0].acquisition.remark or "")


def _write_pages(path: Path, *pages: tuple[np.ndarray, float]) -> Path:
    with tifffile.TiffWriter(path) as file:
        for image, size in pages:
            options = {"resolution": (1e7 / size, 1e7 / size), "resolutionunit": "CENTIMETER"}
            file.write(image, metadata=None, **options)
    return path


def test_a_smaller_page_of_another_field_is_an_image_and_a_copy_is_told(tmp_path: Path) -> None:
    """tifffile takes a page of half the size for a level of a pyramid."""
    half = np.ascontiguousarray(GREY[::2, ::2])
    zoom = list(read_all(_write_pages(tmp_path / "a.tif", (GREY, 0.04), (half, 0.4))))
    assert [m.image.shape for m in zoom] == [GREY.shape, half.shape]
    assert [m.pixel_size[0] for m in zoom] == pytest.approx([0.04, 0.4]) and np.array_equal(
        zoom[1].image, half
    )
    copy = read(_write_pages(tmp_path / "b.tif", (GREY, 0.04), (half, 0.08)))
    assert np.array_equal(copy.image, GREY) and "smaller pages" in (copy.acquisition.remark or "")


@pytest.mark.parametrize(("name", "modality"), [("BF", "bf"), ("HAADF", "haadf"), ("blue", "haadf")])
def test_the_only_channel_says_the_modality(tmp_path: Path, name: str, modality: str) -> None:
    metadata = {"axes": "CYX", "Channel": {"Name": [name]}}
    tifffile.imwrite(tmp_path / "a.ome.tif", GREY[None], ome=True, metadata=metadata)
    got = read(tmp_path / "a.ome.tif", pixel_size=0.04)
    source = "assumed" if name == "blue" else "header"
    assert (got.modality, got.acquisition.modality_source) == (modality, source)
