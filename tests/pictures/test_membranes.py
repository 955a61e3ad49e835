from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from porescope.membrane import (
    THICKNESS,
    Assumptions,
    Pattern,
    Window,
    describe_pores,
    draw_random,
    estimate_currents,
    estimate_membrane,
    read_measured,
)
from porescope.pictures import draw_conductance, draw_statistics


@pytest.mark.parametrize("n", [0, 1, 30])
def test_any_number_of_pores_is_drawn(n: int, tmp_path: Path) -> None:
    pores = pd.DataFrame({"equivalent_diameter_nm": np.linspace(0.3, 2, n), "eccentricity": 0.3})
    assumptions = Assumptions(11.18, 0.02, THICKNESS["WS2"], samples=50)
    currents = estimate_currents(pores, assumptions)
    membrane = estimate_membrane(pores, currents, assumptions, 100) if n else None
    measured = read_measured("5") if n == 1 else None
    draw_conductance(currents, membrane, measured, assumptions, ["what was assumed"], tmp_path / "a.png")
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture.shape == (528, 1056, 3)
    points = (np.abs(picture[..., ::-1].astype(int) - (0x00, 0x72, 0xB2)) < 20).all(axis=-1)
    assert (points.sum() > 40) == (n > 1)


@pytest.mark.parametrize("n", [0, 3, 40])
def test_the_statistics_of_any_number_of_pores_are_drawn(n: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    start = Pattern(np.zeros((n, 2)), np.full(n, 0.5), Window(np.ones((200, 300), bool), 0.1))
    diameter = np.exp(rng.normal(0, 0.3, n))
    found = describe_pores([draw_random(start, rng)], n, diameter)
    draw_statistics(found, diameter, tmp_path / "a.png")
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture.shape == (506, 1320, 3)
    curve = (np.abs(picture[60:, :880, ::-1].astype(int) - (0xD5, 0xDB, 0xE1)) < 6).all(axis=-1)
    assert (curve.sum() > 2000) == (n == 40)
