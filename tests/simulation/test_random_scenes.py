from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from porescope.simulation import draw, draw_scene, make_generator
from porescope.simulation.random_scenes import PURPOSES


def test_no_two_purposes_ever_share_a_generator() -> None:
    assert len(set(PURPOSES.values())) == len(PURPOSES)
    drawn = {
        (purpose, seed, index): make_generator(purpose, index, seed).random(4).tobytes()
        for purpose, seed, index in itertools.product(PURPOSES, range(6), range(400))
    }
    assert len(set(drawn.values())) == len(drawn)


def test_all_random_streams_differ() -> None:
    """`simulate` draws from the plain stream of its seed, a movie's sheet and frames have a purpose."""
    streams = [
        make_generator(purpose, index, seed)
        for purpose, index, seed in itertools.product(PURPOSES, range(4), range(4))
    ]
    streams += [np.random.default_rng(seed) for seed in range(4)]
    first = [rng.random() for rng in streams]
    assert len(set(first)) == len(first) == 5 * 4 * 4 + 4


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


def test_modalities_have_their_shares() -> None:
    rng = np.random.default_rng(0)
    drawn = Counter(draw_scene(rng, (64, 64), 8.0).modality for _ in range(1500))
    for modality, share in {"haadf": 0.42, "bf": 0.18, "abf": 0.08, "hrtem": 0.32}.items():
        assert drawn[modality] / 1500 == pytest.approx(share, abs=0.04)


def test_unknown_materials_and_modalities_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="material must be one of"):
        draw_scene(rng, (64, 64), 8.0, material="gold")
    with pytest.raises(ValueError, match="modality must be one of"):
        draw_scene(rng, (64, 64), 8.0, modality="sem")
