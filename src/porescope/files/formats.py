"""Read microscope files, each format by its library; refuse what cannot be read."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.files.claims import Claim, measure_claim, refuse_claim
from porescope.files.signals import ReadError, Signal, describe_signal, explain_damage
from porescope.files.tiff import load_tiff

#: Suffixes of files whose frames rosettasciio reads one at a time.
_LAZY = (".dm3", ".dm4", ".mrc", ".hspy", ".emd", ".h5", ".hdf5")


def check_claim(path: Path) -> Claim:
    """Check that a file is there, is not empty and fits into the memory.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Claim
        Memory that it claims.

    Raises
    ------
    ReadError
        If it does not.
    """
    if path.suffix.lower() == ".zspy":  # its reader needs zarr < 3, which decodes by whatever the file names
        raise ReadError(f"{path.name} is a Zarr store, whose reader may run code from it; save it as .hspy")
    if not path.is_file():
        raise ReadError(f"{path} is not a file; check the path")
    if path.stat().st_size == 0:
        raise ReadError(f"{path.name} is empty (0 bytes); copy it again")
    claim = measure_claim(path)
    too_large = refuse_claim(path, claim)
    if too_large:
        raise ReadError(too_large)
    return claim


def load_signals(path: Path) -> list[Signal]:
    """Load every dataset of a file; the frames of a large one are read when they are asked for.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Signal

    Raises
    ------
    ReadError
        If the file cannot be read, whatever the reader raised.
    """
    claim = check_claim(path)
    suffix = path.suffix.lower()
    load = {
        ".npy": _load_numpy,
        **dict.fromkeys((".png", ".jpg", ".jpeg", ".bmp"), _load_picture),
        **dict.fromkeys((".tif", ".tiff"), load_tiff),
    }.get(suffix, _load_rosettasciio)
    try:
        return load(path, claim.is_large)
    except ReadError:
        raise
    except ImportError as error:
        raise ReadError(f"{path.name} needs a library that is not installed ({error})") from None
    except MemoryError:
        raise ReadError(f"{path.name} claims more pixels than fit in memory; is it whole?") from None
    except Exception as error:
        raise explain_damage(path, error) from None


def _load_numpy(path: Path, lazy: bool) -> list[Signal]:
    data = np.load(path, mmap_mode="r" if lazy else None, allow_pickle=False)
    if data.ndim == 3 and data.shape[2] in (3, 4) and data.dtype == np.uint8:
        data = _structured(data)
    n = data.ndim
    return [Signal(data, [None] * n, [1.0] * n, [n == 3 and i == 0 for i in range(n)])]


def _load_picture(path: Path, lazy: bool) -> list[Signal]:
    from PIL import Image

    with Image.open(path) as picture:
        if picture.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"):
            picture = picture.convert("RGB")  # type: ignore[assignment]
        data = np.asarray(picture)
    if data.ndim == 3:
        data = _structured(data) if data.shape[2] >= 3 else data[..., 0]
    return [Signal(data, [None, None], [1.0, 1.0], [False, False])]


def _structured(data: NDArray[Any]) -> NDArray[Any]:
    """View (M, N, 3 or 4) colours as (M, N) pixels with fields R, G, B(, A)."""
    names = list("RGBA"[: data.shape[2]])
    dtype = np.dtype({"names": names, "formats": [data.dtype] * len(names)})
    return np.ascontiguousarray(data).view(dtype)[..., 0]


def _load_rosettasciio(path: Path, lazy: bool) -> list[Signal]:
    reader = _find_reader(path)
    entries = None
    if lazy and path.suffix.lower() in _LAZY:
        with suppress(Exception):  # not every kind of data can be read so
            entries = reader(str(path), lazy=True)
    signals = [describe_signal(entry) for entry in entries or reader(str(path))]
    if path.suffix.lower() in (".dm3", ".dm4"):
        _check_digital_micrograph_whole(path)
    return signals


def _find_reader(path: Path) -> Any:
    from importlib import import_module

    suffix = path.suffix.lower()[1:]
    if suffix in ("dm3", "dm4"):  # saves the 50 ms that importing the registry takes
        return import_module("rsciio.digitalmicrograph").file_reader
    from rsciio import IO_PLUGINS

    # PantaRhei files are pickles, which run whatever code they hold.
    apis = [
        plugin["api"]
        for plugin in IO_PLUGINS
        if suffix in (e.lower() for e in plugin["file_extensions"]) and plugin["name"] != "PantaRhei"
    ]
    if not apis:
        raise ReadError(f"{path.name}: no reader for '.{suffix}' files; save it as TIFF or DM3")

    def read_first(filename: str, **options: Any) -> Any:
        error: Exception | None = None
        for api in apis:
            try:
                return import_module(api).file_reader(filename, **options)
            except Exception as e:
                # Later plugins may complain about another format: keep the first error.
                error = e if error is None or isinstance(error, ImportError) else error
        assert error is not None
        raise error

    return read_first


def _check_digital_micrograph_whole(path: Path) -> None:
    """Compare the length in the header of a DM3 or DM4 file with the file's own."""
    with path.open("rb") as file:
        version = int.from_bytes(file.read(4), "big")
        length = int.from_bytes(file.read(4 if version == 3 else 8), "big")
    needed, size = length + (16 if version == 3 else 24), path.stat().st_size
    if size < needed:
        raise ReadError(f"{path.name} is cut off: {size} of {needed} bytes; copy it again")
