from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from porescope.materials import MATERIALS
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
from porescope.pictures import draw_conductance, draw_isomers, draw_statistics


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


@pytest.mark.parametrize(
    ("material", "names"),
    [
        ("WS2", ["W1_0.0", "W3_0.0_0.1_1.1", "W2_0.0_0.1?"]),
        ("graphene", ["C2_0.0a_0.0b"]),
        ("hBN", []),
    ],
)
def test_isomers_are_drawn(material: str, names: list[str], tmp_path: Path) -> None:
    draw_isomers([(name, 3) for name in names], MATERIALS[material], tmp_path / "a.png")
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture.shape == (286, 1254, 3)
    orange = (np.abs(picture[..., ::-1].astype(int) - (0xD5, 0x5E, 0)) < 20).all(axis=-1)
    # One spot for each missing atom; those of the second sublattice are rings.
    spots = cv2.connectedComponents(orange.astype(np.uint8))[0] - 1
    assert spots == {"WS2": 6, "graphene": 2, "hBN": 0}[material]


def test_many_isomers_are_not_all_drawn(tmp_path: Path) -> None:
    names = [f"W2_0.0_0.{k}" for k in range(1, 31)]
    draw_isomers([(name, 1) for name in names], MATERIALS["WS2"], tmp_path / "a.png")
    assert cv2.imread(str(tmp_path / "a.png")).shape[0] == round(110 * (2.2 * 4 + 0.4))
