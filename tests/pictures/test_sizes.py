from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from porescope.measurement import density_interval
from porescope.pictures import draw_sizes


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
