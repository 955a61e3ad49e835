"""Where the tiles of a sheet lie, and which of them have an area in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

#: Memory for what is kept of tiles that may be asked for again [bytes].
_KEPT_BYTES = 2**28

T = TypeVar("T")


class Layout(NamedTuple):
    """Where the tiles of a sheet lie."""

    sheet_nm: NDArray[np.float64]  # (N, 2): first pixel of each tile
    shapes: NDArray[np.int64]  # (N, 2): rows and columns
    pixel_nm: float
    affine: NDArray[np.float64]  # (2, 2): from lengths along the scan's pixels to lengths in the sheet

    @property
    def places_px(self) -> NDArray[np.float64]:
        """First pixel of each tile (N, 2) in a frame along the scan's pixels [px]."""
        return np.asarray(self.sheet_nm @ np.linalg.inv(self.affine).T / self.pixel_nm)

    @property
    def boxes_nm(self) -> NDArray[np.float64]:
        """Lowest and highest (y, x) of each tile, to the edges of its pixels, shape (N, 2, 2)."""
        corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]) * self.shapes[:, None] - 0.5
        at = self.sheet_nm[:, None] + corners * self.pixel_nm @ self.affine.T
        return np.stack([at.min(axis=1), at.max(axis=1)], axis=1)

    @property
    def bounds_nm(self) -> NDArray[np.float64]:
        """Lowest and highest (y, x) of the sheet, shape (2, 2)."""
        boxes = self.boxes_nm
        return np.stack([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])

    def place(self, tile: Any, at_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where pixels of tiles lie in the sheet.

        Parameters
        ----------
        tile : int or ndarray of int, shape (K,)
        at_px : ndarray, shape (K, 2)
            (row, column) in the tiles.

        Returns
        -------
        ndarray, shape (K, 2)
            [nm]
        """
        return np.asarray(self.sheet_nm[tile] + at_px * self.pixel_nm @ self.affine.T)


def list_pairs(
    places_nm: NDArray[np.float64], sides_nm: NDArray[np.float64], least: float = 0.0
) -> list[tuple[int, int]]:
    """List the tiles that have an area in common.

    Parameters
    ----------
    places_nm, sides_nm : ndarray, shape (N, 2)
        First pixel, and height and width, of each tile [nm].
    least : float
        Least area in common, as a share of the smaller tile; more than that if it is 0.

    Returns
    -------
    list of tuple
        Numbers of two tiles, the lower one first.

    Examples
    --------
    >>> list_pairs(np.array([[0.0, 0.0], [0.0, 9.0], [9.0, 9.0]]), np.full((3, 2), 10.0), 0.05)
    [(0, 1), (1, 2)]
    """
    from scipy.spatial import cKDTree

    middles = places_nm + sides_nm / 2
    near = cKDTree(middles).query_pairs(float(np.hypot(*sides_nm.T).max()), output_type="ndarray")
    low = np.maximum(places_nm[near[:, 0]], places_nm[near[:, 1]])
    high = np.minimum((places_nm + sides_nm)[near[:, 0]], (places_nm + sides_nm)[near[:, 1]])
    common = np.clip(high - low, 0, None).prod(axis=1)
    smaller = sides_nm.prod(axis=1)[near].min(axis=1)
    return sorted((int(i), int(j)) for i, j in near[(common >= least * smaller) & (common > 0)])


def remember(load: Callable[[int], T], shapes: Sequence[Any], bytes_a_pixel: int) -> Callable[[int], T]:
    """Keep what was loaded last, as far as the memory for it goes.

    Parameters
    ----------
    load : callable
        Number of a tile → what is kept.
    shapes : sequence
        Rows and columns of the tiles.
    bytes_a_pixel : int
        Memory of what is kept, for each pixel of a tile.

    Returns
    -------
    callable
        Like ``load``.
    """
    largest = max((int(rows) * int(columns) for rows, columns in shapes), default=1)
    return lru_cache(maxsize=max(2, _KEPT_BYTES // max(largest * bytes_a_pixel, 1)))(load)
