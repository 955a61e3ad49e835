"""Bright sites of the vacancy map: where a column has more than the lattice, as adatoms and dopants have."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from porescope.labels import HIDDEN, Detection
from porescope.lattice import Lattice
from porescope.micrograph import Micrograph
from porescope.modalities import has_bright_holes
from porescope.network.evidence import list_places, measure_sites

#: Columns of ``excess.csv``, in order, with their types.
EXCESS_COLUMNS = {
    "image": "str", "frame": "int64", "y_nm": "float64", "x_nm": "float64", "y_px": "float64",
    "x_px": "float64", "z": "float64", "share": "float64", "site": "float64", "pore": "float64",
    "pore_distance_nm": "float64", "signal": "str",
}  # fmt: skip
#: Smallest z of a bright site, by validation images.
_LEAST_Z = 6.0
#: A place that lacks a column rings: around it a bright site must stand out this many times as far, or have
#: this z; and distance up to which it rings [lattice constants].
_OVER, _CLEAR_Z, _RINGS = 1.4, 8.0, 2.5
#: Distance from the frame's and the field's edge within which none is listed [lattice constants].
_DEPTH = 1.25


def list_excess(micrograph: Micrograph, found: Detection, lattice: Lattice | None) -> dict[str, NDArray[Any]]:
    """List the bright sites of an image: places that stand out of noise as an additional column of atoms.

    Parameters
    ----------
    micrograph : Micrograph
        With M × N pixels.
    found : Detection
        With the vacancy map, and what hides the sheet, if it is known.
    lattice : Lattice or None

    Returns
    -------
    dict of ndarray, shape (n,)
        The columns of `EXCESS_COLUMNS`, the brightest site first. Empty without a vacancy map, and in HRTEM,
        where it has no sign.

    Notes
    -----
    Listed are maxima of −z from 6 on. Beside a pore the map rings, so that within 2.5 lattice constants of a
    place that lacks a column a site must stand out 1.4 times as far as that, or have a z of 8. Where
    contamination hides the sheet none is listed, nor within 1.25 lattice constants of the image's edge.

    Examples
    --------
    >>> from porescope.lattice import Vacancies, find_lattice
    >>> from porescope.simulation import Scene, prepare, simulate
    >>> scene = Scene("WS2", (256, 256), pores=0, adatom="W", adatoms=0.03, dose=2e6)
    >>> micrograph = simulate(scene, seed=1).micrograph
    >>> lattice = find_lattice(micrograph)
    >>> sites = list_excess(micrograph, Vacancies().find(micrograph, lattice), lattice)
    >>> len(sites["z"]), len(prepare(scene, np.random.default_rng(1)).loose)
    (3, 3)
    """
    if lattice is None or found.vacancies is None or micrograph.modality == "hrtem":
        return {}
    z, cell = found.vacancies, lattice.constant_px
    places = list_places(-z, cell, _LEAST_Z)
    at = tuple(places.position.T)
    lacking = [_find_highest(z, y, x, int(_RINGS * cell)) for y, x in places.position.tolist()]
    kept = (places.z >= _CLEAR_Z) | (places.z >= _OVER * np.array(lacking, float))
    if len(kept):
        kept &= _measure_depth(micrograph)[at] > _DEPTH * cell
    if found.unusable is not None:
        kept &= found.unusable[at] < HIDDEN
    position, n = places.position[kept], int(kept.sum())
    site = np.zeros(0)
    if n:
        sign = -1.0 if has_bright_holes(micrograph.modality) else 1.0
        site = measure_sites(lattice, position.astype(float), sign)[0]
    y, x = position.T
    return {
        "image": np.full(n, micrograph.name, object),
        "frame": np.full(n, micrograph.frame or 0),
        "y_nm": y * micrograph.pixel_size[0],
        "x_nm": x * micrograph.pixel_size[1],
        "y_px": y.astype(float),
        "x_px": x.astype(float),
        "z": places.z[kept],
        "share": places.z[kept] / found.whole,
        "site": site,
        **find_nearest(position, found.labels, micrograph.pixel_size),
        "signal": np.full(n, micrograph.signal, object),
    }


def _find_highest(z: NDArray[np.floating], y: int, x: int, reach: int) -> float:
    """Highest value of a map within a distance of a place [px]."""
    top, left = max(y - reach, 0), max(x - reach, 0)
    part = z[top : y + reach + 1, left : x + reach + 1]
    down, along = np.ogrid[: part.shape[0], : part.shape[1]]
    return float(part[(down + top - y) ** 2 + (along + left - x) ** 2 <= reach**2].max())


def _measure_depth(micrograph: Micrograph) -> NDArray[np.float32]:
    """Distance of each pixel from what lies outside the frame or the field [px]."""
    shape = micrograph.image.shape
    field = np.ones(shape, np.uint8) if micrograph.field is None else micrograph.field.astype(np.uint8)
    distance = cv2.distanceTransform(np.pad(field, 1), cv2.DIST_L2, cv2.DIST_MASK_3)
    return np.asarray(distance[1:-1, 1:-1], np.float32)


def find_nearest(
    position: NDArray[Any], labels: NDArray[np.int32], pixel_size: tuple[float, float]
) -> dict[str, NDArray[np.float64]]:
    """Find the pore that is nearest to each of some places.

    Parameters
    ----------
    position : ndarray, shape (n, 2)
        Row and column [px].
    labels : ndarray of int32, shape (M, N)
        Label image of the pores.
    pixel_size : tuple of float
        Height and width of a pixel [nm].

    Returns
    -------
    dict of ndarray, shape (n,)
        The columns ``pore`` and ``pore_distance_nm``: its label, and the distance of its nearest pixel's
        centre; NaN if there is no pore.

    Examples
    --------
    >>> near = find_nearest(np.array([[0, 1]]), np.array([[0, 0, 0, 7]], np.int32), (0.1, 0.1))
    >>> near["pore"].tolist(), near["pore_distance_nm"].round(3).tolist()
    ([7.0], [0.2])
    """
    pixels = np.argwhere(labels > 0)
    if not len(pixels) or not len(position):
        nothing = np.full(len(position), np.nan)
        return {"pore": nothing, "pore_distance_nm": nothing}
    distance, nearest = cKDTree(pixels * np.array(pixel_size)).query(position * np.array(pixel_size))
    y, x = pixels[nearest].T
    return {"pore": labels[y, x].astype(float), "pore_distance_nm": np.asarray(distance, np.float64)}
