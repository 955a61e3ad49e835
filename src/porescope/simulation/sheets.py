"""Atoms of a simulated sheet: the lattice, its pores and whatever else is wrong with it.

Positions are (row, column) [nm]; (0, 0) is the centre of the frame's first pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from porescope.materials import ATOMIC_NUMBER, Material

#: Sheets are laid so far beyond the frame [nm].
MARGIN = 0.8
#: Bonds are longer than this many nearest distances nowhere.
LONGEST_BOND = 1.2


class Atoms(NamedTuple):
    """Sites of a sheet, those of missing atoms too."""

    positions: NDArray[np.float64]  # (K, 2) [nm]
    second: NDArray[np.bool_]  # on the second sublattice
    occupancy: NDArray[np.int64]  # atoms left on the site
    number: NDArray[np.int64]  # their atomic number


def pick(atoms: Atoms, kept: NDArray[np.bool_]) -> Atoms:
    """Take some of the sites."""
    return Atoms(atoms.positions[kept], atoms.second[kept], atoms.occupancy[kept], atoms.number[kept])


@dataclass(frozen=True)
class Pore:
    """A pore to be cut: round within ``ripple``, or with three sides where ``corners``."""

    centre: tuple[float, float]  # [nm]
    missing: int | None = None  # atoms to take (metal, or C, B and N), the nearest first
    radius: float = 0.0  # [nm], where ``missing`` does not say how large
    aspect: float = 1.0  # long over short axis
    angle: float = 0.0  # of the long axis or a corner [rad]
    ripple: tuple[float, ...] = ()  # relative, of 2, 3, … waves around
    corners: bool = False
    ragged: float = 0.25  # of the edge [lattice constants]
    through: bool = True  # a second layer too, where there is one


def make_sheet(
    material: Material, extent: NDArray[np.float64], rng: np.random.Generator, *, angle: float | None = None
) -> Atoms:
    """Lay a whole sheet over an area (height, width) [nm], turned at random, with a margin."""
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
    """Keep one grain on this side of a line and the other beyond, without atoms on top of each other.

    Atoms of the other fill the gaps along the line, so that the seam holds few pores.
    """
    a = material.constant
    beyond = (other.positions - point) @ normal
    here = pick(one, (one.positions - point) @ normal < 0)
    there, beyond = pick(other, beyond > -a), beyond[beyond > -a]
    gap, _ = cKDTree(here.positions).query(there.positions)
    there = pick(there, gap > np.where(beyond >= 0, 0.62, 0.75) * a / np.sqrt(3))
    return Atoms(*(np.concatenate(pair) for pair in zip(here, there, strict=True)))


def cut_pores(material: Material, atoms: Atoms, pores: Sequence[Pore], rng: np.random.Generator) -> Atoms:
    """Take the atoms of pores out, and with them what hangs loose."""
    occupancy = atoms.occupancy.copy()
    for pore in pores:
        occupancy[_choose(material, atoms, occupancy, pore, rng)] = 0
    if material.both_count:
        _drop_dangling(atoms.positions, occupancy, material.constant, at_least=2)
        return atoms._replace(occupancy=occupancy)
    held = np.where(atoms.second, 1, occupancy)  # vacant chalcogen sites loosen nothing
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
    """Sites of the atoms (metal, or C, B and N) that a pore lacks."""
    counted = np.flatnonzero((material.both_count | ~atoms.second) & (occupancy > 0))
    offset = atoms.positions[counted] - pore.centre
    distance = _measure_distance(offset, pore)
    if pore.missing is None:
        distance += rng.normal(0, pore.ragged * material.constant, len(distance))
        return counted[distance < pore.radius]
    if pore.missing > 2:
        # Edges are ragged by a fraction of a cell.
        distance += rng.normal(0, pore.ragged * material.constant, len(distance))
    return counted[np.argsort(distance)[: pore.missing]]


def _measure_distance(offset: NDArray[np.float64], pore: Pore) -> NDArray[np.float64]:
    """Distance from a pore's centre in units in which its outline is a circle."""
    cos, sin = np.cos(pore.angle), np.sin(pore.angle)
    along, across = offset @ np.array([cos, sin]), offset @ np.array([-sin, cos])
    stretch = np.sqrt(pore.aspect)
    if pore.corners:
        sides = [along * np.cos(t) + across * np.sin(t) for t in np.pi / 3 * np.array([1, 3, 5])]
        # A triangle of this inradius has the area of the unit circle.
        return np.asarray(np.max(sides, axis=0) / np.sqrt(np.pi / (3 * np.sqrt(3))))
    distance = np.hypot(along / stretch, across * stretch)
    around = np.arctan2(across, along)
    waves = sum(r * np.cos((k + 2) * around + 7 * k) for k, r in enumerate(pore.ripple))
    return np.asarray(distance / (1 + waves))


def count_neighbours(
    positions: NDArray[np.float64], occupancy: NDArray[np.int64], constant: float
) -> NDArray[np.int64]:
    """Nearest sites that hold an atom; sites beyond the sheet's margin count as held."""
    pairs = cKDTree(positions).query_pairs(constant / np.sqrt(3) * LONGEST_BOND, output_type="ndarray")
    count = np.full(len(positions), 3)
    for here, there in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        np.subtract.at(count, here, (occupancy[there] == 0).astype(int))
    return count


def _drop_dangling(
    positions: NDArray[np.float64], occupancy: NDArray[np.int64], constant: float, at_least: int
) -> None:
    """Take out, in place, atoms with fewer neighbours than ``at_least``, until none is left."""
    while True:
        dangling = (occupancy > 0) & (count_neighbours(positions, occupancy, constant) < at_least)
        if not dangling.any():
            return
        occupancy[dangling] = 0


def drop_chalcogens(material: Material, atoms: Atoms, share: float, rng: np.random.Generator) -> Atoms:
    """Leave one atom out on a share of the chalcogen sites, both on a sixth of those."""
    if material.stack < 2 or share <= 0:
        return atoms
    hit = atoms.second & (rng.random(len(atoms.second)) < share)
    left = np.where(rng.random(len(hit)) < 1 / 6, 0, 1)
    return atoms._replace(occupancy=np.where(hit, np.minimum(atoms.occupancy, left), atoms.occupancy))


def dope(atoms: Atoms, element: str, share: float, second: bool, rng: np.random.Generator) -> Atoms:
    """Put another element on a share of one sublattice's sites."""
    hit = (atoms.second == second) & (rng.random(len(atoms.second)) < share)
    return atoms._replace(number=np.where(hit, ATOMIC_NUMBER[element], atoms.number))


def relax_edges(material: Material, atoms: Atoms, shift: float, rng: np.random.Generator) -> Atoms:
    """Move atoms that miss a neighbour by a normal deviate [nm] a direction."""
    if shift <= 0:
        return atoms
    loose = count_neighbours(atoms.positions, atoms.occupancy, material.constant) < 3
    moved = atoms.positions + loose[:, None] * rng.normal(0, shift, atoms.positions.shape)
    return atoms._replace(positions=moved)


def make_amorphous(atoms: Atoms, inside: NDArray[np.bool_], rng: np.random.Generator) -> Atoms:
    """Displace atoms at random by so much that no lattice is left."""
    moved = atoms.positions + inside[:, None] * rng.normal(0, 0.09, atoms.positions.shape)
    return atoms._replace(positions=moved)
