from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import require

from porescope.mosaic import Layout, check_zarr, write_pyramid

SHEET = np.random.default_rng(0).integers(1, 1000, (90, 130)).astype(np.float32)


@pytest.fixture
def zarr(monkeypatch: pytest.MonkeyPatch):
    require(find_spec("ome_zarr") is not None, "ome-zarr")
    monkeypatch.setattr("porescope.mosaic.pyramid._BLOCK", 32)
    import zarr

    return zarr


def load(place: tuple[int, int], shape: tuple[int, int], known=None):
    y, x = place
    labels = np.zeros(shape, np.int32)
    labels[10:14, 20:23] = 1 + y + x
    return SHEET[y : y + shape[0], x : x + shape[1]], known, labels


def test_the_sheet_is_put_together_pixel_by_pixel(zarr, tmp_path: Path) -> None:
    places, shape = [(0, 0), (0, 60), (40, 0), (40, 60)], (50, 70)
    layout = Layout(np.array(places) * 0.1 + (5.0, 7.0), np.array([shape] * 4), 0.1, np.eye(2))
    write_pyramid(lambda tile: load(places[tile], shape), layout, tmp_path / "s.zarr")
    root = zarr.open_group(str(tmp_path / "s.zarr"), mode="r")
    np.testing.assert_allclose(root["s0"][:], SHEET, rtol=1e-5)
    labels = root["labels/pores/s0"][:]
    assert np.bincount(labels.ravel()).nonzero()[0].tolist() == [0, 1, 41, 61, 101]
    assert (labels[50:54, 80:83] == 101).all() and (labels == 101).sum() == 12
    # Each coarser level is the mean of squares of four pixels; odd sides are doubled.
    assert [root[f"s{k}"].shape for k in range(4)] == [(90, 130), (45, 65), (23, 33), (12, 17)]
    assert root["s1"][3, 5] == pytest.approx(SHEET[6:8, 10:12].mean(), rel=1e-5)
    assert root["labels/pores/s3"][:].max() == 101
    ome = root.attrs["ome"]
    (multiscale,) = ome["multiscales"]
    assert [axis["unit"] for axis in multiscale["axes"]] == ["nanometer", "nanometer"]
    second = multiscale["datasets"][1]["coordinateTransformations"]
    assert second[0]["scale"] == pytest.approx([0.2, 0.2])
    assert second[1]["translation"] == pytest.approx([5.05, 7.05])
    assert root["labels"].attrs["ome"]["labels"] == ["pores"]


def test_tiles_are_turned_and_shown_where_they_are_deepest(zarr, tmp_path: Path) -> None:
    # A bright column at x = 20 of a scan that is turned by 3 degrees.
    image, labels = np.zeros((60, 60), np.float32), np.zeros((60, 60), np.int32)
    image[:, 20], labels[30, 20] = 100, 7
    turn = np.deg2rad(3)
    affine = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    layout = Layout(np.zeros((1, 2)), np.array([[60, 60]]), 0.1, affine)
    write_pyramid(lambda tile: (image, None, labels), layout, tmp_path / "s.zarr")
    root = zarr.open_group(str(tmp_path / "s.zarr"), mode="r")
    (_, move) = root.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    at = (layout.place(0, np.array([30.0, 20.0])) - move["translation"]) / 0.1
    found = np.argwhere(root["labels/pores/s0"][:] == 7)
    assert len(found) and np.abs(found - at).max() < 1
    row = root["s0"][int(round(at[0]))]
    assert abs(int(row.argmax()) - at[1]) < 1


def test_where_a_tile_has_no_data_another_is_shown(zarr, tmp_path: Path) -> None:
    known = np.ones((50, 70), bool)
    known[:, 40:] = False
    places, spoilt = [(0, 0), (0, 20)], np.where(known, SHEET[:50, :70], np.float32(-1))
    layout = Layout(np.array(places) * 0.1, np.array([(50, 70)] * 2), 0.1, np.eye(2))

    def its(tile: int):
        image, _, labels = load(places[tile], (50, 70))
        return (spoilt, known, labels) if tile == 0 else (image, None, labels)

    write_pyramid(its, layout, tmp_path / "s.zarr")
    np.testing.assert_allclose(
        zarr.open_group(str(tmp_path / "s.zarr"), mode="r")["s0"][:], SHEET[:50, :90], rtol=1e-5
    )


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porescope.mosaic.pyramid.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="--zarr needs ome-zarr: install porescope with its extra zarr"):
        check_zarr()
