"""The identity of each pore of an image: its isomer, its edge, its symmetry."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.atoms import Sites
from porescope.lattice import Lattice
from porescope.materials import Material
from porescope.membrane.edges import share_edges
from porescope.membrane.isomers import MOST_NAMED, SitesOf, name_isomer

#: Columns of ``pores.csv`` that say what a pore is; text is None and a number NaN where it is not known.
IDENTITY_COLUMNS = {
    "isomer": "str", "missing_metal": "float64", "missing_chalcogen": "float64",
    "edge_zigzag_metal": "float64", "edge_zigzag_chalcogen": "float64", "edge_armchair": "float64",
    "symmetry": "str",
}  # fmt: skip
#: Columns of the shares of a pore's edge, in the order of `EdgeShares`.
_EDGES = ("edge_zigzag_metal", "edge_zigzag_chalcogen", "edge_armchair")
#: Standard errors by which the mean images of two kinds of sites must differ, so that it is sure which is
#: which.
_SURE = 5.0
#: Standard deviations by which the image of a chalcogen must differ from that of no atom to be seen.
_SEEN = 4.0
#: Width (standard deviation) of the average around a site, and distance from a pore within which nothing may
#: hide the sheet [lattice constants].
_AROUND, _CLEAR = 0.18, 1.0
#: Probability from which the sheet counts as hidden.
_HIDDEN = 0.5


class Sublattices(NamedTuple):
    """What an image tells of the two sublattices."""

    sure: bool  # which one is which
    second_seen: bool  # whether the image of a single site of the second one shows if it is empty


def judge_sublattices(
    lattice: Lattice, sites: Sites, material: Material, labels: NDArray[np.integer]
) -> Sublattices:
    """Judge whether an image tells which sublattice is which, and whether single chalcogen sites show.

    Parameters
    ----------
    lattice : Lattice
    sites : Sites
    material : Material
    labels : ndarray of int, shape (M, N)
        Pores, whose sites do not count.

    Returns
    -------
    Sublattices

    Notes
    -----
    It is sure if the mean images of the two sublattices, and in dichalcogenides also those of the second one
    and of the third place of the cell, where no atom is, differ by five standard errors.
    """
    image = cv2.GaussianBlur(lattice.flat, (0, 0), max(_AROUND * lattice.constant_px, 0.5))
    offset = _find_offset(sites) @ lattice.vectors
    first, second = (sites.positions[sites.second == kind] for kind in (False, True))
    values = [_look_up(image, labels, places) for places in (first, second, first - offset)]
    if min(map(len, values)) < 2:
        return Sublattices(False, False)
    different = [_compare(values[0], values[1])[0] > _SURE]
    errors, deviations = _compare(values[1], values[2])
    if not material.both_count:
        different.append(errors > _SURE)
    return Sublattices(material.first == material.second or all(different), deviations > _SEEN)


def _find_offset(sites: Sites) -> NDArray[np.float64]:
    """Place of the second sublattice relative to the first, in units of the lattice vectors, within ± 0.5."""
    if not sites.second.any() or sites.second.all():
        return np.zeros(2)
    apart = sites.places[sites.second][0] - sites.places[~sites.second][0]
    return np.asarray(apart - np.rint(apart))


def _look_up(
    image: NDArray[Any], labels: NDArray[np.integer], places: NDArray[np.float64]
) -> NDArray[np.floating]:
    at = np.rint(places).astype(int)
    at = at[((at >= 0) & (at < image.shape)).all(axis=1)]
    y, x = at[labels[tuple(at.T)] == 0].T
    return np.asarray(image[y, x])


def _compare(one: NDArray[np.floating], other: NDArray[np.floating]) -> tuple[float, float]:
    """Difference of two means in standard errors, and in standard deviations of the noisier one."""
    middles = [float(np.median(values)) for values in (one, other)]
    spreads = [1.4826 * float(np.median(np.abs(v - m))) for v, m in zip((one, other), middles, strict=True)]
    difference = abs(middles[0] - middles[1])
    error = np.hypot(spreads[0] / np.sqrt(len(one)), spreads[1] / np.sqrt(len(other)))
    return difference / max(float(error), 1e-30), difference / max(*spreads, 1e-30)


def index_sites(sites: Sites) -> SitesOf:
    """Number the sites of an image by cell and sublattice, as `name_isomer` takes them.

    Parameters
    ----------
    sites : Sites

    Returns
    -------
    ndarray of int, shape (K, 3)
    """
    if not len(sites.places):
        return np.empty((0, 3), np.int64)
    origin = sites.places[~sites.second][0] if (~sites.second).any() else sites.places[0]
    t = np.rint(3 * (sites.places - origin)).astype(np.int64)
    second = sites.second.astype(np.int64)
    if sites.second.any() and t[sites.second][0, 0] % 3 == 2:
        t = -t  # the second sublattice is at (2/3, 1/3): the same crystal, turned by 180°
    return np.column_stack([(t - second[:, None] * [1, 2]) // 3, second])


def identify_pores(
    numbers: NDArray[np.integer],
    sites: Sites,
    owner: NDArray[np.int64],
    material: Material,
    sublattices: Sublattices,
    known: NDArray[np.bool_],
) -> dict[str, NDArray[Any]]:
    """Tell what atoms each pore lacks.

    Parameters
    ----------
    numbers : ndarray of int, shape (n,)
        Labels of the pores.
    sites : Sites
    owner : ndarray of int, shape (K,)
        Label of the pore that lacks the site; 0: none.
    material : Material
    sublattices : Sublattices
    known : ndarray of bool, shape (n,)
        Whether all of a pore is seen: others have no identity.

    Returns
    -------
    dict of ndarray, shape (n,)
        `IDENTITY_COLUMNS`.
    """
    columns = make_unknown(len(numbers))
    places = index_sites(sites)
    for k, number in enumerate(numbers):
        mine = owner == number
        own = places[mine & (material.both_count | ~sites.second)]
        if not known[k] or not len(own):
            continue
        if not material.both_count:
            columns["missing_metal"][k] = len(own)
            if sublattices.second_seen:
                columns["missing_chalcogen"][k] = int((mine & sites.second).sum())
        for name, share in zip(_EDGES, share_edges(own, material, sublattices.sure), strict=True):
            columns[name][k] = share
        if len(own) <= MOST_NAMED:
            isomer = name_isomer(own, material, sublattices.sure)
            columns["isomer"][k], columns["symmetry"][k] = isomer.name, isomer.symmetry
    return columns


def make_unknown(n: int) -> dict[str, NDArray[Any]]:
    """Make the columns of pores of which nothing is known.

    Parameters
    ----------
    n : int

    Returns
    -------
    dict of ndarray, shape (n,)
        `IDENTITY_COLUMNS`.
    """
    return {
        name: np.full(n, None, object) if kind == "str" else np.full(n, np.nan)
        for name, kind in IDENTITY_COLUMNS.items()
    }


def find_clear(
    labels: NDArray[np.integer],
    numbers: NDArray[np.integer],
    unusable: NDArray[Any] | None,
    constant_px: float,
) -> NDArray[np.bool_]:
    """Find the pores around which nothing hides the sheet.

    Parameters
    ----------
    labels : ndarray of int, shape (M, N)
    numbers : ndarray of int, shape (n,)
        Labels of the pores.
    unusable : ndarray, shape (M, N), or None
        Probability that the sheet is hidden.
    constant_px : float
        Lattice constant [px].

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    if unusable is None:
        return np.ones(len(numbers), bool)
    reach = max(1, round(_CLEAR * constant_px))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    hidden = cv2.dilate(np.asarray(unusable >= _HIDDEN, np.uint8), disc)
    return ~np.isin(numbers, labels[hidden > 0])
