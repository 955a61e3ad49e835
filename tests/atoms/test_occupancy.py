from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from porescope.atoms import Crystal, find_crystal, judge_crystal, judge_sites
from porescope.atoms import occupancy as module
from porescope.materials import MATERIALS
from porescope.simulation import Pore, Scene, Simulation, simulate


def judge(drawn: Simulation) -> tuple[module.Occupancy, np.ndarray]:
    """Judge an image's sites in its true outlines; with which of them hold atoms."""
    crystal = find_crystal(drawn.micrograph, drawn.material)
    found = judge_sites(drawn.micrograph, crystal.lattice, crystal.sites, drawn.material, drawn.labels, None)
    tree = cKDTree(drawn.atoms.positions / drawn.micrograph.pixel_size)
    return found, drawn.atoms.occupancy[tree.query(found.sites.positions)[1]] > 0


@pytest.mark.parametrize("material", MATERIALS)
def test_the_atoms_around_pores_are_found(material: str) -> None:
    dose = 3e7 if MATERIALS[material].both_count else 2e6
    drawn = simulate(Scene(material, (320, 340), pores=4, max_missing=12, pixel_size=0.03, dose=dose), seed=1)
    found, held = judge(drawn)
    judged = found.owner > 0
    assert found.trusted.all() and found.placed.all() and judged.any()
    metal = judged & (drawn.material.both_count | ~found.sites.second)
    assert (found.held == held)[metal].mean() > 0.98
    assert (found.held == held)[judged].mean() > 0.9
    assert found.held[~judged].all() and found.draws[~judged].all()


def test_a_region_without_a_pore_lacks_no_metal() -> None:
    drawn = simulate(Scene("WS2", (256, 260), pores=0), seed=1)
    labels = np.zeros((256, 260), np.int32)
    labels[120:128, 130:138] = 1
    found, _ = judge(drawn._replace(labels=labels))
    assert found.held[(found.owner == 1) & ~found.sites.second].all()


def test_a_crystal_is_judged_if_its_atoms_are_known_and_there_is_a_region() -> None:
    drawn = simulate(Scene("WS2", (200, 260), pores=1, max_missing=1), seed=1)
    crystal = find_crystal(drawn.micrograph, drawn.material)
    found, _ = judge(drawn)
    whole = judge_crystal(drawn.micrograph, crystal, drawn.labels)
    assert whole is not None and (whole.held == found.held).all() and not whole.held.all()
    unnamed = Crystal(crystal.lattice, None, None)
    assert judge_crystal(drawn.micrograph, unnamed, drawn.labels) is None
    assert judge_crystal(drawn.micrograph, None, drawn.labels) is None
    assert judge_crystal(drawn.micrograph, crystal, np.zeros_like(drawn.labels)) is None


def test_blocks_of_a_large_image_give_the_same_atoms(monkeypatch: pytest.MonkeyPatch) -> None:
    pores = tuple(Pore((y, x), missing=4) for y in (3.0, 9.0) for x in (3.0, 6.1, 9.5))
    drawn = simulate(Scene("MoS2", (300, 310), pores=pores, dose=2e6), seed=2)
    whole, _ = judge(drawn)
    monkeypatch.setattr(module, "_BLOCK", 160)
    parts, _ = judge(drawn)
    assert (whole.owner == parts.owner).all()
    metal = ~whole.sites.second
    assert (whole.held == parts.held)[metal].all()


@pytest.mark.parametrize(("material", "modality"), [("MoS2", "hrtem"), ("hBN", "bf")])
def test_where_the_image_does_not_tell_the_sites_inside_count(material: str, modality: str) -> None:
    drawn = simulate(Scene(material, (200, 240), pores=1, max_missing=20, modality=modality), seed=4)
    found, _ = judge(drawn)
    y, x = np.rint(found.sites.positions).astype(int).T
    assert not found.trusted.any() and (found.held == (drawn.labels[y, x] == 0)).all()


def test_sites_of_another_material_are_not_believed() -> None:
    """Tungsten disulphide has faint chalcogens; those of MoSe2 would be the brighter."""
    drawn = simulate(Scene("WS2", (200, 240), pores=1, max_missing=20), seed=4)
    found, _ = judge(drawn._replace(material=MATERIALS["MoSe2"]))
    assert not found.placed.any()


def test_noise_as_strong_as_atoms_tells_nothing() -> None:
    drawn = simulate(Scene("WS2", (256, 260), pores=2, max_missing=20, dose=4e3), seed=1)
    found, _ = judge(drawn)
    assert not found.trusted.any()


def test_a_pore_of_another_grain_is_not_judged_by_the_sites_of_the_first() -> None:
    pores = tuple(Pore((y, x), missing=8) for y in (3.0, 9.0) for x in (3.0, 6.0, 9.0))
    drawn = simulate(Scene("WS2", (300, 310), pores=pores, dose=2e6, grain_angle=0.45), seed=3)
    found, _ = judge(drawn)
    distance, _ = cKDTree(drawn.atoms.positions / drawn.micrograph.pixel_size).query(found.sites.positions)
    off = [float(np.median(distance[found.owner == k])) for k in range(1, 7)]
    placed = [bool(found.placed[found.owner == k].all()) for k in range(1, 7)]
    # In the first grain atoms lie within a pixel of their sites.
    assert 0 < sum(placed) < 6
    assert [d < 1 for d in off] == placed
