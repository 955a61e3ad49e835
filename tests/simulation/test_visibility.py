from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from porescope.materials import MATERIALS
from porescope.simulation import Pore, Recording, Scene, draw, fill_pores, measure_snr, prepare

LONE = Scene(shape=(110, 120), pores=(Pore((2.2, 2.4), missing=1),), contamination=0.0)


def _disc(radius: float) -> np.ndarray:
    y, x = np.mgrid[:60, :70]
    return (np.hypot(y - 30, x - 35) <= radius).astype(np.int32)


@pytest.mark.parametrize(("readout", "variance"), [(0.0, 100.0), (12.0, 244.0)])
def test_a_disc_on_an_even_background_by_arithmetic(readout: float, variance: float) -> None:
    labels = _disc(9.0)
    snr = measure_snr(np.where(labels, 96.0, 104.0), np.full(labels.shape, 104.0), labels, readout)
    assert snr[0] == pytest.approx(8 * np.sqrt(labels.sum() / variance), rel=1e-9)


def test_it_is_what_a_matched_filter_reaches() -> None:
    """The filter's answers to noisy images with and without the disc lie that many deviations apart."""
    labels, rng = _disc(5.0), np.random.default_rng(1)
    with_pore, without = np.where(labels, 12.0, 16.0), np.full(labels.shape, 16.0)
    answers = [
        np.array([(rng.poisson(image) * labels).sum() for _ in range(600)]) for image in (with_pore, without)
    ]
    deviation = np.sqrt(np.mean([a.var() for a in answers]))
    apart = (answers[1].mean() - answers[0].mean()) / deviation
    assert measure_snr(with_pore, without, labels)[0] == pytest.approx(apart, rel=0.06)


def test_each_pore_has_what_is_nearest_to_it() -> None:
    labels = np.zeros((40, 80), np.int32)
    labels[18:22, 18:22], labels[18:22, 60:62] = 1, 2
    expected = np.where(labels, 75.0, 125.0)
    expected[17, 58] = 75.0  # beside the second
    got = measure_snr(expected, np.full(labels.shape, 125.0), labels)
    np.testing.assert_allclose(got, 50 * np.sqrt([16 / 100, 9 / 100]))
    assert measure_snr(expected, expected, np.zeros_like(labels)).shape == (0,)


def test_filling_gives_the_sheet_without_pores_back() -> None:
    scene = replace(LONE, chalcogen_vacancies=0.2, angle=0.3, pores=(Pore((2.2, 2.4), missing=7),))
    specimen = prepare(scene, np.random.default_rng(4))
    labels = draw(scene, np.random.default_rng(4)).labels
    filled = fill_pores(MATERIALS["WS2"], specimen, labels, scene.pixel_size).layers[0]
    before = specimen.layers[0]
    distance = np.hypot(*(before.positions - (2.2, 2.4)).T)
    empty = (before.occupancy == 0) & (distance < 0.35)
    assert (empty & before.second).sum() >= 3 and (filled.occupancy[~before.second] == 1).all()
    np.testing.assert_array_equal(filled.occupancy[empty], np.where(before.second, 2, 1)[empty])
    far = distance > 0.8
    np.testing.assert_array_equal(filled.occupancy[far], before.occupancy[far])  # vacancies that are no pores
    assert (before.occupancy[far] == 0).any()


def test_contamination_is_the_same_in_the_filled_sheet() -> None:
    scenes = [replace(LONE, modality="hrtem", contamination=c) for c in (0.0, None)]
    clean, dirty = (draw(scene, np.random.default_rng(2), rated=True).snr[0] for scene in scenes)
    assert dirty == pytest.approx(clean, rel=0.4)


@pytest.mark.parametrize("modality", ["haadf", "bf", "hrtem"])
def test_the_ratio_grows_as_the_root_of_the_dose_and_leaves_the_image_as_it_is(modality: str) -> None:
    scene = replace(LONE, modality=modality)
    one, more = (draw(replace(scene, dose=dose), np.random.default_rng(2), rated=True) for dose in (1e5, 4e5))
    assert one.snr.shape == one.area_nm2.shape == (1,)
    assert more.snr[0] == pytest.approx(2 * one.snr[0], rel=1e-3) and one.snr[0] > 2
    bare = draw(replace(scene, dose=1e5), np.random.default_rng(2))
    np.testing.assert_array_equal(bare.micrograph.image, one.micrograph.image)
    assert bare.snr is None
    noisy = replace(scene, dose=1e5, recording=Recording(readout=200.0))
    assert draw(noisy, np.random.default_rng(2), rated=True).snr[0] < 0.5 * one.snr[0]
