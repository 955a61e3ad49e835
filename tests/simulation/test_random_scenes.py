from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from porescope.materials import MATERIALS
from porescope.simulation.drawing import draw
from porescope.simulation.random_scenes import PURPOSES, draw_scene, make_generator
from porescope.simulation.scene import Scene
from porescope.simulation.series import draw_movie, draw_tiles
from porescope.simulation.sheets import Pore
from porescope.simulation.specimen import prepare
from porescope.simulation.truth import find_truth


def test_no_two_purposes_ever_share_a_generator() -> None:
    assert len(set(PURPOSES.values())) == len(PURPOSES)
    drawn = {
        (purpose, seed, index): make_generator(purpose, index, seed).random(4).tobytes()
        for purpose, seed, index in itertools.product(PURPOSES, range(6), range(400))
    }
    assert len(set(drawn.values())) == len(drawn)


@pytest.mark.parametrize("index", range(24))
def test_wild_scenes_can_be_drawn_and_their_seed_decides_all(index: int) -> None:
    cell_px = 2.0 if index % 6 == 5 else 8.0
    one, same = (
        draw(draw_scene(rng, (96, 112), cell_px), rng)
        for rng in (make_generator("validation", index), make_generator("validation", index))
    )
    image = one.micrograph.image
    assert image.shape == (96, 112) and np.isfinite(image).all() and image.std() > 0
    assert np.array_equal(image, same.micrograph.image)
    assert one.labels.max() == len(one.area_nm2) == len(one.missing_atoms)


def test_a_pore_larger_than_the_frame_is_one_region() -> None:
    scene = Scene(shape=(120, 140), pores=(Pore((2.4, 2.8), radius=2.2),), contamination=0.0)
    drawn = draw(scene, np.random.default_rng(1))
    assert drawn.labels.max() == 1 and (drawn.labels > 0).mean() > 0.5
    whole = draw(replace(scene, pores=(Pore((2.4, 2.8), radius=9.0),)), np.random.default_rng(1))
    assert (whole.labels > 0).all()


def test_missing_chalcogens_alone_are_no_pore() -> None:
    scene = Scene(shape=(120, 140), pores=(), contamination=0.0, chalcogen_vacancies=0.3)
    drawn = draw(scene, np.random.default_rng(2))
    assert (drawn.atoms.occupancy[drawn.atoms.second] < 2).mean() > 0.2
    assert not drawn.labels.any()


def test_a_pore_of_one_layer_is_closed_by_the_other() -> None:
    pore = Pore((2.0, 2.0), missing=12, through=False)
    scene = Scene(shape=(100, 100), twist=0.3, pores=(pore,), contamination=0.0)
    specimen = prepare(scene, np.random.default_rng(3))
    material = MATERIALS["WS2"]
    alone = find_truth(material, specimen.layers[:1], scene.shape, scene.pixel_size)
    both = find_truth(material, specimen.layers, scene.shape, scene.pixel_size)
    assert both.area_nm2.sum() < 0.3 * alone.area_nm2.sum()


def test_pores_of_a_movie_grow_and_drift_with_the_sheet() -> None:
    scene = Scene(shape=(150, 160), pores=(Pore((3.0, 3.2), missing=5),), contamination=0.0)
    frames = draw_movie(scene, 4, seed=1, drift=(0.1, 0.0), growth=3)
    areas = [frame.area_nm2[0] for frame in frames]
    assert all(after > before for before, after in itertools.pairwise(areas))
    rows = [np.argwhere(frame.labels == 1).mean(axis=0)[0] * 0.04 for frame in frames]
    assert (rows[-1] - rows[0]) / 3 == pytest.approx(-0.1, abs=0.06)  # the frame goes down


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
