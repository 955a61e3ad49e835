from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope.materials import MATERIALS
from porescope.membrane import list_neighbours, name_isomer, read_isomer

#: OEIS A000577, A000228, and the counts by the 6 symmetries of hBN and of a dichalcogenide's metal.
POLYIAMONDS = [1, 1, 1, 3, 4, 12, 24, 66, 160, 448]
POLYHEXES = [1, 1, 3, 7, 22, 82, 333]
BORON_NITRIDE = [2, 1, 2, 4, 8, 19, 48, 120, 320, 864]
METAL = [1, 1, 4, 10, 36, 146, 631]


@cache
def _grow(material: str, n: int, sure: bool = True) -> list[dict[str, np.ndarray]]:
    """All connected sets of 1 to n missing atoms, by their names."""
    sheet = MATERIALS[material]
    starts = [np.array([[0, 0, s]]) for s in range(1 + sheet.both_count)]
    levels = [{name_isomer(s, sheet, sure).name: s for s in starts}]
    for _ in range(n - 1):
        grown: dict[str, np.ndarray] = {}
        for sites in levels[-1].values():
            for site in list_neighbours(sites, sheet):
                more = np.vstack([sites, site])
                grown.setdefault(name_isomer(more, sheet, sure).name, more)
        levels.append(grown)
    return levels


@pytest.mark.parametrize(
    ("material", "sure", "counts"),
    [
        ("graphene", True, POLYIAMONDS), ("hBN", True, BORON_NITRIDE[:9]), ("hBN", False, POLYIAMONDS[:8]),
        ("WS2", True, METAL[:6]), ("WS2", False, POLYHEXES),
    ],
)  # fmt: skip
def test_connected_isomers_are_as_many_as_is_known(material: str, sure: bool, counts: list[int]) -> None:
    assert list(map(len, _grow(material, len(counts), sure))) == counts


def _rotate(sites: np.ndarray, sixths: int) -> np.ndarray:
    """Turn sites around an atom of the first sublattice by multiples of 60°, by their places in the plane."""
    u, v = sites[:, 0] + sites[:, 2] / 3, sites[:, 1] + 2 * sites[:, 2] / 3
    z = (u - v / 2 + 1j * v * np.sqrt(3) / 2) * np.exp(1j * np.pi / 3 * sixths)
    v = z.imag * 2 / np.sqrt(3)
    return np.column_stack([z.real + v / 2, v])


def _index(places: np.ndarray, swapped: bool) -> np.ndarray:
    """Cells and sublattices of places; after an odd number of turns the second one is at (2/3, 1/3)."""
    if swapped:  # a crystal seen upside down: B atoms become the origin
        places = places + [1 / 3, 2 / 3]
    t = np.rint(3 * places).astype(int)
    s = (t[:, 0] % 3 != 0).astype(int)
    return np.column_stack([(t - s[:, None] * [1, 2]) // 3, s])


SITES = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 1)), min_size=1, max_size=8, unique=True
)


@given(
    SITES,
    st.integers(0, 5),
    st.integers(-9, 9),
    st.integers(-9, 9),
    st.sampled_from(["graphene", "hBN", "WS2"]),
)
def test_a_name_survives_turns_and_shifts(
    sites: list[tuple[int, int, int]], sixths: int, di: int, dj: int, material: str
) -> None:
    """Sets need not be connected. By 60° the sublattices of graphene change places."""
    sheet, given_sites = MATERIALS[material], np.array(sites)
    if material == "WS2":
        given_sites = np.unique(given_sites * [1, 1, 0], axis=0)
    if material != "graphene":
        sixths = 2 * (sixths // 2)
    moved = _index(_rotate(given_sites, sixths), swapped=bool(sixths % 2)) + [di, dj, 0]
    one, other = name_isomer(given_sites, sheet), name_isomer(moved[::-1], sheet)
    assert one.name == other.name and one.symmetry == other.symmetry
    i, j, s = given_sites.T  # mirrored at the line through an atom and its neighbour
    mirrored = np.column_stack([-j - s, -i - s, s])
    assert name_isomer(mirrored, sheet).name == one.name


@given(SITES, st.sampled_from(list(MATERIALS)), st.booleans())
def test_a_name_can_be_read_back(sites: list[tuple[int, int, int]], material: str, sure: bool) -> None:
    sheet, given_sites = MATERIALS[material], np.array(sites)
    if not sheet.both_count:
        given_sites = np.unique(given_sites * [1, 1, 0], axis=0)
    isomer = name_isomer(given_sites, sheet, sure)
    back = read_isomer(isomer.name, sheet)
    assert np.array_equal(back, isomer.sites) and len(back) == len(given_sites)
    assert name_isomer(back, sheet, sure).name == isomer.name
    assert isomer.name.endswith("?") == (not sure)
    # Safe in a CSV file and in a spreadsheet.
    assert not set(isomer.name) & set(",;\"' =+-@")


def test_a_turn_by_60_degrees_makes_another_isomer_where_the_sublattices_differ() -> None:
    up, down = np.array([[0, 0, 0], [0, 1, 0], [1, 1, 0]]), np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]])
    metal = MATERIALS["MoS2"]
    assert name_isomer(up, metal).name == "Mo3_0.0_0.1_1.1" != name_isomer(down, metal).name
    assert name_isomer(up, metal, sure=False).name == name_isomer(down, metal, sure=False).name
    boron, nitrogen = np.array([[0, 0, 0]]), np.array([[0, 0, 1]])
    assert name_isomer(boron, MATERIALS["hBN"]).name == "B1_0.0B"
    assert name_isomer(nitrogen, MATERIALS["hBN"]).name == "N1_0.0N"
    assert name_isomer(nitrogen, MATERIALS["graphene"]).name == name_isomer(boron, MATERIALS["graphene"]).name


@pytest.mark.parametrize(
    ("sites", "material", "symmetry"),
    [
        ([(0, 0, 0)], "WS2", "C3v"), ([(0, 0, 0), (0, 1, 0)], "WS2", "Cs"),
        ([(0, 0, 0), (0, 0, 1)], "graphene", "C2v"), ([(0, 0, 0), (0, 0, 1)], "hBN", "Cs"),
        ([(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 1, 0), (1, 1, 1), (0, -1, 1)], "graphene", "C1"),
        ([(0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 1, 0), (1, 1, 1), (1, 2, 0)], "graphene", "C6v"),
        ([(0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 1, 0), (1, 1, 1), (1, 2, 0)], "hBN", "C3v"),
    ],
)  # fmt: skip
def test_the_symmetry_of_known_pores(sites: list[tuple[int, int, int]], material: str, symmetry: str) -> None:
    assert name_isomer(np.array(sites), MATERIALS[material]).symmetry == symmetry


def test_what_is_no_isomer_is_refused() -> None:
    for sites in (np.empty((0, 3), int), np.zeros((2, 3), int)):
        with pytest.raises(ValueError, match="one or more different sites"):
            name_isomer(sites, MATERIALS["WS2"])
    for name in ("W3", "W2_0.0", "W1_0.0x", "Mo1_0.0", "W1_a.b", "", "W1_0.0_0.1"):
        with pytest.raises(ValueError, match="no isomer of WS"):
            read_isomer(name, MATERIALS["WS2"])
    with pytest.raises(ValueError, match="no isomer of BN"):
        read_isomer("B1N1_0.0B_0.0B", MATERIALS["hBN"])
