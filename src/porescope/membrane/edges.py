"""The edge of a pore by its missing atoms: which shares are zigzag and armchair, and what ends them."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from porescope.materials import Material
from porescope.membrane.isomers import SitesOf

#: Corners of an atom's tile, counter-clockwise, as three times their distance in the lattice: a hexagon for a
#: metal site, triangles for the two sublattices of graphene and hBN.
_HEXAGON = ((2, 1), (1, 2), (-1, 1), (-2, -1), (-1, -2), (1, -1))
_TRIANGLES = (((2, 1), (-1, 1), (-1, -2)), ((1, 2), (-2, -1), (1, -1)))
#: Turns [60°] along an armchair edge of hexagons: two left, two right. A corner of zigzag edges has no five
#: of them in this order.
_ARMCHAIR = {(1, 1, -1, -1, 1), (1, -1, -1, 1, 1), (-1, -1, 1, 1, -1), (-1, 1, 1, -1, -1)}
#: Fewest missing atoms that have an edge.
_FEWEST = 6

_Point = tuple[int, int]


class EdgeShares(NamedTuple):
    """Shares of a pore's edge; the rest are corners. NaN where they are not known."""

    zigzag_first: float  # zigzag, ended by the first sublattice (metal, B)
    zigzag_second: float  # zigzag, ended by the second (chalcogen, N)
    armchair: float


class _Step(NamedTuple):
    """A side of a tile on a pore's edge, with the pore on its left."""

    start: _Point
    end: _Point
    sublattice: int  # of the missing atom

    @property
    def direction(self) -> int:
        """[30°]."""
        dx, dy = self.end[0] - self.start[0], self.end[1] - self.start[1]
        x, y = dx - dy / 2, dy * np.sqrt(3) / 2
        return int(round(np.degrees(np.arctan2(y, x)) / 30))


def share_edges(sites: SitesOf, material: Material, sure: bool = True) -> EdgeShares:
    """Tell the shares of zigzag and armchair edges of a pore.

    Parameters
    ----------
    sites : ndarray of int, shape (n, 3)
        The missing atoms; of a dichalcogenide the metal's.
    material : Material
    sure : bool
        Whether it is known which sublattice is which; else it is not told what ends a zigzag edge.

    Returns
    -------
    EdgeShares
        All NaN for fewer than six atoms. In graphene the two zigzag edges are the same.

    Notes
    -----
    Around a pore of metal sites runs a path of hexagon sides. Where its turns alternate the edge is zigzag,
    where two left ones follow two right ones it is armchair. The chalcogens in front of a zigzag edge hold by
    two bonds and stay (chalcogen edge), or by one and are lost (metal edge). Around missing atoms of graphene
    and hBN runs a path of triangle sides: straight along a zigzag edge, turning by 60° and back along an
    armchair edge.

    Examples
    --------
    >>> from porescope.materials import MATERIALS
    >>> triangle = np.array([[i, j, 0] for j in range(5) for i in range(j + 1)])
    >>> share_edges(triangle, MATERIALS["WS2"]).armchair
    0.0
    """
    if len(sites) < _FEWEST:
        return EdgeShares(np.nan, np.nan, np.nan)
    loops = _trace(_list_steps(sites, material))
    kinds = [
        kind
        for loop in loops
        for kind in (_judge_triangles if material.both_count else _judge_hexagons)(loop)
    ]
    first, second, armchair = (kinds.count(kind) / len(kinds) for kind in ("first", "second", "armchair"))
    if not sure or material.first == material.second:
        return EdgeShares(np.nan, np.nan, armchair)
    return EdgeShares(first, second, armchair)


def _list_steps(sites: SitesOf, material: Material) -> list[_Step]:
    """Sides of the tiles that have no missing atom on their other side."""
    steps: dict[tuple[_Point, _Point], int] = {}
    for i, j, s in sites.tolist():
        centre = (3 * i + s, 3 * j + 2 * s)
        corners = _TRIANGLES[s] if material.both_count else _HEXAGON
        points = [(centre[0] + x, centre[1] + y) for x, y in corners]
        steps |= {(a, b): s for a, b in zip(points, [*points[1:], points[0]], strict=True)}
    return [_Step(a, b, s) for (a, b), s in steps.items() if (b, a) not in steps]


def _trace(steps: list[_Step]) -> list[list[_Step]]:
    """Closed paths; where two meet at a point, the one that turns most to the left."""
    after: dict[_Point, list[_Step]] = defaultdict(list)
    for step in steps:
        after[step.start].append(step)
    loops = []
    while any(after.values()):
        step = next(rest for rest in after.values() if rest).pop()
        loop = [step]
        while loop[-1].end != loop[0].start:
            choices = after[loop[-1].end]
            best = max(choices, key=lambda step, last=loop[-1]: _turn(last, step))  # type: ignore[misc]
            choices.remove(best)
            loop.append(best)
        loops.append(loop)
    return loops


def _turn(one: _Step, other: _Step) -> float:
    """Turn from one step to the next [60°], to the left."""
    return ((other.direction - one.direction) / 2 + 3) % 6 - 3


def _judge_hexagons(loop: list[_Step]) -> list[str]:
    n = len(loop)
    turns = [round(_turn(loop[k], loop[(k + 1) % n])) for k in range(n)]
    kinds = ["corner"] * n
    for k in range(n):
        around = tuple(turns[(k + m) % n] for m in range(5))
        if n > 6 and around in _ARMCHAIR:
            for m in range(6):
                kinds[(k + m) % n] = "armchair"
    for k in range(n):
        if n > 6 and turns[k] == -turns[(k + 1) % n] == turns[(k + 2) % n]:
            for m in range(4):
                # Two sides of a zigzag edge: into the pore points their sum, turned by 90° to the left.
                along = loop[(k + m // 2 * 2) % n], loop[(k + m // 2 * 2 + 1) % n]
                kinds[(k + m) % n] = _end_zigzag(*along)
    return kinds


def _end_zigzag(one: _Step, other: _Step) -> str:
    """What ends a zigzag edge of metal sites: into the pore point single bonds of the metal, or none."""
    dx, dy = other.end[0] - one.start[0], other.end[1] - one.start[1]
    angle = np.degrees(np.arctan2(dy * np.sqrt(3) / 2, dx - dy / 2)) + 90
    # The metal's bonds point to 90°, 210° and 330°.
    return "first" if round((angle - 90) / 60) % 2 == 0 else "second"


def _judge_triangles(loop: list[_Step]) -> list[str]:
    n = len(loop)
    turns = [round(_turn(loop[k], loop[(k + 1) % n])) for k in range(n)]
    kinds = ["corner"] * n
    for k in range(n):
        around = [turns[(k + m) % n] for m in range(3)]
        if n > 3 and abs(around[0]) == 1 and around[0] == -around[1] == around[2]:
            for m in range(4):
                kinds[(k + m) % n] = "armchair"
    for k in range(n):
        if n > 3 and turns[k] == 0:
            for m in (k, (k + 1) % n):  # the atom that is left is on the other sublattice
                kinds[m] = "second" if loop[m].sublattice == 0 else "first"
    return kinds
