from __future__ import annotations

import numpy as np
from sheets import PIXEL, draw_sheet

from porescope.mosaic.registration import list_offsets, locate_tile, prepare_view, score_offsets


def make_views(places, shape=(160, 180), noise=0.5, seed=0, per_nm2=0.125):
    rng = np.random.default_rng(seed)
    sheet = draw_sheet(rng, (400, 420), per_nm2=per_nm2)
    parts = [sheet[y : y + shape[0], x : x + shape[1]] for y, x in places]
    return [prepare_view((p + rng.normal(0, noise, shape)).astype(np.float32), None, PIXEL) for p in parts]


def test_the_right_offset_is_among_those_of_the_lattice() -> None:
    one, two = make_views([(20, 30), (27, 170)], per_nm2=0.0)
    found = list_offsets(one, two, np.array([3.0, 136.0]), 25, PIXEL)
    apart = np.hypot(*(found.places_px - (7, 140)).T)
    assert apart.min() < 0.3 and len(apart) > 5
    assert score_offsets(found, found.least)[apart.argmin()] > -3
    # The others are as far off as the lattice's planes: 0.26 nm.
    assert np.sort(apart)[1] * PIXEL > 0.2


def test_offsets_beyond_the_reach_are_not_listed() -> None:
    one, two = make_views([(20, 30), (27, 170)])
    found = list_offsets(one, two, np.array([7.0, 140.0]), 4, PIXEL)
    assert len(found.places_px) == 1
    far = list_offsets(one, two, np.array([500.0, 500.0]), 4, PIXEL)
    assert len(far.places_px) == 0 and np.isnan(far.least)


def test_what_is_unknown_is_not_compared() -> None:
    one, two = make_views([(20, 30), (27, 170)])
    known = np.ones(one.image.shape, bool)
    known[40:] = False
    spoilt = one.image.copy()
    spoilt[40:] = 1e3
    found = list_offsets(prepare_view(spoilt, known, PIXEL), two, np.array([7.0, 140.0]), 4, PIXEL)
    assert np.hypot(*(found.places_px[0] - (7, 140))) < 0.3


def test_a_tile_is_located_among_others() -> None:
    places = [(10, 10), (10, 160), (140, 10), (140, 160)]
    *others, tile = make_views(places)
    # The first pixel of the others' frame is that of the sheet.
    found, margin = locate_tile(
        tile, list(zip(others, np.array(places[:3], float), strict=True)), 0.02, PIXEL
    )
    assert np.abs(found - places[3]).max() <= 1.5 and margin > 3


def test_noise_allows_no_offset() -> None:
    rng = np.random.default_rng(0)
    one, two = (prepare_view(rng.normal(size=(160, 180)).astype(np.float32), None, PIXEL) for _ in range(2))
    assert len(list_offsets(one, two, np.array([3.0, 136.0]), 25, PIXEL).places_px) == 0
