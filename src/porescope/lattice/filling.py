"""Gaps in an image filled by its own lattice: parts of it, shifted by whole lattice vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Largest distance of a shift from whole pixels [lattice constants]: more would blur the lattice.
_MISFIT = 0.05
#: Largest shift [lattice constants], and most shifts that are tried.
_FARTHEST, _MOST_SHIFTS = 30, 60


def fill_by_lattice(
    image: NDArray[np.float32], field: NDArray[np.bool_], vectors: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Fill the gaps of an image so that its lattice goes on.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
        With the level that is kept where the lattice does not reach.
    field : ndarray of bool, shape (M, N)
        False in the gaps.
    vectors : ndarray, shape (2, 2)
        Real-space lattice vectors as rows [px].

    Returns
    -------
    ndarray of float32, shape (M, N)

    Examples
    --------
    >>> image = np.tile(np.float32([0, 1, 2, 3]), (8, 3))
    >>> field = np.ones(image.shape, bool)
    >>> field[2:5, 4:9] = False
    >>> filled = fill_by_lattice(image * field, field, np.array([[0.0, 4.0], [4.0, 0.0]]))
    >>> np.array_equal(filled, image)
    True
    """
    filled = image.copy()
    y, x = np.nonzero(~field)
    for down, along in _list_shifts(vectors):
        if not len(y):
            break
        from_y, from_x = y + down, x + along
        held = (from_y >= 0) & (from_y < image.shape[0]) & (from_x >= 0) & (from_x < image.shape[1])
        held[held] = field[from_y[held], from_x[held]]
        filled[y[held], x[held]] = image[from_y[held], from_x[held]]
        y, x = y[~held], x[~held]
    return filled


def _list_shifts(vectors: NDArray[np.float64]) -> list[tuple[int, int]]:
    """List lattice vectors close to whole pixels, the shortest first."""
    h, k = (i.ravel() for i in np.mgrid[-_FARTHEST : _FARTHEST + 1, -_FARTHEST : _FARTHEST + 1])
    shifts = h[:, None] * vectors[0] + k[:, None] * vectors[1]
    cell = float(np.sqrt(abs(np.linalg.det(vectors)) * 2 / np.sqrt(3)))
    whole = np.rint(shifts)
    length = np.hypot(*shifts.T)
    fits = (np.abs(shifts - whole).max(axis=1) <= _MISFIT * cell) & (length > 0)
    fits &= length <= _FARTHEST * cell
    order = np.argsort(length[fits], kind="stable")[:_MOST_SHIFTS]
    return [(int(down), int(along)) for down, along in whole[fits][order]]
