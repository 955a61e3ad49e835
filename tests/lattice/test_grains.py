from __future__ import annotations

import numpy as np
import pytest

from porescope.lattice.grains import find_grain, turn_between
from porescope.lattice.hexagon import list_spots

PERFECT = 0.12 * np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])


def _turn(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return PERFECT @ np.array([[c, -s], [s, c]]).T


def _draw(grains: list[np.ndarray], noise: float = 1.0) -> np.ndarray:
    """Grains side by side, in noise."""
    y, x = np.mgrid[:180, :240]
    image = np.zeros(y.shape)
    for i, frequencies in enumerate(grains):
        here = x * len(grains) // 240 == i
        waves = sum(np.cos(2 * np.pi * (f[0] * y + f[1] * x)) for f in list_spots(frequencies))
        image += here * waves
    return (image + np.random.default_rng(0).normal(0, noise, y.shape)).astype(np.float32)


@pytest.mark.parametrize("degrees", [9.0, 21.0, 30.0, 52.0])
@pytest.mark.parametrize("stretch", [0.0, 0.15])
def test_a_turned_grain_is_found_beside_the_first_one(degrees: float, stretch: float) -> None:
    distortion = np.array([[1 + stretch, 0.3 * stretch], [0.3 * stretch, 1 / (1 + stretch)]])
    first, second = PERFECT @ distortion, _turn(degrees) @ distortion
    flat = _draw([first, second])
    inside = np.zeros(flat.shape, bool)
    inside[:, 122:] = True
    found = find_grain(flat, inside, first[None])
    assert found is not None
    same = np.concatenate([list_spots(second), -list_spots(second)])
    gaps = np.hypot(*(list_spots(found)[:, None] - same[None]).transpose(2, 0, 1)).min(axis=1)
    assert gaps.max() < 1.2 / 120  # one bin of the second grain's width


def test_noise_known_grains_and_specks_give_none() -> None:
    everywhere = np.ones((180, 240), bool)
    speck = np.zeros((180, 240), bool)
    speck[:30, 200:230] = True
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(size=everywhere.shape).astype(np.float32)
        assert find_grain(noise, everywhere, PERFECT[None]) is None
        lines = noise + 3 * np.random.default_rng(seed).normal(size=(180, 1)).astype(np.float32)
        assert find_grain(lines, everywhere, PERFECT[None]) is None
    both = _draw([PERFECT, _turn(24)])
    right = np.arange(240)[None] > np.full((180, 1), 80)
    assert find_grain(both, right, PERFECT[None]) is not None
    assert find_grain(both, right, np.array([PERFECT, _turn(24)])) is None
    assert find_grain(both, speck, PERFECT[None]) is None


def test_noise_is_measured_where_no_grain_has_spots() -> None:
    grains = np.array([_turn(3), _turn(27)])
    between = turn_between(grains)
    every = np.concatenate([spots for g in grains for spots in (list_spots(g), -list_spots(g))])
    gaps = np.hypot(*(between[:, None] - every[None]).transpose(2, 0, 1)).min(axis=1)
    assert gaps.min() > 0.12 * np.radians(16)
    np.testing.assert_allclose(np.hypot(*between.T), 0.12)
