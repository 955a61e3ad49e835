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
