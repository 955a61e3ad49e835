from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from porescope.materials import ATOMIC_NUMBER, MATERIALS
from porescope.simulation import Pore, Scene, prepare, thick_carbon
from porescope.simulation.sheets import count_neighbours
from porescope.simulation.specimen import Specimen

BARE = Scene(shape=(150, 160), pores=(), contamination=0.0, angle=0.2)
PORE = Pore((3.0, 3.2), radius=1.2, ragged=0.0)


def make(scene: Scene) -> Specimen:
    return prepare(scene, np.random.default_rng(5))


def count_gone(specimen: Specimen) -> int:
    atoms = specimen.layers[0]
    return int((atoms.occupancy[~atoms.second] == 0).sum())


def test_a_bare_scene_is_a_whole_sheet() -> None:
    specimen = make(BARE)
    assert len(specimen.layers) == 1 and count_gone(specimen) == 0 and len(specimen.loose) == 0
    assert not specimen.carbon.any() and not specimen.disorder.any()


def hide_by_carbon(modality: str) -> Scene:
    thick = thick_carbon(modality, MATERIALS["WS2"])
    return replace(BARE, modality=modality, patches=10 * thick, patch_cover=1.0)


@pytest.mark.parametrize(
    ("scene", "missing", "seen"),
    [
        (BARE, 1, True),
        (hide_by_carbon("haadf"), 4, False),
        (hide_by_carbon("bf"), 4, False),
        (hide_by_carbon("haadf"), 5, True),
        (replace(hide_by_carbon("haadf"), patch_cover=0.0), 4, True),
        (replace(BARE, amorphous=1.0), 12, False),
        (replace(BARE, amorphous=1.0), 13, True),
    ],
)
def test_small_pores_are_hidden_by_contamination_and_disorder(scene: Scene, missing: int, seen: bool) -> None:
    specimen = make(replace(scene, pores=(Pore((3.0, 3.2), missing),)))
    assert count_gone(specimen) == (missing if seen else 0)


def test_strain_stretches_the_sheet_about_its_middle() -> None:
    plain, strained = make(BARE), make(replace(BARE, strain=(0.1, 0.0, 0.0, -0.05)))
    middle = np.array([3.0, 3.2])
    stretch = (strained.layers[0].positions - middle) / (plain.layers[0].positions - middle)
    np.testing.assert_allclose(stretch, np.tile([1.1, 0.95], (len(stretch), 1)), rtol=1e-6)


def test_edges_relax() -> None:
    still = make(replace(BARE, pores=(PORE,)))
    moved = make(replace(BARE, pores=(PORE,), relaxation=0.03))
    atoms = still.layers[0]
    edge = count_neighbours(atoms.positions, atoms.occupancy, MATERIALS["WS2"].constant) < 3
    shift = moved.layers[0].positions - atoms.positions
    assert not shift[~edge].any() and shift[edge].std() == pytest.approx(0.03, rel=0.2)


@pytest.mark.parametrize("cover", [0.4, 1.0])
def test_a_twisted_layer_covers_its_share(cover: float) -> None:
    specimen = make(replace(BARE, twist=0.3, twist_cover=cover))
    first, second = (len(layer.positions) for layer in specimen.layers)
    assert second / first == pytest.approx(cover, abs=0.03)


def test_a_second_grain_is_turned() -> None:
    atoms = make(replace(BARE, grain_angle=0.3)).layers[0]
    metal = atoms.positions[~atoms.second]
    offset = (metal[:, None] - metal[None]).reshape(-1, 2)
    bond = offset[(np.hypot(*offset.T) > 0.3) & (np.hypot(*offset.T) < 0.33)]
    around = np.mod(np.arctan2(bond[:, 0], bond[:, 1]), np.pi / 3)
    peaks = np.histogram(around, 60, (0, np.pi / 3))[0] > 0.1 * len(around)
    assert peaks.sum() >= 2
    first, last = np.flatnonzero(peaks)[[0, -1]]
    apart = (last - first) * np.pi / 180
    assert min(apart, np.pi / 3 - apart) == pytest.approx(0.3, abs=0.04)


def test_dopants_and_alloys_take_their_sublattices() -> None:
    atoms = make(replace(BARE, dopant="Nb", dopants=0.2, alloy="Te", alloyed=0.5)).layers[0]
    assert (atoms.number[~atoms.second] == ATOMIC_NUMBER["Nb"]).mean() == pytest.approx(0.2, abs=0.05)
    assert (atoms.number[atoms.second] == ATOMIC_NUMBER["Te"]).mean() == pytest.approx(0.5, abs=0.06)


def test_adatoms_lie_on_the_sheet_and_at_the_edges_of_pores() -> None:
    specimen = make(replace(BARE, adatom="Si", adatoms=3.0))
    assert len(specimen.loose) == pytest.approx(3.0 * 6.0 * 6.4, rel=0.25)
    assert set(specimen.loose_number) == {ATOMIC_NUMBER["Si"]}
    rimmed = make(replace(BARE, pores=(PORE,), rim_atoms=1.0))
    assert len(rimmed.loose) > 10 and set(rimmed.loose_number) == {ATOMIC_NUMBER["W"]}
    distance = np.hypot(*(rimmed.loose - PORE.centre).T)
    assert distance.min() > 0.7 and distance.max() < 1.9


def test_contamination_is_a_film_with_patches() -> None:
    film = make(replace(BARE, contamination=2.0)).carbon
    assert film.mean() == pytest.approx(2.0, rel=0.2)
    patches = make(replace(BARE, patches=3.0, patch_cover=0.3)).carbon
    assert patches.mean() == pytest.approx(3.0 * 0.3, rel=0.15) and np.median(patches) < 0.1


def test_an_amorphous_area_has_no_lattice() -> None:
    plain, specimen = make(BARE), make(replace(BARE, amorphous=0.4))
    assert specimen.disorder.mean() == pytest.approx(0.4, abs=0.01) and not plain.disorder.any()
    assert len(specimen.layers[0].positions) == pytest.approx(len(plain.layers[0].positions), rel=0.02)
