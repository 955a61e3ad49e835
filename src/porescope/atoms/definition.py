"""The definition of a pore: a piece of the plane that neither atoms nor bonds cover."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from porescope.materials import LONGEST_BOND

#: Width of a bond in the definition of a pore [nm].
_BOND_WIDTH = 0.05
#: Radius of the disc that opens pores in their definition [nm].
_OPENING_RADIUS = 0.03


def cover(
    free: NDArray[np.uint8],
    positions: NDArray[np.float64],
    radii: NDArray[np.float64],
    constant: float,
    origin: NDArray[np.float64],
    step: float,
) -> None:
    """Set a fine grid to 0, in place, where the discs of atoms and the bonds between them cover it.

    Parameters
    ----------
    free : ndarray of uint8, shape (R, C)
    positions : ndarray, shape (K, 2)
        Of the atoms, (row, column) [nm].
    radii : ndarray, shape (K,)
        Of the atoms [nm].
    constant : float
        Lattice constant [nm], which decides which atoms are bonded.
    origin : ndarray, shape (2,)
        Position of the grid's first point [nm].
    step : float
        Step of the grid [nm].
    """
    # OpenCV's drawing takes fixed-point positions, x before y.
    shift = 8
    fixed = np.rint((positions - origin) / step * 2**shift).astype(np.int32)[:, ::-1]
    reach = constant / np.sqrt(3) * LONGEST_BOND
    bonds = fixed[cKDTree(positions).query_pairs(reach, output_type="ndarray")]
    width = max(1, round(_BOND_WIDTH / step) - 1)
    cv2.polylines(free, list(bonds), False, 0, width, cv2.LINE_8, shift)
    scaled = np.rint((radii / step - 0.5) * 2**shift).astype(int)
    for at, radius in zip(fixed.tolist(), scaled.tolist(), strict=True):
        cv2.circle(free, at, radius, 0, -1, cv2.LINE_8, shift)


def find_pieces(free: NDArray[np.uint8], step: float) -> tuple[int, NDArray[np.int32]]:
    """Open what atoms leave free, and label its pieces: a pore is one that holds a missing atom's site.

    Parameters
    ----------
    free : ndarray of uint8, shape (R, C)
        1 where neither atoms nor bonds are.
    step : float
        Step of the grid [nm].

    Returns
    -------
    count : int
        Number of labels, background included.
    pieces : ndarray of int32, shape (R, C)
        8-connected; 0 is background.

    Examples
    --------
    >>> free = np.ones((40, 60), np.uint8)
    >>> cover(free, np.array([[0.1, 0.15]]), np.array([0.1]), 0.3153, np.zeros(2), 0.005)
    >>> find_pieces(free, 0.005)[0]
    3
    """
    r = round(_OPENING_RADIUS / step)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1))
    count, pieces = cv2.connectedComponents(cv2.morphologyEx(free, cv2.MORPH_OPEN, disc), connectivity=8)
    return count, np.asarray(pieces, np.int32)
