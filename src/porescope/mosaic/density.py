"""Density and size of pores over a sheet, in cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.mosaic.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

#: Pores that a cell holds on average, and most cells along a side.
_PORES_A_CELL, _MOST_CELLS = 6, 60
#: Parts of a cell's side by which the covered area is measured.
_PARTS = 50


class Density(NamedTuple):
    """Density and size in cells; NaN where no tile lies, or no pore for the size."""

    origin_nm: NDArray[np.float64]  # (2,): corner of the first cell
    cell_nm: NDArray[np.float64]  # (2,): height and width of a cell
    density_per_um2: NDArray[np.float64]  # (R, C)
    median_diameter_nm: NDArray[np.float64]  # (R, C)
    area_um2: float  # that the tiles cover, each place counted once

    def tabulate(self) -> pd.DataFrame:
        """One row for each cell.

        Returns
        -------
        DataFrame
            With the cell's middle, its sides, its density and the median diameter of its pores.
        """
        import pandas as pd

        middle = (
            self.origin_nm + (np.indices(self.density_per_um2.shape).reshape(2, -1).T + 0.5) * self.cell_nm
        )
        return pd.DataFrame(
            {
                "sheet_y_nm": middle[:, 0],
                "sheet_x_nm": middle[:, 1],
                "cell_y_nm": self.cell_nm[0],
                "cell_x_nm": self.cell_nm[1],
                "density_per_um2": self.density_per_um2.ravel(),
                "median_diameter_nm": self.median_diameter_nm.ravel(),
            }
        )


def count_density(at_nm: NDArray[np.float64], diameter_nm: NDArray[np.float64], layout: Layout) -> Density:
    """Count the pores of a sheet in cells.

    Parameters
    ----------
    at_nm : ndarray, shape (K, 2)
        Places of the pores in the sheet.
    diameter_nm : ndarray, shape (K,)
    layout : Layout

    Returns
    -------
    Density
        Cells of which less than a tenth is covered are NaN.
    """
    low, high = layout.bounds_nm
    extent = high - low
    wished = np.sqrt(extent.prod() * _PORES_A_CELL / max(len(at_nm), 1))
    n_cells = np.clip(np.rint(extent / max(float(wished), 1e-9)), 1, _MOST_CELLS).astype(int)
    cell = extent / n_cells
    covered = np.zeros(n_cells * _PARTS, bool)
    for a, b in np.rint((layout.boxes_nm - low) / cell * _PARTS).astype(int):
        covered[a[0] : b[0], a[1] : b[1]] = True
    share = covered.reshape(n_cells[0], _PARTS, n_cells[1], _PARTS).mean(axis=(1, 3))
    cells = np.clip(((at_nm - low) / cell).astype(int), 0, n_cells - 1)
    counts, medians = np.zeros(n_cells), np.full(n_cells, np.nan)
    np.add.at(counts, tuple(cells.T), 1)
    for y, x in np.unique(cells, axis=0):
        medians[y, x] = np.nanmedian(diameter_nm[(cells == (y, x)).all(axis=1)])
    area = share * cell.prod() / 1e6
    density = np.divide(counts, area, out=np.full(n_cells, np.nan), where=share >= 0.1)
    return Density(low, cell, density, medians, float(area.sum()))
