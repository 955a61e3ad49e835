"""Atoms of a simulated sheet: lattice, pores and other defects.

Positions are (row, column) [nm]; (0, 0) is the centre of the frame's first pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from porescope.materials import ATOMIC_NUMBER, LONGEST_BOND, Material

#: Margin of a sheet around the frame [nm].
MARGIN = 0.8


class Atoms(NamedTuple):
    """The sites of a sheet, empty ones included."""

    positions: NDArray[np.float64]  # (K, 2), (row, column) [nm]
    second: NDArray[np.bool_]  # (K,), whether the site is on the second sublattice
    occupancy: NDArray[np.int64]  # (K,), number of atoms on the site: 0 to 2
    number: NDArray[np.int64]  # (K,), their atomic number


def pick(atoms: Atoms, kept: NDArray[np.bool_]) -> Atoms:
    """Select sites.

    Parameters
    ----------
    atoms : Atoms
    kept : ndarray of bool, shape (K,)

    Returns
    -------
    Atoms
    """
    return Atoms(atoms.positions[kept], atoms.second[kept], atoms.occupancy[kept], atoms.number[kept])


@dataclass(frozen=True)
class Pore:
    """A pore to be cut: an ellipse with a rippled outline, or a triangle."""

    centre: tuple[float, float]  # (row, column) [nm]
    missing: int | None = None  # number of missing atoms (metal, or C, B and N); None: ``radius`` decides
    radius: float = 0.0  # [nm], used if ``missing`` is None
    aspect: float = 1.0  # long axis over short axis
    angle: float = 0.0  # direction of the long axis, or of the triangle [rad]
    ripple: tuple[float, ...] = ()  # relative amplitudes of 2, 3, … waves around the outline
    corners: bool = False  # a triangle
    ragged: float = 0.25  # standard deviation of the edge's roughness [lattice constants]
    through: bool = True  # cut through a second layer as well


def make_sheet(
    material: Material, extent: NDArray[np.float64], rng: np.random.Generator, *, angle: float | None = None
) -> Atoms:
    """Make a sheet without defects.

    Parameters
    ----------
    material : Material
    extent : ndarray, shape (2,)
        Height and width of the frame [nm]; the sheet has a margin around it.
    rng : Generator
    angle : float, optional
        Orientation of the lattice [rad]; random by default.

    Returns
    -------
    Atoms
    """
    a = material.constant
    reach = float(np.hypot(*extent)) + 2 * MARGIN
    n = int(np.ceil(reach / (a * np.sqrt(3) / 2) / 2 * np.sqrt(4 / 3))) + 2
    i, j = np.mgrid[-n : n + 1, -n : n + 1].reshape(2, -1)
    first = np.stack([j * a * np.sqrt(3) / 2, (i + j / 2) * a], axis=1)
    second = first + np.array([a / (2 * np.sqrt(3)), a / 2])
    turned = rng.uniform(0, np.pi / 3) if angle is None else angle
    turn = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    points = np.concatenate([first, second]) @ turn.T + extent / 2 + rng.uniform(-a, a, 2)
    is_second = np.arange(len(points)) >= len(first)
    inside = ((points > -MARGIN) & (points < extent + MARGIN)).all(axis=1)
    points, is_second = points[inside], is_second[inside]
    return Atoms(
        points,
        is_second,
        np.where(is_second, material.stack, 1),
        np.where(is_second, ATOMIC_NUMBER[material.second], ATOMIC_NUMBER[material.first]),
    )


def join_grains(
    material: Material, one: Atoms, other: Atoms, point: NDArray[np.float64], normal: NDArray[np.float64]
) -> Atoms:
    """Join two grains along a straight grain boundary.

    Parameters
    ----------
    material : Material
    one, other : Atoms
        Sheets over the whole frame; ``one`` is kept where (position - point) · normal < 0.
    point : ndarray, shape (2,)
        A point of the boundary [nm].
    normal : ndarray, shape (2,)
        Unit vector across the boundary.

    Returns
    -------
    Atoms
        Atoms of ``other`` that overlap ``one`` are left out. Others of them fill gaps up to one lattice
        constant inside ``one``, so that the boundary has few pores.
    """
    a = material.constant
    beyond = (other.positions - point) @ normal
    here = pick(one, (one.positions - point) @ normal < 0)
    there, beyond = pick(other, beyond > -a), beyond[beyond > -a]
    gap, _ = cKDTree(here.positions).query(there.positions)
    there = pick(there, gap > np.where(beyond >= 0, 0.62, 0.75) * a / np.sqrt(3))
    return Atoms(*(np.concatenate(pair) for pair in zip(here, there, strict=True)))


def cut_pores(material: Material, atoms: Atoms, pores: Sequence[Pore], rng: np.random.Generator) -> Atoms:
    """Remove the atoms of pores, and dangling atoms at their edges.

    Parameters
    ----------
    material : Material
    atoms : Atoms
    pores : sequence of Pore
    rng : Generator

    Returns
    -------
    Atoms
        The same sites with lower occupancies.
    """
    occupancy = atoms.occupancy.copy()
    for pore in pores:
        occupancy[_choose(material, atoms, occupancy, pore, rng)] = 0
    if material.both_count:
        _drop_dangling(atoms.positions, occupancy, material.constant, at_least=2)
        return atoms._replace(occupancy=occupancy)
    held = np.where(atoms.second, 1, occupancy)  # empty chalcogen sites do not count as lost neighbours
    left = count_neighbours(atoms.positions, held, material.constant)
    loose = atoms.second & ((left <= 1) | ((left == 2) & (rng.random(len(left)) < 0.3)))
    occupancy[loose] = 0
    return atoms._replace(occupancy=occupancy)


def _choose(
    material: Material,
    atoms: Atoms,
    occupancy: NDArray[np.int64],
    pore: Pore,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Choose the sites of the atoms (metal, or C, B and N) that a pore removes."""
    counted = np.flatnonzero((material.both_count | ~atoms.second) & (occupancy > 0))
    offset = atoms.positions[counted] - pore.centre
    distance = _measure_distance(offset, pore)
    if pore.missing is None:
        distance += rng.normal(0, pore.ragged * material.constant, len(distance))
        return counted[distance < pore.radius]
    if pore.missing > 2 and pore.ragged > 0:
        distance += rng.normal(0, pore.ragged * material.constant, len(distance))
    return counted[np.argsort(distance)[: pore.missing]]


def _measure_distance(offset: NDArray[np.float64], pore: Pore) -> NDArray[np.float64]:
    """Measure the distance from a pore's centre, scaled so that the outline is a circle."""
    cos, sin = np.cos(pore.angle), np.sin(pore.angle)
    along, across = offset @ np.array([cos, sin]), offset @ np.array([-sin, cos])
    stretch = np.sqrt(pore.aspect)
    if pore.corners:
        sides = [along * np.cos(t) + across * np.sin(t) for t in np.pi / 3 * np.array([1, 3, 5])]
        # The triangle has the area of the circle.
        return np.asarray(np.max(sides, axis=0) / np.sqrt(np.pi / (3 * np.sqrt(3))))
    distance = np.hypot(along / stretch, across * stretch)
    around = np.arctan2(across, along)
    waves = sum(r * np.cos((k + 2) * around + 7 * k) for k, r in enumerate(pore.ripple))
    return np.asarray(distance / (1 + waves))


def count_neighbours(
    positions: NDArray[np.float64], occupancy: NDArray[np.int64], constant: float
) -> NDArray[np.int64]:
    """Count each site's occupied nearest neighbours.

    Parameters
    ----------
    positions : ndarray, shape (K, 2)
        [nm]
    occupancy : ndarray of int, shape (K,)
    constant : float
        Lattice constant [nm].

    Returns
    -------
    ndarray of int, shape (K,)
        0 to 3; neighbours beyond the sheet's border count as occupied.
    """
    pairs = cKDTree(positions).query_pairs(constant / np.sqrt(3) * LONGEST_BOND, output_type="ndarray")
    count = np.full(len(positions), 3)
    for here, there in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        np.subtract.at(count, here, (occupancy[there] == 0).astype(int))
    return count


def _drop_dangling(
    positions: NDArray[np.float64], occupancy: NDArray[np.int64], constant: float, at_least: int
) -> None:
    """Remove, in place, atoms with fewer than ``at_least`` neighbours, until there are none."""
    while True:
        dangling = (occupancy > 0) & (count_neighbours(positions, occupancy, constant) < at_least)
        if not dangling.any():
            return
        occupancy[dangling] = 0


def drop_chalcogens(material: Material, atoms: Atoms, share: float, rng: np.random.Generator) -> Atoms:
    """Make chalcogen vacancies: five sixths single, one sixth double.

    Parameters
    ----------
    material : Material
    atoms : Atoms
    share : float
        Fraction of the chalcogen sites.
    rng : Generator

    Returns
    -------
    Atoms
        Unchanged if the material has no chalcogens.
    """
    if material.stack < 2 or share <= 0:
        return atoms
    hit = atoms.second & (rng.random(len(atoms.second)) < share)
    left = np.where(rng.random(len(hit)) < 1 / 6, 0, 1)
    return atoms._replace(occupancy=np.where(hit, np.minimum(atoms.occupancy, left), atoms.occupancy))


def dope(atoms: Atoms, element: str, share: float, second: bool, rng: np.random.Generator) -> Atoms:
    """Substitute an element on one sublattice.

    Parameters
    ----------
    atoms : Atoms
    element : str
    share : float
        Fraction of the sublattice's sites.
    second : bool
        Whether it is the second sublattice.
    rng : Generator

    Returns
    -------
    Atoms
    """
    hit = (atoms.second == second) & (rng.random(len(atoms.second)) < share)
    return atoms._replace(number=np.where(hit, ATOMIC_NUMBER[element], atoms.number))


def relax_edges(material: Material, atoms: Atoms, shift: float, rng: np.random.Generator) -> Atoms:
    """Displace atoms that lack a neighbour.

    Parameters
    ----------
    material : Material
    atoms : Atoms
    shift : float
        Standard deviation of the displacement in each direction [nm].
    rng : Generator

    Returns
    -------
    Atoms
    """
    if shift <= 0:
        return atoms
    loose = count_neighbours(atoms.positions, atoms.occupancy, material.constant) < 3
    moved = atoms.positions + loose[:, None] * rng.normal(0, shift, atoms.positions.shape)
    return atoms._replace(positions=moved)


def make_amorphous(atoms: Atoms, inside: NDArray[np.bool_], rng: np.random.Generator) -> Atoms:
    """Displace atoms so far that no lattice is left: 0.09 nm (standard deviation) in each direction.

    Parameters
    ----------
    atoms : Atoms
    inside : ndarray of bool, shape (K,)
        Sites to displace.
    rng : Generator

    Returns
    -------
    Atoms
    """
    moved = atoms.positions + inside[:, None] * rng.normal(0, 0.09, atoms.positions.shape)
    return atoms._replace(positions=moved)
