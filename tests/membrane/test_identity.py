from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from porescope import census
from porescope.atoms import find_sites, judge_sites
from porescope.lattice import find_lattice
from porescope.materials import MATERIALS
from porescope.membrane import (
    find_clear,
    identify_pores,
    index_sites,
    judge_sublattices,
    name_isomer,
)
from porescope.simulation import Scene, Simulation, simulate


def _draw(material: str, seed: int = 0, **options: object) -> Simulation:
    dose = 5e5 * (30 if MATERIALS[material].both_count else 1)
    return simulate(
        Scene(material, shape=(300, 360), dose=dose, **{"pores": 5, "max_missing": 6, **options}), seed=seed
    )


def _name_truth(drawn: Simulation, label: int) -> str:
    """The isomer by the atoms that were taken out, in a lattice of their own."""
    sheet, atoms = drawn.material, drawn.atoms
    first = atoms.positions[~atoms.second]
    middle = first[np.hypot(*(first - first.mean(axis=0)).T).argmin()]
    near = first[np.argsort(np.hypot(*(first - middle).T))[1:7]] - middle
    second = atoms.positions[atoms.second]
    bond = second[np.hypot(*(second - middle).T).argmin()] - middle
    # Vectors 120° apart, such that the second sublattice is at (1/3, 2/3).
    u, v = next(
        (a, b) for a in near for b in near
        if abs(a @ b + sheet.constant**2 / 2) < 1e-3 and np.hypot(*(a / 3 + 2 * b / 3 - bond)) < 1e-3
    )  # fmt: skip
    gone = (atoms.occupancy == 0) & (sheet.both_count | ~atoms.second)
    at = np.rint(atoms.positions / drawn.micrograph.pixel_size).astype(int)
    inside = ((at >= 0) & (at < drawn.labels.shape)).all(axis=1)
    gone[inside] &= drawn.labels[tuple(at[inside].T)] == label
    gone[~inside] = False
    t = np.rint(3 * (atoms.positions[gone] - middle) @ np.linalg.inv([u, v])).astype(int)
    s = atoms.second[gone].astype(int)
    return name_isomer(np.column_stack([(t - s[:, None] * [1, 2]) // 3, s]), sheet).name


@pytest.mark.parametrize("material", ["WS2", "graphene", "hBN"])
def test_the_isomers_of_simulated_pores(material: str) -> None:
    """By the true labels, so that only the sites count."""
    drawn = _draw(material, seed=2, pixel_size=0.03, max_missing=4)
    lattice, sheet = find_lattice(drawn.micrograph), MATERIALS[material]
    sites = find_sites(drawn.micrograph, lattice, sheet)
    sublattices = judge_sublattices(lattice, sites, sheet, drawn.labels)
    assert sublattices.sure
    numbers = np.arange(1, drawn.labels.max() + 1)
    judged = judge_sites(drawn.micrograph, lattice, sites, sheet, drawn.labels)
    owner = np.where(judged.held, 0, judged.owner)
    columns = identify_pores(numbers, sites, owner, sheet, sublattices, np.ones(len(numbers), bool))
    right = [name == _name_truth(drawn, n) for n, name in zip(numbers, columns["isomer"], strict=True)]
    assert np.mean(right) >= 0.8
    if material == "WS2":
        np.testing.assert_array_equal(columns["missing_metal"], drawn.missing_atoms)
    else:
        assert np.isnan(columns["missing_metal"]).all()


def test_a_census_says_what_its_pores_are() -> None:
    drawn = _draw("WS2", seed=1)
    pores = census(drawn.micrograph, material="WS2").pores
    whole = pores[~pores.touches_border]
    assert len(whole) >= 4 and whole.isomer.notna().all() and whole["shape"].notna().all()
    named = whole.isomer.str.extract(r"^W(\d+)_")[0].astype(float)
    assert (named == whole.missing_metal).all() and (named == whole.missing_atoms).all()
    assert (whole["shape"][whole.missing_atoms == 1] == "point vacancy").all()
    # Without a material there are no atoms, but there are shapes.
    plain = census(drawn.micrograph).pores
    assert plain.isomer.isna().all() and plain.missing_metal.isna().all() and plain["shape"].notna().any()
    cut = pores[pores.touches_border]
    assert cut.isomer.isna().all() and cut["shape"].isna().all()


def test_a_pore_at_the_border_has_no_identity() -> None:
    drawn = _draw("WS2", seed=1)
    middle = np.argwhere(drawn.labels == 1).mean(axis=0).astype(int)
    cut = replace(drawn.micrograph, image=drawn.micrograph.image[middle[0] :])
    pores = census(cut, material="WS2").pores
    assert pores.touches_border.any() and pores.isomer[pores.touches_border].isna().all()
    assert pores.missing_atoms[pores.touches_border].notna().all()


def test_pores_whose_atoms_the_image_does_not_tell_are_not_named() -> None:
    """In HRTEM the sites inside a pore are counted, but which ones lack an atom is not known."""
    scene = Scene("MoS2", shape=(240, 280), pores=2, max_missing=12, modality="hrtem")
    pores = census(simulate(scene, seed=4).micrograph, material="MoS2").pores
    assert sorted(pores.missing_atoms) == [2, 12] and not pores.touches_border.any()
    assert pores.isomer.isna().all() and pores.missing_metal.isna().all() and pores["shape"].notna().all()


def test_where_the_sublattices_look_the_same_it_is_not_sure() -> None:
    """Graphene taken for boron nitride."""
    drawn = _draw("graphene", seed=3, pores=1)
    lattice, sheet = find_lattice(drawn.micrograph), MATERIALS["hBN"]
    sites = find_sites(drawn.micrograph, lattice, sheet)
    sublattices = judge_sublattices(lattice, sites, sheet, drawn.labels)
    assert not sublattices.sure
    judged = judge_sites(drawn.micrograph, lattice, sites, sheet, drawn.labels)
    owner = np.where(judged.held, 0, judged.owner)
    columns = identify_pores(np.array([1]), sites, owner, sheet, sublattices, np.array([True]))
    assert columns["isomer"][0].endswith("?") and np.isnan(columns["edge_zigzag_metal"][0])


def test_chalcogens_are_counted_where_they_show() -> None:
    """Of molybdenum diselenide they are as bright as the metal, of tungsten disulphide far darker."""
    seen = {}
    for material in ("MoSe2", "WS2"):
        drawn = _draw(material, seed=4, max_missing=3)
        lattice, sheet = find_lattice(drawn.micrograph), MATERIALS[material]
        sites = find_sites(drawn.micrograph, lattice, sheet)
        seen[material] = judge_sublattices(lattice, sites, sheet, drawn.labels).second_seen
    assert seen == {"MoSe2": True, "WS2": False}


def test_hidden_pores_are_not_named() -> None:
    labels = np.zeros((60, 60), int)
    labels[10:14, 10:14], labels[40:44, 40:44] = 1, 2
    unusable = np.zeros((60, 60))
    unusable[20, 12] = 0.9
    numbers = np.array([1, 2])
    assert find_clear(labels, numbers, unusable, 8.0).tolist() == [False, True]
    assert find_clear(labels, numbers, unusable, 3.0).tolist() == [True, True]
    assert find_clear(labels, numbers, None, 8.0).tolist() == [True, True]


def test_sites_are_numbered_as_names_need_them() -> None:
    """Neighbours on the other sublattice are those of `list_neighbours`, whichever way the cell is laid."""
    drawn = _draw("graphene", seed=0, pores=0)
    lattice = find_lattice(drawn.micrograph)
    sites = find_sites(drawn.micrograph, lattice, MATERIALS["graphene"])
    numbers = index_sites(sites)
    assert len(np.unique(numbers, axis=0)) == len(numbers)
    where = {tuple(n): p for n, p in zip(numbers.tolist(), sites.positions, strict=True)}
    for i, j, s in numbers[::97].tolist():
        for di, dj in ((0, 0), (1, 1), (0, 1)):
            other = (i + di, j + dj, 0) if s else (i - di, j - dj, 1)
            if other in where:
                gap = np.hypot(*(where[i, j, s] - where[other])) / lattice.constant_px
                assert gap == pytest.approx(1 / np.sqrt(3), abs=0.05)
