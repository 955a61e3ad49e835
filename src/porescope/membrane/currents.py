"""From a table of pores to the conductance of each, with its range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from porescope.membrane.conductance import (
    CUTOFF_NM,
    Thickness,
    bound_conductance,
    conduct_ellipse,
)
from porescope.membrane.patterns import Floats

if TYPE_CHECKING:
    import pandas as pd

#: Columns of ``conductance.csv``, with their types; those before ``g_ns`` only where they are known.
CONDUCTANCE_COLUMNS = {
    "image": "str", "frame": "int64", "label": "int64", "equivalent_diameter_nm": "float64",
    "g_ns": "float64", "g_low_ns": "float64", "g_high_ns": "float64", "model": "str", "open": "bool",
}  # fmt: skip
#: Limits of the ranges [%]: 95 % of the draws lie between them.
LIMITS = (2.5, 97.5)
#: Solidity below which a pore is no ellipse, so that only bounds are known.
_LEAST_SOLIDITY = 0.85
#: Number of pores whose draws are in memory at once.
_CHUNK = 2000


class Range(NamedTuple):
    """A value with the limits of its range; NaN where it is not known."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Assumptions:
    """What a conductance rests on besides the pores.

    Parameters
    ----------
    sigma_s_m : float
        Conductivity of the solution [S/m].
    sigma_relative_std : float
        Its standard deviation, relative.
    thickness : Thickness
        Drawn from the triangular distribution over its range.
    cutoff_nm : float
        Diameter below which a pore is closed [nm].
    samples, seed : int
        Number of draws, and their seed.
    function : callable, optional
        In place of the formulas: diameters [nm], thickness [nm], conductivity [S/m] → conductances [nS].

    Raises
    ------
    ValueError
        If a number is impossible.
    """

    sigma_s_m: float
    sigma_relative_std: float
    thickness: Thickness
    cutoff_nm: float = CUTOFF_NM
    samples: int = 1000
    seed: int = 0
    function: Callable[[Floats, Floats, Floats], Floats] | None = None

    def __post_init__(self) -> None:
        low, value, high, _ = self.thickness
        if not 0 < low <= value <= high < np.inf:
            raise ValueError(
                f"the thickness must be above 0 nm and within its range, not {value:g} nm in {low:g} to "
                f"{high:g} nm"
            )
        if not 0 < self.sigma_s_m < np.inf:
            raise ValueError(f"the conductivity must be above 0 S/m, not {self.sigma_s_m:g}")
        if not 0 <= self.cutoff_nm < np.inf:
            raise ValueError(f"the cut-off must not be below 0 nm, but is {self.cutoff_nm:g}")

    def draw(self) -> tuple[Floats, Floats]:
        """Draw thicknesses [nm] and conductivities [S/m].

        Returns
        -------
        tuple of ndarray, shape (samples,)
        """
        rng = np.random.default_rng(self.seed)
        low, value, high, _ = self.thickness
        thickness = (
            rng.triangular(low, value, high, self.samples) if high > low else np.full(self.samples, value)
        )
        sigma = self.sigma_s_m * np.exp(self.sigma_relative_std * rng.standard_normal(self.samples))
        return thickness, sigma


class Currents(NamedTuple):
    """The conductance of each pore, and of all together by draws."""

    table: pd.DataFrame  # columns `CONDUCTANCE_COLUMNS`
    draws_ns: Floats  # (samples,) weighted sum of all pores


class Shapes(NamedTuple):
    """Sizes and shapes of pores, NaN where they are not known."""

    diameter_nm: Floats
    std_nm: Floats
    eccentricity: Floats
    solidity: Floats
    feret_nm: Floats

    def pick(self, which: object) -> Shapes:
        """Select pores.

        Parameters
        ----------
        which : slice or ndarray

        Returns
        -------
        Shapes
        """
        return Shapes(*(column[which] for column in self))  # type: ignore[call-overload]


def read_shapes(pores: pd.DataFrame) -> Shapes:
    """Read sizes and shapes from a table of pores.

    Parameters
    ----------
    pores : DataFrame
        See `estimate_currents`.

    Returns
    -------
    Shapes

    Raises
    ------
    ValueError
        If the table has no sizes, or a column holds no numbers.
    """

    def column(name: str, missing: float) -> Floats:
        if name not in pores:
            return np.full(len(pores), missing)
        try:
            return pores[name].to_numpy(float)
        except ValueError as error:
            raise ValueError(f"the column {name} must hold numbers ({error})") from None

    if "equivalent_diameter_nm" in pores:
        diameter = column("equivalent_diameter_nm", np.nan)
    elif "area_nm2" in pores:
        diameter = np.sqrt(4 / np.pi * column("area_nm2", np.nan))
    else:
        raise ValueError("the table of pores needs the column equivalent_diameter_nm or area_nm2 [nm, nm²]")
    if (diameter < 0).any():
        raise ValueError(f"diameters must not be below 0 nm, but one is {np.nanmin(diameter):g}")
    return Shapes(
        diameter,
        np.nan_to_num(column("equivalent_diameter_std_nm", 0.0)),
        np.clip(column("eccentricity", np.nan), 0, 0.999),
        column("solidity", np.nan),
        column("feret_diameter_max_nm", np.nan),
    )


def _choose_models(shapes: Shapes, assumptions: Assumptions) -> np.ndarray:
    if assumptions.function is not None:
        return np.full(len(shapes.diameter_nm), "function")
    is_ragged = (shapes.solidity < _LEAST_SOLIDITY) & np.isfinite(shapes.feret_nm)
    return np.where(is_ragged, "bounds", np.where(np.isfinite(shapes.eccentricity), "ellipse", "circle"))


def conduct(
    shapes: Shapes, size: Floats, where: Floats, thickness: Floats, sigma: Floats, assumptions: Assumptions
) -> Floats:
    """Conductances of pores whose diameters are ``size`` times the measured ones.

    Parameters
    ----------
    shapes : Shapes
    size, where : ndarray, shape (..., n)
        Relative sizes, and places between the bounds, from 0 to 1.
    thickness, sigma : ndarray
        [nm], [S/m]; broadcast.
    assumptions : Assumptions
        Their cut-off and function count.

    Returns
    -------
    ndarray, shape (..., n)
        [nS]
    """
    diameter = shapes.diameter_nm * size
    if assumptions.function is not None:
        g = _call(assumptions.function, *np.broadcast_arrays(diameter, thickness, sigma))
    else:
        area = np.pi / 4 * diameter**2
        # An eccentricity of 0 is the circle.
        g = conduct_ellipse(area, np.nan_to_num(shapes.eccentricity), thickness, sigma)
        ragged = _choose_models(shapes, assumptions) == "bounds"
        if ragged.any():
            low, high = bound_conductance(area, np.nan_to_num(shapes.feret_nm) * size, thickness, sigma)
            g = np.where(ragged, low + where * (high - low), g)
    return np.asarray(
        np.where(diameter >= assumptions.cutoff_nm, g, np.where(np.isnan(diameter), np.nan, 0.0))
    )


def _call(
    function: Callable[[Floats, Floats, Floats], Floats], diameter: Floats, thickness: Floats, sigma: Floats
) -> Floats:
    """What a function of the user's returns, if that is a conductance for each diameter."""
    try:
        g = np.asarray(function(diameter.copy(), thickness.copy(), sigma.copy()), float)
    except Exception as error:  # the function is the user's, it may raise anything
        raise ValueError(f"--function fails ({type(error).__name__}: {error})") from error
    if g.shape != diameter.shape:
        raise ValueError(
            f"--function must return a conductance for each of the diameters, shape {diameter.shape}, not "
            f"{g.shape}"
        )
    return g


def vary(shapes: Shapes, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw relative sizes, and places between bounds.

    Parameters
    ----------
    shapes : Shapes
        Of n pores.
    shape : tuple of int
        (..., n)
    rng : Generator

    Returns
    -------
    tuple of ndarray, shape (..., n)
    """
    relative = np.divide(
        shapes.std_nm, shapes.diameter_nm, out=np.zeros_like(shapes.std_nm), where=shapes.diameter_nm > 0
    )
    return np.maximum(1 + relative * rng.standard_normal(shape), 0), rng.random(shape)


def estimate_currents(
    pores: pd.DataFrame, assumptions: Assumptions, weights: Floats | None = None
) -> Currents:
    """Estimate the conductance of each pore, with its range.

    Parameters
    ----------
    pores : DataFrame
        Needs ``equivalent_diameter_nm`` or ``area_nm2``. ``eccentricity`` makes a pore an ellipse;
        ``solidity`` and ``feret_diameter_max_nm`` say which one is none; ``equivalent_diameter_std_nm`` is
        the standard deviation of its size. Where a column is missing, pores are circles of known size.
    assumptions : Assumptions
    weights : ndarray of float, shape (n,), optional
        How often each pore counts in the sum.

    Returns
    -------
    Currents
        The range holds 95 % of the draws of size, thickness and conductivity. A pore below the cut-off is
        not ``open``; its ``g_ns`` is 0.

    Raises
    ------
    ValueError
        If the table has no sizes.

    Examples
    --------
    >>> import pandas as pd
    >>> sure = Assumptions(11.18, 0.0, Thickness(1.6, 1.6, 1.6, "given"))
    >>> pores = pd.DataFrame({"equivalent_diameter_nm": [0.3, 1.0, 2.0]})
    >>> estimate_currents(pores, sure).table[["g_ns", "model", "open"]].round(2).to_numpy().tolist()
    [[0.0, 'circle', False], [3.68, 'circle', True], [11.08, 'circle', True]]
    """
    shapes, n = read_shapes(pores), len(pores)
    nominal = conduct(
        shapes, np.ones(n), np.full(n, 0.5), np.array(assumptions.thickness.value_nm),
        np.array(assumptions.sigma_s_m), assumptions,
    )  # fmt: skip
    thickness, sigma = (drawn[:, None] for drawn in assumptions.draw())
    rng = np.random.default_rng([assumptions.seed, 1])
    limits, draws = np.full((2, n), np.nan), np.zeros(assumptions.samples)
    share = np.ones(n) if weights is None else weights
    for start in range(0, n, _CHUNK):
        here = slice(start, start + _CHUNK)
        part = shapes.pick(here)
        size, where = vary(part, (assumptions.samples, len(part.diameter_nm)), rng)
        g = conduct(part, size, where, thickness, sigma, assumptions)
        limits[:, here] = np.percentile(g, LIMITS, axis=0)
        draws += np.nan_to_num(g) @ share[here]
    table = pores[[name for name in ("image", "frame", "label") if name in pores]].assign(
        equivalent_diameter_nm=shapes.diameter_nm, g_ns=nominal, g_low_ns=limits[0], g_high_ns=limits[1],
        model=_choose_models(shapes, assumptions), open=shapes.diameter_nm >= assumptions.cutoff_nm,
    )  # fmt: skip
    return Currents(table.reset_index(drop=True), draws)
