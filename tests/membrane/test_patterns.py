from __future__ import annotations

import numpy as np
import pytest

from porescope.membrane import Pattern, Window, draw_random


def test_random_patterns_stay_in_the_window_and_apart() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((60, 90), bool)
    mask[10:50, 5:30] = mask[20:40, 60:85] = True
    start = Pattern(np.zeros((30, 2)), rng.uniform(0.5, 3, 30), Window(mask, 0.5))
    drawn = draw_random(start, rng)
    y, x = np.rint(drawn.positions_nm / 0.5).astype(int).T
    assert mask[y, x].all() and start.window.area_nm2 == 0.25 * (1000 + 500)
    distance = np.hypot(*(drawn.positions_nm[:, None] - drawn.positions_nm[None]).transpose(2, 0, 1))
    touching = (drawn.diameter_nm[:, None] + drawn.diameter_nm[None]) / 2
    assert (distance >= touching)[~np.eye(30, dtype=bool)].all()
    # Two thirds of the area lie in the left part.
    counts = [np.mean(draw_random(start, rng).positions_nm[:, 1] < 20) for _ in range(60)]
    assert np.mean(counts) == pytest.approx(2 / 3, abs=0.04)


def test_no_room_is_no_matter_of_chance() -> None:
    crowded = Pattern(np.zeros((40, 2)), np.full(40, 4.0), Window(np.ones((20, 20), bool), 1.0))
    with pytest.raises(ValueError, match="too dense"):
        draw_random(crowded, np.random.default_rng(0))
