from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from porescope.materials import MATERIALS
from porescope.simulation import Pore, Recording, Scene, simulate


@pytest.mark.parametrize(("material", "area"), [("WS2", 0.078), ("MoS2", 0.069), ("graphene", 0.064)])
def test_a_lone_vacancy_has_the_area_of_the_definition(material: str, area: float) -> None:
    areas = [
        simulate(
            Scene(material, shape=(120, 130), pixel_size=0.02, pores=1, max_missing=1), seed=seed
        ).area_nm2[0]
        for seed in range(8)
    ]
    assert min(areas) == pytest.approx(area, rel=0.02)
    assert max(areas) <= 0.17  # with its chalcogens gone


@pytest.mark.parametrize("material", MATERIALS)
def test_truth_and_image_belong_together(material: str) -> None:
    dose = 1e8 if material in ("graphene", "hBN") else 5e5
    drawn = simulate(Scene(material, shape=(200, 260), pores=3, dose=dose), seed=2)
    labels, image = drawn.labels, drawn.micrograph.image
    assert labels.max() == len(drawn.area_nm2) == len(drawn.missing_atoms)
    assert image[labels > 0].mean() < 0.8 * image[labels == 0].mean()
    pixels = np.bincount(labels.ravel())[1:] * drawn.micrograph.pixel_area
    np.testing.assert_allclose(pixels, drawn.area_nm2, rtol=0.15)


def test_the_seed_decides_all() -> None:
    one, same, other = (simulate(Scene(shape=(90, 100)), seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.micrograph.image, same.micrograph.image)
    assert not np.array_equal(one.micrograph.image, other.micrograph.image)


def test_a_sheet_without_pores_has_no_truth() -> None:
    drawn = simulate(Scene(shape=(90, 100), pores=0), seed=3)
    assert not drawn.labels.any() and len(drawn.area_nm2) == 0


CLEAN = Scene(shape=(150, 160), pores=(Pore((3.0, 3.2), radius=1.2),), contamination=0.0)


def test_the_dose_scales_the_counts() -> None:
    low, high = (simulate(replace(CLEAN, dose=dose)).micrograph.image.mean() for dose in (1e5, 1e6))
    assert high / low == pytest.approx(10, rel=0.02)


def test_clarity_is_the_contrast_over_the_noise_of_a_cell() -> None:
    noise = {}
    for clarity in (10.0, 40.0):
        image = simulate(replace(CLEAN, pores=(), clarity=clarity)).micrograph.image
        noise[clarity] = 1 / np.sqrt(image.mean())
    assert noise[10.0] / noise[40.0] == pytest.approx(4, rel=0.05)


def test_a_rim_is_bright_around_a_pore() -> None:
    plain, rimmed = (simulate(replace(CLEAN, dose=1e7, rim=rim)) for rim in (0.0, 10.0))
    pore = (rimmed.labels > 0).astype(np.uint8)
    near = cv2.dilate(pore, np.ones((9, 9), np.uint8)) > pore
    far = cv2.dilate(pore, np.ones((61, 61), np.uint8)) == 0
    more = rimmed.micrograph.image - plain.micrograph.image
    level = plain.micrograph.image[far].mean()
    assert more[near].mean() > 0.2 * level and abs(more[far].mean()) < 0.02 * level


def test_a_background_is_counted_everywhere() -> None:
    hole = {}
    for background in (0.0, 1.0):
        drawn = simulate(replace(CLEAN, dose=1e7, recording=Recording(background=background)))
        image = drawn.micrograph.image
        hole[background] = image[70:80, 75:85].mean() / image.mean()
    assert hole[0.0] < 0.25 and hole[1.0] > 0.5
