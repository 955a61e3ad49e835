from __future__ import annotations

import cv2
import numpy as np
import pytest

from porescope.shapes import SHAPES, classify_shape, describe_outline, trace_outline

T = np.linspace(0, 2 * np.pi, 240, endpoint=False)


def _polygon(n: int, turn: float = 0.3) -> np.ndarray:
    radius = 1 / np.cos(T % (2 * np.pi / n) - np.pi / n)
    return np.column_stack([radius * np.sin(T + turn), radius * np.cos(T + turn)])


def _ellipse(ratio: float) -> np.ndarray:
    return np.column_stack([np.sin(T), ratio * np.cos(T)])


def test_the_descriptors_of_known_shapes() -> None:
    circle = describe_outline(_ellipse(1.0))
    assert circle.axial_ratio == pytest.approx(1, abs=1e-3) and circle.solidity == pytest.approx(1)
    assert max(circle.triangular, circle.hexagonal, circle.roughness) < 1e-3
    assert describe_outline(_polygon(3)).triangular == pytest.approx(1, abs=0.02)
    assert describe_outline(_polygon(6)).hexagonal == pytest.approx(1, abs=0.02)
    assert describe_outline(_ellipse(2.0)).axial_ratio == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize("corners", [3, 5, 6])
def test_descriptors_do_not_depend_on_size_turn_or_direction(corners: int) -> None:
    one = describe_outline(_polygon(corners))
    for other in (_polygon(corners, 2.0), 7 * _polygon(corners) + [3, 5], _polygon(corners)[::-1]):
        np.testing.assert_allclose(describe_outline(other), one, atol=0.03)


def test_the_rules() -> None:
    rough = (1 + 0.15 * np.cos(7 * T) + 0.1 * np.cos(9 * T + 1))[:, None] * _ellipse(1.0)
    star = (1 + 0.45 * np.cos(5 * T))[:, None] * _ellipse(1.0)
    for outline, name in (
        (_ellipse(1.0), "round"), (_ellipse(1.2), "round"), (_ellipse(2.0), "elongated"),
        (_polygon(3), "triangular"), (_polygon(6), "hexagonal"), (rough, "ragged"), (star, "ragged"),
    ):  # fmt: skip
        found = describe_outline(outline)
        assert classify_shape(found, 2.0) == name in SHAPES
        assert classify_shape(found, 2.0, missing_atoms=30) == name
        # One missing atom is a point vacancy however large it looks; without atoms the size says so.
        assert classify_shape(found, 2.0, missing_atoms=1) == "point vacancy"
        assert classify_shape(found, 0.3) == "point vacancy"
        assert classify_shape(found, 0.3, missing_atoms=2) == name


@pytest.mark.parametrize("with_probability", [False, True])
def test_outlines_of_drawn_shapes_are_told_at_twelve_pixels(with_probability: bool) -> None:
    rng = np.random.default_rng(0)
    for outline, name in (
        (_ellipse(1.0), "round"),
        (_ellipse(2.2), "elongated"),
        (_polygon(3), "triangular"),
    ):
        right = 0
        for _ in range(20):
            radius = 9.0 * outline / np.sqrt(cv2.contourArea(outline.astype(np.float32)) / np.pi)
            turn = rng.uniform(0, 2 * np.pi)
            matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
            at = 32 + rng.random(2) + radius @ matrix
            drawn = np.zeros((64, 64), np.uint8)
            cv2.fillPoly(drawn, [np.round(16 * at[:, ::-1]).astype(np.int32)], 255, shift=4)
            soft = cv2.GaussianBlur(drawn.astype(np.float32) / 255, (0, 0), 1.5)
            traced = trace_outline(soft > 0.5, soft if with_probability else None)
            right += classify_shape(describe_outline(traced), 2.0) == name
        assert right >= 18


def test_an_outline_lies_between_pixels() -> None:
    y, x = np.mgrid[:41, :41]
    distance = np.hypot(y - 20.3, x - 19.6)
    probability = np.clip(0.5 + (10 - distance) / 4, 0, 1)
    outline = trace_outline(probability > 0.5, probability)
    np.testing.assert_allclose(np.hypot(*(outline - [20.3, 19.6]).T), 10, atol=0.05)
    assert trace_outline(np.zeros((5, 5), bool)).shape == (0, 2)
    # What another pore next to it has does not count.
    y, x = np.mgrid[:41, :81]
    probability, larger = (
        np.clip(0.5 + (r - np.hypot(y - 20, x - c)) / 4, 0, 1) for r, c in ((10, 19), (15, 48))
    )
    alone = trace_outline(probability > 0.5, np.maximum(probability, larger))
    assert 28 < alone[:, 1].max() < 31
