from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope import Micrograph
from porescope.labels import find_boxes
from porescope.network import Network
from porescope.pictures import draw_findings, draw_image, draw_overlay
from porescope.pictures.lettering import measure_text, place_numbers, write
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


def _count_bars(picture: np.ndarray) -> list[tuple[int, int]]:
    """Row and column of the first pixel of each white run of 20 px or more, the topmost of a bar."""
    white = (picture == 255).all(axis=2).astype(np.uint8)
    n, _, boxes, _ = cv2.connectedComponentsWithStats(white, connectivity=4)
    return [(int(b[1]), int(b[0])) for b in boxes[1:n] if b[2] > 20]


def test_a_picture_has_the_pixels_of_its_image() -> None:
    image = np.random.default_rng(0).poisson(50, (600, 520)).astype(np.float32)
    picture = draw_overlay(Micrograph(image, 0.05), np.zeros(image.shape, int))
    assert picture.shape == (600, 520, 3)
    gray = picture[:500, :, 0].astype(float)
    assert np.corrcoef(gray.ravel(), image[:500].ravel())[0, 1] > 0.99
    # A small one is enlarged, each pixel to a block.
    small = draw_image(Micrograph(image[:100, :100], 0.05))
    assert small[1] == 6 and small[0].shape == (600, 600, 3)
    assert (small[0][:6, :6] == small[0][0, 0]).all()


def test_the_scale_bar_keeps_away_from_a_burnt_in_one() -> None:
    image = np.random.default_rng(0).poisson(50, (512, 512)).astype(np.float32)
    free = draw_overlay(Micrograph(image, 0.05), np.zeros(image.shape, int))
    assert [row > 400 and column < 100 for row, column in _count_bars(free)] == [True]
    image[470:476, 20:140] = image.max()
    picture = draw_overlay(Micrograph(image, 0.05), np.zeros(image.shape, int))
    bars = _count_bars(picture)
    assert len(bars) == 2  # the burnt-in one and ours, in another corner
    assert sorted(row > 400 and column < 100 for row, column in bars) == [False, True]


def test_numbers_cover_neither_pores_nor_each_other() -> None:
    rng = np.random.default_rng(3)
    labels = np.zeros((400, 500), np.int32)
    for k in range(1, 90):
        y, x = rng.integers(5, 380), rng.integers(5, 480)
        labels[y : y + 12, x : x + 12] = k
    taken = labels > 0
    placed = dict(place_numbers(find_boxes(labels), taken.copy(), 14))
    assert len(placed) > 60
    written = np.zeros(labels.shape, int)
    for number, (top, left) in placed.items():
        height, width = measure_text(str(number), 14)
        written[top : top + height, left : left + width] += 1
    assert written.max() == 1 and not (written.astype(bool) & taken).any()


def test_a_number_is_legible_on_white_and_on_black() -> None:
    for grey in (0, 255):
        picture = np.full((40, 60, 3), grey, np.uint8)
        write(picture, "38", (5, 5), 20, ORANGE)
        ink = (np.abs(picture.astype(int) - ORANGE) < 30).all(axis=2)
        dark = (picture < 40).all(axis=2)
        assert ink.sum() > 60
        around = cv2.dilate(ink.astype(np.uint8), np.ones((7, 7))) > 0
        assert dark[around].mean() > 0.3  # the halo


def test_plots_draw_into_the_axes_of_a_notebook() -> None:
    from matplotlib.figure import Figure

    labels = np.zeros((40, 80), int)
    labels[10:20, 50:60] = 1
    labels[12, 55] = 0  # an island
    ax = Figure().subplots()
    draw_overlay(Micrograph(np.ones((40, 80)), 0.1), labels, ax=ax)
    assert ax.get_xlim() == (0, 8) and ax.get_ylim() == (4, 0)  # nm
    (lines,) = ax.collections
    points = np.concatenate([path.vertices for path in lines.get_paths()])
    assert points.min(axis=0) == pytest.approx((5, 1)) and points.max(axis=0) == pytest.approx((6, 2))
    assert len(lines.get_paths()) == 2  # outer and inner outline
    assert {text.get_text() for text in ax.texts} == {"1", "2 nm"}


def test_bright_sites_get_a_ring_around_their_place() -> None:
    micrograph = Micrograph(np.zeros((60, 80)), 0.1)
    sites = {"y_px": np.array([20.0]), "x_px": np.array([50.0])}
    plain, marked = (
        draw_overlay(micrograph, np.zeros((60, 80), int), 800, excess=given) for given in (None, sites)
    )
    y, x = np.nonzero((plain != marked).any(axis=2))
    assert abs(y.mean() - 204.5) <= 0.5 and abs(x.mean() - 504.5) <= 0.5  # ten pixels of the picture for one
    assert not (plain != marked)[204, 504].any()
