from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from porescope.materials import MATERIALS
from porescope.simulation import Pore, Scene, draw, find_truth, prepare
from porescope.simulation.sheets import make_sheet


def test_a_pore_of_one_layer_is_closed_by_the_other() -> None:
    pore = Pore((2.0, 2.0), missing=12, through=False)
    scene = Scene(shape=(100, 100), twist=0.3, pores=(pore,), contamination=0.0)
    specimen = prepare(scene, np.random.default_rng(3))
    material = MATERIALS["WS2"]
    alone = find_truth(material, specimen.layers[:1], scene.shape, scene.pixel_size)
    both = find_truth(material, specimen.layers, scene.shape, scene.pixel_size)
    assert both.area_nm2.sum() < 0.3 * alone.area_nm2.sum()


def test_a_pore_larger_than_the_frame_is_one_region() -> None:
    scene = Scene(shape=(120, 140), pores=(Pore((2.4, 2.8), radius=2.2),), contamination=0.0)
    drawn = draw(scene, np.random.default_rng(1))
    assert drawn.labels.max() == 1 and (drawn.labels > 0).mean() > 0.5
    whole = draw(replace(scene, pores=(Pore((2.4, 2.8), radius=9.0),)), np.random.default_rng(1))
    assert (whole.labels > 0).all()


def test_missing_chalcogens_alone_are_no_pore() -> None:
    scene = Scene(shape=(120, 140), pores=(), contamination=0.0, chalcogen_vacancies=0.3)
    drawn = draw(scene, np.random.default_rng(2))
    assert (drawn.atoms.occupancy[drawn.atoms.second] < 2).mean() > 0.2
    assert not drawn.labels.any()


@pytest.mark.parametrize(
    ("material", "second", "area"),
    [
        ("WS2", False, 0.0777),
        ("MoS2", False, 0.0688),
        ("WSe2", False, 0.0790),
        ("MoSe2", False, 0.0715),
        ("graphene", False, 0.0636),
        ("graphene", True, 0.0636),
        ("hBN", False, 0.0746),  # B
        ("hBN", True, 0.0648),  # N
    ],
)
def test_a_vacancy_has_the_area_of_the_definition(material: str, second: bool, area: float) -> None:
    crystal = MATERIALS[material]
    atoms = make_sheet(crystal, np.array([2.4, 2.6]), np.random.default_rng(0))
    distance = np.hypot(*(atoms.positions - [1.2, 1.3]).T) + 9 * (atoms.second != second)
    atoms.occupancy[distance.argmin()] = 0
    truth = find_truth(crystal, [atoms], (120, 130), 0.02)
    assert truth.missing_atoms.tolist() == [1]
    assert truth.area_nm2 == pytest.approx([area], rel=0.015)
    assert truth.cover.sum() * 0.02**2 == pytest.approx(area, rel=0.015)


def test_a_sheet_without_missing_atoms_has_no_pores() -> None:
    atoms = make_sheet(MATERIALS["hBN"], np.array([2.4, 2.6]), np.random.default_rng(0))
    truth = find_truth(MATERIALS["hBN"], [atoms], (60, 65), 0.04)
    assert not truth.labels.any() and not truth.cover.any() and len(truth.area_nm2) == 0
