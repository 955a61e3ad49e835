"""The order of a lattice's spots: whether a hexagon in the power spectrum is the innermost one.

In a sharp image the spots of second or third order may stand out more than those of first order. Their
hexagon gives a lattice constant that is too small by √3, 2, √7, 3 or √13.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from porescope.lattice.hexagon import combine, list_spots

#: Height from which a hexagon of lower order is believed, and above which it may be there.
STANDS_OUT, DOUBTFUL = 1.6, 1.0
#: Reciprocal vectors g₁, g₂ of a higher order → vector (p g₁ + q g₂) / n of first order, and how many of
#: `_ORBITS` are within the higher order.
_FIRST_ORDERS = (
    (1, 1, 3, 1), (1, 0, 2, 2), (2, 1, 7, 3), (1, 2, 7, 3), (1, 0, 3, 3), (3, 1, 13, 3), (1, 3, 13, 3),
)  # fmt: skip
#: Spots of the first three orders, in units of the first order's reciprocal vectors.
_ORBITS = ((1, 0), (1, 1), (2, 0))
#: The six places between the spots that are farthest from all spots, around a spot, in thirds of g₁, g₂.
_BETWEEN = ((1, 1), (-1, 2), (-2, 1), (-1, -1), (1, -2), (2, -1))
#: Log of the least power of spots of first order, relative to the higher order: below, it is aliasing.
_LEAST_POWER = -6.0
#: Width of a spot in a bent lattice, relative to its frequency.
_WIDTH = 0.01
#: Distance of spots above which a spot is averaged over its neighbours too [bins].
_BLURRED = 6.0
#: Least distance of spots that can be told apart [bins].
_LEAST_DISTANCE = 3.0


def find_lower_order(
    power: NDArray[np.float32], frequencies: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Find the hexagon of lower order that is most likely, given two reciprocal vectors of a hexagon.

    Parameters
    ----------
    power : ndarray of float32, shape (R, C)
        Power spectrum, frequency (0, 0) in the middle.
    frequencies : ndarray, shape (2, 2)
        Reciprocal vectors, 60° apart [cycles/px].

    Returns
    -------
    height : float
        Log of the power at its spots, relative to the places between the spots: the mean of the three
        spots of an order and of their lowest, because a lattice has all three. In noise it is about 0.
    frequencies : ndarray, shape (2, 2)
        Its reciprocal vectors [cycles/px]; those given if none is coarse enough to be seen.

    Examples
    --------
    >>> power = np.ones((60, 60), np.float32)
    >>> for row, column in ((0, 12), (9, 6), (9, -6)):
    ...     power[30 + row, 30 + column] = 1e4
    >>> second_order = np.array([[9, 18], [18, 0]]) / 60
    >>> height, first_order = find_lower_order(power, second_order)
    >>> bool(height > STANDS_OUT), (first_order * 60).round(1).tolist()
    (True, [[9.0, 6.0], [9.0, -6.0]])
    """
    best = 0.0, frequencies
    for p, q, n, orbits in _FIRST_ORDERS:
        vectors = combine(frequencies, p / n, q / n)
        distance = float(np.hypot(*vectors[0])) * min(power.shape)
        if distance < _LEAST_DISTANCE:
            continue
        reach = (distance > _BLURRED) + round(_WIDTH * distance)
        spots = np.array([list_spots(combine(vectors, *orbit)) for orbit in _ORBITS[:orbits]])
        levels = _measure_levels(power, spots, reach)
        between = spots[..., None, :] + np.array(_BETWEEN) @ vectors / 3
        heights = levels - _measure_levels(power, between, reach).mean(axis=-1)
        height = float(heights.mean() + heights.min(axis=1).mean()) / 2
        found = _measure_levels(power, list_spots(frequencies), reach)
        if height > best[0] and levels[0].mean() - found.mean() > _LEAST_POWER:
            best = height, vectors
    return best


def _measure_levels(
    power: NDArray[np.float32], places: NDArray[np.float64], reach: int
) -> NDArray[np.float64]:
    """Log of the mean power within ``reach`` bins of frequencies, shape (..., 2)."""
    shape = np.array(power.shape)
    box = np.indices((2 * reach + 1, 2 * reach + 1)).reshape(2, -1).T - reach
    bins = (np.rint(places * shape).astype(int)[..., None, :] + box + shape // 2) % shape
    return np.asarray(np.log(power[bins[..., 0], bins[..., 1]].mean(axis=-1) + 1e-30))
