from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from porescope import Micrograph, census, detect, read
from porescope.detection import Automatic, choose_detector
from porescope.lattice import find_lattice
from porescope.network import Network
from porescope.simulation import Membrane, Pore, Scene, draw_membrane, simulate
from porescope.voids import Voids, choose_method


@pytest.mark.parametrize("name", "ABCDE")
def test_images_of_atoms_stay_with_the_network(ws2: Path, name: str) -> None:
    micrograph = read(ws2 / f"{name}.dm3")
    for lattice in (find_lattice(micrograph), None):
        assert choose_method(micrograph, lattice).method == "network"


def test_a_noisy_image_of_atoms_stays_with_the_network_whatever_its_pores() -> None:
    scene = Scene("WS2", shape=(300, 320), pores=(Pore((5.0, 6.0), 30),), clarity=1.0)
    choice = choose_method(simulate(scene, seed=2).micrograph, None)
    assert choice.method == "network" and "no lattice found" in choice.reason


def _drill(pixel_size: float, modality: str = "hrtem") -> Micrograph:
    scene = Membrane((512, 512), pixel_size, modality, pores=3, porosity=0.06, texture=0.04, absorption=0.8)
    return draw_membrane(scene, np.random.default_rng(3)).micrograph


@pytest.mark.parametrize("modality", ["haadf", "bf", "hrtem"])
def test_pores_drilled_through_amorphous_membranes_are_voids_at_any_magnification(modality: str) -> None:
    for pixel_size in (0.08, 0.5):
        micrograph = _drill(pixel_size, modality)
        choice = choose_method(micrograph, find_lattice(micrograph))
        assert choice.method == "voids", choice
        result = census(micrograph)
        assert result.row["n_pores"] == 3 and result.row["method"] == "voids"
        assert result.row["reason"] == choice.reason


def test_an_array_of_pores_is_no_crystal() -> None:
    y, x = np.mgrid[:600, :640]
    # Sum of three waves 60° apart: a hexagonal array, 40 px from hole to hole.
    waves = [np.cos(2 * np.pi * (x * np.cos(a) + y * np.sin(a)) / 34.6) for a in np.radians([0, 60, 120])]
    holes = np.sum(waves, axis=0) > 1.2
    image = np.where(holes, 20, 90) + np.random.default_rng(0).normal(0, 4, y.shape)
    micrograph = Micrograph(image, 2.0)
    lattice = find_lattice(micrograph)
    assert choose_method(micrograph, lattice).method == "voids"
    # An atomic image whose pixel size is wrong by far is still one of atoms.
    drawn = simulate(Scene(shape=(300, 320)), seed=1).micrograph
    wrong = replace(drawn, pixel_size=(1.0, 1.0))
    assert choose_method(wrong, find_lattice(wrong)).method == "network"


def test_python_and_the_command_line_choose_alike() -> None:
    micrograph = _drill(1.0)
    expected = Voids().find(micrograph).labels
    assert np.array_equal(detect(micrograph), expected)
    assert np.array_equal(census(micrograph).labels, expected)
    assert choose_detector(None, {}) == Automatic()
    assert choose_detector(None, {"split": False}) == Voids(split=False)
    assert choose_detector(None, {"least_confidence": 0.9}) == Automatic(
        Network(least_confidence=0.9), Voids(least_confidence=0.9)
    )
    asked = census(micrograph, detector=Network())
    assert asked.row["method"] == "network" and asked.row["reason"] == "asked for"
