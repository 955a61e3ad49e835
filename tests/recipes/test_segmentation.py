from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from porescope import (
    Micrograph,
    Recipe,
    average,
    equalize,
    normalize,
    read,
    read_standard,
    score,
    segment,
    select,
)
from porescope.recipes import load_recipe, median_gray, scale_recipe
from porescope.recipes.segmentation import REFERENCE_PIXEL_SIZE

grays = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=50))


def test_normalize_rounds_and_inverts() -> None:
    image = np.array([[-2.0, 0.0, 2.0]], np.float32)
    assert normalize(image).tolist() == [[0, 128, 255]]
    assert normalize(image, invert=True).tolist() == [[255, 128, 0]]
    assert normalize(image * 0 + 7).tolist() == [[0, 0, 0]]


@given(gray=grays)
def test_median_equals_numpys(gray: np.ndarray) -> None:
    assert median_gray(gray) == np.median(gray)


@given(gray=grays, radius=st.integers(0, 4))
def test_average_equals_the_plain_mean(gray: np.ndarray, radius: int) -> None:
    width = 2 * radius + 1
    padded = cv2.copyMakeBorder(gray, *([radius] * 4), cv2.BORDER_REFLECT_101).astype(float)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (width, width))
    assert np.abs(average(gray, width) - windows.mean(axis=(2, 3))).max() <= 0.5 + 1e-9


def test_equalize_takes_rows_before_columns() -> None:
    gray = np.tile(np.arange(0, 120, dtype=np.uint8), (8, 1))
    # Many tiles along a gradient flatten it; many across it change little.
    assert np.ptp(equalize(gray, (1, 8), 4)[0].astype(int)) != np.ptp(
        equalize(gray, (8, 1), 4)[0].astype(int)
    )


def test_select_by_area_aspect_and_filling() -> None:
    mask = np.zeros((30, 40), bool)
    mask[2:8, 2:8] = True  # 5 × 5 = 25 px² between its outer pixels' centres
    mask[4:6, 4:6] = False  # a hole, to be filled
    mask[12, 2:20] = True  # a scratch
    mask[20:28, 20:38] = True  # 7 × 17: 2.4 : 1
    labels = select(mask, area=24.9)
    assert labels.max() == 2 and (labels == 1).sum() == 36 and (labels == 2).sum() == 8 * 18
    assert select(mask, area=25).max() == 1
    assert select(mask, area=0, max_area=25).max() == 0
    assert select(mask, area=0, max_aspect=2.4).max() == 1


def test_select_joins_diagonal_neighbours() -> None:
    mask = np.zeros((12, 13), bool)
    mask[2:6, 2:6] = mask[6:10, 6:10] = True
    assert select(mask, area=5).max() == 1


@given(mask=hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)), area=st.floats(0, 20))
def test_labels_are_filled_regions_of_the_mask(mask: np.ndarray, area: float) -> None:
    labels = select(mask, area)
    assert labels.dtype == np.int32 and labels.shape == mask.shape
    for label in range(1, labels.max() + 1):
        region = (labels == label).astype(np.uint8)
        assert cv2.connectedComponents(region, connectivity=8)[0] == 2
        assert region.any() and (mask & (region > 0)).any()


@pytest.mark.parametrize("magnification", [10e6, 12e6, 15e6])
def test_scaling(magnification: float) -> None:
    m = magnification / 10e6
    pixel_size, shape = REFERENCE_PIXEL_SIZE / m, (512, 256)
    published = scale_recipe(Recipe(grid=19, radius=3, area=5, scaling="published"), pixel_size, shape, 44)
    assert published.tiles == (round(19 * m), round(19 * m)) and published.area == pytest.approx(5 * m)
    assert published.width == 2 * round(3 * m) + 1 and published.threshold == pytest.approx(30)
    physical = scale_recipe(Recipe(grid=10, radius=2, area=20), pixel_size, shape, 88)
    assert physical.tiles == (round(10 / m), round(5 / m)) and physical.area == pytest.approx(20 * m**2)


def test_a_bright_field_hole_is_found_by_inversion() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(100, 5, (200, 260))
    image[80:100, 150:170] = 40
    dark, bright = Micrograph(image, 0.0468), Micrograph(-image, 0.0468, modality="bf")
    recipe = Recipe(grid=4, radius=2, threshold=40, area=20)
    assert segment(dark, recipe).max() >= 1
    assert np.array_equal(segment(dark, recipe), segment(bright, recipe))


def test_a_constant_image_has_no_pores() -> None:
    assert not segment(Micrograph(np.full((20, 30), 7.0), 0.05), Recipe(area=0)).any()


PUBLISHED = {"precision": 0.97, "worst precision": 0.90, "recall": 0.39, "found": 15, "false": 1}
PHYSICAL = {"precision": 0.94, "worst precision": 0.90, "recall": 0.60, "found": 15, "false": 0}


@pytest.mark.parametrize(("name", "reach"), [("ws2-published", PUBLISHED), ("ws2", PHYSICAL)])
def test_the_published_images(ws2: Path, name: str, reach: dict[str, float], record_property) -> None:
    recipe, scores = load_recipe(name), []
    for letter in "ABCDE":
        micrograph = read(ws2 / f"{letter}.dm3")
        standard = read_standard(ws2 / f"{letter}_standard.png", micrograph.image.shape)
        scores.append(score(standard, segment(micrograph, recipe), micrograph.pixel_size))
    precision, recall = [s.precision for s in scores], [s.recall for s in scores]
    pooled = sum(scores[1:], scores[0])
    each = [", ".join(f"{value:.2f}" for value in values) for values in (precision, recall)]
    record_property(
        "figure",
        f"A–E, {name}: pixel precision {np.mean(precision):.3f} ({each[0]}), "
        f"recall {np.mean(recall):.3f} ({each[1]}), "
        f"{pooled.found} of {pooled.found + pooled.missed} pores, {pooled.false} false",
    )
    assert pooled.found + pooled.missed == 17
    assert np.mean(precision) >= reach["precision"] and min(precision) >= reach["worst precision"]
    assert np.mean(recall) >= reach["recall"]
    assert pooled.found >= reach["found"] and pooled.false <= reach["false"]
