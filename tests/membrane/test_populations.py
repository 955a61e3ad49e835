from __future__ import annotations

import numpy as np
import pytest

from porescope.membrane import Pattern, Window, count_evenly, fit_sizes, split_sizes

RNG = np.random.default_rng(0)


def test_a_log_normal_fit_covers_the_truth() -> None:
    inside = []
    for seed in range(40):
        sizes = fit_sizes(np.exp(np.random.default_rng(seed).normal(0.2, 0.3, 60)), seed=seed)
        inside.append(sizes.median_low_nm < np.exp(0.2) < sizes.median_high_nm)
        inside.append(sizes.spread_low < 0.3 < sizes.spread_high)
    assert 0.85 <= np.mean(inside) <= 1.0


def test_weights_count_sizes_that_often() -> None:
    d = np.array([1.0, 1.1, 1.3, 2.0, 3.0])
    weighted = fit_sizes(d, np.array([2.0, 1, 1, 1, 1]))
    assert weighted.median_nm == pytest.approx(np.exp(np.log([1, 1, 1.1, 1.3, 2, 3]).mean()))
    assert fit_sizes(d).median_nm == pytest.approx(np.exp(np.log(d).mean()))
    assert fit_sizes(d).spread == pytest.approx(np.log(d).std(ddof=1))


def test_two_populations_are_told_from_one() -> None:
    two = split_sizes(np.exp(np.concatenate([RNG.normal(-0.7, 0.1, 40), RNG.normal(0.3, 0.2, 20)])))
    assert two.p <= 0.01 and two.share == pytest.approx(2 / 3, abs=0.05)
    np.testing.assert_allclose(two.median_nm, np.exp([-0.7, 0.3]), rtol=0.1)
    ones = [split_sizes(np.exp(RNG.normal(0, 0.3, 40)), seed=i).p for i in range(12)]
    assert np.mean(np.array(ones) <= 0.05) <= 0.2 and np.mean(ones) > 0.25
    # Many pores of exactly one size are a population of their own, not an infinite likelihood.
    lumped = split_sizes(np.concatenate([np.full(30, 0.315), np.exp(RNG.normal(0.2, 0.2, 30))]))
    assert lumped.p <= 0.01 and lumped.median_nm[0] == pytest.approx(0.315, rel=0.01)
    assert lumped.spread[0] == pytest.approx(0.05)


def test_uneven_counts_are_told() -> None:
    window = Window(np.ones((100, 200), bool), 0.1)
    even = [Pattern(RNG.random((80, 2)) * (10, 20) - 0.05, np.ones(80), window) for _ in range(2)]
    assert count_evenly(even).p > 0.05 and count_evenly(even).n_parts == 32
    steep = RNG.random((80, 2)) ** [1, 3] * (10, 20) - 0.05
    assert count_evenly([Pattern(steep, np.ones(80), window)]).p < 0.01
    # Pores only where the window is: counts go by the area.
    half = window.mask.copy()
    half[:, 100:] = False
    places = RNG.random((80, 2)) * (10, 10) - 0.05
    assert count_evenly([Pattern(places, np.ones(80), Window(half, 0.1))]).p > 0.05
    assert np.isnan(count_evenly([Pattern(np.empty((0, 2)), np.empty(0), window)]).p)


def test_too_few_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="4 pores of known size are too few"):
        fit_sizes(np.ones(4))
    with pytest.raises(ValueError, match="it takes 30"):
        split_sizes(np.ones(29))
