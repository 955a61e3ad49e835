from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from porescope.materials import MATERIALS
from porescope.measurement import density_interval
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
from porescope.pictures import draw_conductance, draw_isomers, draw_sizes, draw_statistics


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


@example(values=[2.8])
@example(values=[1.0, 1.0, 1.0])
@example(values=[1.0, 1e6])
@given(values=st.lists(st.floats(0.05, 100), min_size=1, max_size=60))
def test_the_histogram_holds_every_pore(values: list[float]) -> None:
    ax = draw_sizes(values)
    bars = ax.containers[0]
    assert sum(bar.get_height() for bar in bars) == len(values) and len(bars) <= 40


def test_intervals_and_the_curve_are_those_of_the_pores() -> None:
    rng = np.random.default_rng(1)
    diameters = np.exp(rng.normal(np.log(1.5), 0.3, 400))
    ax = draw_sizes([*diameters, np.nan, 0.0])
    (curve,) = (line for line in ax.lines if str(line.get_label()).startswith("log-normal"))
    logs = np.log(diameters)
    assert curve.get_label() == f"log-normal: median {np.exp(logs.mean()):.3g} nm, σ {logs.std():.2f}"
    x, y = curve.get_data()
    width = ax.containers[0][0].get_width() / 0.94
    assert np.trapezoid(y, x) == pytest.approx(400 * width, rel=0.03)  # as large as the bars
    bar = max(ax.containers[0], key=lambda b: b.get_height())
    segments = ax.containers[1].lines[2][0].get_segments()
    middle = bar.get_x() + bar.get_width() / 2
    (segment,) = (s for s in segments if s[0, 0] == pytest.approx(middle))
    assert segment[:, 1] == pytest.approx(density_interval(int(bar.get_height()), 1.0))


def test_too_few_pores_have_no_curve_and_none_have_words() -> None:
    assert not any("log" in str(line.get_label()) for line in draw_sizes([0.4, 0.5, 0.6]).lines)
    assert [text.get_text() for text in draw_sizes([]).texts] == ["no pores"]
