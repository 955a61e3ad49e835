from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from porescope.materials import ATOMIC_NUMBER, MATERIALS
from porescope.simulation import Pore
from porescope.simulation.sheets import (
    Atoms,
    count_neighbours,
    cut_pores,
    dope,
    drop_chalcogens,
    join_grains,
    make_amorphous,
    make_sheet,
    relax_edges,
)

EXTENT = np.array([6.0, 7.0])
WS2 = MATERIALS["WS2"]


def lay(material: str = "WS2", angle: float = 0.3) -> Atoms:
    return make_sheet(MATERIALS[material], EXTENT, np.random.default_rng(0), angle=angle)


@pytest.mark.parametrize("material", MATERIALS)
def test_a_sheet_has_the_bonds_and_density_of_its_material(material: str) -> None:
    sheet, atoms = MATERIALS[material], lay(material)
    within = ((atoms.positions > 0) & (atoms.positions < EXTENT)).all(axis=1)
    distance, nearest = cKDTree(atoms.positions).query(atoms.positions[within], k=2)
    np.testing.assert_allclose(distance[:, 1], sheet.constant / np.sqrt(3), rtol=1e-6)
    assert (atoms.second[within] != atoms.second[nearest[:, 1]]).all()
    assert within.sum() == pytest.approx(2 * EXTENT.prod() / (sheet.constant**2 * np.sqrt(3) / 2), rel=0.02)
    assert set(atoms.occupancy[atoms.second]) == {sheet.stack} and set(atoms.occupancy[~atoms.second]) == {1}


@pytest.mark.parametrize("missing", [1, 2, 7, 30])
def test_a_pore_lacks_as_many_metal_atoms_as_it_says(missing: int) -> None:
    atoms = cut_pores(WS2, lay(), [Pore((3.0, 3.5), missing)], np.random.default_rng(1))
    gone = atoms.positions[(atoms.occupancy == 0) & ~atoms.second]
    assert len(gone) == missing
    reach = np.hypot(*(gone - [3.0, 3.5]).T).max()
    assert reach < 1.7 * np.sqrt(missing * WS2.constant**2 * np.sqrt(3) / 2 / np.pi) + WS2.constant


def test_no_atom_of_graphene_dangles_at_a_pore() -> None:
    sheet = MATERIALS["graphene"]
    atoms = cut_pores(sheet, lay("graphene"), [Pore((3.0, 3.5), radius=1.0)], np.random.default_rng(1))
    left = count_neighbours(atoms.positions, atoms.occupancy, sheet.constant)
    assert (atoms.occupancy == 0).any() and left[atoms.occupancy > 0].min() == 2


def test_neighbours_of_a_vacancy_are_counted() -> None:
    atoms = lay()
    assert (count_neighbours(atoms.positions, atoms.occupancy, WS2.constant) == 3).all()
    middle = np.hypot(*(atoms.positions - EXTENT / 2).T).argmin()
    atoms.occupancy[middle] = 0
    left = count_neighbours(atoms.positions, atoms.occupancy, WS2.constant)
    assert np.bincount(left).tolist() == [0, 0, 3, len(left) - 3] and left[middle] == 3


def test_five_sixths_of_chalcogen_vacancies_are_single() -> None:
    extent = np.array([20.0, 20.0])
    whole = make_sheet(WS2, extent, np.random.default_rng(0))
    atoms = drop_chalcogens(WS2, whole, 0.5, np.random.default_rng(1))
    left = np.bincount(atoms.occupancy[atoms.second], minlength=3)
    assert left[2] / left.sum() == pytest.approx(0.5, abs=0.03)
    assert left[0] / (left[0] + left[1]) == pytest.approx(1 / 6, abs=0.03)
    assert (atoms.occupancy[~atoms.second] == 1).all()
    bare = lay("hBN")
    assert drop_chalcogens(MATERIALS["hBN"], bare, 0.5, np.random.default_rng(1)) is bare


@pytest.mark.parametrize("second", [False, True])
def test_dopants_replace_a_share_of_one_sublattice(second: bool) -> None:
    atoms = dope(lay(), "Te", 0.3, second, np.random.default_rng(1))
    doped = atoms.number == ATOMIC_NUMBER["Te"]
    assert doped[atoms.second == second].mean() == pytest.approx(0.3, abs=0.06)
    assert not doped[atoms.second != second].any()


def test_relaxation_moves_the_atoms_at_edges_only() -> None:
    atoms = cut_pores(WS2, lay(), [Pore((3.0, 3.5), radius=2.0)], np.random.default_rng(1))
    relaxed = relax_edges(WS2, atoms, 0.02, np.random.default_rng(2))
    moved = relaxed.positions - atoms.positions
    edge = count_neighbours(atoms.positions, atoms.occupancy, WS2.constant) < 3
    assert edge.sum() > 50 and not moved[~edge].any()
    assert moved[edge].std() == pytest.approx(0.02, rel=0.2)
    assert relax_edges(WS2, atoms, 0.0, np.random.default_rng(2)) is atoms


def test_disorder_moves_the_atoms_inside_by_a_third_of_a_cell() -> None:
    atoms = lay()
    inside = atoms.positions[:, 0] < 3
    moved = make_amorphous(atoms, inside, np.random.default_rng(0)).positions - atoms.positions
    assert moved[inside].std() == pytest.approx(0.09, rel=0.1) and not moved[~inside].any()


def test_grains_meet_without_overlap() -> None:
    one, other = lay(angle=0.0), lay(angle=0.5)
    middle, down = EXTENT / 2, np.array([1.0, 0.0])
    atoms = join_grains(WS2, one, other, middle, down)
    gap = cKDTree(atoms.positions).query(atoms.positions, k=2)[0][:, 1]
    assert gap.min() > 0.6 * WS2.constant / np.sqrt(3)
    assert len(atoms.positions) == pytest.approx(len(one.positions), rel=0.03)
    upper, lower = (set(map(tuple, grain.positions)) for grain in (one, other))
    for point in map(tuple, atoms.positions):
        assert point in (upper if point[0] < middle[0] - WS2.constant else lower | upper)
