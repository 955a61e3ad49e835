from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope.live.alarms import Alarm, parse_alarm
from porescope.runs import ImageRecord

RECORD = ImageRecord(
    {"n_pores": 3, "median_diameter_nm": float("nan"), "lattice_constant_nm": None},
    {
        "label": np.array([1, 2, 4]),
        "equivalent_diameter_nm": np.array([0.5, 2.5, 3.0]),
        "missing_atoms": np.array([np.nan, np.nan, 7]),
        "touches_border": np.array([True, False, False]),
    },
    [],
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("equivalent_diameter_nm > 2", ([2, 4], [2.5, 3.0])),
        ("equivalent_diameter_nm>=3", ([4], [3.0])),
        (" equivalent_diameter_nm < 5e-1 ", ([], [])),
        ("equivalent_diameter_nm <= .5", ([1], [0.5])),
        ("missing_atoms != 0", ([4], [7.0])),
        ("touches_border == 1", ([1], [1.0])),
        ("n_pores >= 3", ([], [3.0])),
        ("n_pores > 3", ([], [])),
        ("median_diameter_nm < 1", ([], [])),
        ("lattice_constant_nm != 1", ([], [])),
    ],
)
def test_alarms_find_what_meets_them(text: str, found: tuple[list[int], list[float]]) -> None:
    assert parse_alarm(text).find(RECORD) == found


def test_an_image_without_pores_or_that_failed_raises_none() -> None:
    failed = ImageRecord({"image": "a", "status": "failed"}, {}, [])
    assert parse_alarm("area_nm2 > 0").find(failed) == ([], [])
    assert parse_alarm("n_pores < 5").find(failed) == ([], [])


@pytest.mark.parametrize(
    "text",
    ["", "area_nm2", "area_nm2 > ", "area_nm2 => 2", "area_nm2 > nan", "area_nm2 > 1e999", "area_nm2 > 2 nm",
     "area_nm2 > 2; import os", "__import__('os') > 2", "area_nm2 > 1 > 0", "2 < area_nm2",
     "area_nm2 > 1.2.3"],
)  # fmt: skip
def test_what_is_no_alarm_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"--alert takes COLUMN OPERATOR NUMBER"):
        parse_alarm(text)


def test_columns_of_text_and_unknown_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="no column of numbers status"):
        parse_alarm("status == 1")
    with pytest.raises(ValueError, match="did you mean equivalent_diameter_nm"):
        parse_alarm("equivalent_diameter > 2")


@given(st.floats(-1e9, 1e9), st.sampled_from([">", ">=", "<", "<=", "==", "!="]))
def test_an_alarm_reads_itself_back(number: float, sign: str) -> None:
    alarm = Alarm("area_nm2", sign, float(f"{number:g}"))
    assert parse_alarm(str(alarm)) == alarm
