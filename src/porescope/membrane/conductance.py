"""The ionic conductance of pores in a thin membrane: one pore, many, and the diameter behind a conductance.

Lengths are in nm and conductivities in S/m, so that conductances are in nS.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ellipk

from porescope.membrane.patterns import Floats, place_apart

#: Diameter below which a pore lets almost no ions through [nm]: Thiruraman et al. 2018
#: (doi:10.1021/acs.nanolett.7b04526).
CUTOFF_NM = 0.6
#: Most pores whose interaction is computed.
MOST_INTERACTING = 10_000
#: Rows of the interaction that are in memory at once, times columns.
_BLOCK = 4_000_000
#: Relative residual at which the interaction counts as solved, and most steps to it.
_TOLERANCE, _MOST_STEPS = 1e-6, 500


class Thickness(NamedTuple):
    """The effective thickness of a membrane: what conductances were fitted with."""

    low_nm: float
    value_nm: float
    high_nm: float
    source: str


_SHEET = "published fits for MoS2 0.6 to 1.7 nm"
#: Effective thickness by material [nm]. Where nobody has fitted one, that of the most similar sheet stands.
THICKNESS = {
    "MoS2": Thickness(0.6, 1.6, 1.7, _SHEET),
    "WS2": Thickness(0.6, 0.7, 1.7, f"about 0.7 nm for WS2; range: {_SHEET}"),
    "WSe2": Thickness(0.6, 0.7, 1.7, f"as WS2; range: {_SHEET}"),
    "MoSe2": Thickness(0.6, 1.6, 1.7, f"as MoS2; range: {_SHEET}"),
    "graphene": Thickness(0.3, 0.6, 1.5, "0.6 nm (+0.9 − 0.6) of Garaj et al. 2010, from one layer on"),
    "hBN": Thickness(0.3, 0.6, 1.5, "as graphene"),
}


def conduct_circle(diameter_nm: ArrayLike, thickness_nm: ArrayLike, sigma_s_m: ArrayLike) -> Floats:
    """Conductance of a circular pore.

    Parameters
    ----------
    diameter_nm, thickness_nm, sigma_s_m : array_like
        Diameter and effective thickness [nm], conductivity of the solution [S/m].

    Returns
    -------
    ndarray of float
        [nS]; 0 for a diameter of 0.

    Notes
    -----
    G = σ / (4L/πd² + 1/d): the channel in series with the access on both sides (Kowalczyk et al. 2011,
    doi:10.1088/0957-4484/22/31/315101; Hall 1975, doi:10.1085/jgp.66.4.531).

    Examples
    --------
    >>> conduct_circle([1, 2, 3, 5], 1.6, 11.18).round(2).tolist()
    [3.68, 11.08, 19.98, 39.72]
    """
    d, thickness, sigma = (np.asarray(v, float) for v in (diameter_nm, thickness_nm, sigma_s_m))
    # Multiplied by d², so that a closed pore needs no division by zero.
    return np.asarray(sigma * d**2 / (4 * thickness / np.pi + d))


def conduct_ellipse(
    area_nm2: ArrayLike, eccentricity: ArrayLike, thickness_nm: ArrayLike, sigma_s_m: ArrayLike
) -> Floats:
    """Conductance of an elliptic pore.

    Parameters
    ----------
    area_nm2, eccentricity, thickness_nm, sigma_s_m : array_like
        Area [nm²], eccentricity (0 to 1), effective thickness [nm], conductivity [S/m].

    Returns
    -------
    ndarray of float
        [nS]

    Notes
    -----
    The channel is L/(σA). The access on both sides together is K(k)/(πσa), where a is half the long axis,
    k the eccentricity and K the complete elliptic integral of the first kind: the resistance to an elliptic
    disc, whose capacitance is known.

    Examples
    --------
    >>> area = np.pi / 4 * 2.0**2
    >>> conduct_ellipse(area, [0, 0.95], 0.6, 11.18).round(2).tolist()
    [16.18, 17.16]
    """
    area, k, thickness, sigma = (
        np.asarray(v, float) for v in (area_nm2, eccentricity, thickness_nm, sigma_s_m)
    )
    # Half the long axis is √(A / (π·√(1 − k²))).
    return _join(area, ellipk(k**2) * (1 - k**2) ** 0.25 / np.sqrt(np.pi), thickness, sigma)


def _join(area: Floats, access: Floats, thickness: Floats, sigma: Floats) -> Floats:
    """Conductance of a channel and its access; ``access`` is the resistance times σ√area."""
    return np.asarray(sigma * area / (thickness + access * np.sqrt(area)))


def bound_conductance(
    area_nm2: ArrayLike, feret_max_nm: ArrayLike, thickness_nm: ArrayLike, sigma_s_m: ArrayLike
) -> tuple[Floats, Floats]:
    """Bounds of the conductance of a pore of any shape.

    Parameters
    ----------
    area_nm2, feret_max_nm, thickness_nm, sigma_s_m : array_like
        Area [nm²], largest Feret diameter [nm], effective thickness [nm], conductivity [S/m].

    Returns
    -------
    low, high : ndarray of float
        [nS]

    Notes
    -----
    The channel is L/(σA). Of all openings of one area the disc has the largest access resistance (Pólya and
    Szegő 1951, Isoperimetric Inequalities in Mathematical Physics). A larger opening that contains the pore
    has a smaller one: the disc around it, at most 2/√3 of the largest Feret diameter wide (Jung).

    Examples
    --------
    >>> low, high = bound_conductance(1.0, 3.0, 0.7, 11.18)
    >>> round(float(low), 2), round(float(high), 2)
    (7.05, 11.31)
    """
    area, feret, thickness, sigma = (
        np.asarray(v, float) for v in (area_nm2, feret_max_nm, thickness_nm, sigma_s_m)
    )
    disc = np.sqrt(4 * area / np.pi)
    around = np.maximum(2 / np.sqrt(3) * feret, disc)
    low, high = (_join(area, np.sqrt(area) / np.maximum(d, 1e-30), thickness, sigma) for d in (disc, around))
    return low, high


def find_diameter(conductance_ns: ArrayLike, thickness_nm: ArrayLike, sigma_s_m: ArrayLike) -> Floats:
    """Diameter of the circular pore of a given conductance: the inverse of `conduct_circle`.

    Parameters
    ----------
    conductance_ns, thickness_nm, sigma_s_m : array_like
        [nS], [nm], [S/m].

    Returns
    -------
    ndarray of float
        [nm]

    Notes
    -----
    d = (G/2σ)·(1 + √(1 + 16σL/(πG))) (Kowalczyk et al. 2011, doi:10.1088/0957-4484/22/31/315101).

    Examples
    --------
    >>> find_diameter(conduct_circle([0.3, 50], 0.7, 11.18), 0.7, 11.18).round(9).tolist()
    [0.3, 50.0]
    """
    g, thickness, sigma = (np.asarray(v, float) for v in (conductance_ns, thickness_nm, sigma_s_m))
    return np.asarray((g + np.sqrt(g**2 + 16 * sigma * thickness * g / np.pi)) / (2 * sigma))


def cap_conductance(window_nm: float, sigma_s_m: float) -> float:
    """Conductance that no membrane in a round window can exceed: that of the window without a membrane.

    Parameters
    ----------
    window_nm : float
        Diameter of the window [nm].
    sigma_s_m : float
        [S/m]

    Returns
    -------
    float
        σ × diameter [nS], by the access to the window (Hall 1975, doi:10.1085/jgp.66.4.531).

    Examples
    --------
    >>> cap_conductance(150, 11.18)
    1677.0
    """
    return sigma_s_m * window_nm


def sum_interacting(
    conductance_ns: Floats, positions_nm: Floats, sigma_s_m: float, diameter_nm: Floats
) -> float:
    """Conductance of pores that share the solution, so that each lowers the voltage at the others.

    Parameters
    ----------
    conductance_ns : ndarray, shape (n,)
        Of each pore by itself [nS].
    positions_nm : ndarray, shape (n, 2)
        [nm]
    sigma_s_m : float
        [S/m]
    diameter_nm : ndarray, shape (n,)
        [nm]; two pores count as no closer than half the sum of their diameters.

    Returns
    -------
    float
        [nS]

    Raises
    ------
    ValueError
        If there are more than `MOST_INTERACTING` open pores.

    Notes
    -----
    The currents solve V = Iᵢ/Gᵢ + Σⱼ Iⱼ/(πσrᵢⱼ): far from a pore the potential falls as I/(2πσr) on each side
    (compare Gadaleta et al. 2014, doi:10.1063/1.4863206). Solved by conjugate gradients, with blocks of rows
    of the interaction in memory.

    Examples
    --------
    >>> far = np.array([[0.0, 0.0], [0.0, 1e6]])
    >>> round(sum_interacting(np.ones(2), far, 11.18, np.ones(2)), 4)
    2.0
    """
    from scipy.sparse.linalg import LinearOperator, cg

    is_open = conductance_ns > 0
    g, places, diameter = conductance_ns[is_open], positions_nm[is_open], diameter_nm[is_open]
    n = len(g)
    if n > MOST_INTERACTING:
        raise ValueError(f"{n:,} pores are more than the {MOST_INTERACTING:,} whose interaction is computed")
    if n < 2:
        return float(g.sum())
    rows = max(1, _BLOCK // n)
    y, x = places.astype(np.float32).T
    radius = (diameter / 2).astype(np.float32)

    def apply(current: Floats) -> Floats:
        voltage = current / g
        for start in range(0, n, rows):
            here = slice(start, start + rows)
            distance = (y[here, None] - y) ** 2
            distance += (x[here, None] - x) ** 2
            np.sqrt(distance, out=distance)
            np.maximum(distance, radius[here, None] + radius, out=distance)
            own = np.arange(start, min(start + rows, n))
            distance[own - start, own] = np.inf
            voltage[here] += (1 / distance) @ current.astype(np.float32) / (np.pi * sigma_s_m)
        return voltage

    system = LinearOperator((n, n), matvec=apply, dtype=np.float64)
    scaled = LinearOperator((n, n), matvec=lambda v: v * g, dtype=np.float64)
    current, failed = cg(system, np.ones(n), rtol=_TOLERANCE, maxiter=_MOST_STEPS, M=scaled)
    if failed:
        raise ValueError("the interaction of the pores could not be solved; do the pores overlap?")
    return float(current.sum())


def place_randomly(diameter_nm: Floats, window_nm: float, rng: np.random.Generator) -> Floats:
    """Place pores at random in a round window, without overlap where there is room.

    Parameters
    ----------
    diameter_nm : ndarray, shape (n,)
        [nm]
    window_nm : float
        Diameter of the window [nm].
    rng : Generator

    Returns
    -------
    ndarray, shape (n, 2)
        [nm], from the window's centre.
    """

    def draw(n: int) -> Floats:
        r, t = window_nm / 2 * np.sqrt(rng.random(n)), 2 * np.pi * rng.random(n)
        return np.column_stack([r * np.sin(t), r * np.cos(t)])

    return place_apart(diameter_nm, draw, rng)[0]
