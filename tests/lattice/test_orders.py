from __future__ import annotations

import numpy as np
import pytest

from porescope.lattice.hexagon import list_spots
from porescope.lattice.orders import DOUBTFUL, STANDS_OUT, find_lower_order

#: Two reciprocal vectors of first order, turned by 7° [bins].
FIRST = 40 * np.array([[np.sin(a), np.cos(a)] for a in np.radians([7, 67])])


def _draw_spectrum(vectors: np.ndarray, seed: int = 1) -> np.ndarray:
    """Noise of a spectrum that falls with the frequency, and the spots of a hexagonal lattice."""
    y, x = np.mgrid[-200:200, -200:200]
    noise = np.random.default_rng(seed).exponential(size=(400, 400)) / (1 + np.hypot(y, x)) ** 2
    for h in range(-4, 5):
        for k in range(-4, 5):
            row, column = np.rint(h * vectors[0] + k * vectors[1]).astype(int) + 200
            if (h or k) and 0 <= row < 400 and 0 <= column < 400:
                noise[row, column] += 0.1
    return noise.astype(np.float32)


@pytest.mark.parametrize(
    ("p", "q", "root"), [(1, 1, 3), (2, 0, 4), (2, 1, 7), (1, 2, 7), (3, 0, 9), (3, 1, 13)]
)
def test_a_hexagon_of_higher_order_is_traced_to_the_first(p: int, q: int, root: int) -> None:
    one, two = FIRST
    higher = np.array([p * one + q * two, p * two + q * (two - one)])
    assert np.hypot(*higher[0]) == pytest.approx(40 * np.sqrt(root))
    height, lower = find_lower_order(_draw_spectrum(FIRST), higher / 400)
    assert height > STANDS_OUT
    # Six vectors are of first order: which two of them is left open.
    six = np.vstack([list_spots(FIRST), -list_spots(FIRST)])
    assert all(np.hypot(*(six - vector * 400).T).min() < 0.1 for vector in lower)


@pytest.mark.parametrize("seed", range(20))
def test_the_first_order_has_none_below_it(seed: int) -> None:
    assert find_lower_order(_draw_spectrum(FIRST, seed), FIRST / 400)[0] < DOUBTFUL


def test_aliased_spots_are_no_lower_order() -> None:
    """Spots of a thousandth of the power, three as a lattice has them."""
    one, two = FIRST
    higher = np.array([one + two, 2 * two - one])
    power = _draw_spectrum(FIRST)
    for h in range(-2, 3):
        for k in range(-2, 3):
            row, column = np.rint(h * higher[0] + k * higher[1]).astype(int) + 200
            if (h or k) and 0 <= row < 400 and 0 <= column < 400:
                power[row, column] += 1000
    assert find_lower_order(power, higher / 400)[0] < DOUBTFUL


@pytest.mark.parametrize(("spots", "believed"), [(3, True), (2, False)])
def test_a_lattice_has_all_three_spots(spots: int, believed: bool) -> None:
    """Spots 15 times as high as their surroundings, averaged over 3 × 3 bins: log 15 = 2.7."""
    one, two = FIRST
    power = np.ones((400, 400), np.float32)
    half = np.rint(list_spots(FIRST)[:spots]).astype(int)
    for row, column in 200 + np.vstack([half, -half]):
        power[row - 1 : row + 2, column - 1 : column + 2] = 15
    height = find_lower_order(power, np.array([one + two, 2 * two - one]) / 400)[0]
    assert height == pytest.approx(np.log(15) if spots == 3 else np.log(15) / 3)
    assert (height > STANDS_OUT) == believed
