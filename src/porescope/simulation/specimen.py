"""Specimens: sheets with pores and defects, adatoms and contamination."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.materials import ATOMIC_NUMBER, MATERIALS, Material
from porescope.simulation.contamination import choose_area, draw_film, draw_patches, thick_carbon
from porescope.simulation.scene import Scene, place_pores
from porescope.simulation.sheets import (
    Atoms,
    Pore,
    count_neighbours,
    cut_pores,
    dope,
    drop_chalcogens,
    join_grains,
    make_amorphous,
    make_sheet,
    pick,
    relax_edges,
)

#: Pores with at most this many missing atoms are hidden by thick contamination.
_SMALL = 4


class Specimen(NamedTuple):
    """A sheet of one or two layers with its adatoms and contamination."""

    layers: tuple[Atoms, ...]
    loose: NDArray[np.float64]  # (K, 2), positions of adatoms (row, column) [nm]
    loose_number: NDArray[np.int64]  # (K,), their atomic numbers
    carbon: NDArray[np.float32]  # (M, N), thickness of contamination [nm]
    disorder: NDArray[np.bool_]  # (M, N), amorphous area


def prepare(scene: Scene, rng: np.random.Generator) -> Specimen:
    """Make the specimen of a scene.

    Parameters
    ----------
    scene : Scene
    rng : Generator

    Returns
    -------
    Specimen
        Pores that contamination or disorder would hide are not cut.
    """
    wanted = place_pores(scene, rng)
    material = MATERIALS[scene.material]
    extent = np.array(scene.shape) * scene.pixel_size
    carbon = np.zeros(scene.shape, np.float32)
    sigma = scene.grain_size / scene.pixel_size
    if scene.film > 0:
        carbon += draw_film(scene.shape, scene.film, sigma, rng)
    if scene.patches > 0:
        patches = draw_patches(scene.shape, scene.patch_cover, sigma, scene.pixel_size, rng)
        carbon += scene.patches * patches
    disorder = choose_area(scene.shape, scene.amorphous, 1.5 / scene.pixel_size, rng)
    atoms = make_sheet(material, extent, rng, angle=scene.angle)
    if scene.grain_angle is not None:
        other = make_sheet(material, extent, rng, angle=(scene.angle or 0.0) + scene.grain_angle)
        around = rng.uniform(0, 2 * np.pi)
        normal = np.array([np.sin(around), np.cos(around)])
        atoms = join_grains(material, atoms, other, extent * rng.uniform(0.25, 0.75, 2), normal)
    layers = [atoms]
    if scene.twist is not None:
        layers.append(_lay_second(scene, material, extent, rng))
    pores = [p for p in wanted if _can_be_seen(p, scene, carbon, disorder)]
    strain = np.eye(2) + np.reshape(scene.strain, (2, 2))
    for i, layer in enumerate(layers):
        layer = drop_chalcogens(material, layer, scene.chalcogen_vacancies, rng)
        if scene.dopant:
            layer = dope(layer, scene.dopant, scene.dopants, False, rng)
        if scene.alloy:
            layer = dope(layer, scene.alloy, scene.alloyed, True, rng)
        layer = cut_pores(material, layer, [p for p in pores if i == 0 or p.through], rng)
        layer = relax_edges(material, layer, scene.relaxation, rng)
        if scene.amorphous > 0:
            layer = make_amorphous(layer, _look_up(disorder, layer.positions, scene.pixel_size), rng)
        layers[i] = layer._replace(positions=(layer.positions - extent / 2) @ strain.T + extent / 2)
    loose, number = _scatter_adatoms(scene, material, layers[0], extent, rng)
    return Specimen(tuple(layers), loose, number, carbon, disorder)


def _lay_second(
    scene: Scene, material: Material, extent: NDArray[np.float64], rng: np.random.Generator
) -> Atoms:
    """Make a twisted layer over a half plane that holds a fraction ``twist_cover`` of its sites."""
    layer = make_sheet(material, extent, rng, angle=(scene.angle or 0.0) + (scene.twist or 0.0))
    around = rng.uniform(0, 2 * np.pi)
    along = layer.positions @ np.array([np.sin(around), np.cos(around)])
    kept = along <= np.quantile(along, scene.twist_cover)
    return pick(layer, kept)


def _can_be_seen(pore: Pore, scene: Scene, carbon: NDArray[np.float32], disorder: NDArray[np.bool_]) -> bool:
    """Tell whether a pore is visible despite contamination and disorder; large pores always are."""
    if pore.missing is None or pore.missing > 3 * _SMALL:
        return True
    at = np.array([pore.centre])
    if _look_up(disorder, at, scene.pixel_size)[0]:
        return False
    hidden = carbon > 0.5 * thick_carbon(scene.modality, MATERIALS[scene.material])
    return pore.missing > _SMALL or not _look_up(hidden, at, scene.pixel_size)[0]


def _look_up(mask: NDArray[np.bool_], positions: NDArray[np.float64], pixel_size: float) -> NDArray[np.bool_]:
    """Look up a mask at positions [nm]; those outside take the nearest pixel."""
    y, x = np.rint(positions / pixel_size).astype(int).T
    return np.asarray(mask[np.clip(y, 0, mask.shape[0] - 1), np.clip(x, 0, mask.shape[1] - 1)])


def _scatter_adatoms(
    scene: Scene, material: Material, atoms: Atoms, extent: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Scatter adatoms over the sheet, and metal adatoms along the edges of its pores."""
    n = rng.poisson(scene.adatoms * extent.prod())
    points = rng.uniform(0, extent, (n, 2))
    number = np.full(n, ATOMIC_NUMBER[scene.adatom])
    if scene.rim_atoms > 0:
        left = count_neighbours(atoms.positions, atoms.occupancy, material.constant)
        edge = (left < 3) & (atoms.occupancy > 0) & (rng.random(len(left)) < scene.rim_atoms)
        rims = atoms.positions[edge] + rng.normal(0, 0.06, (int(edge.sum()), 2))
        points = np.concatenate([points, rims])
        number = np.concatenate([number, np.full(len(rims), ATOMIC_NUMBER[material.first])])
    return points, number
