from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope import Micrograph, measure, score
from porescope.lattice import find_lattice
from porescope.network import choose_scale, load_model
from porescope.network.detector import find_regions, look_at
from porescope.network.maps import BLOCK, _cut_blocks, map_probabilities
from porescope.simulation import Pore, Scene, draw

#: Blocks of this size have a core of 256 px.
SIDE = 512


@given(st.integers(1, 5000), st.integers(1, 5000), st.floats(0.1, 2.5))
def test_cores_tile_the_image_and_blocks_are_of_bounded_size(rows: int, columns: int, factor: float) -> None:
    blocks = _cut_blocks((rows, columns), factor, BLOCK)
    count = sum((s[0].stop - s[0].start) * (s[1].stop - s[1].start) for _, s in blocks)
    assert count == rows * columns and blocks[0].core[0].start == 0 == blocks[0].core[1].start
    assert (blocks[-1].core[0].stop, blocks[-1].core[1].stop) == (rows, columns)
    for wide, core in blocks:
        for w, c, n in zip(wide, core, (rows, columns), strict=True):
            assert (w.stop - w.start) * factor <= BLOCK + 2 + 2 * factor
            assert (c.start - w.start) * factor >= 128 or w.start == 0
            assert (w.stop - c.stop) * factor >= 128 or w.stop == n


@pytest.mark.parametrize("pixel_size", [0.0394, 0.026])
def test_blocks_find_what_the_whole_image_shows_also_across_their_seams(pixel_size: float) -> None:
    side = 900 * pixel_size
    seams = side * np.arange(1, 4) / 4 if pixel_size > 0.03 else side * np.arange(1, 3) / 3
    # On the crossings of seams, on one seam, between them, and one that is larger than a core.
    places = [(seams[0], x) for x in seams] + [(seams[0], side / 9), (side / 9, side / 9)]
    pores = tuple(Pore(place, radius=0.4 + 0.1 * i) for i, place in enumerate(places))
    pores += (Pore((0.68 * side, 0.68 * side), radius=0.24 * side),)
    scene = Scene("WS2", (900, 900), pixel_size=pixel_size, pores=pores, dose=2e6, contamination=0.0)
    drawn = draw(scene, np.random.default_rng(5))
    micrograph = drawn.micrograph
    scale = choose_scale(micrograph, find_lattice(micrograph), None)
    tables, found = [], []
    for block in (BLOCK, SIDE):
        assert (len(_cut_blocks((900, 900), scale.factor, block)) == 1) == (block == BLOCK)
        maps = map_probabilities(micrograph, scale, load_model(), block=block)
        found.append(find_regions(maps.probability, micrograph, scale.cell_px))
        tables.append(measure(micrograph, found[-1], maps.probability))
        assert maps.probability.dtype == maps.unusable.dtype == np.float32
    same = score(found[0], found[1], min_iou=0.9)
    assert (same.found, same.missed, same.false) == (len(pores), 0, 0)
    one, other = (table.equivalent_diameter_nm.sort_values().to_numpy() for table in tables)
    np.testing.assert_allclose(one, other, rtol=0.01)


def test_a_frame_and_a_field_are_left_out_of_blocks() -> None:
    image = np.random.default_rng(0).normal(size=(700, 600)).astype(np.float32)
    field = np.ones(image.shape, bool)
    field[:7], field[690:], field[:, :3], field[:, 590:] = False, False, False, False
    micrograph = Micrograph(image, 0.0394, field=field)
    scale = choose_scale(micrograph, None, "WS2")
    maps = map_probabilities(micrograph, scale, load_model(), block=SIDE)
    for outside in (np.s_[:7], np.s_[690:], np.s_[:, :3], np.s_[:, 590:]):
        assert not maps.probability[outside].any() and (maps.unusable[outside] == 1).all()
    assert (maps.unusable[7:690, 3:590] < 1).all()


def test_the_network_sees_a_distorted_scan_straightened() -> None:
    """Maps and regions stay in the recorded frame; a plain scan is seen as it is."""
    pores = (Pore((2.4, 6.4), radius=0.5),)
    found = []
    for stretch in (0.0, 0.1):
        strain = (-stretch / (1 + stretch), 0.0, 0.0, stretch)
        scene = Scene("WS2", (240, 300), pores=pores, dose=2e6, contamination=0.0, strain=strain)
        drawn = draw(scene, np.random.default_rng(1))
        micrograph, lattice = drawn.micrograph, find_lattice(drawn.micrograph)
        scale, model = choose_scale(micrograph, lattice, None), load_model()
        as_recorded = map_probabilities(micrograph, scale, model)
        maps = map_probabilities(micrograph, scale, model, lattice=lattice)
        assert maps.probability.shape == maps.unusable.shape == drawn.labels.shape
        found.append(np.array_equal(maps.probability, as_recorded.probability))
        overlap = (maps.probability >= 0.5) & (drawn.labels > 0)
        assert overlap.sum() > 0.75 * (drawn.labels > 0).sum()
        view = look_at(micrograph, lattice)
        assert view.image.shape[1:] == tuple(round((s.stop - s.start) * scale.factor) for s in view.frame)
    assert found == [True, False]
