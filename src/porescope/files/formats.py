"""Read microscope files, each format by its library; refuse what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from glob import escape
from pathlib import Path
from typing import Any

from porescope.files.arrays import FILMS, load_film, load_numpy, load_picture
from porescope.files.claims import Claim, measure_claim, refuse_claim
from porescope.files.entries import describe_signal
from porescope.files.mrc import load_mrc
from porescope.files.signals import ReadError, Signal, explain_damage
from porescope.files.tiff import load_tiff

#: Suffixes of files whose frames rosettasciio reads one at a time.
_LAZY = (".dm3", ".dm4", ".hspy", ".emd", ".h5", ".hdf5")
#: Loaders by suffix; rosettasciio loads all other files.
_LOADERS: dict[str, Callable[[Path, bool], list[Signal]]] = {
    ".npy": load_numpy,
    ".mrc": load_mrc,
    **dict.fromkeys((".png", ".apng", ".jpg", ".jpeg", ".bmp", ".gif"), load_picture),
    **dict.fromkeys(FILMS, load_film),
}
#: Bytes by which the lengths in DM3 and DM4 headers differ between programs: zeros at the end.
_END = 8


def _check_file(path: Path) -> None:
    """Check that a file is there, may be read and is not empty.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ReadError
        If it is not.
    """
    if path.suffix.lower() == ".zspy":  # its reader needs zarr < 3, which decodes by whatever the file names
        raise ReadError(f"{path.name} is a Zarr store, whose reader may run code from it; save it as .hspy")
    if not path.is_file():
        raise ReadError(f"{path} is not a file; check the path")
    if path.stat().st_size == 0:
        raise ReadError(f"{path.name} is empty (0 bytes); copy it again")


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
    _check_file(path)
    claim = measure_claim(path)
    refuse_claim(path, claim)
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
    suffix = path.suffix.lower()
    try:
        if suffix in (".tif", ".tiff"):  # it is opened once, and its claim checked then
            _check_file(path)
            return load_tiff(path)
        lazy = check_claim(path).is_large
        return _LOADERS.get(suffix, _load_rosettasciio)(path, lazy)
    except ReadError:
        raise
    except ImportError as error:
        package = "sparse" if "sparse" in str(error) else error.name
        needs = f"{path.name} needs the package {package}, which is not installed"
        raise ReadError(f"{needs}; pip install {package}") from None
    except MemoryError:
        raise ReadError(f"{path.name} claims more pixels than fit in memory; is it whole?") from None
    except Exception as error:
        raise explain_damage(path, error) from None


def _load_rosettasciio(path: Path, lazy: bool) -> list[Signal]:
    reader, suffix = _find_reader(path), path.suffix.lower()
    # Spectra of Velox files take minutes and gigabytes, and are not wanted.
    options = {"select_type": "images"} if suffix == ".emd" else {}
    entries = None
    if lazy and suffix in _LAZY:
        with suppress(Exception):  # not every kind of data can be read so
            entries = reader(str(path), lazy=True, **options)
    signals = [describe_signal(entry) for entry in entries or reader(str(path), **options)]
    if suffix in (".dm3", ".dm4"):
        _check_digital_micrograph_whole(path)
    return signals


def _find_reader(path: Path) -> Any:
    from importlib import import_module

    suffix = path.suffix.lower()[1:]
    if suffix in ("dm3", "dm4"):  # saves the 50 ms that importing the registry takes
        return import_module("rsciio.digitalmicrograph").file_reader
    if suffix == "emi" and not list(path.parent.glob(f"{escape(path.stem)}_*.[sS][eE][rR]")):
        raise ReadError(f"{path.name} needs its .ser files ({path.stem}_1.ser, …) beside it; copy them too")
    if suffix in ("h5", "hdf5") and (api := _look_inside(path)):
        return import_module(api).file_reader
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
        if len(apis) > 1 and _is_hdf5(path):
            raise ReadError(f"{path.name} is an HDF5 file of a layout that no reader knows; save it as TIFF")
        raise error

    return read_first


def _is_hdf5(path: Path) -> bool:
    import h5py

    return bool(h5py.is_hdf5(path))


def _look_inside(path: Path) -> str | None:
    """Name of the reader of an HDF5 file whose suffix says nothing; None if its content neither."""
    import h5py

    with suppress(Exception), h5py.File(path, "r") as file:
        if "Experiments" in file and "file_format" in file.attrs:
            return "rsciio.hspy"
        groups = [file, *(item for item in file.values() if isinstance(item, h5py.Group))]
        if "Version" in file or any("version_major" in group.attrs for group in groups):
            return "rsciio.emd"
    return None


def _check_digital_micrograph_whole(path: Path) -> None:
    """Compare the length in the header of a DM3 or DM4 file with the file's own."""
    with path.open("rb") as file:
        version = int.from_bytes(file.read(4), "big")
        length = int.from_bytes(file.read(4 if version == 3 else 8), "big")
    needed, size = length + (16 if version == 3 else 24), path.stat().st_size
    if size < needed - _END:
        raise ReadError(f"{path.name} is cut off: {size} of {needed} bytes; copy it again")
