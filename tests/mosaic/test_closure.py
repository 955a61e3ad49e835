from __future__ import annotations

import numpy as np

from porescope.mosaic.closure import Link, close_loops

STAGE = np.array([[0, 0], [0, 10], [10, 0], [10, 10]], float)
HOPS = np.array([[0, 0], [0, 0.3], [0, -0.3], [0.26, 0.15], [-0.26, 0.15]])


def link(one: int, two: int, true: np.ndarray, scores: list[float]) -> Link:
    return Link(one, two, true[two] - true[one] + HOPS, np.array(scores, float))


def test_closed_loops_overrule_a_pair() -> None:
    true = STAGE + [[0.05, 0.0], [0.0, -0.05], [0.1, 0.05], [0.0, 0.1]]
    sure, misled = [0, -8, -8, -8, -8], [-2, 0, -6, -6, -6]
    links = [link(0, 1, true, sure), link(0, 2, true, sure), link(1, 3, true, sure), link(2, 3, true, misled)]
    found = close_loops(STAGE, links, 0.3)
    apart = found.places_nm - true
    assert np.abs(apart - apart.mean(axis=0)).max() < 0.03
    assert (found.margin > 3).all()


def test_a_tile_that_no_pair_places_lies_where_the_stage_says() -> None:
    true = STAGE.copy()
    sure, wrong = [0, -8, -8, -8, -8], [-100, -200, -200, -200, -200]
    links = [link(0, 1, true, sure), link(0, 2, true, sure), link(1, 3, true + 5, wrong)]
    found = close_loops(STAGE, links, 0.3)
    assert np.abs(found.places_nm[3] - found.places_nm[0] - STAGE[3]).max() < 0.05
    assert np.isnan(found.margin[3]) and np.isfinite(found.margin[:3]).all()


def test_a_pair_that_tells_nothing_has_no_margin_to_speak_of() -> None:
    links = [link(0, 1, STAGE + [[0, 0], [0, 0.15], [0, 0], [0, 0]], [0, 0, 0, 0, 0])]
    assert close_loops(STAGE, links, 0.3).margin[1] < 1
