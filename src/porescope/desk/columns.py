"""What the table and the sliders show: columns, texts, ranges. No window."""

from __future__ import annotations

from typing import Any

import numpy as np

from porescope.files import describe_counts
from porescope.recipes import Recipe

#: Columns of ``pores.csv`` that the table shows: head, and what it means.
HEADS = {
    "label": ("pore", "number of the pore in the label image"),
    "equivalent_diameter_nm": ("d [nm]", "diameter of the circle of the same area"),
    "area_nm2": ("A [nm²]", "area"),
    "confidence": ("conf.", "probability that it is a pore; empty where it was drawn by hand"),
    "missing_atoms": ("atoms", "number of missing atoms; needs --material"),
    "edited": ("edited", "whether it was drawn or changed by hand"),
}
#: Digits after the point in the table; columns that are not named are whole numbers.
_DIGITS = {"equivalent_diameter_nm": 2, "area_nm2": 3, "confidence": 2}
#: How far a slider reaches: its upper end as a multiple of the parameter's default.
_REACH = 4.0


def describe_cell(column: str, value: Any) -> str:
    """Write a value of the table; what is not known is empty.

    Parameters
    ----------
    column : str
        Of ``pores.csv``.
    value : scalar

    Returns
    -------
    str

    Examples
    --------
    >>> describe_cell("area_nm2", 0.07812), describe_cell("confidence", float("nan"))
    ('0.078', '')
    """
    if value != value:
        return ""
    if column == "edited":
        return "yes" if value else ""
    return f"{value:.{_DIGITS.get(column, 0)}f}"


def choose_range(parameter: Any, value: float) -> tuple[float, float]:
    """Choose the ends of the slider of a recipe's parameter, within its bounds.

    Parameters
    ----------
    parameter : dataclasses.Field
        One of `parameters`.
    value : float
        That it has to show.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> from porescope.recipes import parameters
    >>> [choose_range(p, p.default) for p in parameters()][:2]
    [(1.0, 40.0), (0.0, 8.0)]
    """
    low, high = parameter.metadata["bounds"]
    return float(low), float(min(high, max(_REACH * parameter.default, value)))


def choose_digits(parameter: Any) -> int:
    """Choose the number of digits after the point that the slider of a parameter shows.

    Parameters
    ----------
    parameter : dataclasses.Field

    Returns
    -------
    int
    """
    return 1 if parameter.default < 100 else 0


def describe_recipe(recipe: Recipe) -> str:
    """Write the numbers of a recipe that are tuned.

    Parameters
    ----------
    recipe : Recipe

    Returns
    -------
    str

    Examples
    --------
    >>> describe_recipe(Recipe())
    'grid 10, radius 2, threshold 60, area 20, physical scaling'
    """
    named = ", ".join(f"{name} {getattr(recipe, name):g}" for name in ("grid", "radius", "threshold", "area"))
    return f"{named}, {recipe.scaling} scaling"


def describe_pores(diameters: Any) -> str:
    """Say how many pores there are, and how large.

    Parameters
    ----------
    diameters : ndarray of float, shape (n,)
        [nm]

    Returns
    -------
    str

    Examples
    --------
    >>> describe_pores(np.array([0.5, 0.7, 2.0])), describe_pores(np.array([]))
    ('3 pores, median diameter 0.70 nm', 'no pores')
    """
    if not len(diameters):
        return "no pores"
    return f"{describe_counts(len(diameters))}, median diameter {np.median(diameters):.2f} nm"
