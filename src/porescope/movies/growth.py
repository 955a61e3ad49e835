"""Growth: how fast each pore gains area with the dose, and how many pores are born."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.measurement import density_interval
from porescope.movies.linking import Graph
from porescope.movies.tracks import Track

if TYPE_CHECKING:
    import pandas as pd

#: Fewest frames of which a slope is taken: of fewer its interval says nothing.
_FEWEST = 5
#: Relative error of the areas that a pore has in all frames alike, one standard deviation: it changes the
#: growth by as much, and no scatter shows it. Chosen on simulated movies (benchmarks/movies.py).
_COMMON_ERROR = 0.025
#: 95 % quantile of the normal distribution, two-sided.
_Z = 1.96
#: Columns of sizes whose growth is told; how the columns of their slopes begin, and their common error.
_SIZES = {
    "area_nm2": ("growth_nm2", _COMMON_ERROR),
    "equivalent_diameter_nm": ("growth_nm", _COMMON_ERROR / 2),
}
#: Columns of ``pores.csv`` of a movie, in order.
LIFE_COLUMNS = (
    "track", "first_frame", "last_frame", "n_frames", "seen_once", "parents", "children",
    "y_nm", "x_nm", "first_area_nm2", "last_area_nm2",
    *(f"{size}_per_{unit}{end}" for unit in ("e_nm2", "frame") for size, _ in _SIZES.values()
      for end in ("", "_low", "_high")),
    "n_growth", "begins", "ends", "censored",
)  # fmt: skip


class Slope(NamedTuple):
    """A rate with its 95 % interval; NaN: unknown."""

    value: float
    low: float
    high: float


class Nucleation(NamedTuple):
    """How many pores are born, in the area that two frames in a row show."""

    n_births: int
    n_once: int  # pores seen once, which are not counted
    area_frames_um2: float  # area times number of frames [µm²]
    area_dose_e: float  # area times dose [electrons]; NaN: unknown
    per_um2_frame: Slope
    per_um2_e_nm2: Slope  # births per µm² and e/nm²


def fit_slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> Slope:
    """Fit a slope that outliers hardly change: the median of those of all pairs.

    The estimate is that of Theil (1950) and Sen (1968), doi 10.1080/01621459.1968.10480934, with Sen's
    interval.

    Parameters
    ----------
    x, y : ndarray, shape (N,)

    Returns
    -------
    Slope
        NaN for fewer than five points.

    Examples
    --------
    >>> y = np.array([0.0, 2.0, 4.0, 60.0, 8.0, 10.0])
    >>> float(fit_slope(np.arange(6.0), y).value)
    2.0
    """
    from scipy.stats import theilslopes

    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) < _FEWEST or np.ptp(x) == 0:
        return Slope(np.nan, np.nan, np.nan)
    slope, _, low, high = (float(v) for v in theilslopes(y, x))
    return Slope(slope, low, high)


def widen(slope: Slope, relative: float) -> Slope:
    """Widen the interval of a slope by an error that all points have in common.

    Parameters
    ----------
    slope : Slope
    relative : float
        One standard deviation of the factor by which the points are too large or small.

    Returns
    -------
    Slope

    Examples
    --------
    >>> slope = widen(Slope(1.0, 0.96, 1.03), 0.02)
    >>> round(slope.low, 4), round(slope.high, 4)
    (0.944, 1.0494)
    """
    common = _Z * relative * abs(slope.value)
    below, above = slope.value - slope.low, slope.high - slope.value
    return Slope(
        slope.value, slope.value - math.hypot(below, common), slope.value + math.hypot(above, common)
    )


def describe_lives(tracks: list[Track], rows: pd.DataFrame) -> pd.DataFrame:
    """Describe each track: its life and its growth.

    Parameters
    ----------
    tracks : list of Track
    rows : DataFrame
        As `list_rows` returns them.

    Returns
    -------
    DataFrame
        One row for each track, with the columns of `LIFE_COLUMNS`. Growth is that of the frames in which no
        border cuts the pore; merges and splits begin other tracks.
    """
    import pandas as pd

    described = []
    groups = dict(list(rows[rows.label > 0].groupby("track")))
    for number, track in enumerate(tracks):
        seen = groups[number]
        whole = seen[seen.event != "border"]
        reasons = [end for end in (track.ends,) if end in ("merge", "split", "border")]
        if len(whole) < len(seen) and "border" not in reasons:
            reasons.append("border")
        life: dict[str, Any] = {
            "track": number, "first_frame": seen.frame.iloc[0], "last_frame": seen.frame.iloc[-1],
            "n_frames": len(seen), "seen_once": len(seen) == 1,
            "parents": _join(track.parents), "children": _join(track.children),
            "y_nm": seen.y_nm.median(), "x_nm": seen.x_nm.median(),
            "first_area_nm2": seen.area_nm2.iloc[0], "last_area_nm2": seen.area_nm2.iloc[-1],
            "n_growth": len(whole), "begins": track.begins, "ends": track.ends,
            "censored": " ".join(reasons),
        }  # fmt: skip
        for unit, column in (("e_nm2", "dose_e_nm2"), ("frame", "frame")):
            for size, (name, error) in _SIZES.items():
                slope = fit_slope(whole[column].to_numpy(float), whole[size].to_numpy(float))
                slope = widen(slope, error)
                for end, value in zip(("", "_low", "_high"), slope, strict=True):
                    life[f"{name}_per_{unit}{end}"] = value
        described.append(life)
    return pd.DataFrame(described, columns=list(LIFE_COLUMNS))


def _join(numbers: list[int]) -> str:
    return " ".join(map(str, numbers))


def count_births(
    tracks: list[Track],
    graph: Graph,
    places_nm: NDArray[np.float64],
    sides_nm: NDArray[np.float64],
    dose_e_nm2: NDArray[np.float64],
) -> Nucleation:
    """Count the pores that are born while their place is watched.

    Parameters
    ----------
    tracks : list of Track
    graph : Graph
    places_nm : ndarray, shape (K, 2)
        First pixel of each frame in the sheet; NaN where a frame is left out.
    sides_nm : ndarray, shape (2,)
        Of all frames.
    dose_e_nm2 : ndarray, shape (K,)

    Returns
    -------
    Nucleation
        Pores that are seen once may be noise, and are not counted; so the last frame is not either.
    """
    frames = np.flatnonzero(np.isfinite(places_nm).all(axis=1))[:-1]
    common = np.clip(sides_nm - np.abs(np.diff(places_nm[frames], axis=0)), 0, None).prod(axis=1) / 1e6
    exposed = float((common * np.diff(frames)).sum())
    charge = float((common * np.diff(dose_e_nm2[frames])).sum()) if len(frames) > 1 else np.nan
    first, last = (int(frames[0]), int(frames[-1])) if len(frames) else (0, -1)
    begun = [t for t in tracks if t.begins == "birth" and graph.regions[t.regions[0]].frame > first]
    born = [t for t in begun if len(t.regions) > 1 and graph.regions[t.regions[0]].frame <= last]
    once = sum(len(t.regions) == 1 for t in begun)

    def rate(exposure: float) -> Slope:
        if not exposure > 0:
            return Slope(np.nan, np.nan, np.nan)
        return Slope(len(born) / exposure, *density_interval(len(born), exposure))

    return Nucleation(len(born), once, exposed, charge * 1e6, rate(exposed), rate(charge))
