from __future__ import annotations

import numpy as np
import pytest

from porescope.lattice.spectrum import Spectrum
from porescope.lattice.spots import find_hexagons

SHAPE = (256, 300)
LOW, HIGH = 0.02, 0.3


def _draw(spots: list[tuple[int, int]], length: int = 1, height: float = 60.0, seed: int = 0) -> Spectrum:
    """Noise with spots [bins], and their opposites, smeared over some rows."""
    ratio = np.random.default_rng(seed).exponential(size=SHAPE).astype(np.float32)
    for row, column in spots:
        for sign in (1, -1):
            top = SHAPE[0] // 2 + sign * row - length // 2
            ratio[top : top + length, SHAPE[1] // 2 + sign * column] += height
    return Spectrum(ratio, ratio)


#: 50 bins of rows are 59 of columns. A hexagon, and one that is stretched and sheared.
PERFECT = [(0, 40), (30, 20), (30, -20)]
SHEARED = [(0, 40), (27, 28), (27, -12)]


@pytest.mark.parametrize("spots", [PERFECT, SHEARED])
@pytest.mark.parametrize(("length", "height"), [(1, 60.0), (9, 8.0), (25, 5.0)])
def test_three_spots_or_ridges_are_a_hexagon(spots, length, height) -> None:
    [hexagon] = find_hexagons(_draw(spots, length, height), LOW, HIGH)
    bins = np.abs(hexagon.spots * SHAPE)
    expected = np.abs(np.array(spots))
    assert sorted(bins[:, 1].round()) == pytest.approx(sorted(expected[:, 1]), abs=1)
    assert sorted(bins[:, 0].round()) == pytest.approx(sorted(expected[:, 0]), abs=length // 2 + 2)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_fewer_than_three_spots_are_none_however_high(count: int, seed: int) -> None:
    assert find_hexagons(_draw(PERFECT[:count], height=1e4, seed=seed), LOW, HIGH) == []


def test_a_square_lattice_is_none() -> None:
    assert find_hexagons(_draw([(0, 40), (34, 0), (34, 40), (34, -40)]), LOW, HIGH) == []


def test_overtones_of_an_interference_are_none() -> None:
    """Overtones 2, 3 and 5 of (200, 23) bins, sampled by 256 rows: 5 − 2 = 3."""
    spots = [((200 * k + 128) % 256 - 128, 23 * k) for k in (2, 3, 5)]
    assert spots == [(-112, 46), (88, 69), (-24, 115)]
    assert find_hexagons(_draw(spots, height=500), LOW, 0.6) == []
    # A row further down it is none, and the distortion is within bounds.
    assert len(find_hexagons(_draw([(-90, 46), (70, 69), (-20, 115)], height=500), LOW, 0.6)) == 1


def test_noise_without_a_peak_is_none() -> None:
    flat = np.ones(SHAPE, np.float32)
    assert find_hexagons(Spectrum(flat, flat), LOW, HIGH) == []
