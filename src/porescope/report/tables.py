"""The tables of the report: the pores with their crops, and the densities of folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from porescope.runs import Run, Summary, summarize

if TYPE_CHECKING:
    import pandas as pd


class Column(NamedTuple):
    """A column of the table of pores."""

    name: str  # in ``pores.csv``
    head: str
    digits: int | None  # decimals; None: text
    says: str = ""  # what it means


#: Columns of the table of pores, in order; those without a value are left out.
COLUMNS = (
    Column("label", "label", 0, "number of the pore in its image"),
    Column("equivalent_diameter_nm", "diameter [nm]", 3, "of the circle with the pore's area"),
    Column("equivalent_diameter_std_nm", "± [nm]", 3, "standard deviation of the diameter: with a chance of "
           "about two thirds the true one is within ±"),
    Column("area_nm2", "area [nm²]", 3),
    Column("feret_diameter_max_nm", "Feret max [nm]", 2, "largest and smallest distance of two parallel "
           "lines that enclose the pore"),
    Column("feret_diameter_min_nm", "Feret min [nm]", 2),
    Column("circularity", "circularity", 2, "4π·area/perimeter²: 1 for a circle"),
    Column("shape", "shape", None),
    Column("confidence", "confidence", 2, "probability that the pore is real: of pores at 0.9, nine in ten "
           "were real in simulated images"),
    Column("missing_atoms", "missing atoms", 0),
    Column("isomer", "isomer", None, "name of the set of missing atoms"),
    Column("symmetry", "symmetry", None),
    Column("touches_border", "on border", None, "the pore is cut off, so that its size is a lower bound"),
    Column("edited", "edited", None, "outlined or changed by hand"),
    Column("size_method", "sized by", None, "whether the size is by the atoms that are there, by the "
           "contour or by the pixels"),
    Column("signal", "signal", None),
    Column("y_nm", "y [nm]", 2, "position of the centre, from the first pixel down and to the right"),
    Column("x_nm", "x [nm]", 2),
)  # fmt: skip
#: Most rows of the table of densities.
_MOST_FOLDERS = 100
#: Largest crop in multiples of the usual one.
_LARGEST_CROP = 3.0


def choose_columns(pores: pd.DataFrame) -> list[Column]:
    """Choose the columns of the table that have a value.

    Parameters
    ----------
    pores : DataFrame

    Returns
    -------
    list of Column
    """
    return [c for c in COLUMNS if c.name in pores and _has_values(pores[c.name])]


def _has_values(column: pd.Series[Any]) -> bool:
    if column.dtype == bool:
        return bool(column.any())
    return bool((column.notna() & (column.astype("str") != "")).any())


def write_rows(
    pores: pd.DataFrame, columns: Sequence[Column], pixel_nm: float, crop_nm: float
) -> list[dict[str, Any]]:
    """Write the rows of the pores of one image.

    Parameters
    ----------
    pores : DataFrame
    columns : sequence of Column
    pixel_nm : float
        Pixel size of the image [nm].
    crop_nm : float
        Side of a crop [nm]; those of larger pores are larger, at the same scale.

    Returns
    -------
    list of dict
        For the template: ``label``, ``cells``, the numbers to filter by as they are shown, and
        ``crop``, the part of the image in pixels from the corner of the first one: left, top, side, and the
        side in multiples of the usual one.
    """
    rows = []
    for row in pores.to_dict("records"):
        feret = row["feret_diameter_max_nm"]
        times = min(max(1.0, 1.3 * (feret if feret == feret else 0.0) / crop_nm), _LARGEST_CROP)
        side = times * crop_nm / pixel_nm
        left, top = row["x_px"] + 0.5 - side / 2, row["y_px"] + 0.5 - side / 2
        known = left == left and top == top
        rows.append(
            {
                "label": row["label"],
                "border": bool(row["touches_border"]),
                "diameter": _format(row["equivalent_diameter_nm"], 3),
                "confidence": _format(row["confidence"], 2),
                "cells": [_format(row[c.name], c.digits) for c in columns],
                "crop": (f"{left:.5g} {top:.5g} {side:.4g} {side:.4g}", times) if known else None,
            }
        )
    return rows


def _format(value: Any, digits: int | None) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else ""
    if value is None or value != value:
        return ""
    if digits is None:
        return {"True": "yes", "False": ""}.get(str(value), str(value))
    return f"{value:.{digits}f}"


def describe_folders(run: Run) -> tuple[list[tuple[str, Summary]], int]:
    """Summarize a run for each folder that its images came from.

    Parameters
    ----------
    run : Run

    Returns
    -------
    list of tuple
        Folder and its summary, at most a hundred.
    n_left_out : int
        Number of folders that are not among them.
    """
    places = run.images.file.fillna("").map(lambda file: str(PurePath(str(file).replace("\\", "/")).parent))
    folders = list(dict.fromkeys(places))
    keys = ["image", "frame"]
    described = []
    for folder in folders[:_MOST_FOLDERS]:
        images = run.images[places == folder]
        pores = run.pores.merge(images[keys], on=keys) if len(folders) > 1 else run.pores
        described.append((folder, summarize(run._replace(images=images, pores=pores))))
    return described, max(0, len(folders) - _MOST_FOLDERS)


def write_density(values: Sequence[float]) -> list[str]:
    """Write a density and its limits with three digits, thousands apart.

    Parameters
    ----------
    values : sequence of float

    Returns
    -------
    list of str

    Examples
    --------
    >>> write_density((8483.2, 4847.4, float("nan")))
    ['8,480', '4,850', '–']
    """
    return [f"{float(f'{value:.3g}'):,g}" if value == value else "–" for value in values]


def choose_facts(record: Mapping[str, Any], most_text: int = 5000) -> dict[str, Any]:
    """Choose what the report shows of ``run.json``, which may be another version's or forged.

    Parameters
    ----------
    record : mapping
    most_text : int
        Longest text [characters]; ``run.json`` has it all.

    Returns
    -------
    dict
    """
    texts = ("version", "state", "method", "material", "recipe_name", "started", "finished", "command",
             "python", "platform")  # fmt: skip
    tables = ("recipe", "recipe_provenance", "model", "libraries")
    given = {name: record.get(name) for name in (*texts, *tables)}
    return {
        **{name: "" if given[name] is None else str(given[name])[:most_text] for name in texts},
        **{name: given[name] if isinstance(given[name], dict) else {} for name in tables},
    }
