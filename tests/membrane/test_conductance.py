from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope.membrane import (
    bound_conductance,
    cap_conductance,
    conduct_circle,
    conduct_ellipse,
    find_diameter,
    place_randomly,
    sum_interacting,
)


def test_the_design_s_conductances() -> None:
    """Kowalczyk's formula with σ = 11.18 S/m, to three digits."""
    thick, thin = conduct_circle([1, 2, 3, 5], 1.6, 11.18), conduct_circle([1, 2, 5], 0.6, 11.18)
    np.testing.assert_allclose(thick, [3.68, 11.08, 19.98, 39.72], rtol=1e-3)
    np.testing.assert_allclose(thin, [6.34, 16.18, 48.49], rtol=1e-3)
    assert conduct_circle(0, 0.6, 11.18) == 0


@given(st.floats(0.3, 50), st.floats(0.1, 5), st.floats(0.01, 30))
def test_the_diameter_of_a_conductance_is_its_inverse(d: float, thickness: float, sigma: float) -> None:
    assert find_diameter(conduct_circle(d, thickness, sigma), thickness, sigma) == pytest.approx(d, rel=1e-9)


def test_a_round_ellipse_is_a_circle_and_a_long_one_lets_more_through() -> None:
    area = np.pi / 4 * 2.0**2
    assert conduct_ellipse(area, 0, 0.7, 11.18) == pytest.approx(float(conduct_circle(2, 0.7, 11.18)))
    assert (np.diff(conduct_ellipse(area, [0, 0.5, 0.9, 0.99], 0.7, 11.18)) > 0).all()
    # Without a channel, access alone: a slit of half axis a has K(k)/(πσa).
    assert conduct_ellipse(np.pi, 0, 1e-9, 1.0) == pytest.approx(2.0)


@given(st.floats(0.1, 30), st.floats(0, 0.99), st.floats(0.2, 3))
def test_an_ellipse_lies_between_the_bounds_of_its_shape(area: float, k: float, thickness: float) -> None:
    feret = 2 * np.sqrt(area / np.pi) / (1 - k**2) ** 0.25
    low, high = bound_conductance(area, feret, thickness, 11.18)
    assert low * (1 - 1e-9) <= conduct_ellipse(area, k, thickness, 11.18) <= high * (1 + 1e-9)


def test_pores_far_apart_add_up_and_close_ones_share() -> None:
    diameter = np.full(3, 1.0)
    g = conduct_circle(diameter, 0.7, 11.18)
    far = np.array([[0, 0], [0, 1e7], [1e7, 0]], float)
    assert sum_interacting(g, far, 11.18, diameter) == pytest.approx(g.sum(), rel=1e-6)
    # Two pores by hand: V = I/G + I/(πσr), twice.
    two = sum_interacting(g[:2], np.array([[0, 0], [0, 5.0]]), 11.18, diameter[:2])
    assert two == pytest.approx(2 / (1 / g[0] + 1 / (np.pi * 11.18 * 5)), rel=1e-5)


def test_interacting_pores_are_solved_as_by_elimination() -> None:
    rng = np.random.default_rng(0)
    diameter = rng.uniform(0.7, 2, 60)
    g, places = conduct_circle(diameter, 0.7, 11.18), place_randomly(diameter, 40, rng)
    distance = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    full = np.diag(1 / g) + 1 / (np.pi * 11.18 * distance)
    assert sum_interacting(g, places, 11.18, diameter) == pytest.approx(
        np.linalg.solve(full, np.ones(60)).sum(), rel=1e-4
    )


def test_a_thousand_pores_do_not_exceed_the_window() -> None:
    diameter = np.ones(1000)
    g, places = conduct_circle(diameter, 0.7, 11.18), place_randomly(diameter, 150, np.random.default_rng(1))
    together, cap = sum_interacting(g, places, 11.18, diameter), cap_conductance(150, 11.18)
    assert g.sum() == pytest.approx(5911, abs=1) and cap == pytest.approx(1677)
    assert 1200 < together < 1350 < cap
    gaps = np.sort(np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)).ravel())
    assert gaps[1000] >= 1.0 and np.hypot(*places.T).max() <= 75


def test_ever_denser_pores_reach_the_window_s_cap() -> None:
    rng, diameter = np.random.default_rng(2), np.full(1200, 1.0)
    g = conduct_circle(diameter, 0.1, 11.18)
    places = place_randomly(diameter, 60, rng)
    assert 0.9 < sum_interacting(g, places, 11.18, diameter) / cap_conductance(60, 11.18) <= 1.0


def test_closed_pores_carry_nothing_and_too_many_are_refused() -> None:
    g = np.array([5.0, 0.0, 0.0])
    assert sum_interacting(g, np.zeros((3, 2)), 1.0, np.ones(3)) == 5
    with pytest.raises(ValueError, match="10,001 pores"):
        sum_interacting(np.ones(10_001), np.zeros((10_001, 2)), 1.0, np.ones(10_001))
