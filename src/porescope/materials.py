"""The crystals: lattice constants, atoms, radii."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Material:
    """A hexagonal sheet: lattice constant [nm] and what sits on its two sublattices.

    ``second`` stands ``stack`` times above itself (2 for the chalcogens of a 1H sheet).
    """

    constant: float
    first: str
    second: str
    stack: int = 1
    half_thickness: float = 0.0  # from the metal's plane to a chalcogen's [nm]

    @property
    def both_count(self) -> bool:
        """Whether a missing atom of either sublattice makes a pore (C, B, N)."""
        return self.stack == 1

    @property
    def first_is_brighter(self) -> bool:
        """Whether the first sublattice scatters more: not Mo beside two Se."""
        first, second = ATOMIC_NUMBER[self.first], ATOMIC_NUMBER[self.second]
        return float(first**1.7) > float(self.stack * second**1.7)


MATERIALS = {
    "WS2": Material(0.3153, "W", "S", 2, 0.157),
    "MoS2": Material(0.3160, "Mo", "S", 2, 0.156),
    "WSe2": Material(0.3282, "W", "Se", 2, 0.167),
    "MoSe2": Material(0.3288, "Mo", "Se", 2, 0.167),
    "graphene": Material(0.2461, "C", "C"),
    "hBN": Material(0.2504, "B", "N"),
}

ATOMIC_NUMBER = {"B": 5, "C": 6, "N": 7, "S": 16, "Se": 34, "Mo": 42, "W": 74}

#: Radii of atoms in the definition of a pore [nm]: Slater 1964 (doi:10.1063/1.1725697), for
#: carbon the covalent radius of Cordero et al. 2008 (doi:10.1039/b801115j), rounded.
RADIUS = {"W": 0.135, "Mo": 0.145, "Se": 0.115, "S": 0.100, "C": 0.077, "B": 0.085, "N": 0.065}
BOND_WIDTH = 0.05  # nm
OPENING_RADIUS = 0.03  # nm
