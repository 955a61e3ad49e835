from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from porescope.atoms import build_structure, find_crystal, find_sites
from porescope.lattice import find_lattice
from porescope.materials import MATERIALS
from porescope.simulation import Scene, simulate


@pytest.mark.parametrize("modality", ["haadf", "bf", "abf", "hrtem"])
@pytest.mark.parametrize("material", ["WSe2", "MoSe2", "graphene", "hBN"])
def test_sites_lie_on_atoms_of_their_own_kind(material: str, modality: str) -> None:
    """In MoSe2 the selenium is the brighter; in hBN it depends on the modality."""
    dose = 3e7 if modality == "haadf" else 3e6
    scene = Scene(material, (200, 240), pores=0, modality=modality, dose=dose, contamination=0.0)
    drawn = simulate(scene, seed=2)
    sites = find_sites(drawn.micrograph, find_lattice(drawn.micrograph), MATERIALS[material])
    away, nearest = cKDTree(drawn.atoms.positions / drawn.micrograph.pixel_size).query(sites.positions)
    assert np.median(away) * drawn.micrograph.pixel_size[0] < 0.015
    if material != "graphene":
        assert (drawn.atoms.second[nearest] == sites.second).mean() > 0.99


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


def test_a_crystal_has_sites_only_with_a_material() -> None:
    drawn = simulate(Scene("WS2", shape=(120, 140), pores=0), seed=1)
    assert find_crystal(drawn.micrograph, None).sites is None
    assert len(find_crystal(drawn.micrograph, MATERIALS["WS2"]).sites.positions) > 100
    assert find_crystal(replace(drawn.micrograph, image=np.ones((120, 140), np.float32)), None) is None
