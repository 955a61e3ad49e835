from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from porescope import Micrograph, measure, score
from porescope.simulation import Simulation, draw_membrane, make_generator, vary_membrane
from porescope.voids import Voids

#: Grey values of vacuum, sheet and support film.
VACUUM, SHEET, FILM = 20.0, 60.0, 200.0


def draw(
    discs: list[tuple[int, int, int]], noise: float = 2.0, blur: float = 0.8, side: int = 260
) -> np.ndarray:
    """A sheet with round pores: row, column, radius."""
    y, x = np.mgrid[:side, : side + 40]
    image = np.full(y.shape, SHEET, np.float32)
    for row, column, radius in discs:
        image = np.where(np.hypot(y - row, x - column) < radius, np.float32(VACUUM), image)
    image = cv2.GaussianBlur(image, (0, 0), blur)
    return image + np.random.default_rng(0).normal(0, noise, image.shape).astype(np.float32)


def count(radius: int) -> int:
    """Area of a disc as it is drawn [px]."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return int((np.hypot(y, x) < radius).sum())


DISCS = [(40, 60, 6), (90, 180, 12), (160, 80, 20), (200, 220, 9)]


@pytest.mark.parametrize("modality", ["haadf", "bf", "abf", "hrtem"])
def test_discs_have_their_areas(modality: str) -> None:
    image = draw(DISCS) if modality == "haadf" else 255 - draw(DISCS)
    micrograph = Micrograph(image, 2.0, modality=modality)
    found = Voids().find(micrograph)
    table = measure(micrograph, found.labels, found.probability).sort_values("y_px")
    assert table[["y_px", "x_px"]].to_numpy() == pytest.approx(np.array(DISCS)[:, :2], abs=0.3)
    assert table.area_nm2.to_numpy() / 4 == pytest.approx([count(radius) for *_, radius in DISCS], rel=0.03)
    assert (found.confidence > 0.9).all() and (table.size_method == "contour").all()


@pytest.mark.parametrize("blur", [0.5, 1.4])
def test_the_blur_of_the_image_takes_nothing_off_small_pores(blur: float) -> None:
    places = [(y, x, 5) for y in range(30, 240, 40) for x in range(30, 280, 40)]
    micrograph = Micrograph(draw(places, noise=1.0, blur=blur), 1.0)
    found = Voids().find(micrograph)
    area = measure(micrograph, found.labels, found.probability).area_nm2
    assert len(area) == len(places) and area.median() / count(5) == pytest.approx(1, abs=0.04)


def test_touching_pores_are_split_unless_not_wanted() -> None:
    micrograph = Micrograph(draw([(100, 100, 20), (100, 136, 20), (200, 60, 9)]), 1.0)
    whole, parts = Voids(split=False).find(micrograph), Voids().find(micrograph)
    assert whole.labels.max() == 2 and parts.labels.max() == 3 == len(parts.confidence)
    assert np.array_equal(whole.labels > 0, parts.labels > 0)
    assert parts.labels[100, 90] != parts.labels[100, 146]


def _draw_film() -> np.ndarray:
    """A film with a hole under a sheet with pores, and a hole without a sheet."""
    y, x = np.mgrid[:400, :600]
    image = np.full(y.shape, FILM, np.float32)
    image[np.hypot(y - 200, x - 170) < 140] = SHEET
    image[np.hypot(y - 200, x - 480) < 90] = VACUUM
    for row, column in ((150, 120), (200, 200), (260, 150), (180, 90)):
        image[np.hypot(y - row, x - column) < 10] = VACUUM
    image = cv2.GaussianBlur(image, (0, 0), 0.8)
    return image + np.random.default_rng(0).normal(0, 3, image.shape).astype(np.float32)


def test_a_hole_of_the_film_is_no_pore_and_the_film_no_sheet() -> None:
    found = Voids().find(Micrograph(_draw_film(), 2.0))
    assert found.labels.max() == 4 and found.labels[200, 480] == 0
    assert found.unusable[10, 10] and not found.unusable[200, 170]


def test_an_intact_sheet_over_a_hole_is_no_pore() -> None:
    y, x = np.mgrid[:400, :400]
    image = np.where(np.hypot(y - 200, x - 200) < 140, SHEET, FILM)
    image = cv2.GaussianBlur(image, (0, 0), 0.8) + np.random.default_rng(0).normal(0, 3, image.shape)
    found = Voids().find(Micrograph(image, 2.0))
    assert found.labels.max() == 0 and "darkest grey level" in found.message


def test_one_grey_level_is_an_intact_sheet_and_said() -> None:
    found = Voids().find(Micrograph(draw([]), 1.0))
    assert found.labels.max() == 0 and "one grey level only" in found.message
    assert Voids().find(Micrograph(np.ones((30, 40)), 1.0)).labels.max() == 0


def test_a_shade_is_no_pore() -> None:
    y, x = np.mgrid[:300, :320]
    image = 60 - 25 * np.exp(-((y - 150) ** 2 + (x - 160) ** 2) / 2 / 40**2)
    image += np.random.default_rng(0).normal(0, 1.5, image.shape)
    assert Voids().find(Micrograph(image, 1.0)).labels.max() == 0


def test_scale_bars_are_left_out_and_nothing_is_found_outside_the_field() -> None:
    image = draw(DISCS)
    image[235:243, 100:200] = 0  # as dark as vacuum
    field = np.ones(image.shape, bool)
    field[:, 230:] = False
    found = Voids().find(Micrograph(image, 1.0, field=field))
    assert not found.labels[~field].any() and not found.labels[230:250, 90:200].any()
    assert found.labels.max() == 4


def test_atoms_are_averaged_out() -> None:
    y, x = np.mgrid[:400, :440] * 0.04  # nm
    atoms = 1 + 0.8 * np.cos(2 * np.pi * x / 0.27) * np.cos(2 * np.pi * y / 0.27)
    hole = np.hypot(y - 8, x - 9) < 3
    image = np.where(hole, 0.1, atoms) * 50 + np.random.default_rng(0).normal(0, 3, y.shape)
    found = Voids().find(Micrograph(image, 0.04))
    assert found.labels.max() == 1 and found.labels.shape == image.shape
    assert (found.labels > 0).sum() / hole.sum() == pytest.approx(1, abs=0.05)


def _draw(index: int, modality: str, defocus: float = 0.0, **options: object) -> Simulation:
    rng = make_generator("validation", 70_000 + index)
    scene = vary_membrane(rng, (512, 512), modality, thick=False, **options)
    return draw_membrane(replace(scene, defocus=defocus, phase=0.3), rng)


@pytest.mark.parametrize(("modality", "defocus"), [("haadf", 0.0), ("bf", 0.0), ("bf", -5000.0)])
def test_dense_membranes(modality: str, defocus: float) -> None:
    found = missed = false = 0
    for index in range(3):
        drawn = _draw(index, modality, defocus, pixel_size=2.0)
        scored = score(drawn.labels, Voids().find(drawn.micrograph).labels, min_iou=0.5)
        found, missed, false = found + scored.found, missed + scored.missed, false + scored.false
    assert 2 * found / (2 * found + missed + false) >= 0.9


def test_membranes_without_pores() -> None:
    found = [Voids().find(_draw(i, "haadf", pores=0).micrograph).labels.max() for i in range(4)]
    assert found == [0] * 4


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValueError, match="least_confidence must be from 0 to 1, not 2"):
        replace(Voids(), least_confidence=2)
