"""Tiles opened: their shapes, pixel size and stage positions, before pores are looked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files import sort_naturally
from porescope.mosaic.stage import check_stage, lay_grid, read_stage
from porescope.reading import ImageFile

#: Largest relative difference of the tiles' pixel sizes.
_SAME_PIXEL = 1e-3


class Tiles(NamedTuple):
    """What is known of tiles before pores are looked for. A tile that cannot be read has the shape (0, 0)."""

    files: list[Path]
    frames: list[int]  # in their files
    shapes: NDArray[np.int64]  # (N, 2): rows and columns
    pixel_nm: float
    recorded_nm: NDArray[np.float64]  # (N, 2): stage positions (y, x) of the files' metadata; NaN: unknown

    def keep(self, kept: NDArray[np.bool_], pixel_nm: float) -> Tiles:
        """Leave tiles out.

        Parameters
        ----------
        kept : ndarray of bool, shape (N,)
        pixel_nm : float
            Pixel size of those that are kept.

        Returns
        -------
        Tiles
        """
        files = [file for file, k in zip(self.files, kept, strict=True) if k]
        frames = [frame for frame, k in zip(self.frames, kept, strict=True) if k]
        return Tiles(files, frames, self.shapes[kept], pixel_nm, self.recorded_nm[kept])


def open_tiles(paths: Sequence[Path], opened: Callable[[Path], ImageFile]) -> Tiles:
    """Open tiles for their shapes, pixel sizes and stage positions.

    Parameters
    ----------
    paths : sequence of Path
        They are put into the order of their names, numbers by their value.
    opened : callable
        Opens a file.

    Returns
    -------
    Tiles
        Each image of a file with several is a tile.

    Raises
    ------
    ValueError
        If their pixel sizes differ.
    """
    files: list[Path] = []
    frames: list[int] = []
    found = []
    for path in sorted(paths, key=lambda path: sort_naturally(str(path))):
        try:
            its = _look_at(opened(path))
        except (ValueError, OSError):  # detection says what is wrong; its place in a raster stays
            its = [((0, 0), np.nan, (np.nan, np.nan))]
        found += its
        files += [path] * len(its)
        frames += range(len(its))
    sizes = np.array([size for _, size, _ in found])
    known = sizes[np.isfinite(sizes)]
    middle = float(np.median(known)) if len(known) else np.nan
    other = np.flatnonzero(np.abs(sizes / middle - 1) > _SAME_PIXEL)
    if len(other):
        raise ValueError(
            f"{files[other[0]].name} has pixels of {sizes[other[0]]:.4g} nm, other tiles of {middle:.4g} nm; "
            "a map takes tiles of one pixel size: leave it out, or say --pixel-size NM"
        )
    shapes, recorded = np.array([f[0] for f in found], int), np.array([f[2] for f in found], float)
    return Tiles(files, frames, shapes, middle, recorded)


def _look_at(images: ImageFile) -> list[tuple[tuple[int, int], float, tuple[float, float]]]:
    """Shape, pixel size and stage position of each image of a file."""
    its = []
    for frame in range(len(images)):
        micrograph = images.read(frame)
        rows, columns = micrograph.image.shape
        stage = micrograph.acquisition.stage_nm or (np.nan, np.nan)
        its.append(((rows, columns), float(np.sqrt(micrograph.pixel_area)), stage))
    return its


def find_stage(tiles: Tiles, stage: Path | None, grid: str | None, overlap: float) -> NDArray[np.float64]:
    """Find the recorded positions of tiles: in a table, by a raster, or in their metadata.

    Parameters
    ----------
    tiles : Tiles
    stage : Path, optional
        Table, as `read_stage` takes it.
    grid : str, optional
        Raster, as `lay_grid` takes it.
    overlap : float
        Of the raster.

    Returns
    -------
    ndarray, shape (N, 2)

    Raises
    ------
    ValueError
        If a position is unknown, or two are the same.
    """
    if stage is not None and grid is not None:
        raise ValueError("--stage and --grid contradict each other; say one of them")
    if stage is not None:
        several = [file.name for file, frame in zip(tiles.files, tiles.frames, strict=True) if frame]
        if several:
            raise ValueError(f"{several[0]} holds several images, but --stage has one place for a file")
        places = read_stage(stage, tiles.files)
    elif grid is not None:
        known = tiles.shapes[tiles.shapes.min(axis=1) > 0]
        if len(np.unique(known, axis=0)) > 1:
            raise ValueError("--grid takes tiles of one shape; give their places with --stage stage.csv")
        sides = (known[0] if len(known) else np.ones(2)) * tiles.pixel_nm
        places = lay_grid(grid, overlap, len(tiles.files), sides)
    else:
        places = tiles.recorded_nm
        unknown = np.flatnonzero(~np.isfinite(places).all(axis=1)).tolist()
        lacking = [tiles.files[k].name for k in unknown]
        if lacking:
            more = f" and {len(lacking) - 1} more tiles say" if len(lacking) > 1 else " says"
            raise ValueError(
                f"{lacking[0]}{more} no stage position; give --stage stage.csv, or --grid 8x8 --overlap 0.1"
            )
    check_stage(places, [file.name for file in tiles.files])
    return places
