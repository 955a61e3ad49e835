from __future__ import annotations

from dataclasses import replace

import numpy as np

from porescope import Micrograph
from porescope.labels import Detection
from porescope.voids import list_doubts


def draw() -> tuple[Micrograph, np.ndarray]:
    """A sheet with two pores, 16 and 36 % of it."""
    image = np.random.default_rng(0).normal(90, 3, (200, 200))
    image[20:60, 20:60], image[80:140, 80:140] = 10, 10
    labels = np.zeros((200, 200), np.int32)
    labels[20:60, 20:60], labels[80:140, 80:140] = 1, 2
    return Micrograph(image, 1.0), labels


def test_right_pores_leave_no_doubt() -> None:
    micrograph, labels = draw()
    assert list_doubts(micrograph, Detection(labels)) == []
    bright = replace(micrograph, image=100 - micrograph.image, modality="bf")
    assert list_doubts(bright, Detection(labels)) == []
    assert list_doubts(micrograph, Detection(np.zeros_like(labels))) == []


def test_dark_areas_that_were_left_are_told() -> None:
    micrograph, labels = draw()
    left = np.where(labels == 2, 0, labels)
    (doubt,) = list_doubts(micrograph, Detection(left))
    assert doubt.startswith("8 % of the field is as dark as vacuum outside all pores") and "voids" in doubt
    (doubt,) = list_doubts(micrograph, Detection(left), method="voids")
    assert "holes of the support film" in doubt
    small = np.where(labels == 1, 0, labels)
    small[20:60, 20:42] = 1  # what is left is less than 2 %
    assert list_doubts(micrograph, Detection(small)) == []


def test_a_pore_with_two_grey_levels_is_told() -> None:
    micrograph, labels = draw()
    labels[80:140, 80:190] = 2  # a pore and the sheet beside it
    doubts = list_doubts(micrograph, Detection(labels))
    assert any("1 of the pores have two grey levels inside (label 2)" in doubt for doubt in doubts)


def test_a_porosity_that_depends_on_the_threshold_is_told() -> None:
    micrograph, labels = draw()
    y, x = np.mgrid[:200, :200]
    soft = np.clip(1.2 - np.hypot(y - 40, x - 40) / 40, 0, 1)
    assert any(
        "changes by a factor of" in doubt for doubt in list_doubts(micrograph, Detection(labels, soft))
    )
    sharp = (labels > 0).astype(np.float32)
    assert list_doubts(micrograph, Detection(labels, sharp)) == []
