from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope import Micrograph
from porescope.network import Network
from porescope.pictures import draw_findings, draw_image, draw_overlay
from porescope.pictures.overlays import ORANGE, choose_bar


def test_the_outline_lies_around_its_pore() -> None:
    labels = np.zeros((40, 80), int)
    labels[10:20, 50:60] = 1
    picture = draw_overlay(Micrograph(np.ones((40, 80)), 0.1), labels, size=800, numbers=False)
    picture[330:] = 0  # the scale bar
    assert picture.shape == (400, 800, 3)
    y, x = np.nonzero(picture[..., 0] > ORANGE[0] // 2)
    assert (y.min(), y.max(), x.min(), x.max()) == pytest.approx((100, 199, 500, 599), abs=1)


def test_a_large_image_is_drawn_without_seams() -> None:
    ramp = np.linspace(0, 1, 2300, dtype=np.float32)[:, None] + np.zeros((1, 2000), np.float32)
    picture, _ = draw_image(Micrograph(ramp, 0.05), 460)
    steps = np.diff(picture[:, -1, 0].astype(int))
    assert set(steps.tolist()) <= {0, 1} and picture[0].max() < 2 and picture[-1, -1].min() > 253


@pytest.mark.parametrize("size", [300, 800])
def test_the_scale_bar_is_as_long_as_it_says(size: int) -> None:
    picture = draw_overlay(Micrograph(np.ones((40, 80)), 0.5), np.zeros((40, 80), int), size=size)
    white = (picture == 255).all(axis=2)
    longest = max(len(run) for row in white for run in "".join("# "[not v] for v in row).split())
    assert longest * 40 / size == pytest.approx(choose_bar(40), abs=2 * 40 / size)  # 40 nm are ``size`` px


@pytest.mark.parametrize("shape", [(12, 30), (200, 90)])
def test_what_the_network_sees_is_drawn_without_pores_too(tmp_path: Path, shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).poisson(50, shape).astype(np.float32)
    path = tmp_path / "noise.png"
    draw_findings(Micrograph(image, 0.04), Network(), path)
    picture = cv2.imread(str(path))
    rows, columns = picture.shape[:2]
    seen = picture[rows // 5 : rows // 4, columns // 7 : columns // 5]  # within the first panel
    assert seen.std() > 10


@given(width=st.floats(1e-3, 1e6))
def test_the_scale_bar_is_round_and_fits(width: float) -> None:
    bar = choose_bar(width)
    assert width / 10.1 < bar <= width / 4 and f"{bar:e}"[0] in "125"
