"""Sites of atoms: where they are in the image, which are empty, how many a pore lacks."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.lattice.amplitude import demodulate
from porescope.lattice.finding import Lattice
from porescope.materials import Material
from porescope.micrograph import Micrograph
from porescope.modalities import has_bright_holes
from porescope.strips import cut_strips


class Sites(NamedTuple):
    """Sites of the atoms of both sublattices."""

    positions: NDArray[np.float64]  # (K, 2) in the image (row, column) [px]
    places: NDArray[np.float64]  # (K, 2) in the lattice, in units of the real-space vectors
    second: NDArray[np.bool_]  # (K,) on the material's second sublattice, the chalcogen's
    empty: NDArray[np.bool_]  # (K,) without an atom


def find_sites(micrograph: Micrograph, lattice: Lattice, material: Material) -> Sites:
    """Find the sites of atoms, following the distortion of the lattice.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice
    material : Material

    Returns
    -------
    Sites

    Notes
    -----
    The phases of the first-order waves give the position of each pixel within its cell. The average
    cell of the image shows where the atoms are: at its brightest place and at the brighter of the two
    other symmetric places; in graphene and hBN at the two places around the dark centre of the ring.

    Examples
    --------
    >>> from porescope.lattice import find_lattice
    >>> from porescope.materials import MATERIALS
    >>> from porescope.simulation import Scene, simulate
    >>> drawn = simulate(Scene("WS2", shape=(200, 260), pores=1, max_missing=1), seed=1)
    >>> sites = find_sites(drawn.micrograph, find_lattice(drawn.micrograph), MATERIALS["WS2"])
    >>> int((sites.empty & ~sites.second).sum())
    1
    """
    flat = lattice.flat
    if has_bright_holes(micrograph.modality):
        flat = -flat
    waves = demodulate(flat, lattice.frequencies, 2.5 * lattice.constant_px)
    origins = _find_origins(flat, lattice, waves, material)
    parts = [_lay_sites(lattice, waves, origin, flat.shape) for origin in origins]
    positions, places = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    second = np.repeat([False, True], [len(part[0]) for part in parts])
    if micrograph.field is not None:
        y, x = np.rint(positions).astype(int).T
        inside = micrograph.field[y, x]
        positions, places, second = positions[inside], places[inside], second[inside]
    smooth = cv2.GaussianBlur(flat, (0, 0), max(0.18 * lattice.constant_px, 0.5))
    at = np.rint(positions).astype(int)
    value = smooth[at[:, 0], at[:, 1]]
    empty = np.zeros(len(value), bool)
    for part in (second, ~second):
        empty[part] = value[part] < _split(value[part])
    return Sites(positions, places, second, empty)


def _find_origins(
    image: NDArray[np.float32], lattice: Lattice, waves: NDArray[np.complex64], material: Material
) -> list[NDArray[np.float64]]:
    """Origins of the two sublattices within the cell, as fractions of its vectors."""
    n = 24
    total, count = np.zeros((2, n * n))
    down, along = (np.arange(size) for size in image.shape)
    for rows in cut_strips(image.shape):
        u, v = (
            np.floor((f[0] * down[rows, None] + f[1] * along + np.angle(w[rows]) / (2 * np.pi)) % 1 * n)
            for f, w in zip(lattice.frequencies, waves, strict=True)
        )
        place = ((u % n) * n + v % n).astype(int).ravel()
        total += np.bincount(place, image[rows].ravel(), n * n)
        count += np.bincount(place, minlength=n * n)
    folded = (total / np.maximum(count, 1)).reshape(n, n).astype(np.float32)
    folded = np.asarray(cv2.GaussianBlur(np.tile(folded, (3, 3)), (0, 0), 1.5)[n:-n, n:-n], np.float32)
    extreme = int(folded.argmin() if material.both_count else folded.argmax())
    spot = np.array(np.unravel_index(extreme, folded.shape))
    # The real-space vectors are 120° apart.
    others = [(spot + third) % n for third in ((n // 3, 2 * n // 3), (2 * n // 3, n // 3))]
    others.sort(key=lambda place: -folded[tuple(place)])
    chosen = others if material.both_count else [spot, others[0]]
    if not material.first_is_brighter:
        chosen.reverse()
    return [(place + 0.5) / n for place in chosen]


def _lay_sites(
    lattice: Lattice, waves: NDArray[np.complex64], origin: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixel positions of a site in every cell: solutions r of frequency · r + phase(r) = cell + origin."""
    size = np.array(shape)
    corners = np.array([(0, 0), (0, size[1]), (size[0], 0), size], float) @ lattice.frequencies.T
    low, high = np.floor(corners.min(axis=0)).astype(int) - 2, np.ceil(corners.max(axis=0)).astype(int) + 2
    cells = low + np.indices(high - low).reshape(2, -1).T
    target = cells + origin
    inverse = np.linalg.inv(lattice.frequencies)
    r = target @ inverse.T
    for _ in range(6):
        y, x = np.clip(np.rint(r).astype(int), 0, size - 1).T
        phase = np.angle(waves[:, y, x]).T / (2 * np.pi)
        gap = r @ lattice.frequencies.T + phase - target
        # The phase is known modulo 2π, so the nearest cell is taken.
        r = r - (gap - np.rint(gap)) @ inverse.T
    inside = ((r >= 0) & (r <= size - 1)).all(axis=1)
    return r[inside], target[inside]


def _split(values: NDArray[np.floating]) -> float:
    """Threshold below which a site is empty: half way to the darkest site, and clear of noise."""
    typical = float(np.median(values))
    deviation = 1.4826 * float(np.median(np.abs(values - typical)))
    return min((typical + float(values.min())) / 2, typical - 3.5 * deviation)


def count_missing(
    sites: Sites, labels: NDArray[np.integer], lattice: Lattice, material: Material
) -> NDArray[np.float64]:
    """Count the missing atoms of each pore: metal atoms, or C, B and N.

    Parameters
    ----------
    sites : Sites
    labels : ndarray of int, shape (M, N)
    lattice : Lattice
    material : Material

    Returns
    -------
    ndarray of float, shape (n,)
        In the order of the labels.

    Notes
    -----
    All sites inside a pore count; within a fifth of a constant outside its edge, empty sites count too.
    """
    numbers = np.unique(labels[labels > 0])
    reach = max(1, round(0.2 * lattice.constant_px))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    wide = cv2.dilate(labels.astype(np.float32), disc).astype(np.int64)
    counted = material.both_count | ~sites.second
    y, x = np.rint(sites.positions[counted]).astype(int).T
    owner = np.where(labels[y, x] > 0, labels[y, x], np.where(sites.empty[counted], wide[y, x], 0))
    counts = np.bincount(owner, minlength=int(numbers.max(initial=0)) + 1)
    return counts[numbers].astype(float)


def build_structure(
    sites: Sites, labels: NDArray[np.integer], lattice: Lattice, material: Material
) -> tuple[list[str], NDArray[np.float64]]:
    """Build the perfect sheet without the atoms in its pores.

    Parameters
    ----------
    sites : Sites
    labels : ndarray of int, shape (M, N)
    lattice : Lattice
    material : Material

    Returns
    -------
    elements : list of str
    positions : ndarray, shape (K, 3)
        x, y, z [Å]; x runs along a row of the image, y along a column.

    Notes
    -----
    Scan distortion is removed: atoms sit on the regular lattice nearest to the measured one.
    """
    perfect = np.array([[1.0, 0.0], [-0.5, np.sqrt(3) / 2]]) * material.constant * 10
    if np.linalg.det(lattice.vectors) < 0:
        perfect[:, 1] *= -1
    left, _, right = np.linalg.svd(np.linalg.inv(perfect) @ lattice.vectors)
    flat = (sites.places @ perfect @ (left @ right))[:, ::-1]
    flat -= flat.min(axis=0)
    y, x = np.rint(sites.positions).astype(int).T
    kept = labels[y, x] == 0
    elements: list[str] = []
    parts = []
    for second, element in ((False, material.first), (True, material.second)):
        heights = (
            (-material.half_thickness, material.half_thickness) if second and material.stack == 2 else (0.0,)
        )
        for height in heights:
            where = flat[kept & (sites.second == second)]
            elements += [element] * len(where)
            parts.append(np.column_stack([where, np.full(len(where), 10 * height)]))
    return elements, np.concatenate(parts)
