"""The memory that a file claims, from its header, against the memory that is free."""

from __future__ import annotations

import os
from math import prod
from pathlib import Path

import numpy as np

#: Suffixes of HDF5 files, whose datasets may be larger than the file.
_HDF5 = (".hspy", ".emd", ".h5", ".hdf5", ".nxs")
#: Bytes of a pixel as porescope keeps it, and how many such images a detector needs at once: the image, its
#: labels, and the network's maps, which take 3 bytes a pixel.
_KEPT, _COPIES = 4, 3


def explain_claim(path: Path) -> str | None:
    """Say why a file cannot be loaded, if it claims more memory than is free.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str or None
        A sentence with both numbers; None if the file fits.
    """
    claimed, free = measure_claim(path), measure_free_memory()
    if free is None or claimed <= free:
        return None
    return (
        f"{path.name} needs {claimed / 2**30:.1f} GB of memory, but {free / 2**30:.1f} GB are free; crop or "
        "bin it, or use a larger machine"
    )


def measure_claim(path: Path) -> int:
    """Bytes of the largest dataset of a file and of its images as porescope keeps them.

    Parameters
    ----------
    path : Path

    Returns
    -------
    int
        0 if the file cannot be larger in memory than on disk, or its header cannot be read.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            claims = [(tuple(array.shape), int(array.dtype.itemsize))]
        elif suffix in (".tif", ".tiff"):
            import tifffile

            with tifffile.TiffFile(path) as tiff:
                claims = [(series.shape, series.dtype.itemsize) for series in tiff.series]
        elif suffix in _HDF5:
            claims = _list_datasets(path)
        else:
            return 0
    except Exception:  # what is wrong with the file is said when it is read
        return 0
    return max((prod(shape) * size + _COPIES * _KEPT * prod(shape[-2:]) for shape, size in claims), default=0)


def _list_datasets(path: Path) -> list[tuple[tuple[int, ...], int]]:
    import h5py

    claims: list[tuple[tuple[int, ...], int]] = []

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.shape:
            claims.append((item.shape, item.dtype.itemsize))

    with h5py.File(path, "r") as file:
        file.visititems(note)
    return claims


def measure_free_memory() -> int | None:
    """Memory that can be had without swapping.

    Returns
    -------
    int or None
        [bytes]; all the machine's memory where the system does not say what is free (macOS), None where
        it says neither (Windows).
    """
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return None
