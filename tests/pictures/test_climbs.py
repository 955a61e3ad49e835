from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from porescope.pictures import draw_ascent


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_climb_is_drawn_over_any_number_of_fields(n: int, tmp_path: Path) -> None:
    names = ["grid", "radius", "threshold", "area"][:n]
    axes = {name: np.arange(2.0 + i) for i, name in enumerate(names)}
    surface = (
        np.arange(np.prod([len(v) for v in axes.values()])).reshape([len(v) for v in axes.values()]) / 100
    )
    path = pd.DataFrame({"restart": [0, 0, 1], **{name: [0.0, 1.0, 1.0] for name in names}})
    draw_ascent(surface, axes, path.assign(successes=0, objective=0.1), "title", tmp_path / "a.png")
    picture = cv2.imread(str(tmp_path / "a.png"))
    # Two fields a panel: three fields need two panels, as four do.
    assert picture.shape[1] == round(110 * 6.4 * max(1, (n + 1) // 2))
    star = (np.abs(picture[..., ::-1].astype(int) - (0xD5, 0x5E, 0)) < 20).all(axis=-1)
    assert star.sum() > 20


def test_the_chosen_point_is_marked_in_each_panel(tmp_path: Path) -> None:
    axes = {name: np.arange(4.0) for name in ("grid", "radius", "threshold", "area")}
    path = pd.DataFrame({"restart": [0, 0], **{name: [0.0, 1.0] for name in axes}, "successes": 0})
    chosen = dict(zip(axes, (3.0, 2.0, 1.0, 0.0), strict=True))
    figure = draw_ascent(np.zeros((4, 4, 4, 4)), axes, path.assign(objective=0.1), "title", chosen=chosen)
    stars = [line for ax in figure.axes for line in ax.lines if line.get_label() == "chosen"]
    assert [star.get_xydata().tolist() for star in stars] == [[[3, 2]], [[1, 0]]]
    assert "chosen: grid 3, radius 2, threshold 1, area 0" in figure.get_suptitle()
    # Without one, the best step of the climbs is the chosen point.
    best = draw_ascent(np.zeros((4, 4, 4, 4)), axes, path.assign(objective=[0.1, 0.2]), "title")
    assert "chosen: grid 1, radius 1, threshold 1, area 1" in best.get_suptitle()
