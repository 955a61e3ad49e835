from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from porescope.measurement import density_interval
from porescope.membrane import fit_sizes
from porescope.report.plots import draw_histogram


@example(values=[2.8])
@given(values=st.lists(st.floats(0.05, 100), min_size=1, max_size=300))
def test_the_histogram_holds_every_pore(values: list[float]) -> None:
    histogram = draw_histogram(np.array(values))
    assert histogram is not None
    bars = histogram["bars"]
    assert sum(bar["count"] for bar in bars) == len(values) and len(bars) <= 90
    assert max(bar["high"] for bar in bars) == 1 and all(b["low"] <= b["height"] <= b["high"] for b in bars)


def test_bars_have_the_interval_of_their_counts_and_the_curve_holds_all_pores() -> None:
    diameters = np.random.default_rng(0).lognormal(0.2, 0.3, 2000)
    fit = fit_sizes(diameters)
    histogram = draw_histogram(diameters, fit)
    bar = max(histogram["bars"], key=lambda bar: bar["count"])
    low, high = density_interval(bar["count"], 1.0)
    assert bar["low"] / bar["height"] == pytest.approx(low / bar["count"])
    assert bar["high"] / bar["height"] == pytest.approx(high / bar["count"])
    # A bar's area is its count times its width; so the curve's is the number of pores.
    x, y = np.array(histogram["curve"]).T
    top = bar["count"] / bar["height"]
    assert np.trapezoid(y * top, x) / histogram["width"] == pytest.approx(2000, rel=0.01)
    assert x[y.argmax()] == pytest.approx(
        (np.exp(0.2 - 0.3**2) - diameters.min()) / np.ptp(diameters), abs=0.05
    )


def test_frames_of_a_stack_have_no_interval() -> None:
    histogram = draw_histogram(np.array([1.0, 1.1, 1.4]), intervals=False)
    assert not histogram["intervals"] and {bar["limits"] for bar in histogram["bars"]} == {""}
    assert draw_histogram(np.empty(0)) is None
