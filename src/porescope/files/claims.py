"""The memory that a file claims, from its header, against the memory that is free."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from porescope.files.signals import ReadError
from porescope.processes import measure_free_memory

#: Suffixes of HDF5 files, whose datasets may be larger than the file.
_HDF5 = (".hspy", ".emd", ".h5", ".hdf5", ".nxs")
#: Bytes of a pixel as porescope keeps it, and how many such images a detector needs at once: the image, its
#: labels, and the network's maps, which take 3 bytes a pixel.
_KEPT, _COPIES = 4, 3
#: Bytes above which a file is read image by image.
_LARGE = 2**26


class Claim(NamedTuple):
    """Memory that a file claims."""

    data: int  # its largest dataset [bytes]
    image: int  # one image of that, and the image as porescope keeps it [bytes]; 0 if unknown

    @property
    def is_large(self) -> bool:
        """Whether the file is read image by image."""
        return self.data > _LARGE


def refuse_claim(path: Path, claim: Claim) -> None:
    """Refuse a file that claims more memory than is free.

    Parameters
    ----------
    path : Path
    claim : Claim

    Raises
    ------
    ReadError
        If it does; with both numbers.
    """
    needed, free = claim.image if claim.is_large else claim.data + claim.image, measure_free_memory()
    if needed > free:
        raise ReadError(
            f"{path.name} needs {needed / 2**30:.1f} GB of memory, but {free / 2**30:.1f} GB are free; "
            "crop or bin it, or use a larger machine"
        )


def measure_claim(path: Path) -> Claim:
    """Measure the memory that a file claims in its header.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Claim
        That of the file's size if it cannot be larger in memory than on disk, or its header cannot be read.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            claims = [(tuple(array.shape), int(array.dtype.itemsize))]
        elif suffix in (".tif", ".tiff"):
            import tifffile

            with tifffile.TiffFile(path) as tiff:
                return measure_series(tiff.series)
        elif suffix in _HDF5:
            claims = _list_datasets(path)
        else:
            claims = []
    except Exception:  # what is wrong with the file is said when it is read
        claims = []
    return _add_up(claims) if claims else Claim(path.stat().st_size, 0)


def measure_series(series: Sequence[Any]) -> Claim:
    """Measure the memory that the series of a TIFF claim.

    Parameters
    ----------
    series : sequence of tifffile.TiffPageSeries

    Returns
    -------
    Claim
    """
    return _add_up([(one.shape, one.dtype.itemsize) for one in series])


def _add_up(claims: list[tuple[tuple[int, ...], int]]) -> Claim:
    """The largest of datasets, each with its shape and the bytes of an element."""
    return Claim(
        data=max(prod(shape) * size for shape, size in claims),
        image=max((size + _COPIES * _KEPT) * prod(shape[-2:]) for shape, size in claims),
    )


def _list_datasets(path: Path) -> list[tuple[tuple[int, ...], int]]:
    import h5py

    claims: list[tuple[tuple[int, ...], int]] = []

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.shape:
            claims.append((item.shape, item.dtype.itemsize))

    with h5py.File(path, "r") as file:
        file.visititems(note)
    return claims
