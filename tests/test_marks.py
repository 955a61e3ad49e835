from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porescope import Micrograph
from porescope.marks import _find_flat_boxes, find_marks, leave_out_marks
from porescope.simulation import Optics, Recording, Scene, draw


def test_marks_are_left_out_of_the_field_with_a_seam() -> None:
    image = np.random.default_rng(0).poisson(20, (120, 300)).astype(np.float32)
    plain = Micrograph(image.copy(), 0.05)
    assert leave_out_marks(plain) is plain
    image[90:96, 200:280] = 60
    field = np.ones(image.shape, bool)
    field[:10] = False
    left = leave_out_marks(Micrograph(image, 0.05, field=field)).field
    assert not left[88:98, 198:282].any() and left[10:80].all() and not left[:10].any()


@pytest.mark.parametrize("jpeg", [None, 60, 80])
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
    assert boxes == [(100, 1140, 200, 10), (700, 1150, 200, 10)]


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
