from __future__ import annotations

import numpy as np
import pytest

from porescope.lattice.hexagon import list_spots
from porescope.lattice.rows import RowOffsets, measure_rows, shift_rows
from porescope.lattice.waves import Flat

#: Two reciprocal vectors of a constant of 10.3 px, turned by 17° [cycles/px].
BASIS = 2 / np.sqrt(3) / 10.3 * np.array([[np.sin(a), np.cos(a)] for a in np.radians([17, 77])])
SHAPE = (200, 260)


def _draw(down: np.ndarray, along: np.ndarray, noise: float = 0.5) -> np.ndarray:
    """Three waves, whose rows stand shifted."""
    y, x = (np.arange(n, dtype=float) for n in SHAPE)
    image = sum(
        np.cos(2 * np.pi * (u * (y + down)[:, None] + v * (x + along[:, None]))) for u, v in list_spots(BASIS)
    )
    return (image + noise * np.random.default_rng(0).normal(size=SHAPE)).astype(np.float32)


def _flatten(down: np.ndarray, along: np.ndarray, noise: float = 0.5) -> Flat:
    return Flat(_draw(down, along, noise))


@pytest.fixture(scope="module")
def offsets() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drift down and along, and jitter of 0.6 px rms."""
    y = np.linspace(-1, 1, SHAPE[0])
    return 4 * y**2 - 4 / 3, 3 * y**3, 0.6 * np.random.default_rng(1).normal(size=SHAPE[0])


def _level(offset: np.ndarray) -> np.ndarray:
    rows = np.arange(len(offset))
    return offset - np.polyval(np.polyfit(rows, offset, 1), rows)


def test_offsets_are_measured(offsets) -> None:
    down, along, jitter = offsets
    rows = measure_rows(_flatten(down, along + jitter), BASIS + [[0.004, 0.001], [-0.003, 0.002]])
    assert np.abs(rows.along - _level(along + jitter)).mean() < 0.1
    assert np.abs(rows.down - _level(down)).mean() < 0.15
    assert rows.jitter == pytest.approx(0.6, rel=0.2)


def test_what_is_linear_belongs_to_the_frequencies() -> None:
    """A shear of 0.05 px and a stretch of 0.02 px per row."""
    y = np.arange(SHAPE[0])
    rows = measure_rows(_flatten(0.02 * y, 0.05 * y), BASIS)
    expected = BASIS @ np.array([[1.02, 0.0], [0.05, 1.0]])
    assert rows.frequencies == pytest.approx(expected, abs=1e-4)
    assert np.abs(rows.along).max() < 0.1 and rows.jitter < 0.05


def test_straight_rows_have_no_jitter() -> None:
    zero = np.zeros(SHAPE[0])
    rows = measure_rows(_flatten(zero, zero, noise=3.0), BASIS)
    assert rows.jitter < 0.1 and np.abs(rows.down).max() < 0.5


def test_shifted_rows_are_put_back(offsets) -> None:
    down, along, jitter = offsets
    zero = np.zeros(SHAPE[0])
    there = _draw(down, along + jitter, 0)
    back = shift_rows(there, RowOffsets(down, along + jitter, BASIS, 0.6))
    inside = np.s_[10:-10, 10:-10]
    straight = _draw(zero, zero, 0)
    assert np.abs(back - straight)[inside].mean() < 0.05 < np.abs(there - straight)[inside].mean()
