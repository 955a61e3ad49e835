from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope.materials import HAADF_CROSS_SECTION, PHASE, PHASE_WIDTH
from porescope.simulation import Optics
from porescope.simulation.optics import draw_probe, image_atoms, splat

MIDDLE = np.array([[1.0, 1.0]])
BARE = np.zeros((51, 51), np.float32)


@given(st.floats(0.012, 0.2), st.floats(15, 35), st.floats(-8, 8), st.floats(0, 3))
def test_a_probe_holds_all_electrons_around_its_centre(
    pixel_size: float, semiangle: float, defocus: float, astigmatism: float
) -> None:
    probe = draw_probe(pixel_size, Optics(semiangle, defocus, astigmatism))
    assert probe.shape[0] == probe.shape[1] and probe.shape[0] % 2 == 1
    assert probe.min() >= -1e-6 and probe.sum() == pytest.approx(1, abs=1e-4)
    offset = np.arange(len(probe)) - len(probe) // 2
    assert abs((probe.sum(axis=1) * offset).sum()) < 0.1 and abs((probe.sum(axis=0) * offset).sum()) < 0.1


def test_haadf_of_an_atom_sums_to_its_cross_section() -> None:
    image = image_atoms(MIDDLE, np.array([74]), BARE, 0.04, "haadf", Optics(tail=0.0))
    assert image.sum() * 0.04**2 == pytest.approx(HAADF_CROSS_SECTION["W"], rel=0.01)
    assert np.unravel_index(image.argmax(), image.shape) == (25, 25)


@pytest.mark.parametrize("modality", ["haadf", "bf", "abf", "hrtem"])
def test_carbon_counts_as_its_atoms(modality: str) -> None:
    carbon = BARE.copy()
    carbon[25, 25] = 1
    lens, nowhere = Optics(25, defocus=5.0), np.empty((0, 2))
    film = image_atoms(nowhere, np.array([], int), carbon, 0.04, modality, lens)
    atom = image_atoms(MIDDLE, np.array([6]), BARE, 0.04, modality, lens)
    np.testing.assert_allclose(film, atom, rtol=1e-4, atol=1e-7)
    assert np.ptp(film) > 0


@pytest.mark.parametrize(("defocus", "brighter"), [(5.0, True), (-5.0, False)])
def test_the_focus_decides_whether_atoms_of_an_hrtem_image_are_bright(defocus: float, brighter: bool) -> None:
    image = image_atoms(MIDDLE, np.array([42]), BARE, 0.04, "hrtem", Optics(40, defocus))
    assert bool(image[25, 25] > 1) is brighter
    assert image.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "lens",
    [
        Optics(400, defocus=5.0),
        Optics(400, defocus=5.0, spherical=-20e3),
        Optics(400, defocus=4.0, astigmatism=3.0),
        Optics(400, defocus=4.0, astigmatism=3.0, astigmatism_angle=0.6),
    ],
)
def test_a_weak_phase_goes_through_the_transfer_function(lens: Optics) -> None:
    """The image of a weak wave is 1 + 2 sin χ times its phase (a small-angle limit)."""
    image = image_atoms(MIDDLE, np.array([6]), BARE, 0.04, "hrtem", lens)
    ky, kx = np.meshgrid(np.fft.fftfreq(51, 0.04), np.fft.fftfreq(51, 0.04), indexing="ij")
    k, around = np.hypot(ky, kx), np.arctan2(ky, kx)
    spectrum = np.abs(np.fft.fft2(image - 1)) * 0.04**2
    focus = lens.defocus + lens.astigmatism * np.cos(2 * (around - lens.astigmatism_angle))
    chi = np.pi * 0.0041757 * (focus * k**2 + lens.spherical * 0.0041757**2 * k**4 / 2)
    expected = 2 * PHASE["C"] * np.abs(np.sin(chi))
    expected *= np.exp(-2 * (np.pi * PHASE_WIDTH * k) ** 2)
    low = (k > 1) & (k < 4)
    np.testing.assert_allclose(spectrum[low], expected[low], rtol=0.1, atol=0.05 * expected.max())


@pytest.mark.parametrize(("angle", "tall"), [(0.0, False), (np.pi / 2, True)])
def test_astigmatism_elongates_a_defocused_probe(angle: float, tall: bool) -> None:
    probe = draw_probe(0.01, Optics(defocus=3.0, astigmatism=3.0, astigmatism_angle=angle, tail=0.0))
    offset = (np.arange(len(probe)) - len(probe) // 2) ** 2
    height, width = (np.sqrt((probe.sum(axis=axis) * offset).sum()) for axis in (1, 0))
    ratio = height / width if tall else width / height
    assert ratio == pytest.approx(1.41, abs=0.05)


@given(st.floats(0, 49.9), st.floats(0, 49.9))
def test_splat_keeps_weight_and_place(y: float, x: float) -> None:
    image = splat(np.array([[y, x]]), np.array([3.0]), (51, 51))
    assert image.sum() == pytest.approx(3, rel=1e-5)
    rows, columns = np.indices(image.shape)
    assert (image * rows).sum() / 3 == pytest.approx(y, abs=1e-3)
    assert (image * columns).sum() / 3 == pytest.approx(x, abs=1e-3)
