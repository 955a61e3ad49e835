from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from porescope.movies import Graph, Region, Track, count_births, describe_lives, fit_slope


def make_rows(area: list[float], events: list[str], dosed: bool = True) -> pd.DataFrame:
    n = len(area)
    frame = np.arange(n)
    return pd.DataFrame(
        {
            "track": 0, "frame": frame, "label": np.isfinite(area).astype(int), "y_nm": 1.0, "x_nm": 2.0,
            "dose_e_nm2": frame * 2e5 if dosed else np.nan, "area_nm2": area,
            "equivalent_diameter_nm": np.sqrt(4 * np.array(area) / np.pi), "event": events,
        }
    )  # fmt: skip


def make_track(n: int, **options) -> Track:
    given = {"parents": [], "children": [], "begins": "birth", "ends": "end", "gone": -1, **options}
    return Track(list(range(n)), **given)


def test_a_slope_withstands_outliers_and_needs_five_points() -> None:
    x = np.arange(9.0)
    y = 2 + 0.3 * x
    y[4] += 50
    slope = fit_slope(x, y)
    assert slope.value == pytest.approx(0.3) and slope.low <= 0.3 <= slope.high
    assert np.isnan(fit_slope(x[:4], y[:4])).all()
    assert np.isnan(fit_slope(np.full(9, np.nan), y)).all() and np.isnan(fit_slope(np.zeros(9), y)).all()


def test_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(15.0)
    held = [
        s.low <= 0.1 <= s.high for s in (fit_slope(x, 0.1 * x + rng.normal(0, 0.2, 15)) for _ in range(400))
    ]
    assert 0.92 <= np.mean(held) <= 0.98


def test_growth_leaves_out_what_a_border_cuts() -> None:
    area = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 0.9, 0.4]
    events = ["birth", *["growth"] * 5, "border", "border"]
    (life,) = describe_lives([make_track(8, ends="border")], make_rows(area, events)).to_dict("records")
    assert life["growth_nm2_per_frame"] == pytest.approx(0.1)
    assert life["growth_nm2_per_e_nm2"] == pytest.approx(0.1 / 2e5)
    assert life["n_frames"] == 8 and life["n_growth"] == 6 and life["censored"] == "border"
    assert life["growth_nm_per_frame"] == pytest.approx(0.05, abs=0.006)


def test_where_the_dose_is_unknown_growth_is_told_per_frame() -> None:
    rows = make_rows([1.0, 1.2, np.nan, 1.6, 1.8, 2.0], ["birth", "growth", "gap", *["growth"] * 3], False)
    (life,) = describe_lives([make_track(5, ends="merge", children=[3])], rows).to_dict("records")
    assert np.isnan(life["growth_nm2_per_e_nm2"]) and life["growth_nm2_per_frame"] == pytest.approx(0.2)
    assert life["censored"] == "merge" and life["children"] == "3" and life["parents"] == ""
    assert life["last_area_nm2"] == 2.0 and not life["seen_once"]


def test_births_are_counted_where_they_could_be_seen() -> None:
    graph = Graph([Region(k, 1, np.zeros(2, int), np.ones((1, 1), bool), False) for k in range(5)])
    tracks = [
        make_track(2),  # there from the start
        Track([1, 2], [], [], "birth", "end", -1),
        Track([2, 3], [], [], "border", "end", -1),  # came into view
        Track([2, 3], [0], [], "split", "end", -1),
        Track([3], [], [], "birth", "death", 4),  # seen once
    ]
    places = np.array([[0, 0], [0, 50], [np.nan, np.nan], [0, 50], [0, 50]], float)
    births = count_births(tracks, graph, places, np.array([100.0, 100.0]), np.arange(5) * 10.0)
    assert (births.n_births, births.n_once) == (1, 1)
    # Frames 0 and 1 have half in common; from 1 to 3 there are two steps; the last frame does not count.
    assert births.area_frames_um2 == pytest.approx(0.005 + 2 * 0.01)
    assert births.area_dose_e == pytest.approx((0.005 + 2 * 0.01) * 10 * 1e6)
    assert births.per_um2_frame.value == pytest.approx(1 / 0.025)
    assert births.per_um2_e_nm2.value == pytest.approx(1 / 0.25)
    assert births.per_um2_frame.low < 40 < births.per_um2_frame.high
