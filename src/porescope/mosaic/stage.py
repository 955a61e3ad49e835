"""Stage positions of tiles: from a table, or from a raster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: Columns of a table of stage positions that hold the place of a tile's first pixel.
_PLACE = ["stage_y_nm", "stage_x_nm"]


def read_stage(path: Path, files: Sequence[Path]) -> NDArray[np.float64]:
    """Read the stage positions of tiles from a table.

    Parameters
    ----------
    path : Path
        CSV file with the columns ``file`` (or ``image``, the file's name without its ending), ``stage_y_nm``
        and ``stage_x_nm``, in any order; other columns and rows do not matter.
    files : sequence of Path
        The tiles.

    Returns
    -------
    ndarray, shape (N, 2)
        (y, x) of each tile's first pixel [nm].

    Raises
    ------
    ValueError
        If it is no such table, or lacks a tile, or names one twice.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype={"file": str, "image": str}, skipinitialspace=True)
    except OSError:  # its own words tell
        raise
    except Exception as error:  # pandas has many kinds of error
        raise ValueError(f"{path} is no table of stage positions ({type(error).__name__}: {error})") from None
    named = next((name for name in ("file", "image") if name in table), None)
    lacking = [name for name in _PLACE if name not in table]
    if named is None or lacking:
        raise ValueError(
            f"{path} lacks the column {lacking[0] if lacking else 'file'}; it needs file, "
            "stage_y_nm and stage_x_nm"
        )
    places = table[_PLACE].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    rows: dict[str, list[int]] = {}
    for k, name in enumerate(table[named].fillna("")):
        rows.setdefault(Path(name.replace("\\", "/")).name.casefold(), []).append(k)
    found = []
    for file in files:
        its = rows.get(file.name.casefold(), []) or rows.get(file.stem.casefold(), [])
        if len(its) > 1:
            raise ValueError(f"{path} names {file.name} {len(its)} times; leave one row")
        found.append(its[0] if its else -1)
    missing = [file.name for file, k in zip(files, found, strict=True) if k < 0]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(f"{path} has no row for {missing[0]}{more}; add it, or name only the other tiles")
    stage = places[found]
    unknown = np.flatnonzero(~np.isfinite(stage).all(axis=1))
    if len(unknown):
        raise ValueError(f"{path} has no number as the position of {files[unknown[0]].name}; fill it in")
    return np.asarray(stage)


def lay_grid(text: str, overlap: float, n_tiles: int, sides_nm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lay tiles on a raster, row by row.

    Parameters
    ----------
    text : str
        Rows and columns, as ``8x8``.
    overlap : float
        Overlap of neighbours, as a fraction of their sides.
    n_tiles : int
    sides_nm : ndarray, shape (2,)
        Height and width of a tile.

    Returns
    -------
    ndarray, shape (n_tiles, 2)

    Raises
    ------
    ValueError
        If it is no raster, or not of as many tiles.

    Examples
    --------
    >>> lay_grid("1x2", 0.1, 2, np.array([20.0, 10.0])).tolist()
    [[0.0, 0.0], [0.0, 9.0]]
    """
    try:
        rows, columns = (int(part) for part in text.lower().replace("×", "x").split("x"))
    except ValueError:
        raise ValueError(f"--grid must be rows x columns, as 8x8, not {text!r}") from None
    if min(rows, columns) < 1:
        raise ValueError(f"--grid must be 1x1 or more, not {text!r}")
    if rows * columns != n_tiles:
        raise ValueError(f"--grid {text} takes {rows * columns} tiles, but there are {n_tiles}")
    if not 0 <= overlap < 1:
        raise ValueError(f"--overlap must be at least 0 and below 1, not {overlap:g}")
    return np.asarray(np.indices((rows, columns)).reshape(2, -1).T * sides_nm * (1 - overlap))


def check_stage(stage_nm: NDArray[np.float64], names: Sequence[str]) -> None:
    """Refuse stage positions that are unknown or doubled.

    Parameters
    ----------
    stage_nm : ndarray, shape (N, 2)
    names : sequence of str
        Of the tiles.

    Raises
    ------
    ValueError
    """
    if stage_nm.shape != (len(names), 2):
        raise ValueError(f"stage_nm must have the shape ({len(names)}, 2), not {stage_nm.shape}")
    unknown = np.flatnonzero(~np.isfinite(stage_nm).all(axis=1))
    if len(unknown):
        at = stage_nm[unknown[0]].tolist()
        raise ValueError(f"stage positions must be finite, but that of {names[unknown[0]]} is {at}")
    inverse, counts = np.unique(stage_nm, axis=0, return_inverse=True, return_counts=True)[1:]
    twice = np.flatnonzero(counts[inverse.ravel()] > 1)
    if len(twice):
        y, x = stage_nm[twice[0]]
        one, two = (names[k] for k in twice[(stage_nm[twice] == (y, x)).all(axis=1)][:2])
        raise ValueError(
            f"{one} and {two} have the same stage position, y = {y:g} nm, x = {x:g} nm; correct one, or "
            "leave it out"
        )
