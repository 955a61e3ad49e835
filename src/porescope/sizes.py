"""The size of a pore at sub-pixel accuracy: by its atoms, its contour of probability, or its pixels."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage.measure import perimeter_crofton

from porescope.atoms import Crystal, Occupancy, cover, find_pieces
from porescope.materials import RADIUS

#: Probability at the contour that has the area of the pore. At 0.5, where regions end, the network's pores
#: come out 1 to 4 % too wide on the validation images.
_CONTOUR = 0.55
#: Probabilities one standard deviation inside and outside of the edge, by the same images.
_INNER, _OUTER = 0.75, 0.25
#: Factor by which the grid is refined to find the edge, and the largest side of the refined grid [px].
_FINER, _FINEST = 5, 1500
#: Step of the grid on which atoms are drawn: of small pores and of large ones [nm], and the extent from which
#: a pore is large [nm].
_STEP, _COARSE_STEP, _LARGE = 0.005, 0.01, 2.5
#: Distance around the missing atoms that is drawn, and from which atoms reach into it [nm].
_AROUND, _REACH = 0.6, 0.4
#: Number of arrangements of atoms from which the standard deviation of a diameter is measured.
_DRAWS = 8
#: Standard deviation of an atom's place at an edge, in each direction [nm]: relaxation, and the fit.
_DISPLACED = 0.02


class Edge(NamedTuple):
    """What the edge of a pore encloses."""

    area_nm2: float
    perimeter_nm: float
    deviation_nm: float  # standard deviation of the equivalent diameter
    method: str  # "atoms", "contour" or "pixels"


def measure_edge(region: Any, probability: NDArray[np.floating], pixel_area: float) -> Edge:
    """Measure a pore by the contour of its probability at 0.55, between pixels.

    Parameters
    ----------
    region : skimage.measure._regionprops.RegionProperties
    probability : ndarray of float, shape (M, N)
        Probability of a pore at each pixel.
    pixel_area : float
        [nm²]

    Returns
    -------
    Edge
        The standard deviation is half the difference between the diameters at the probabilities 0.25 and
        0.75.

    Notes
    -----
    Perimeter by Crofton's formula in four directions (Legland, Kiêu and Devaux 2007,
    doi:10.5566/ias.v26.p83-92).
    """
    top, left, bottom, right = region.bbox
    near = tuple(slice(max(a - 2, 0), b + 2) for a, b in ((top, bottom), (left, right)))
    part = np.asarray(probability[near], np.float32)
    own = np.zeros(part.shape, np.uint8)
    own[region.coords[:, 0] - near[0].start, region.coords[:, 1] - near[1].start] = 1
    # Farther than one pixel from the region the probability belongs to another pore.
    reach = cv2.dilate(own, np.ones((3, 3), np.uint8))
    finer = max(1, min(_FINER, _FINEST // max(part.shape)))
    size = (part.shape[1] * finer, part.shape[0] * finer)
    fine = cv2.resize(part, size, interpolation=cv2.INTER_CUBIC)
    inside = cv2.resize(reach, size, interpolation=cv2.INTER_NEAREST) > 0
    masks = [inside & (fine >= level) for level in (_OUTER, _CONTOUR, _INNER)]
    outer, area, inner = (float(mask.sum()) * pixel_area / finer**2 for mask in masks)
    perimeter = perimeter_crofton(masks[1], directions=4) * np.sqrt(pixel_area) / finer
    if not area:
        return measure_pixels(region, pixel_area)
    deviation = np.sqrt(outer / np.pi) - np.sqrt(inner / np.pi)
    return Edge(area, float(perimeter), float(max(deviation, 0.0)), "contour")


def measure_pixels(region: Any, pixel_area: float) -> Edge:
    """Measure a pore by the outline of its pixels.

    Parameters
    ----------
    region : skimage.measure._regionprops.RegionProperties
    pixel_area : float
        [nm²]

    Returns
    -------
    Edge
        The standard deviation is one pixel / √3, that of an edge that lies anywhere within half a pixel of
        the outline.
    """
    pixel = np.sqrt(pixel_area)
    perimeter = perimeter_crofton(region.image, directions=4) * pixel
    return Edge(len(region.coords) * pixel_area, float(perimeter), float(pixel / np.sqrt(3)), "pixels")


class Sheet(NamedTuple):
    """The K sites of an image as the definition of a pore needs them, in nm of the crystal."""

    occupancy: Occupancy
    positions: NDArray[np.float64]  # (K, 2), (row, column); (0, 0) is the centre of the first pixel
    radii: NDArray[np.float64]  # (K,), of their atoms
    counted: NDArray[np.bool_]  # (K,), whether a missing atom makes a pore
    constant: float  # lattice constant
    frame: NDArray[np.float64]  # (2,), position of the last pixel's centre
    pixel: float  # side of a pixel
    scale: float  # nm by the micrograph's pixel size in one nm of the crystal
    vagueness: float  # relative standard deviation of the lattice constant


def lay_out(
    crystal: Crystal, occupancy: Occupancy, shape: tuple[int, ...], pixel_area: float
) -> Sheet | None:
    """Lay out the atoms of an image in nm of the crystal, whose lattice constant is known.

    Parameters
    ----------
    crystal : Crystal
    occupancy : Occupancy
        As `judge_sites` returns it.
    shape : tuple of int
        Of the image.
    pixel_area : float
        [nm²]

    Returns
    -------
    Sheet or None
        None where the material is not known.
    """
    lattice, material = crystal.lattice, crystal.material
    if material is None:
        return None
    pixel = material.constant / lattice.constant_px
    second = occupancy.sites.second
    return Sheet(
        occupancy,
        occupancy.sites.positions * pixel,
        np.where(second, RADIUS[material.second], RADIUS[material.first]),
        material.both_count | ~second,
        material.constant,
        (np.array(shape) - 1) * pixel,
        pixel,
        float(np.sqrt(pixel_area)) / pixel,
        lattice.constant_std_nm / lattice.constant_nm,
    )


def measure_atoms(label: int, sheet: Sheet) -> tuple[Edge | None, float]:
    """Measure a pore by its definition: what the atoms that are there, and their bonds, leave free.

    Parameters
    ----------
    label : int
        Of the pore's region.
    sheet : Sheet

    Returns
    -------
    edge : Edge or None
        None if the image does not tell which atoms are missing. The standard deviation is that over
        arrangements of atoms that may have given the image, in which the atoms are displaced, and that of the
        lattice constant.
    missing : float
        Number of missing atoms: metal, or C, B and N. If the image does not tell, the number of their sites
        inside the region; NaN if the sites do not lie on the atoms of the image.

    Notes
    -----
    A region is one pore, also where atoms part it. A free area that several regions share is split: each
    point belongs to the region of the nearest missing atom.
    """
    occupancy = sheet.occupancy
    mine = (occupancy.owner == label) & sheet.counted
    if not occupancy.placed[mine].all():
        return None, np.nan
    gone = mine & ~occupancy.held
    if not gone.any() or not occupancy.trusted[gone].all():
        return None, float(gone.sum())
    low, high = (f(sheet.positions[gone], axis=0) for f in (np.min, np.max))
    near = _near(sheet, low, high)
    step = _STEP if (high - low).max() < _LARGE else _COARSE_STEP
    mask, missing = _draw_pore(sheet, label, near, occupancy.held[near], sheet.positions[near], step)
    if not mask.any():
        return None, float(gone.sum())
    diameter = _to_diameter(mask, step)
    rng, others = np.random.default_rng(label), []
    for draw in range(_DRAWS):
        moved = sheet.positions[near] + rng.normal(0, _DISPLACED, (int(near.sum()), 2))
        other, _ = _draw_pore(sheet, label, near, occupancy.draws[near, draw], moved, step)
        others.append(_to_diameter(other, step))
    deviation = np.sqrt(np.mean((np.array(others) - diameter) ** 2) + (sheet.vagueness * diameter) ** 2)
    scale = sheet.scale
    perimeter = perimeter_crofton(mask, directions=4) * step * scale
    area = float(mask.sum()) * (step * scale) ** 2
    return Edge(area, float(perimeter), float(deviation) * scale, "atoms"), float(missing)


def _near(sheet: Sheet, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Select the sites whose atoms may reach into the surroundings of a box."""
    reach = _AROUND + _REACH
    return np.asarray(((sheet.positions > low - reach) & (sheet.positions < high + reach)).all(axis=1))


def _to_diameter(mask: NDArray[np.bool_], step: float) -> float:
    """Equivalent diameter of a mask [nm]."""
    return float(np.sqrt(4 * mask.sum() / np.pi)) * step


def _draw_pore(
    sheet: Sheet,
    label: int,
    near: NDArray[np.bool_],
    held: NDArray[np.bool_],
    atoms: NDArray[np.float64],
    step: float,
) -> tuple[NDArray[np.bool_], int]:
    """Draw a pore on a fine grid, given which sites ``near`` hold atoms, and where; count its atoms."""
    sites, owner = sheet.positions[near], sheet.occupancy.owner[near]
    gone = ~held & sheet.counted[near]
    mine, others = sites[gone & (owner == label)], sites[gone & (owner != label)]
    if not len(mine):
        return np.zeros((1, 1), bool), 0
    edge = 0.5 * sheet.pixel
    low = np.maximum(mine.min(axis=0) - _AROUND, -edge)
    high = np.minimum(mine.max(axis=0) + _AROUND, sheet.frame + edge)
    free = np.ones(np.maximum(np.ceil((high - low) / step).astype(int), 1), np.uint8)
    cover(free, atoms[held], sheet.radii[near][held], sheet.constant, low, step)
    _, pieces = find_pieces(free, step)
    hit, strange = (_look_up(pieces, points, low, step) for points in (mine, others))
    mask = np.isin(pieces, hit[hit > 0])
    if np.isin(strange[strange > 0], hit).any():
        points = np.argwhere(mask)
        nearest = cKDTree(np.concatenate([mine, others])).query(points * step + low)[1]
        mask[tuple(points[nearest >= len(mine)].T)] = False
    return mask, int((hit > 0).sum())


def _look_up(
    pieces: NDArray[np.int32], points: NDArray[np.float64], low: NDArray[np.float64], step: float
) -> NDArray[np.int32]:
    """The piece at each point; 0 outside."""
    at = np.rint((points - low) / step).astype(int)
    inside = ((at >= 0) & (at < pieces.shape)).all(axis=1)
    found = np.zeros(len(points), np.int32)
    found[inside] = pieces[tuple(at[inside].T)]
    return found
