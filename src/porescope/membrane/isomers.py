"""Isomers: which atoms a pore lacks, named independently of its place and orientation.

A site is (i, j, s): the cell in units of the lattice vectors, which are 120° apart, and the sublattice, 0
for the first (metal, C, B) and 1 for the second (N, the other C), which lies at (1/3, 2/3) in the cell. The
isomer of a dichalcogenide is the set of its missing metal sites.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.materials import Material

#: Sites (n, 3): i, j, s. Symmetries act on three times the place, which is a pair of integers.
SitesOf = NDArray[np.int64]

#: Place of the second sublattice in the cell, times three.
_SECOND = np.array([1, 2])
#: Most missing atoms of a pore that has a name.
MOST_NAMED = 60
#: Letters of the two sublattices of graphene in names.
_LETTERS = ("a", "b")


class Isomer(NamedTuple):
    """The identity of a pore."""

    name: str
    sites: SitesOf  # (n, 3), in the order of the name
    symmetry: str  # the point group in the plane, as C3v


def _turn(t: SitesOf) -> SitesOf:
    """By 120°, around an atom of the first sublattice."""
    return np.stack([-t[:, 1], t[:, 0] - t[:, 1]], axis=1)


def _mirror(t: SitesOf) -> SitesOf:
    """At the line through an atom and its neighbour."""
    return -t[:, ::-1]


class _Operation(NamedTuple):
    """A symmetry of the crystal, as it acts on three times a place."""

    thirds: int  # turns by 120°
    mirrored: bool
    centre: SitesOf | None  # twice the centre of a turn by 180° at the end; None: no such turn

    def apply(self, t: SitesOf) -> SitesOf:
        for _ in range(self.thirds):
            t = _turn(t)
        t = _mirror(t) if self.mirrored else t
        return t if self.centre is None else self.centre - t

    @property
    def turn(self) -> int:
        """[60°]."""
        return (2 * self.thirds + 3 * (self.centre is not None)) % 6


def _list_operations(material: Material, sure: bool) -> list[_Operation]:
    """The 12 or 6 operations by which names are the same."""
    centres: list[SitesOf | None] = [None]
    if material.first == material.second or (not sure and material.both_count):
        centres.append(_SECOND)  # the middle of a bond: the sublattices change places
    elif not sure:
        centres.append(0 * _SECOND)  # a metal atom: its neighbours are not known
    return [_Operation(k, m, c) for c in centres for m in (False, True) for k in range(3)]


def name_isomer(sites: SitesOf, material: Material, sure: bool = True) -> Isomer:
    """Name the set of sites that a pore lacks.

    Parameters
    ----------
    sites : ndarray of int, shape (n, 3)
        Cells and sublattices; of a dichalcogenide those of the metal. They need not be connected.
    material : Material
    sure : bool
        Whether it is known which sublattice is which.

    Returns
    -------
    Isomer
        The name is the smallest code over the symmetries of the crystal: 12 for graphene, else 6, or 12 and a
        ``?`` if it is not sure which sublattice is which.

    Raises
    ------
    ValueError
        If there is no site, or one twice.

    Examples
    --------
    >>> from porescope.materials import MATERIALS
    >>> found = name_isomer(np.array([[4, 7, 0], [4, 8, 0], [5, 8, 0]]), MATERIALS["WS2"])
    >>> found.name, found.symmetry
    ('W3_0.0_0.1_1.1', 'C3v')
    """
    sites = np.asarray(sites, np.int64).reshape(-1, 3)
    if not len(sites) or len(np.unique(sites, axis=0)) < len(sites):
        raise ValueError(f"an isomer is a set of one or more different sites, not {sites.tolist()}")
    t = 3 * sites[:, :2] + sites[:, 2:] * _SECOND
    operations = _list_operations(material, sure)
    codes = [_code(operation.apply(t)) for operation in operations]
    best = min(codes)
    # Those that lead to the same code as the first one leave the set as it is.
    same = [operation for operation, code in zip(operations, codes, strict=True) if code == codes[0]]
    n_turns = len({operation.turn for operation in same if not operation.mirrored})
    has_mirror = any(operation.mirrored for operation in same)
    symmetry = ("Cs" if n_turns == 1 else f"C{n_turns}v") if has_mirror else f"C{n_turns}"
    return Isomer(_write(best, material) + ("" if sure else "?"), np.array(best, np.int64), symmetry)


def _code(t: SitesOf) -> tuple[tuple[int, int, int], ...]:
    """Sites of three times their places, moved to the corner of the lattice and sorted."""
    s = (t[:, 0] % 3 != 0).astype(np.int64)
    cells = (t - s[:, None] * _SECOND) // 3
    cells = cells - cells.min(axis=0)
    rows = np.column_stack([cells, s]).tolist()
    return tuple(sorted((i, j, k) for i, j, k in rows))


def _write(code: tuple[tuple[int, int, int], ...], material: Material) -> str:
    """A code as text: elements with their numbers, then the sites."""
    letters = [material.first, material.second] if material.both_count else ["", ""]
    if material.first == material.second:
        letters = list(_LETTERS)
        head = f"{material.first}{len(code)}"
    else:
        counts = [sum(s == k for _, _, s in code) for k in (0, 1)]
        named = zip((material.first, material.second), counts, strict=True)
        head = "".join(f"{element}{n}" for element, n in named if n)
    return "_".join([head, *(f"{i}.{j}{letters[s]}" for i, j, s in code)])


def read_isomer(name: str, material: Material) -> SitesOf:
    """Read the sites of an isomer from its name.

    Parameters
    ----------
    name : str
    material : Material

    Returns
    -------
    ndarray of int, shape (n, 3)

    Raises
    ------
    ValueError
        If it is no name of an isomer of this material.

    Examples
    --------
    >>> from porescope.materials import MATERIALS
    >>> read_isomer("B1N1_0.0B_0.0N", MATERIALS["hBN"]).tolist()
    [[0, 0, 0], [0, 0, 1]]
    """
    letters = [material.first, material.second] if material.both_count else ["", "-"]
    if material.first == material.second:
        letters = list(_LETTERS)
    sites = []
    for part in name.removesuffix("?").split("_")[1:]:
        match = re.fullmatch(r"(\d+)\.(\d+)([A-Za-z]*)", part)
        if match is None or match[3] not in letters:
            raise ValueError(
                f"{name!r} is no isomer of {material.first}{material.second}: {part!r} is no site of it"
            )
        sites.append((int(match[1]), int(match[2]), letters.index(match[3])))
    found = np.array(sites, np.int64).reshape(-1, 3)
    if not len(found) or _write(tuple(sites), material) != name.removesuffix("?"):
        raise ValueError(f"{name!r} is no isomer of {material.first}{material.second}")
    return found


def list_neighbours(sites: SitesOf, material: Material) -> SitesOf:
    """List the sites beside a set: neighbours of its atoms, of metal sites the nearest metal sites.

    Parameters
    ----------
    sites : ndarray of int, shape (n, 3)
    material : Material

    Returns
    -------
    ndarray of int, shape (m, 3)
        Each once, none of the set.
    """
    steps: dict[int, list[tuple[int, int, int]]]
    if material.both_count:
        steps = {0: [(0, 0, 1), (-1, -1, 1), (0, -1, 1)], 1: [(0, 0, 0), (1, 1, 0), (0, 1, 0)]}
    else:
        steps = {0: [(1, 0, 0), (0, 1, 0), (1, 1, 0), (-1, 0, 0), (0, -1, 0), (-1, -1, 0)]}
    own = {(i, j, s) for i, j, s in sites.tolist()}
    beside = {(i + di, j + dj, k) for i, j, s in own for di, dj, k in steps[s]} - own
    return np.array(sorted(beside), np.int64).reshape(-1, 3)
