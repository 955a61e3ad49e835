"""A measured conductance: a number, or a current–voltage curve with its line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Columns of a current–voltage curve.
IV_COLUMNS = ("voltage_mV", "current_nA")
#: Fewest points of a curve, and smallest share of the current's variance that its line must explain.
_FEWEST_POINTS, _LEAST_EXPLAINED = 3, 0.9
#: Most points that the robust fit uses, since it compares all pairs.
_MOST_POINTS = 1000


class Measured(NamedTuple):
    """A measured conductance [nS] with its 95 % range, and what its curve says."""

    g_ns: float
    g_low_ns: float
    g_high_ns: float
    rectification: float = float("nan")  # slope at positive over slope at negative voltages
    offset_na: float = float("nan")  # current at 0 V
    n_points: int = 0


def read_measured(text: str) -> Measured:
    """Read a measured conductance.

    Parameters
    ----------
    text : str
        A number [nS], or a CSV file with the columns ``voltage_mV`` and ``current_nA``.

    Returns
    -------
    Measured

    Raises
    ------
    ValueError
        If it is neither, or the curve is no line.
    """
    try:
        value = float(text)
    except ValueError:
        return _read_curve(Path(text))
    if not 0 < value < np.inf:
        raise ValueError(f"--measured: a conductance must be above 0 nS, not {text}")
    return Measured(value, value, value)


def _read_curve(path: Path) -> Measured:
    import pandas as pd

    if not path.is_file():
        raise ValueError(f"--measured {path} is neither a number [nS] nor a file")
    try:
        table = pd.read_csv(path, sep=None, engine="python", comment="#", skipinitialspace=True)
    except Exception as error:  # pandas has many kinds of error
        raise ValueError(f"{path} cannot be read as a table ({type(error).__name__}: {error})") from None
    missing = [name for name in IV_COLUMNS if name not in table]
    if missing:
        raise ValueError(
            f"{path} lacks the column {missing[0]}; a curve has the columns {', '.join(IV_COLUMNS)}"
        )
    columns = []
    for name in IV_COLUMNS:
        numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(float)
        bad = np.flatnonzero(~np.isfinite(numbers))
        if len(bad):
            value = table[name].iloc[bad[0]]
            raise ValueError(f"{path}, row {bad[0] + 1}: {name} must be a number, not {value}")
        columns.append(numbers)
    try:
        return fit_line(*columns)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def fit_line(voltage_mv: NDArray[np.float64], current_na: NDArray[np.float64]) -> Measured:
    """Fit the line of a current–voltage curve robustly.

    Parameters
    ----------
    voltage_mv, current_na : ndarray of float, shape (n,)

    Returns
    -------
    Measured
        ``rectification`` is NaN with fewer than three points on either side.

    Raises
    ------
    ValueError
        If there are fewer than three points or voltages, or the curve is no rising line.

    Notes
    -----
    The slope is Theil and Sen's: the median over all pairs of points (Sen 1968,
    doi:10.1080/01621459.1968.10480934).

    Examples
    --------
    >>> voltage = np.linspace(-100, 100, 11)
    >>> round(fit_line(voltage, 0.005 * voltage).g_ns, 3)
    5.0
    """
    from scipy.stats import theilslopes

    if len(voltage_mv) < _FEWEST_POINTS or len(np.unique(voltage_mv)) < _FEWEST_POINTS:
        raise ValueError(
            f"a line needs {_FEWEST_POINTS} different voltages or more, not {len(np.unique(voltage_mv))}"
        )
    chosen = np.unique(np.linspace(0, len(voltage_mv) - 1, _MOST_POINTS).astype(int))
    v, i = voltage_mv[chosen], current_na[chosen]
    slope, offset, low, high = map(float, theilslopes(i, v))
    left = i - offset - slope * v
    explained = 1 - float(np.var(left) / np.var(i)) if np.var(i) > 0 else 0.0
    if explained < _LEAST_EXPLAINED:
        raise ValueError(
            f"the curve is no line: a line explains {max(explained, 0):.0%} of the current, less than "
            f"{_LEAST_EXPLAINED:.0%}; give its linear part"
        )
    if slope <= 0:
        raise ValueError(f"the current falls with the voltage ({1000 * slope:g} nS); check the signs")
    sides = [(v > 0), (v < 0)]
    slopes = [
        float(theilslopes(i[side], v[side])[0]) if len(np.unique(v[side])) >= _FEWEST_POINTS else np.nan
        for side in sides
    ]
    ratio = slopes[0] / slopes[1] if slopes[1] else np.nan
    return Measured(1000 * slope, 1000 * low, 1000 * high, ratio, offset, len(voltage_mv))
