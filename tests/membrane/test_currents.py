from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from porescope.membrane import (
    THICKNESS,
    Assumptions,
    Thickness,
    bound_conductance,
    conduct_circle,
    conduct_ellipse,
    estimate_currents,
)

SURE = Assumptions(11.18, 0.0, Thickness(0.7, 0.7, 0.7, "given"), samples=50)


def test_a_pore_is_what_its_columns_say() -> None:
    pores = pd.DataFrame(
        {
            "label": [1, 2, 3, 4, 5],
            "equivalent_diameter_nm": [2.0, 2.0, 2.0, 0.5, np.nan],
            "eccentricity": [np.nan, 0.9, 0.9, 0.1, 0.1],
            "solidity": [0.95, 0.95, 0.6, 0.95, 0.95],
            "feret_diameter_max_nm": [3.5] * 5,
        }
    )
    table = estimate_currents(pores, SURE).table
    assert table.model.tolist() == ["circle", "ellipse", "bounds", "ellipse", "ellipse"]
    assert table.open.tolist() == [True, True, True, False, False] and table.label.tolist() == [1, 2, 3, 4, 5]
    low, high = bound_conductance(np.pi, 3.5, 0.7, 11.18)
    expected = [conduct_circle(2, 0.7, 11.18), conduct_ellipse(np.pi, 0.9, 0.7, 11.18), (low + high) / 2, 0]
    np.testing.assert_allclose(table.g_ns[:4], np.array(expected, float))
    assert np.isnan(table.g_ns[4])
    # What is sure has no range, but for the shape that is only bounded.
    np.testing.assert_allclose(table.g_low_ns[[0, 1]], table.g_high_ns[[0, 1]])
    assert low <= table.g_low_ns[2] < table.g_high_ns[2] <= high


def test_ranges_hold_what_is_not_known() -> None:
    pores = pd.DataFrame({"equivalent_diameter_nm": [2.0, 2.0], "equivalent_diameter_std_nm": [0.0, 0.2]})
    unsure = Assumptions(11.18, 0.02, THICKNESS["WS2"], samples=2000)
    found = estimate_currents(pores, unsure)
    widths = (found.table.g_high_ns - found.table.g_low_ns).to_numpy()
    assert widths[1] > 1.15 * widths[0]
    assert found.table.g_low_ns[0] == pytest.approx(float(conduct_circle(2, 1.55, 11.18)), rel=0.03)
    assert found.table.g_high_ns[0] == pytest.approx(float(conduct_circle(2, 0.65, 11.18)), rel=0.03)
    # All pores share one membrane and one solution: their sum is as uncertain as each.
    low, high = np.percentile(found.draws_ns, (2.5, 97.5))
    assert high - low > 0.95 * widths.sum() * 0.9
    again = estimate_currents(pores, unsure)
    pd.testing.assert_frame_equal(found.table, again.table)
    assert not np.array_equal(found.draws_ns, estimate_currents(pores, replace(unsure, seed=1)).draws_ns)


def test_an_area_will_do_and_a_function_of_one_s_own() -> None:
    pores = pd.DataFrame({"area_nm2": [np.pi]})
    assert estimate_currents(pores, SURE).table.g_ns[0] == pytest.approx(float(conduct_circle(2, 0.7, 11.18)))
    own = replace(SURE, function=lambda diameter, thickness, sigma: sigma * diameter)
    table = estimate_currents(pores, own).table
    assert table.g_ns[0] == pytest.approx(22.36) and table.model[0] == "function"
    wrong = replace(SURE, function=lambda diameter, thickness, sigma: 1.0)
    with pytest.raises(ValueError, match="--function must return"):
        estimate_currents(pores, wrong)
    with pytest.raises(ValueError, match="--function fails .ZeroDivisionError"):
        estimate_currents(pores, replace(SURE, function=lambda diameter, thickness, sigma: 1 / 0))


def test_no_pores_are_no_current() -> None:
    found = estimate_currents(pd.DataFrame({"equivalent_diameter_nm": []}), SURE)
    assert len(found.table) == 0 and "g_ns" in found.table and (found.draws_ns == 0).all()


@pytest.mark.parametrize(
    ("pores", "what"),
    [
        ({"size": [1]}, "needs the column equivalent_diameter_nm"),
        ({"equivalent_diameter_nm": [-1.0]}, "below 0 nm"),
        ({"equivalent_diameter_nm": ["wide"]}, "must hold numbers"),
    ],
)
def test_a_table_without_sizes_is_refused(pores: dict[str, list[object]], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        estimate_currents(pd.DataFrame(pores), SURE)


@pytest.mark.parametrize("thickness", [(0.7, 0.5, 0.9), (-1, 0.5, 0.9), (0.1, 0.5, np.nan)])
def test_an_impossible_thickness_is_refused(thickness: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="thickness"):
        Assumptions(11.18, 0.0, Thickness(*thickness, "given"))
