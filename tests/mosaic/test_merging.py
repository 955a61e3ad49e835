from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope import Micrograph, measure
from porescope.labels import label_regions
from porescope.mosaic import Layout, count_density, merge_pores

PIXEL = 0.1


def merge(canvas: np.ndarray, places: list[tuple[int, int]], shape: tuple[int, int], **options):
    """Cut tiles out of a mask, measure them, and merge what is found."""
    labels = [label_regions(canvas[y : y + shape[0], x : x + shape[1]]) for y, x in places]
    tables = [
        measure(Micrograph(np.zeros(shape), PIXEL, name=f"t{i}"), part) for i, part in enumerate(labels)
    ]
    owner = np.repeat(np.arange(len(tables)), [len(t) for t in tables])
    affine = options.get("affine", np.eye(2))
    layout = Layout(np.array(places) * PIXEL @ affine.T, np.array([shape] * len(places)), PIXEL, affine)
    return merge_pores(pd.concat(tables), owner, labels.__getitem__, layout)[0]


def test_a_pore_of_two_tiles_is_one() -> None:
    canvas = np.zeros((40, 100), np.uint8)
    canvas[10:15, 46:52] = 1  # whole in both
    canvas[20:24, 5:9] = 1  # in the first only
    canvas[30:36, 56:64] = 1  # cut by the first
    merged = merge(canvas, [(0, 0), (0, 40)], (40, 60)).sort_values("sheet_y_nm")
    assert merged.n_tiles.tolist() == [2, 1, 2] and not merged.touches_border.any()
    np.testing.assert_allclose(merged.sheet_y_nm, [1.2, 2.15, 3.25])
    np.testing.assert_allclose(merged.sheet_x_nm, [4.85, 0.65, 5.95])
    assert merged.area_px.tolist() == [30, 16, 48]
    # The first tile shows the first pore farther from its border.
    assert merged.image.tolist() == ["t0", "t0", "t1"]


def test_a_pore_that_all_tiles_cut_is_joined() -> None:
    canvas = np.zeros((40, 100), np.uint8)
    canvas[10:20, 35:70] = 1  # wider than the overlap
    (pore,) = merge(canvas, [(0, 0), (0, 40)], (40, 60)).to_dict("records")
    assert pore["area_px"] == 350 and pore["n_tiles"] == 2 and not pore["touches_border"]
    assert (pore["sheet_y_nm"], pore["sheet_x_nm"]) == pytest.approx((1.45, 5.2))
    assert pore["area_nm2"] == pytest.approx(3.5) and pore["size_method"] == "pixels"
    assert np.isnan(pore["missing_atoms"])


def test_a_pore_at_the_border_of_the_sheet_stays_cut() -> None:
    canvas = np.zeros((40, 100), np.uint8)
    canvas[0:8, 35:70] = 1
    (pore,) = merge(canvas, [(0, 0), (0, 40)], (40, 60)).to_dict("records")
    assert pore["touches_border"] and pore["area_px"] == 280


def test_neighbours_stay_two() -> None:
    canvas = np.zeros((40, 100), np.uint8)
    canvas[10:16, 44:49] = canvas[10:16, 51:56] = 1
    merged = merge(canvas, [(0, 0), (0, 40)], (40, 60))
    assert len(merged) == 2 and merged.n_tiles.tolist() == [2, 2]


def test_a_pore_is_one_also_where_a_tile_is_off_by_a_lattice_vector() -> None:
    labels = [np.zeros((40, 60), np.int32) for _ in range(2)]
    labels[0][10:13, 50:53] = labels[1][10:13, 13:16] = 1  # 3 px = 0.3 nm apart in the sheet
    labels[0][30:33, 50:53] = 2
    labels[1][34:37, 12:15] = 2  # farther apart than that: two
    tables = [measure(Micrograph(np.zeros((40, 60)), PIXEL, name=f"t{i}"), x) for i, x in enumerate(labels)]
    layout = Layout(np.array([[0, 0], [0, 4.0]]), np.array([(40, 60)] * 2), PIXEL, np.eye(2))
    merged, shown = merge_pores(pd.concat(tables), np.array([0, 0, 1, 1]), labels.__getitem__, layout)
    assert sorted(merged.n_tiles) == [1, 1, 2]
    assert merged.sheet_label.tolist() == [1, 2, 3] and sorted(shown) == [0, 1, 2, 3]


def test_positions_follow_the_affine_of_the_scan() -> None:
    canvas = np.zeros((40, 100), np.uint8)
    canvas[10:15, 46:52] = 1
    affine = np.array([[1.05, 0.02], [-0.01, 0.97]])
    (pore,) = merge(canvas, [(0, 0), (0, 40)], (40, 60), affine=affine).to_dict("records")
    assert (pore["sheet_y_nm"], pore["sheet_x_nm"]) == pytest.approx(tuple(affine @ (1.2, 4.85)))
    assert pore["n_tiles"] == 2


def test_without_pores_the_columns_stay() -> None:
    merged = merge(np.zeros((40, 100), np.uint8), [(0, 0), (0, 40)], (40, 60))
    assert len(merged) == 0 and {"sheet_y_nm", "sheet_x_nm", "n_tiles", "area_nm2"} <= set(merged)


@given(st.integers(0, 10_000), st.integers(2, 20))
def test_each_pore_of_a_sheet_is_found_once(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    canvas = np.zeros((110, 130), np.uint8)
    for y, x in rng.integers(0, (100, 120), (n, 2)):
        canvas[y : y + rng.integers(1, 10), x : x + rng.integers(1, 10)] = 1
    grown = label_regions(canvas)
    # Pores closer than the outlines may lie apart are one to any eye.
    wide = np.pad(canvas, 3)
    near = sum(np.roll(wide, (dy, dx), (0, 1)) for dy in range(-3, 4) for dx in range(-3, 4)) > 0
    if label_regions(near.astype(np.uint8)).max() < grown.max():
        return
    places = [(y, x) for y in (0, 50) for x in (0, 60)]
    merged = merge(canvas, places, (60, 70))
    assert len(merged) == grown.max()
    at = np.rint(merged[["sheet_y_nm", "sheet_x_nm"]].to_numpy() / PIXEL).astype(int)
    assert merged.area_px.sum() == (canvas > 0).sum()
    assert sorted(merged.area_px) == sorted(np.bincount(grown.ravel())[1:])
    assert (at >= 0).all()


def test_density_counts_covered_area_only() -> None:
    layout = Layout(np.array([[0.0, 0.0], [0.0, 9.0]]), np.array([[100, 100]] * 2), PIXEL, np.eye(2))
    at = np.array([[2.0, 3.0], [4.0, 4.0], [5.0, 15.0]])
    density = count_density(at, np.array([1.0, 2.0, 4.0]), layout)
    assert density.area_um2 == pytest.approx(190e-6, rel=0.02)
    total = np.nansum(density.density_per_um2) * density.cell_nm.prod() / 1e6
    assert total == pytest.approx(3, rel=0.02)
    apart = Layout(np.array([[0.0, 0.0], [30.0, 30.0]]), np.array([[100, 100]] * 2), PIXEL, np.eye(2))
    many = np.tile([[2.0, 3.0]], (40, 1))
    assert np.isnan(count_density(many, np.ones(40), apart).density_per_um2).any()
    assert count_density(many, np.ones(40), apart).area_um2 == pytest.approx(200e-6, rel=0.03)
