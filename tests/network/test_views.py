from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porescope.network import present, rescale, standardize
from porescope.network.views import _find_flat_boxes, find_marks, remove_lattice
from porescope.simulation import Optics, Recording, Scene, draw


def draw_spots(vacant: int | None = None) -> np.ndarray:
    """A square lattice of spots, one of them missing."""
    y, x = np.mgrid[:180, :200].astype(np.float32)
    spots = [(r, c) for r in range(6, 180, 8) for c in range(6, 200, 8)]
    if vacant is not None:
        del spots[vacant]
    return np.sum([np.exp(-((y - r) ** 2 + (x - c) ** 2) / 8) for r, c in spots], axis=0).astype(np.float32)


def test_what_repeats_goes_and_a_vacancy_stays() -> None:
    rest = remove_lattice(draw_spots())
    assert rest[20:-20, 20:-20].std() < 0.06 * draw_spots()[20:-20, 20:-20].std()
    vacant = 11 * 25 + 12  # the spot at row 94, column 102
    hole = remove_lattice(draw_spots(vacant))
    at = np.unravel_index(hole[20:-20, 20:-20].argmin(), (140, 160))
    assert np.hypot(at[0] + 20 - 94, at[1] + 20 - 102) <= 1
    assert hole[94, 102] < -0.4


@settings(max_examples=15)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 3))
def test_every_shape_has_its_views(rows: int, columns: int, seed: int) -> None:
    image = np.random.default_rng(seed).poisson(5, (rows, columns)).astype(np.float32)
    views = present(image, "haadf")
    assert views.shape == (2, rows, columns) and np.isfinite(views).all()
    np.testing.assert_array_equal(views[0], standardize(image, "haadf"))
    assert rescale(image, (17, 23)).shape == (17, 23)


def test_shading_stays() -> None:
    shading = np.linspace(0, 3, 200, dtype=np.float32)[None] + np.zeros((180, 1), np.float32)
    shaded = remove_lattice(draw_spots() + shading)
    np.testing.assert_allclose((shaded - shading)[20:-20, 20:-20].std(), 0, atol=0.1)


@pytest.mark.parametrize("jpeg", [None, 60])
@pytest.mark.parametrize("modality", ["bf", "hrtem"])
def test_a_burnt_in_scale_bar_is_marked(modality: str, jpeg: int | None) -> None:
    scene = Scene(
        modality=modality,
        shape=(300, 320),
        pores=(),
        dose=3e5,
        contamination=0.0,
        optics=Optics(),
        recording=Recording(bits=8, jpeg=jpeg),
    )
    bare = draw(scene, np.random.default_rng(3)).micrograph.image
    assert not find_marks(bare).any()
    burnt = np.zeros(bare.shape, np.uint8)
    cv2.rectangle(burnt, (230, 270), (299, 277), 1, -1)
    cv2.putText(burnt, "2 nm", (235, 260), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 1, 2)
    image = np.where(burnt > 0, np.float32(255), bare)
    marks = find_marks(image)
    assert marks[272:276, 232:298].all() and marks[burnt > 0].mean() > 0.9 and marks.mean() < 0.05


def test_flat_boxes_do_not_depend_on_strips() -> None:
    image = np.random.default_rng(0).poisson(20, (2300, 2000)).astype(np.float32)
    image[1150:1160, 700:900] = 60  # a strip begins at row 1150
    image[1140:1150, 100:300] = 60  # and one ends there
    boxes = list(_find_flat_boxes(image, 2.0, 101))
    assert boxes == [(100, 1140, 200, 10, 198 * 8), (700, 1150, 200, 10, 198 * 8)]


@pytest.mark.parametrize("where", [(slice(280, 300), slice(0, 320)), (slice(100, 150), slice(100, 150))])
def test_empty_places_are_no_bars(where: tuple[slice, slice]) -> None:
    image = np.random.default_rng(0).poisson(40, (300, 320)).astype(np.float32)
    image[where] = 0
    assert not find_marks(image).any()


@settings(max_examples=25)
@given(st.floats(4, 90))
def test_a_clipped_pore_is_no_bar(radius: float) -> None:
    image = np.random.default_rng(0).poisson(40, (300, 320)).astype(np.float32)
    image[50, 50] = 1500  # so that all else is flat beside it
    cv2.circle(image, (160, 150), round(radius), 0.0, -1)
    assert not find_marks(image).any()


def test_in_a_large_image_a_scale_bar_is_marked_across_strips() -> None:
    image = np.random.default_rng(0).poisson(20, (2300, 2000)).astype(np.float32)
    image[1144:1154, 700:900] = 60  # strips meet at row 1150
    marks = find_marks(image)
    assert marks[1144:1154, 700:900].all() and not marks[:1000].any() and not marks[1250:].any()
