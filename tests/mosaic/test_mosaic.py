from __future__ import annotations

import numpy as np
import pytest
from sheets import PIXEL, draw_sheet

from porescope.mosaic import solve_mosaic
from porescope.mosaic.closure import Link
from porescope.mosaic.mosaic import _list_strays
from porescope.mosaic.positions import Pair

SHAPE = (150, 190)


class Sheet:
    """A sheet of tiles, whose places are known."""

    def __init__(
        self, rows: int, columns: int, *, error: float = 0.2, scale: float = 1.0, seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        step = np.array(SHAPE) * 0.86
        margin = 30
        size = np.ceil(step * (rows - 1, columns - 1)).astype(int) + SHAPE + 2 * margin
        canvas = draw_sheet(rng, tuple(size))
        nominal = np.indices((rows, columns)).reshape(2, -1).T * step
        moved = np.clip(rng.normal(0, error / PIXEL, nominal.shape), -margin, margin)
        first = np.rint(nominal + moved).astype(int)
        self.true_nm = first * PIXEL
        # The pixel size that is recorded is too small by the scale: the stage moves on by more.
        self.stage_nm = nominal * PIXEL * scale
        self.scaled_nm = self.true_nm * scale
        self.images = []
        for y, x in first + margin:
            tile = canvas[y : y + SHAPE[0], x : x + SHAPE[1]]
            self.images.append((tile + rng.normal(0, 0.6, SHAPE)).astype(np.float32))

    def solve(self, error: float = 0.2, **options):
        shapes = [SHAPE] * len(self.images)
        return solve_mosaic(
            lambda i: (self.images[i], None), shapes, PIXEL, self.stage_nm, error_nm=error, **options
        )


def distance(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Distance of each tile from its place, the sheet moved as a whole."""
    apart = found - true
    return np.hypot(*(apart - np.median(apart, axis=0)).T)


def test_tiles_come_to_their_places() -> None:
    sheet = Sheet(3, 4)
    assert distance(sheet.stage_nm, sheet.true_nm).max() > 0.3
    solved = sheet.solve()
    assert distance(solved.sheet_nm, sheet.true_nm).max() < 0.02
    assert solved.status == ["placed"] * 12 and solved.n_pairs.sum() == 2 * 17
    assert solved.residual_nm.max() < 0.02
    # Twelve tiles do not tell a deformation of the scan, so none is believed.
    np.testing.assert_array_equal(solved.affine, np.eye(2))


def test_the_scale_of_the_scan_is_found() -> None:
    sheet = Sheet(5, 5, error=0.05, scale=1.02, seed=1)
    solved = sheet.solve(error=0.3)
    assert solved.affine == pytest.approx(1.02 * np.eye(2), abs=0.004)
    assert distance(solved.sheet_nm, sheet.scaled_nm).max() < 0.1
    assert distance(solved.sheet_nm, sheet.true_nm).max() > 0.2


def test_a_tile_far_from_where_the_stage_says_is_found() -> None:
    sheet = Sheet(3, 4, seed=7)
    sheet.stage_nm[5] += (6.0, -5.0)
    solved = sheet.solve()
    assert distance(solved.sheet_nm, sheet.true_nm).max() < 0.03
    assert [k for k, status in enumerate(solved.status) if status == "moved"] == [5]


def test_a_tile_of_another_sheet_stays_where_the_stage_says() -> None:
    sheet = Sheet(3, 3, seed=3)
    sheet.images[4] = np.asarray(Sheet(1, 1, seed=99).images[0])
    solved = sheet.solve()
    others = np.arange(9) != 4
    assert distance(solved.sheet_nm[others], sheet.true_nm[others]).max() < 0.03
    assert solved.status[4] == "stage" and np.isnan(solved.residual_nm[4]) and solved.n_pairs[4] == 0


def test_where_a_tile_has_no_data_nothing_is_compared() -> None:
    sheet = Sheet(2, 3, seed=4)
    known = np.ones(SHAPE, bool)
    known[:, -60:] = False
    images = [image.copy() for image in sheet.images]
    images[0][:, -60:] = 1e4
    solved = solve_mosaic(
        lambda i: (images[i], known if i == 0 else None), [SHAPE] * 6, PIXEL, sheet.stage_nm, error_nm=0.2
    )
    assert distance(solved.sheet_nm, sheet.true_nm).max() < 0.03


def test_one_tile_lies_where_the_stage_says() -> None:
    sheet = Sheet(1, 1)
    solved = sheet.solve()
    np.testing.assert_allclose(solved.sheet_nm, sheet.stage_nm, atol=1e-6)
    assert solved.status == ["stage"]


def test_few_tiles_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet, loaded = Sheet(4, 3, seed=5), []
    monkeypatch.setattr("porescope.mosaic.layout._KEPT_BYTES", 6 * 190 * 150 * 8)

    def load(tile: int):
        loaded.append(tile)
        return sheet.images[tile], None

    solved = solve_mosaic(load, [SHAPE] * 12, PIXEL, sheet.stage_nm, error_nm=0.2)
    assert distance(solved.sheet_nm, sheet.true_nm).max() < 0.02
    assert len(loaded) == 12  # a row and a half is enough to load each tile once


def test_a_tile_that_fits_to_one_of_three_neighbours_is_a_stray() -> None:
    links = [Link(i, j, np.zeros((0, 2)), np.zeros(0)) for i, j in ((0, 1), (0, 2), (0, 3), (1, 2))]
    pairs = [Pair(0, 1, np.zeros(2)), Pair(1, 2, np.zeros(2))]
    # Tile 3 has no pair, tile 4 no neighbour; tile 2 has but two neighbours.
    assert _list_strays(pairs, links, 5).tolist() == [True, False, False, True, False]
