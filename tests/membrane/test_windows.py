from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from porescope.membrane import (
    Assumptions,
    Thickness,
    cap_conductance,
    conduct_circle,
    estimate_currents,
    estimate_membrane,
    explain_measured,
    read_measured,
    sum_seen,
    weigh_pores,
)

SURE = Assumptions(11.18, 0.0, Thickness(0.7, 0.7, 0.7, "given"), samples=400)
ONE = float(conduct_circle(1, 0.7, 11.18))


def _estimate(n: int, window: float, **options: object):
    pores = pd.DataFrame({"equivalent_diameter_nm": np.ones(n)})
    return estimate_membrane(pores, estimate_currents(pores, SURE), SURE, window, **options)


def test_the_sum_breaks_physics_where_the_window_ends() -> None:
    membrane = _estimate(1000, 150)
    assert membrane.sum_ns.value == pytest.approx(5911, abs=1) and membrane.cap_ns == pytest.approx(1677)
    assert membrane.interacting_ns.value == pytest.approx(1275, rel=0.02)
    assert "from 284 such pores on" in membrane.warnings[0]
    assert _estimate(283, 150).warnings == []


def test_one_pore_in_a_wide_window_is_itself() -> None:
    membrane = _estimate(1, 1e5)
    assert membrane.sum_ns.value == pytest.approx(ONE) and membrane.n_pores == (1, 1, 1)
    assert membrane.interacting_ns.value == pytest.approx(ONE, rel=1e-3)


def test_the_number_of_pores_comes_from_the_density_with_its_counting_error() -> None:
    membrane = _estimate(20, 100, counted=(20, 2000.0))
    expected = 20 / 2000 * np.pi / 4 * 100**2
    assert membrane.n_pores.value == pytest.approx(expected)
    # A count of 20 is known within about 44 %, up and down.
    assert membrane.n_pores.low == pytest.approx(0.62 * expected, rel=0.1)
    assert membrane.n_pores.high == pytest.approx(1.5 * expected, rel=0.1)
    assert membrane.sum_ns.value == pytest.approx(expected * ONE)
    assert membrane.sum_ns.low < membrane.interacting_ns.value < membrane.cap_ns
    none = _estimate(20, 100, counted=(0, 2000.0))
    assert none.sum_ns.value == 0 and np.isnan(none.sum_ns.high) and none.warnings
    # Exact upper limit of a count of zero: 3.69.
    assert none.n_pores.high == pytest.approx(3.689 / 2000 * np.pi / 4 * 100**2, rel=1e-3)


def test_too_many_pores_are_taken_in_series() -> None:
    membrane = _estimate(20, 3000, counted=(20, 2000.0))
    assert membrane.n_pores.value > 10_000 and "10,000 whose interaction" in membrane.warnings[0]
    series = 1 / (1 / membrane.sum_ns.value + 1 / cap_conductance(3000, 11.18))
    assert membrane.interacting_ns.value == pytest.approx(series)


def test_border_pores_have_no_size_and_large_ones_weigh_more() -> None:
    """A square of 2 nm fits into a frame of 10 nm at 64 of 100 places."""
    pores = pd.DataFrame(
        {
            "image": "a", "frame": 0, "equivalent_diameter_nm": [1.0, 2.0, 1.0, 12.0],
            "feret_diameter_max_nm": [1.0, 2.0, 1.0, 12.0], "touches_border": [False, False, True, False],
        }
    )  # fmt: skip
    images = pd.DataFrame(
        {"image": ["a"], "frame": 0, "height_px": 100, "width_px": 100, "pixel_size_nm": 0.1}
    )
    np.testing.assert_allclose(weigh_pores(pores, images), [1 / 0.81, 1 / 0.64, 0, 0])


def test_what_was_seen_adds_up_by_image() -> None:
    pores = pd.DataFrame({"image": ["a", "a", "b"], "frame": 0, "y_nm": [0, 0, 0.0], "x_nm": [0, 5.0, 1.0]})
    pores["equivalent_diameter_nm"] = 1.0
    currents = estimate_currents(pores, SURE)
    total, together = sum_seen(pores, currents, SURE, np.ones(3))
    assert total.value == pytest.approx(3 * ONE)
    assert together == pytest.approx(ONE + 2 / (1 / ONE + 1 / (np.pi * 11.18 * 5)), rel=1e-4)
    assert np.isnan(sum_seen(pores[["equivalent_diameter_nm"]], currents, SURE, np.ones(3))[1])


def test_a_measured_conductance_has_a_diameter_with_a_range() -> None:
    unsure = Assumptions(11.18, 0.02, Thickness(0.6, 0.7, 1.7, "given"))
    found = explain_measured(read_measured(str(ONE)), unsure)
    assert found.value == pytest.approx(1.0) and 0.95 < found.low < 1.0 < 1.2 < found.high < 1.45


@pytest.mark.parametrize("window", [0, -5, np.nan, np.inf])
def test_no_window_is_refused(window: float) -> None:
    with pytest.raises(ValueError, match="window must be wider"):
        _estimate(3, window)
