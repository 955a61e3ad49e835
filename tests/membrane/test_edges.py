from __future__ import annotations

import numpy as np
import pytest

from porescope.materials import MATERIALS
from porescope.membrane import share_edges
from porescope.membrane.edges import _list_steps

METAL, GRAPHENE, BORON_NITRIDE = (MATERIALS[name] for name in ("WS2", "graphene", "hBN"))


def _triangle(n: int) -> np.ndarray:
    return np.array([[i, j, 0] for j in range(n) for i in range(j + 1)])


def _cut(n_sublattices: int, angle: float, radius: float = 5.2) -> np.ndarray:
    """Sites within a hexagon around the middle of a ring, whose sides' normals are at ``angle`` [°]."""
    i, j, s = np.mgrid[-12:13, -12:13, 0:n_sublattices].reshape(3, -1)
    u, v = i + s / 3, j + 2 * s / 3
    places = np.column_stack([u - v / 2, v * np.sqrt(3) / 2])
    if n_sublattices == 2:
        places += [0, 1 / np.sqrt(3)]
    normals = np.radians(angle + np.array([0, 60, 120]))
    far = np.abs(places @ np.array([np.cos(normals), np.sin(normals)])).max(axis=1)
    return np.column_stack([i, j, s])[far < radius]


def test_a_triangle_of_metal_has_one_kind_of_zigzag_edge() -> None:
    """The chalcogens in front of the one hold by two bonds; turned by 180°, they would hold by one."""
    n = 6
    one, other = share_edges(_triangle(n), METAL), share_edges(-_triangle(n) * [1, 1, 0], METAL)
    assert one == (0, 1, 0) and other == (1, 0, 0)
    unsure = share_edges(_triangle(n), METAL, sure=False)
    assert np.isnan(unsure.zigzag_first) and unsure.armchair == 0


def test_the_chalcogens_at_an_edge_hold_by_two_bonds_or_one() -> None:
    """Checked by counting the bonds of the chalcogens around a pore."""
    for sites, bonds in ((_triangle(6), 2), (-_triangle(6), 1)):
        gone = {tuple(s[:2]) for s in sites.tolist()}
        beside = {(i + a, j + b) for i, j in gone for a, b in ((0, 0), (-1, -1), (0, -1))}
        held = [sum((i + a, j + b) not in gone for a, b in ((0, 0), (1, 1), (0, 1))) for i, j in beside]
        at_edge = [n for n in held if 0 < n < 3]
        assert np.mean([n == bonds for n in at_edge]) > 0.7


def test_hexagons_have_both_zigzag_edges_or_armchair_ones() -> None:
    zigzag = share_edges(_cut(1, 30), METAL)
    assert zigzag.armchair == 0 and zigzag.zigzag_first == pytest.approx(0.5, abs=0.03)
    assert share_edges(_cut(1, 0), METAL).armchair > 0.5
    for sheet in (GRAPHENE, BORON_NITRIDE):
        assert share_edges(_cut(2, 0), sheet).armchair == 1
        assert share_edges(_cut(2, 30), sheet).armchair == 0
    assert share_edges(_cut(2, 30), BORON_NITRIDE)[:2] == (0.5, 0.5)
    assert np.isnan(share_edges(_cut(2, 30), GRAPHENE).zigzag_first)


def test_a_triangle_in_boron_nitride_is_ended_by_one_element() -> None:
    """All missing atoms at its edge are B, so that N is left."""
    n = 5
    boron = [(i, j, 0) for j in range(n) for i in range(j + 1)]
    nitrogen = [(i, j, 1) for j in range(n - 1) for i in range(j + 1)]
    shares = share_edges(np.array(boron + nitrogen), BORON_NITRIDE)
    assert shares.zigzag_first == 0 and shares.zigzag_second > 0.9


def test_pores_that_touch_at_a_point_keep_their_edges() -> None:
    """A triangle and the same one turned by 180° around one of its corners."""
    n = 5
    sites = np.array(
        [(i, j, 0) for j in range(n) for i in range(j + 1)]
        + [(i, j, 1) for j in range(n - 1) for i in range(j + 1)]
    )
    corners = [step.start for step in _list_steps(sites, BORON_NITRIDE)]
    reach = max(corners)
    t = 2 * np.array(reach) - (3 * sites[:, :2] + sites[:, 2:] * [1, 2])
    s = 1 - sites[:, 2]
    turned = np.column_stack([(t - s[:, None] * [1, 2]) // 3, s])
    apart = share_edges(np.vstack([sites, turned + [40, 0, 0]]), BORON_NITRIDE)
    touching = share_edges(np.vstack([sites, turned]), BORON_NITRIDE)
    assert touching == apart and touching.zigzag_first == touching.zigzag_second > 0.4


def test_shares_are_those_of_the_whole_edge() -> None:
    two = np.vstack([_triangle(6), -_triangle(6) - [30, 0, 0]]) * [1, 1, 0]
    assert share_edges(two, METAL) == (0.5, 0.5, 0)
    ring = np.array([s for s in _cut(1, 30, 8).tolist() if s not in _cut(1, 30, 3).tolist()])
    assert sum(share_edges(ring, METAL)) > 0.9
    assert np.isnan(share_edges(_triangle(2), METAL)).all()
