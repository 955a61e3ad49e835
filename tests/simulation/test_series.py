from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.spatial import cKDTree

from porescope.simulation import Pore, Scene, draw_movie, draw_tiles, make_generator, simulate
from porescope.simulation.sheets import make_sheet


def test_pores_of_a_movie_grow_and_drift_with_the_sheet() -> None:
    scene = Scene(shape=(150, 160), pores=(Pore((3.0, 3.2), missing=5),), contamination=0.0)
    frames = draw_movie(scene, 4, seed=1, drift=(0.1, 0.0), growth=3)
    areas = [frame.area_nm2[0] for frame in frames]
    assert all(after > before for before, after in itertools.pairwise(areas))
    rows = [np.argwhere(frame.labels == 1).mean(axis=0)[0] * 0.04 for frame in frames]
    assert (rows[-1] - rows[0]) / 3 == pytest.approx(-0.1, abs=0.06)  # the frame goes down


def test_a_pore_of_a_movie_appears_and_lost_atoms_stay_lost() -> None:
    pores = (Pore((1.5, 1.6), 4), Pore((3.5, 4.0), 6), Pore((1.4, 4.6), 1))
    scene = Scene(shape=(120, 150), pores=pores, contamination=0.0)
    missing = np.array([[4, 6, 0], [6, 8, 0], [8, 10, 3]])
    path = np.array([[0.0, 0.0], [-0.4, 0.3], [0.2, -0.5]])
    frames = draw_movie(scene, 3, seed=2, drift=path, missing=missing)
    assert [len(frame.area_nm2) for frame in frames] == [2, 2, 3]
    for frame, place in zip(frames, path, strict=True):
        for y, x in (pore.centre for pore in pores[:2]):
            at = np.rint((np.array([y, x]) - place) / 0.04).astype(int)
            assert frame.labels[tuple(at)] > 0
    empty = [f.atoms.positions[f.atoms.occupancy == 0] + p for f, p in zip(frames, path, strict=True)]
    for before, after in itertools.pairwise(empty):
        assert cKDTree(after).query(before)[0].max() < 1e-9


def test_tiles_show_one_sheet_at_their_true_positions() -> None:
    pores = tuple(Pore((y, x), missing=12) for y in (1.5, 4.5) for x in (1.5, 4.5))
    scene = Scene(shape=(100, 110), pores=pores, contamination=0.0)
    tiles = draw_tiles(scene, (2, 2), np.random.default_rng(4), overlap=0.4, error=0.1)
    stage = np.array([tile.stage_nm for tile in tiles])
    true = np.array([tile.true_nm for tile in tiles])
    assert 0 < np.abs(stage - true).max() < 0.5
    places = [
        true[i] + np.argwhere(tile.simulation.labels == label).mean(axis=0) * 0.04
        for i, tile in enumerate(tiles)
        for label in range(1, int(tile.simulation.labels.max()) + 1)
        if tile.simulation.area_nm2[label - 1] > 0.5
    ]
    gap = np.hypot(
        *(np.array(places)[:, None] - np.array([p.centre for p in pores])[None]).transpose(2, 0, 1)
    )
    assert len(places) >= 4 and np.median(gap.min(axis=1)) < 0.1


def test_pores_given_by_number_are_those_of_the_whole_series() -> None:
    scene = Scene(shape=(100, 110), pores=1, max_missing=30)
    movie = draw_movie(scene, 2, seed=1)
    assert [frame.labels.max() for frame in movie] == [1, 1]
    scene = Scene(shape=(100, 110), pores=12, max_missing=30)
    tiles = draw_tiles(scene, (2, 2), np.random.default_rng(1), overlap=0.0, error=0.0)
    assert all(tile.simulation.labels.any() for tile in tiles)


def test_a_movie_draws_its_sheet_and_frames_from_streams_of_their_own() -> None:
    scene = Scene(shape=(90, 100), pores=0, contamination=0.0)
    one, two = draw_movie(scene, 2, seed=1, drift=(0.0, 0.0))
    assert np.array_equal(one.atoms.positions, two.atoms.positions)
    assert not np.array_equal(one.micrograph.image, two.micrograph.image)
    sheet = make_sheet(one.material, np.array([91, 101]) * 0.04, make_generator("movie", 0, 1))
    assert cKDTree(sheet.positions).query(one.atoms.positions)[0].max() < 1e-9
    still = simulate(scene, seed=1)
    assert not np.isclose(still.atoms.positions[0], one.atoms.positions[0]).any()
