from __future__ import annotations

import cv2
import numpy as np
import pytest

from porescope.membrane import Pattern, Window, compare_with_random, correlate, covary, draw_random
from porescope.membrane.spatial import _enclose, _flatten, choose_distances

RNG = np.random.default_rng(0)
RECTANGLE = Window(np.ones((200, 300), bool), 0.1)
RAGGED = Window(cv2.GaussianBlur(RNG.normal(size=(256, 256)), (0, 0), 16) > -0.005, 0.1)


def _place(points: object, window: Window = RECTANGLE, diameter: float = 0.0) -> Pattern:
    places = np.asarray(points, float).reshape(-1, 2)
    return Pattern(places, np.full(len(places), diameter), window)


def test_ripley_s_k_is_that_of_astropy() -> None:
    from astropy.stats import RipleysKEstimator

    points = np.random.default_rng(1).random((100, 2)) * (20, 30)
    edges = np.linspace(0, 5, 26)
    k = correlate([_place(points)], [covary(RECTANGLE)], edges).k_nm2
    other = RipleysKEstimator(area=600, x_min=0, x_max=30, y_min=0, y_max=20)
    np.testing.assert_allclose(k, other(points[:, ::-1], edges[1:], mode="translation"), rtol=1e-4)


def test_two_pores_by_hand() -> None:
    """K jumps by 2·W²/(n(n − 1)·γ) at their distance, where γ is the overlap after their shift."""
    edges = np.array([0, 2, 4, 6.0])
    seen = correlate([_place([(5, 5), (8, 5)])], [covary(RECTANGLE)], edges)
    jump = 600**2 / (17 * 30)
    np.testing.assert_allclose(seen.k_nm2, [0, jump, jump])
    assert seen.nearest_nm == 3


def test_a_window_s_covariance_is_its_overlap_with_itself() -> None:
    covariance = covary(RAGGED)
    for shift in ((0, 0), (17, -40), (-100, 3)):
        a, b = (slice(max(s, 0), 256 + min(s, 0)) for s in shift)
        c, d = (slice(max(-s, 0), 256 + min(-s, 0)) for s in shift)
        overlap = np.count_nonzero(RAGGED.mask[a, b] & RAGGED.mask[c, d]) * 0.01
        assert covariance.at(np.array([shift]) * 0.1)[0] == pytest.approx(overlap, rel=1e-6)
    # A large mask is averaged in blocks.
    large = Window(np.ones((1000, 1500), bool), 0.02)
    assert covary(large).at(np.array([[3.0, -4.0]]))[0] == pytest.approx(17 * 26, rel=1e-3)


def test_windows_are_pooled_without_bias_by_their_densities() -> None:
    rng = np.random.default_rng(2)
    starts = [_place(np.zeros((n, 2)), window) for n, window in ((200, RECTANGLE), (20, RAGGED))]
    covariances = [covary(start.window) for start in starts]
    edges = np.linspace(0, 3, 4)
    ks = [correlate([draw_random(s, rng) for s in starts], covariances, edges).k_nm2 for _ in range(60)]
    np.testing.assert_allclose(np.mean(ks, axis=0), np.pi * edges[1:] ** 2, rtol=0.03)


@pytest.mark.parametrize("window", [RECTANGLE, RAGGED], ids=["rectangle", "ragged"])
def test_random_patterns_stay_in_their_envelope(window: Window) -> None:
    rng = np.random.default_rng(3)
    start = _place(np.zeros((40, 2)), window, diameter=0.6)
    edges, covariances = choose_distances([start]), [covary(window)]
    curves = [
        _flatten(correlate([draw_random(start, rng)], covariances, edges).k_nm2, edges[1:])
        for _ in range(199 + 200)
    ]
    random = np.array(curves[:199])
    inside = [_enclose(curve, random) for curve in curves[199:]]
    share = np.mean([curve.is_random for curve in inside])
    assert 0.90 <= share <= 0.99
    # The picture and the probability say the same.
    for curve in inside:
        assert curve.is_random == bool(((curve.low <= curve.value) & (curve.value <= curve.high)).all())


def test_clusters_and_grids_leave_the_envelope() -> None:
    rng = np.random.default_rng(4)
    centres = rng.random((8, 2)) * (16, 26) + 2
    clusters = (centres[:, None] + rng.normal(0, 0.7, (8, 6, 2))).reshape(-1, 2)
    found = compare_with_random([_place(clusters)], draws=99)
    assert not found.l_nm.is_random and found.clark_evans < 0.8 and found.clark_evans_p <= 0.05
    assert found.l_nm.value[10] > found.l_nm.high[10] and found.g.value[0] > 2
    grid = np.stack(np.mgrid[1:20:3, 1:30:3], axis=-1).reshape(-1, 2) + rng.normal(0, 0.2, (70, 2))
    regular = compare_with_random([_place(grid)], draws=99)
    assert not regular.l_nm.is_random and regular.clark_evans > 1.3
    # Discs that cannot overlap are no regular pattern.
    wide = draw_random(_place(np.zeros((60, 2)), diameter=1.5), rng)
    assert compare_with_random([wide], draws=99).l_nm.is_random


def test_few_pores_tell_nothing_and_many_windows_are_sampled() -> None:
    with pytest.raises(ValueError, match="9 pores are too few"):
        compare_with_random([_place(np.ones((9, 2)))])
    rng = np.random.default_rng(5)
    window = Window(np.broadcast_to(np.True_, (100, 100)), 0.1)
    many = [draw_random(_place(np.zeros((2, 2)), window), rng) for _ in range(100)]
    assert compare_with_random(many, draws=19).r_nm[-1] == pytest.approx(2.5)


def test_the_pair_correlation_of_random_points_is_one() -> None:
    rng = np.random.default_rng(6)
    many = [draw_random(_place(np.zeros((60, 2))), rng) for _ in range(12)]
    found = compare_with_random(many, draws=19)
    assert len(found.g_r_nm) == 10 and found.g_r_nm[0] == pytest.approx(found.r_nm[3] / 2)
    np.testing.assert_allclose(found.g.mean[3:], 1, atol=0.1)
    np.testing.assert_allclose(found.g.value[3:], 1, atol=0.2)
