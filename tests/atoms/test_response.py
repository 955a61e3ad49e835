from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from porescope.atoms import find_crystal
from porescope.atoms.response import fit_response, interpolate, look_up
from porescope.materials import MATERIALS
from porescope.simulation import Optics, Recording, Scene, simulate


def test_interpolation_and_spreading_are_transposes() -> None:
    rng = np.random.default_rng(0)
    matrix = interpolate(rng.uniform(0, 8, (5, 2)), (9, 10))
    weights = rng.random(5)
    assert (matrix.T @ weights).sum() == pytest.approx(weights.sum())
    plane = np.add.outer(2.0 * np.arange(9), 3.0 * np.arange(10))
    at = np.array([[1.25, 6.5], [7.9, 0.1]])
    np.testing.assert_allclose(interpolate(at, (9, 10)) @ plane.ravel(), at @ [2, 3])


@pytest.mark.parametrize("material", ["WS2", "MoSe2", "hBN"])
def test_the_fit_finds_contrast_and_places(material: str) -> None:
    scene = Scene(material, (200, 240), pores=0, dose=3e8, contamination=0.0, optics=Optics(tail=0.0))
    drawn, sheet = simulate(scene, seed=1), MATERIALS[material]
    crystal = find_crystal(drawn.micrograph, sheet)
    sites, cell = crystal.sites, crystal.lattice.constant_px
    held = np.ones(len(sites.second))
    response = fit_response(drawn.micrograph, cell, sites.positions + [0.4, -0.3], sites.second, held)
    assert response.contrast == pytest.approx(sheet.contrast("haadf"), rel=0.1)
    moved = np.median(response.positions - sites.positions, axis=0)
    np.testing.assert_allclose(moved, 0, atol=0.2)


def test_a_missing_atom_stands_out_of_the_residual_unless_it_is_known() -> None:
    drawn = simulate(Scene("MoS2", (200, 240), pores=1, max_missing=1, dose=2e6), seed=3)
    crystal = find_crystal(drawn.micrograph, MATERIALS["MoS2"])
    sites, shares = crystal.sites, []
    at = np.argwhere(drawn.labels > 0).mean(axis=0)
    nearest = np.hypot(*(sites.positions - at).T).argmin()
    for atom in (1.0, 0.0):
        held = np.ones(len(sites.second))
        held[nearest] = atom
        fit = fit_response(drawn.micrograph, crystal.lattice.constant_px, sites.positions, sites.second, held)
        evidence = interpolate(fit.positions[nearest : nearest + 1], (200, 240)) @ fit.evidence.ravel()
        own = look_up(fit.overlap, np.zeros((1, 2)))[0]
        assert own == pytest.approx(fit.overlap.max(), rel=1e-6)
        shares.append(evidence[0] / own)
    assert shares[0] < -0.7 and abs(shares[1]) < 0.15


def test_saturated_pixels_do_not_change_the_contrast() -> None:
    scene = Scene("MoS2", (200, 240), pores=2, max_missing=30, dose=3e7, contamination=0.0)
    clipped = replace(scene, recording=Recording(clip=(0.05, 0.05)))
    contrasts = []
    for each in (scene, clipped):
        drawn = simulate(each, seed=1)
        crystal = find_crystal(drawn.micrograph, MATERIALS["MoS2"])
        sites = crystal.sites
        held = (drawn.labels[tuple(np.rint(sites.positions).astype(int).T)] == 0).astype(float)
        fit = fit_response(drawn.micrograph, crystal.lattice.constant_px, sites.positions, sites.second, held)
        contrasts.append(fit.contrast)
    assert contrasts[1] == pytest.approx(contrasts[0], rel=0.15)
