from __future__ import annotations

import numpy as np
import pytest

from porescope.mosaic.positions import Pair, solve_positions

GRID = np.indices((6, 6)).reshape(2, -1).T * 18.0


def make_pairs(places: np.ndarray) -> list[Pair]:
    near = [(i, j) for i in range(36) for j in range(i) if np.hypot(*(GRID[i] - GRID[j])) < 20]
    return [Pair(j, i, places[i] - places[j]) for i, j in near]


def test_the_affine_of_the_scan_is_told_from_the_stage() -> None:
    rng = np.random.default_rng(0)
    scan = np.array([[1.004, 0.01], [-0.01, 0.996]])  # from the sheet to the scan
    true = GRID + rng.normal(0, 0.01, GRID.shape)
    found = solve_positions(GRID, make_pairs(true @ scan.T), 0.01)
    assert found.affine @ scan == pytest.approx(np.eye(2), abs=5e-4)
    apart = found.sheet_nm - true
    assert np.abs(apart - apart.mean(axis=0)).max() < 0.03


def test_one_wrong_offset_and_one_wrong_stage_position_do_not_matter() -> None:
    rng = np.random.default_rng(1)
    true = GRID + rng.normal(0, 0.1, GRID.shape)
    pairs = make_pairs(true)
    pairs[10] = pairs[10]._replace(offset_nm=pairs[10].offset_nm + [0.3, 0.1])
    stage = GRID.copy()
    stage[14] += (20.0, 0.0)
    found = solve_positions(stage, pairs, 0.1)
    apart = found.sheet_nm - true
    assert np.abs(apart - apart.mean(axis=0)).max() < 0.03
    assert found.pair_residual_nm.argmax() == 10
    assert found.pair_residual_nm[10] == pytest.approx(np.hypot(0.3, 0.1), abs=0.05)
    assert np.abs(apart.mean(axis=0)).max() < 0.15  # the sheet lies where most of the stage's positions are


def test_what_the_stage_does_not_tell_is_no_deformation() -> None:
    rng = np.random.default_rng(2)
    true = GRID + rng.normal(0, 0.3, GRID.shape)
    found = solve_positions(GRID, make_pairs(true), 0.3)
    np.testing.assert_array_equal(found.affine, np.eye(2))
    assert found.stage_error_nm == pytest.approx(0.3, rel=0.35)
