"""Patterns of pores: where they are, in what window, and random ones to compare them with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Most rounds in which discs that overlap are placed anew.
_MOST_ROUNDS = 200


class Window(NamedTuple):
    """Where pores could be seen."""

    mask: NDArray[np.bool_]  # (M, N)
    pixel_nm: float

    @property
    def area_nm2(self) -> float:
        """[nm²]."""
        return float(np.count_nonzero(self.mask)) * self.pixel_nm**2


class Pattern(NamedTuple):
    """The pores of one window; (0, 0) is the centre of the mask's first pixel."""

    positions_nm: Floats  # (n, 2)
    diameter_nm: Floats  # (n,)
    window: Window


def place_apart(
    diameter_nm: Floats, draw: Callable[[int], Floats], rng: np.random.Generator
) -> tuple[Floats, bool]:
    """Place discs at random so that none overlap, the larger ones first.

    Parameters
    ----------
    diameter_nm : ndarray, shape (n,)
    draw : callable
        Number → that many random places, shape (m, 2) [nm].
    rng : Generator

    Returns
    -------
    places : ndarray, shape (n, 2)
        [nm]
    apart : bool
        Whether there was room: False if some still overlap.
    """
    from scipy.spatial import cKDTree

    places, n = draw(len(diameter_nm)), len(diameter_nm)
    # Of two that overlap the smaller one moves, of equal ones either.
    order = np.lexsort((rng.random(n), -diameter_nm)).argsort()
    reach = float(diameter_nm.max(initial=0))
    for _ in range(_MOST_ROUNDS):
        pairs = cKDTree(places).query_pairs(reach, output_type="ndarray") if n > 1 else np.empty((0, 2), int)
        gap = np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T)
        close = pairs[gap < diameter_nm[pairs].mean(axis=1)]
        if not len(close):
            return places, True
        moved = np.unique(np.where(order[close[:, 0]] > order[close[:, 1]], close[:, 0], close[:, 1]))
        places[moved] = draw(len(moved))
    return places, False


def draw_random(pattern: Pattern, rng: np.random.Generator) -> Pattern:
    """Draw a random pattern of discs of the same sizes in the same window, without overlap.

    Parameters
    ----------
    pattern : Pattern
    rng : Generator

    Returns
    -------
    Pattern

    Raises
    ------
    ValueError
        If there is no room.
    """
    inside = np.flatnonzero(pattern.window.mask)
    n_columns, pixel = pattern.window.mask.shape[1], pattern.window.pixel_nm

    def draw(n: int) -> Floats:
        chosen = inside[rng.integers(len(inside), size=n)]
        corner = np.column_stack(np.divmod(chosen, n_columns))
        return np.asarray((corner + rng.random((n, 2)) - 0.5) * pixel)

    places, apart = place_apart(pattern.diameter_nm, draw, rng)
    if not apart:
        raise ValueError(
            "the pores are too dense for random patterns of discs of their sizes; their spacing is no matter "
            "of chance"
        )
    return pattern._replace(positions_nm=places)
