from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import chi2
from skimage.measure import regionprops_table

from porescope import Micrograph, measure
from porescope.measurement import PORE_COLUMNS, density_interval, is_counted


def _disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.indices(shape)
    return ((y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2).astype(np.int32)


def test_a_rectangle_by_hand() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[4:8, 10:20] = 5  # 4 rows, 10 columns
    row = measure(Micrograph(np.ones((20, 30)), (0.1, 0.1)), labels).iloc[0]
    assert row.label == 5 and row.area_px == 40 and row.area_nm2 == pytest.approx(0.40)
    assert (row.y_px, row.x_px) == (5.5, 14.5) and (row.y_nm, row.x_nm) == pytest.approx((0.55, 1.45))
    assert row.equivalent_diameter_nm == pytest.approx(np.sqrt(4 * 0.4 / np.pi))
    assert row.feret_diameter_min_nm == pytest.approx(0.4) and row.feret_diameter_max_nm == pytest.approx(
        np.hypot(1.0, 0.3), rel=0.01
    )
    assert row.solidity == 1 and abs(row.orientation_deg) == pytest.approx(90)
    assert not row.touches_border and np.isnan(row.missing_atoms) and np.isnan(row.confidence)


def test_anisotropic_pixels_keep_row_and_column_apart() -> None:
    labels = np.zeros((20, 30), np.int32)
    labels[6, 9] = 1
    row = measure(Micrograph(np.ones((20, 30)), (0.1, 0.1004)), labels).iloc[0]
    assert row.area_nm2 == pytest.approx(0.01004) and row.y_nm == pytest.approx(0.6)
    assert row.x_nm == pytest.approx(0.9036)


@given(
    radius=st.floats(4, 14), dy=st.floats(0, 1), dx=st.floats(0, 1), size=st.sampled_from([0.03, 0.05, 1.0])
)
def test_discs_have_their_own_size_and_shape(radius: float, dy: float, dx: float, size: float) -> None:
    labels = _disc((40, 50), (20 + dy, 22 + dx), radius)
    row = measure(Micrograph(np.ones(labels.shape), size), labels).iloc[0]
    assert row.equivalent_diameter_nm == pytest.approx(2 * radius * size, abs=0.8 * size)
    assert row.circularity == pytest.approx(1, abs=0.15)
    assert row.feret_diameter_min_nm <= row.feret_diameter_max_nm
    assert row.feret_diameter_max_nm == pytest.approx(2 * radius * size, abs=1.5 * size)
    assert row.solidity > 0.85 and row.eccentricity < 0.5


@given(seed=st.integers(0, 10_000))
@example(seed=5504)
def test_columns_equal_scikit_images(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.zeros((60, 70), np.int32)
    for label in range(1, 4):
        region = _disc(labels.shape, rng.uniform(8, 52, 2), rng.uniform(2, 9)) > 0
        labels[region & (rng.random(labels.shape) < 0.9)] = label
    names = ["label", "area", "centroid", "feret_diameter_max", "perimeter_crofton"]
    wanted = regionprops_table(labels, properties=[*names, "solidity", "eccentricity", "orientation"])
    got = measure(Micrograph(np.ones(labels.shape), 1.0), labels)
    assert got.label.tolist() == wanted["label"].tolist()
    for ours, theirs in {
        "area_px": "area",
        "y_px": "centroid-0",
        "x_px": "centroid-1",
        "perimeter_nm": "perimeter_crofton",
        "eccentricity": "eccentricity",
        "solidity": "solidity",
    }.items():
        # A single pixel has no shape; scikit-image says 0.
        shaped = wanted["area"] > 1 if ours == "eccentricity" else slice(None)
        np.testing.assert_allclose(
            got[ours][shaped], wanted[theirs][shaped], rtol=1e-6, atol=1e-6, err_msg=ours
        )
    # scikit-image rasterises the hull before it measures its extent.
    np.testing.assert_allclose(got.feret_diameter_max_nm, wanted["feret_diameter_max"], atol=1.0)


def test_no_pores_give_an_empty_table_with_all_columns() -> None:
    table = measure(Micrograph(np.ones((4, 5)), 1.0), np.zeros((4, 5), int))
    assert len(table) == 0 and list(table.columns) == list(PORE_COLUMNS)
    assert table.area_nm2.dtype == float and table.label.dtype == np.int64


@pytest.mark.parametrize("soft", [False, True])
@given(radius=st.floats(3, 12), dy=st.floats(0, 1))
def test_area_perimeter_and_circularity_are_of_one_outline(soft: bool, radius: float, dy: float) -> None:
    y, x = np.indices((40, 44))
    distance = np.hypot(y - 19 - dy, x - 21.3)
    probability = (1 / (1 + np.exp((distance - radius) / 0.7))).astype(np.float32)
    labels = (probability >= 0.5).astype(np.int32)
    micrograph = Micrograph(np.ones(labels.shape), 0.04)
    row = measure(micrograph, labels, probability if soft else None).iloc[0]
    assert row.circularity == pytest.approx(4 * np.pi * row.area_nm2 / row.perimeter_nm**2)
    assert row.size_method == ("contour" if soft else "pixels") and np.isnan(row.confidence)
    if soft:
        # Measured over 2,500 discs: at most 2.7 % and 0.044, both at 3 px; 3 % of the perimeter are 6 % here.
        inner = radius - 0.7 * np.log(0.55 / 0.45)  # the contour lies at 0.55
        assert row.perimeter_nm == pytest.approx(2 * np.pi * inner * 0.04, rel=0.03)
        assert row.circularity == pytest.approx(1, abs=0.06)


@given(counted=st.integers(0, 5000))
def test_the_interval_of_a_density_is_that_of_poisson_counts(counted: int) -> None:
    low, high = density_interval(counted, 1.0)
    assert low == pytest.approx(chi2.ppf(0.025, 2 * counted) / 2 if counted else 0)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * counted + 2) / 2)


def test_wrong_labels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 5\), not int64 of shape \(5, 4\)"):
        measure(Micrograph(np.ones((4, 5)), 1.0), np.zeros((5, 4), int))


@pytest.mark.parametrize("where", [(0, 3), (5, 0), (9, 3), (5, 11)])
def test_the_border_is_flagged(where: tuple[int, int]) -> None:
    labels = np.zeros((10, 12), np.int32)
    labels[where] = 1
    assert measure(Micrograph(np.ones((10, 12)), 1.0), labels).touches_border[0]


def test_the_density_rule_counts_each_pore_of_a_tiling_once() -> None:
    rng = np.random.default_rng(1)
    world = np.zeros((400, 480), np.int32)
    n = 0
    while n < 60:
        centre = rng.uniform((5, 5), (395, 475))
        region = _disc(world.shape, tuple(centre), rng.uniform(1.5, 4)) > 0
        if not (world[region] > 0).any():
            n += 1
            world[region] = n
    # One row and column are shared by neighbours, as an edge that both images see.
    tiles = [world[y : y + 101, x : x + 81] for y in range(0, 400, 100) for x in range(0, 480, 80)]
    counted = sum(is_counted(tile, np.unique(tile[tile > 0])).sum() for tile in tiles)
    assert abs(counted - n) <= 2  # a pore at a tile's corner may differ


def test_a_single_pixel_has_no_shape() -> None:
    labels = np.zeros((8, 9), np.int32)
    labels[4, 5] = 1
    row = measure(Micrograph(np.ones((8, 9)), 0.1), labels).iloc[0]
    assert row[["circularity", "eccentricity", "orientation_deg"]].isna().all()
    assert row.area_px == 1 and row.equivalent_diameter_nm == pytest.approx(0.1 * np.sqrt(4 / np.pi))


def test_a_square_is_round_and_has_no_longest_axis() -> None:
    labels = np.zeros((8, 9), np.int32)
    labels[2:5, 3:6] = 1
    row = measure(Micrograph(np.ones((8, 9)), 0.1), labels).iloc[0]
    assert row.eccentricity == pytest.approx(0, abs=1e-6) and np.isnan(row.orientation_deg)


@pytest.mark.parametrize("degrees", [30, -50, 75])
def test_orientation_turns_counter_clockwise_from_the_row_axis(degrees: float) -> None:
    y, x = np.indices((80, 80)) - 40.0
    # The bar's direction on the screen: the row axis points down, so counter-clockwise turns it to the right.
    along = y * np.cos(np.radians(degrees)) + x * np.sin(np.radians(degrees))
    across = -y * np.sin(np.radians(degrees)) + x * np.cos(np.radians(degrees))
    labels = ((np.abs(along) < 30) & (np.abs(across) < 4)).astype(np.int32)
    row = measure(Micrograph(np.ones(labels.shape), 0.1), labels).iloc[0]
    assert row.orientation_deg == pytest.approx(degrees, abs=1)


def test_the_edge_of_the_field_is_a_border_and_the_density_rule_follows_it() -> None:
    labels = np.zeros((10, 12), np.int32)
    labels[4, 5], labels[4, 1], labels[8, 8] = 1, 2, 3
    field = np.ones(labels.shape, bool)
    field[:, 6:8] = False  # on the right of pore 1, on the left of pore 3
    table = measure(Micrograph(np.ones(labels.shape), 1.0, field=field), labels)
    assert table.touches_border.tolist() == [True, False, True]
    assert is_counted(labels, np.array([1, 2, 3]), field).tolist() == [False, True, True]
    assert is_counted(labels, np.array([1, 2, 3])).all()
