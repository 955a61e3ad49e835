"""The rows of a corrected image: those that stay as they were, with those that are measured anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from porescope.corrections.comparing import Edits
from porescope.measurement import PORE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd


def as_columns(table: pd.DataFrame, kinds: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Take the columns of a table; text that is not known is None.

    Parameters
    ----------
    table : DataFrame
    kinds : mapping
        Names of columns → their types.

    Returns
    -------
    dict of ndarray
    """
    columns = {}
    for name, kind in kinds.items():
        values = table[name]
        if kind == "str":
            columns[name] = values.astype(object).where(values.notna(), None).to_numpy()
        else:
            columns[name] = values.to_numpy(kind)
    return columns


def join_rows(
    kept: pd.DataFrame, measured: Mapping[str, NDArray[Any]], edits: Edits
) -> dict[str, NDArray[Any]]:
    """Join the rows of the pores that stay with those of the others as they are measured now.

    Parameters
    ----------
    kept : DataFrame
        Rows of the pores that stay, as they were.
    measured : mapping
        Columns of `PORE_COLUMNS` of all pores.
    edits : Edits

    Returns
    -------
    dict of ndarray
        Columns of `PORE_COLUMNS`, in the order of the labels.
    """
    new = np.isin(measured["label"], [*edits.drawn, *edits.changed])
    own = as_columns(kept, PORE_COLUMNS)
    joined = {
        name: np.concatenate([own[name], values[new]])
        for name, values in {**measured, "edited": np.ones(len(new), bool)}.items()
    }
    order = np.argsort(joined["label"], kind="stable")
    return {name: values[order] for name, values in joined.items()}


def drop_taken(candidates: pd.DataFrame, labels: NDArray[np.int32]) -> pd.DataFrame:
    """Leave out candidates that a pore lies on: one that was accepted by hand is none any more.

    Parameters
    ----------
    candidates : DataFrame
    labels : ndarray of int32, shape (M, N)

    Returns
    -------
    DataFrame
    """
    at = np.rint(candidates[["y_px", "x_px"]].to_numpy(float)).astype(int)
    free: NDArray[np.bool_] = labels[tuple(np.clip(at, 0, np.array(labels.shape) - 1).T)] == 0
    left: pd.DataFrame = candidates[free]
    return left
