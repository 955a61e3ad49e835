from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from porescope.lattice import build_structure, count_missing, find_lattice, find_sites
from porescope.materials import MATERIALS
from porescope.simulation import Scene, simulate


@pytest.mark.parametrize("material", MATERIALS)
def test_missing_atoms_are_counted(material: str) -> None:
    sheet, counted = MATERIALS[material], []
    for seed in range(3):
        drawn = simulate(Scene(material, pores=6, max_missing=20, pixel_size=0.03, dose=2e6), seed=seed)
        lattice = find_lattice(drawn.micrograph)
        sites = find_sites(drawn.micrograph, lattice, sheet)
        found = count_missing(sites, drawn.labels, lattice, sheet)
        counted += list(zip(drawn.missing_atoms, found, strict=True))
    assert np.mean([true == got for true, got in counted if true == 1] or [True]) >= 0.8
    assert np.median([abs(got / true - 1) for true, got in counted if true > 4]) <= 0.15


def test_the_structure_is_the_perfect_sheet_without_its_pores() -> None:
    drawn = simulate(Scene("WS2", shape=(256, 320), pores=2, max_missing=12), seed=2)
    lattice, sheet = find_lattice(drawn.micrograph), MATERIALS["WS2"]
    sites = find_sites(drawn.micrograph, lattice, sheet)
    elements, positions = build_structure(sites, drawn.labels, lattice, sheet)
    assert elements.count("W") == (~sites.second).sum() - drawn.missing_atoms.sum()
    metal = positions[[e == "W" for e in elements]]
    middle = metal[np.hypot(*(metal[:, :2] - metal[:, :2].mean(axis=0)).T).argmin()]
    nearest = np.sort(np.hypot(*(metal - middle)[:, :2].T))[1:7]
    np.testing.assert_allclose(nearest, 3.153, atol=1e-3)
    bonds = np.linalg.norm(positions - middle, axis=1)
    assert np.sort(bonds)[1] == pytest.approx(np.hypot(3.153 / np.sqrt(3), 1.57), abs=1e-2)


def test_no_site_lies_outside_the_field() -> None:
    drawn = simulate(Scene("WS2", shape=(200, 240), pores=0), seed=1)
    field = np.ones(drawn.labels.shape, bool)
    field[:, 120:] = False
    micrograph = replace(drawn.micrograph, field=field)
    lattice = find_lattice(micrograph)
    sites = find_sites(micrograph, lattice, MATERIALS["WS2"])
    assert len(sites.positions) > 500 and sites.positions[:, 1].max() < 120
    assert len(sites.places) == len(sites.second) == len(sites.empty) == len(sites.positions)
