"""Two runs compared: pores that appeared, are gone, or changed their size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from porescope.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

#: Columns of a comparison.
_COLUMNS = (
    "image", "frame", "change", "y_nm", "x_nm", "equivalent_diameter_nm_1", "equivalent_diameter_nm_2",
)  # fmt: skip
#: Smallest relative change of an equivalent diameter that is listed.
_SMALLEST_CHANGE = 1e-6


def compare_runs(one: Run, two: Run) -> pd.DataFrame:
    """List what differs between two runs.

    Parameters
    ----------
    one, two : Run

    Returns
    -------
    pandas.DataFrame
        One row for each difference: ``change`` is ``appeared``, ``gone`` or ``resized`` for a pore,
        ``image only in 1``, ``image only in 2`` or ``status`` for an image. Positions are those of the
        later run that has the pore.

    Notes
    -----
    Pores of the same image are matched one to one, so that the sum of the distances is least; a distance
    may be at most half of the larger equivalent diameter. Distances are in pixels, since the runs may differ
    in the pixel size.
    """
    import pandas as pd

    keys = [
        {(i, f): s for i, f, s in run.images[["image", "frame", "status"]].itertuples(index=False)}
        for run in (one, two)
    ]
    rows: list[tuple[Any, ...]] = []
    groups = [dict(list(run.pores.groupby(["image", "frame"]))) for run in (one, two)]
    for key in dict.fromkeys([*keys[0], *keys[1]]):
        if key not in keys[0] or key not in keys[1]:
            rows.append((*key, f"image only in {1 if key in keys[0] else 2}", *[np.nan] * 4))
            continue
        if keys[0][key] != keys[1][key]:
            rows.append((*key, "status", *[np.nan] * 4))
        rows += [(*key, *row) for row in _compare_pores(*(group.get(key) for group in groups))]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _compare_pores(one: pd.DataFrame | None, two: pd.DataFrame | None) -> list[tuple[Any, ...]]:
    from scipy.optimize import linear_sum_assignment

    columns = ["y_nm", "x_nm", "equivalent_diameter_nm", "y_px", "x_px", "area_px"]
    a, b = (np.empty((0, 6)) if t is None else t[columns].to_numpy(float) for t in (one, two))
    distance = np.hypot(*(a[:, None, 3:5] - b[None, :, 3:5]).transpose(2, 0, 1))
    allowed = distance <= np.sqrt(np.maximum(a[:, None, 5], b[None, :, 5]) / np.pi)
    i, j = linear_sum_assignment(np.where(allowed, distance, 1e9))
    kept = allowed[i, j]
    i, j = i[kept], j[kept]
    rows: list[tuple[Any, ...]] = []
    for p, q in zip(i, j, strict=True):
        if abs(b[q, 2] - a[p, 2]) > _SMALLEST_CHANGE * a[p, 2]:
            rows.append(("resized", *b[q, :2], a[p, 2], b[q, 2]))
    rows += [("gone", *row[:2], row[2], np.nan) for row in np.delete(a, i, axis=0)]
    rows += [("appeared", *row[:2], np.nan, row[2]) for row in np.delete(b, j, axis=0)]
    return rows
