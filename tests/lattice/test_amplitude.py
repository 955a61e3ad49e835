from __future__ import annotations

import cv2
import numpy as np
import pytest

from porescope import Micrograph, score
from porescope.lattice import LatticeGaps, find_grains, find_lattice, map_amplitude
from porescope.lattice.amplitude import demodulate, measure_amplitude
from porescope.lattice.waves import mix
from porescope.materials import MATERIALS
from porescope.simulation import Pore, Recording, Scene, simulate


def _find_gaps(micrograph: Micrograph) -> np.ndarray:
    return LatticeGaps().find(micrograph, find_lattice(micrograph)).labels


def test_the_amplitude_is_low_in_pores_and_even_elsewhere() -> None:
    drawn = simulate(Scene("MoS2", shape=(300, 360), pores=4, max_missing=40), seed=3)
    amplitude, floor, spread = map_amplitude(find_lattice(drawn.micrograph))
    large = drawn.labels == 1 + int(drawn.area_nm2.argmax())
    assert amplitude[large].min() < 0.3 and floor < 0.3 and spread < 0.2
    assert np.median(amplitude[drawn.labels == 0]) == pytest.approx(1, abs=0.1)


def test_a_large_image_has_the_waves_of_the_whole() -> None:
    """It is demodulated in strips of about four megapixels."""
    flat = np.random.default_rng(0).normal(size=(2800, 1600)).astype(np.float32)
    spots, sigma = np.array([[0.1137, 0.03]]), 6.0
    whole = cv2.GaussianBlur(mix(flat, spots[0]), (0, 0), sigma).view(np.complex64)[..., 0]
    np.testing.assert_allclose(demodulate(flat, spots, sigma)[0], whole, atol=1e-5)
    np.testing.assert_allclose(measure_amplitude(flat, spots, sigma), np.abs(whole), atol=1e-5)


@pytest.mark.parametrize("modality", ["haadf", "bf", "hrtem"])
def test_the_lattice_detector_finds_large_pores_in_every_modality(modality: str) -> None:
    drawn = [
        simulate(Scene("MoS2", pores=5, max_missing=60, modality=modality, dose=1e6), seed=s) for s in (1, 2)
    ]
    scores = [score(d.labels, _find_gaps(d.micrograph), min_iou=0.3) for d in drawn]
    large = sum(int((d.missing_atoms >= 8).sum()) for d in drawn)
    assert sum(s.found for s in scores) >= 0.9 * large and sum(s.false for s in scores) <= 1


def test_false_alarms_of_the_lattice_detector(record_property) -> None:
    """The stated rate: at most one false pore in ten pore-free images of 512 × 512 px."""
    false = 0
    for i in range(20):
        modality = ("haadf", "bf", "hrtem")[i % 3]
        drawn = simulate(
            Scene(list(MATERIALS)[i % 6], pores=0, modality=modality, dose=1e6, pixel_size=0.03), seed=i
        )
        false += _find_gaps(drawn.micrograph).max()
    record_property(
        "figure", f"lattice detector: {false} false pores in 20 pore-free images of six materials"
    )
    assert false <= 2


def test_contamination_is_no_pore_in_haadf() -> None:
    drawn = simulate(Scene("WS2", shape=(300, 360), pores=0), seed=4)
    image = drawn.micrograph.image.copy()
    image[100:160, 120:200] = image.max()  # bright, saturated, without lattice
    assert not _find_gaps(Micrograph(image, drawn.micrograph.pixel_size)).any()


@pytest.mark.parametrize(("modality", "dose"), [("haadf", 5e5), ("hrtem", 1e6)])
def test_a_second_grain_is_no_pore(modality: str, dose: float) -> None:
    """Before its spots were looked for, half of such an image was one pore."""
    pores = (Pore((4.0, 4.0), radius=0.8), Pore((9.0, 12.0), radius=0.8))
    scene = Scene("MoS2", (340, 400), pores=pores, modality=modality, dose=dose, angle=0.1, grain_angle=0.5)
    drawn = simulate(scene, seed=1)
    lattice = find_lattice(drawn.micrograph)
    assert len(find_grains(lattice)) == 2
    labels = _find_gaps(drawn.micrograph)
    assert score(drawn.labels, labels, min_iou=0.3).found == 2
    assert np.bincount(labels.ravel())[1:].max() < 1.5 * (drawn.labels > 0).sum() / 2
    assert (labels > 0).mean() < 2 * (drawn.labels > 0).mean()
    single = simulate(Scene("MoS2", (340, 400), pores=pores, modality=modality, dose=dose), seed=1)
    assert len(find_grains(find_lattice(single.micrograph))) == 1


@pytest.mark.parametrize("modality", ["bf", "hrtem"])
def test_a_scale_bar_is_no_pore(modality: str) -> None:
    recording = Recording(bits=8, bar=True, jpeg=80)
    scene = Scene("WS2", (400, 400), pores=0, modality=modality, dose=1e6, recording=recording)
    assert not _find_gaps(simulate(scene, seed=3).micrograph).any()
