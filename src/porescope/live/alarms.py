"""Alarms: a column, an operator and a number. They are parsed and never evaluated as code."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from porescope.measurement import PORE_COLUMNS
from porescope.runs import IMAGE_COLUMNS, ImageRecord

#: What an alarm may ask.
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt,
    "<": operator.lt,
}  # fmt: skip
_PARTS = re.compile(r"\s*(\w+)\s*(>=|<=|==|!=|>|<)\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Alarm:
    """A condition on the pores of an image, or on the image.

    Parameters
    ----------
    column : str
        Of ``pores.csv``, or of ``images.csv``.
    sign : {">", ">=", "<", "<=", "==", "!="}
    number : float
    """

    column: str
    sign: str
    number: float

    def __str__(self) -> str:
        return f"{self.column} {self.sign} {self.number:g}"

    def find(self, record: ImageRecord) -> tuple[list[int], list[float]]:
        """Find what meets the condition.

        Parameters
        ----------
        record : ImageRecord

        Returns
        -------
        labels : list of int
            Of the pores that do; empty for a column of ``images.csv``.
        values : list of float
            What they have in the column. What is not known, NaN, meets none.
        """
        if self.column in PORE_COLUMNS:
            labels = np.asarray(record.pores.get("label", ()), int)
            values = np.asarray(record.pores.get(self.column, ()), float)
        else:
            labels, value = np.array([0]), record.row.get(self.column)
            values = np.array([math.nan if value is None else value], float)
        met = _OPERATORS[self.sign](values, self.number) & ~np.isnan(values)
        return [label for label in labels[met].tolist() if label], values[met].tolist()


def parse_alarm(text: str) -> Alarm:
    """Parse an alarm.

    Parameters
    ----------
    text : str
        Column, operator and number.

    Returns
    -------
    Alarm

    Raises
    ------
    ValueError
        If it is none, or there is no such column of numbers.

    Examples
    --------
    >>> parse_alarm("equivalent_diameter_nm>2")
    Alarm(column='equivalent_diameter_nm', sign='>', number=2.0)
    >>> parse_alarm("diameter_nm > 2")
    Traceback (most recent call last):
    ...
    ValueError: --alert: there is no column of numbers diameter_nm; did you mean equivalent_diameter_nm?
    """
    parts = _PARTS.fullmatch(text)
    try:
        number = float(parts[3]) if parts else math.nan
    except ValueError:
        number = math.nan
    if parts is None or not math.isfinite(number):
        raise ValueError(
            f"--alert takes COLUMN OPERATOR NUMBER, such as 'equivalent_diameter_nm > 2', not {text!r}; "
            f"operators are {', '.join(sorted(_OPERATORS))}"
        )
    numeric = [name for name, kind in {**PORE_COLUMNS, **IMAGE_COLUMNS}.items() if kind != "str"]
    column = parts[1]
    if column not in numeric:
        near = [name for name in numeric if column in name]
        near = near or difflib.get_close_matches(column, numeric, 1, 0.5)
        remedy = f"did you mean {near[0]}?" if near else "docs/detect.md lists the columns"
        raise ValueError(f"--alert: there is no column of numbers {column}; {remedy}")
    return Alarm(column, parts[2], number)
