"""Positions of all tiles at once: robust least squares with one affine of the scan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.mosaic.closure import DEFORMATIONS

#: Standard deviation of the offset of two tiles [nm].
_OFFSET_NM = 0.01
#: Residual of an offset, and of a stage position, from which on it counts less [standard deviations].
_BEND_OFFSET, _BEND_STAGE = 3.0, 2.5
#: Number of times that the weights are set anew.
_ROUNDS = 12
#: A deformation is believed if it is this many times its standard error.
_BELIEVED = 2.5
#: Prior standard deviation of each deformation.
_PRIOR = 0.02


class Pair(NamedTuple):
    """The offset of two tiles, along the pixels of the scan [nm]."""

    one: int
    two: int
    offset_nm: NDArray[np.float64]  # (2,)


class Solution(NamedTuple):
    """Where the tiles lie in the stage's frame."""

    sheet_nm: NDArray[np.float64]  # (N, 2): first pixel of each tile
    affine: NDArray[np.float64]  # (2, 2): from lengths along the scan's pixels to lengths in the sheet
    pair_residual_nm: NDArray[np.float64]  # (P,)
    stage_error_nm: float  # standard deviation of the stage, in each direction


def solve_positions(
    stage_nm: NDArray[np.float64],
    pairs: Sequence[Pair],
    error_nm: float,
    trusted: NDArray[np.bool_] | None = None,
) -> Solution:
    """Solve for the positions of all tiles.

    Parameters
    ----------
    stage_nm : ndarray, shape (N, 2)
        Recorded positions.
    pairs : sequence of Pair
    error_nm : float
        Standard deviation of the stage's error, in each direction, where the tiles are too few to tell.
    trusted : ndarray of bool, shape (N,), optional
        Tiles whose recorded position counts; default: all.

    Returns
    -------
    Solution

    Examples
    --------
    >>> stage = np.array([[0.0, 0.0], [0.0, 10.0]])
    >>> solve_positions(stage, [Pair(0, 1, np.array([0.0, 10.2]))], 1.0).sheet_nm.round(1).tolist()
    [[0.0, -0.1], [0.0, 10.1]]
    """
    n = len(stage_nm)
    trusted = np.ones(n, bool) if trusted is None else trusted
    ends = np.array([(p.one, p.two) for p in pairs], int).reshape(-1, 2)
    offsets = np.array([p.offset_nm for p in pairs], float).reshape(-1, 2)
    used = np.ones(len(DEFORMATIONS), bool) if trusted.sum() > 3 else np.zeros(len(DEFORMATIONS), bool)
    solved = _fit(stage_nm, ends, offsets, error_nm, trusted, used)
    if used.any():
        believed = np.abs(solved.change) > _BELIEVED * solved.change_std
        if not believed.all():
            solved = _fit(stage_nm, ends, offsets, error_nm, trusted, believed)
    back = np.eye(2) + np.tensordot(solved.change, DEFORMATIONS, 1)
    affine = np.asarray(np.linalg.inv(back), float)
    residual = solved.places[ends[:, 1]] - solved.places[ends[:, 0]] - offsets
    return Solution(
        (solved.places - solved.origin) @ affine.T, affine, np.hypot(*residual.T), solved.stage_error_nm
    )


class _Fit(NamedTuple):
    places: NDArray[np.float64]  # (N, 2), along the pixels of the scan
    origin: NDArray[np.float64]  # (2,)
    change: NDArray[np.float64]  # (4,): of the deformations, from the sheet to the scan
    change_std: NDArray[np.float64]
    stage_error_nm: float


def _fit(
    stage_nm: NDArray[np.float64],
    ends: NDArray[np.int64],
    offsets: NDArray[np.float64],
    error_nm: float,
    trusted: NDArray[np.bool_],
    used: NDArray[np.bool_],
) -> _Fit:
    """Iteratively reweighted least squares; unknown are places, the deformations that are used, an origin."""
    from scipy.sparse import coo_array, csc_array
    from scipy.sparse.linalg import splu

    n, p, k = len(stage_nm), len(ends), int(used.sum())
    middle = stage_nm.mean(axis=0)
    turned = np.tensordot(stage_nm - middle, DEFORMATIONS[used], axes=(1, 2)).transpose(2, 0, 1)  # (2, N, k)
    rows, columns, values = [], [], []
    for axis in (0, 1):
        row = axis * p + np.arange(p)
        rows += [row, row]
        columns += [axis * n + ends[:, 1], axis * n + ends[:, 0]]
        values += [np.ones(p), -np.ones(p)]
        row = 2 * p + axis * n + np.arange(n)
        rows += [row, row, *[row] * k]
        columns += [axis * n + np.arange(n), np.full(n, 2 * n + k + axis)]
        columns += [np.full(n, 2 * n + m) for m in range(k)]
        values += [np.ones(n), -np.ones(n), *(-turned[axis].T)]
    shape = (2 * (n + p), 2 * n + k + 2)
    matrix = csc_array(
        coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape)
    )
    target = np.concatenate([offsets.T.ravel(), (stage_nm - middle).T.ravel()])
    prior = np.full(shape[1], 1e-9)
    prior[2 * n : 2 * n + k] = 1 / _PRIOR**2
    own, pair_weight, stage_weight = error_nm, np.ones(p), trusted.astype(float)
    for _ in range(_ROUNDS):
        weight = np.concatenate([np.tile(pair_weight / _OFFSET_NM**2, 2), np.tile(stage_weight / own**2, 2)])
        normal = csc_array(matrix.T @ (matrix * weight[:, None]))
        normal.setdiag(normal.diagonal() + prior)
        factor = splu(normal)
        x = factor.solve(matrix.T @ (weight * target))
        left = matrix @ x - target
        pair_left = np.hypot(*left[: 2 * p].reshape(2, p)) / _OFFSET_NM
        stage_left = np.hypot(*left[2 * p :].reshape(2, n))
        own = _estimate_error(stage_left[trusted], error_nm)
        pair_weight = _bend(pair_left, _BEND_OFFSET)
        stage_weight = trusted * _bend(stage_left / own, _BEND_STAGE) ** 2
    std = [np.sqrt(factor.solve(np.eye(1, shape[1], 2 * n + m)[0])[2 * n + m]) for m in range(k)]
    change, change_std = np.zeros(len(used)), np.zeros(len(used))
    change[used], change_std[used] = x[2 * n : 2 * n + k], std
    places = x[: 2 * n].reshape(2, n).T
    back = np.eye(2) + np.tensordot(change, DEFORMATIONS, 1)
    return _Fit(places, x[2 * n + k :] - back @ middle, change, change_std, own)


def _bend(residual: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """Weights of Huber's function: 1 up to the limit, then falling as 1 / residual."""
    return np.asarray(limit / np.maximum(residual, limit))


def _estimate_error(residual_nm: NDArray[np.float64], error_nm: float) -> float:
    """Standard deviation of the stage's error in each direction, from the median of the distances.

    Few tiles tell little: the assumed error counts as five of them.
    """
    if not len(residual_nm):
        return error_nm
    found = float(np.median(residual_nm)) / np.sqrt(2 * np.log(2))
    weight = len(residual_nm)
    return float(np.sqrt((weight * found**2 + 5 * error_nm**2) / (weight + 5)))
