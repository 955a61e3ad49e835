"""Sites of atoms: where they are in the image, which are empty, how many a pore lacks."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.lattice import Lattice, demodulate, find_lattice
from porescope.materials import Material
from porescope.micrograph import Micrograph
from porescope.modalities import HOLE_SIGN, has_bright_holes
from porescope.strips import cut_strips

#: Side of the average cell [px], and its shells of harmonics: squared lengths in units of the first.
_FOLDED, _SHELLS = 24, (1, 3, 4, 7, 9)


class Sites(NamedTuple):
    """Sites of the atoms of both sublattices."""

    positions: NDArray[np.float64]  # (K, 2) in the image (row, column) [px]
    places: NDArray[np.float64]  # (K, 2) in the lattice, in units of the real-space vectors
    second: NDArray[np.bool_]  # (K,) on the material's second sublattice, the chalcogen's
    empty: NDArray[np.bool_]  # (K,) without an atom


class Crystal(NamedTuple):
    """The lattice of an image, and its sites where the material is known."""

    lattice: Lattice
    material: Material | None
    sites: Sites | None


def find_crystal(micrograph: Micrograph, material: Material | None) -> Crystal | None:
    """Find the lattice of a micrograph and, with a material, the sites of its atoms.

    Parameters
    ----------
    micrograph : Micrograph
    material : Material or None

    Returns
    -------
    Crystal or None
        None without a lattice.
    """
    lattice = find_lattice(micrograph)
    if lattice is None:
        return None
    return Crystal(lattice, material, find_sites(micrograph, lattice, material) if material else None)


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
    cell of the image shows where the atoms are: where two atoms with the contrast of the material
    explain most of its harmonics.

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
    waves = demodulate(flat, lattice.frequencies, 2.5 * lattice.constant_px)
    origins = _find_origins(flat, lattice, waves, material, micrograph.modality)
    parts = [_lay_sites(lattice, waves, origin, flat.shape) for origin in origins]
    positions, places = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    second = np.repeat([False, True], [len(part[0]) for part in parts])
    if micrograph.field is not None:
        y, x = np.rint(positions).astype(int).T
        inside = micrograph.field[y, x]
        positions, places, second = positions[inside], places[inside], second[inside]
    if has_bright_holes(micrograph.modality):
        flat = -flat
    smooth = cv2.GaussianBlur(flat, (0, 0), max(0.18 * lattice.constant_px, 0.5))
    at = np.rint(positions).astype(int)
    value = smooth[at[:, 0], at[:, 1]]
    empty = np.zeros(len(value), bool)
    for part in (second, ~second):
        empty[part] = value[part] < _split(value[part])
    return Sites(positions, places, second, empty)


def _find_origins(
    image: NDArray[np.float32],
    lattice: Lattice,
    waves: NDArray[np.complex64],
    material: Material,
    modality: str,
) -> list[NDArray[np.float64]]:
    """Origins of the two sublattices within the cell, as fractions of its vectors.

    Two atoms with the material's contrast are moved through the average cell, in both orders. In each shell
    of harmonics they have a common amplitude, the lens's, of which only the sign is known, in HRTEM not
    even that. The place that leaves the least of all shells wins.
    """
    folded = np.fft.fft2(_fold(image, lattice, waves))
    h, k = np.meshgrid(*2 * (np.rint(np.fft.fftfreq(_FOLDED) * _FOLDED),), indexing="ij")
    order = h**2 + k**2 + h * k  # the reciprocal vectors are 60° apart, the real-space ones 120°
    contrast, sign = material.contrast(modality), -HOLE_SIGN[modality]
    best, origins = -1.0, [np.zeros(2), np.zeros(2)]
    for third in (1 / 3, -1 / 3):
        apart = np.array([third, 2 * third])
        pair = 1 + contrast * np.exp(-2j * np.pi * (h * apart[0] + k * apart[1]))
        explained = np.zeros(folded.shape)
        for shell in (order == n for n in _SHELLS):
            amplitude = np.fft.ifft2(np.where(shell, folded * pair.conj(), 0)).real
            if sign:
                amplitude = np.maximum(sign * amplitude, 0)
            explained += amplitude**2 / (np.abs(pair[shell]) ** 2).sum()
        if explained.max() > best:
            best = float(explained.max())
            first = (np.array(np.unravel_index(int(explained.argmax()), folded.shape)) + 0.5) / _FOLDED
            origins = [first, (first + apart) % 1]
    return origins


def _fold(image: NDArray[np.float32], lattice: Lattice, waves: NDArray[np.complex64]) -> NDArray[np.float64]:
    """The average cell of an image."""
    n = _FOLDED
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
    return np.asarray((total / np.maximum(count, 1)).reshape(n, n), np.float64)


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
