"""Files: written whole or not at all, and hashed; what the operating system says of them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from porescope.files.names import printable


@contextmanager
def write_whole(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : Path

    Yields
    ------
    Path
        A temporary file in the same folder. It is renamed to ``path`` if the block succeeds, else removed.
    """
    part = path.with_name(f"_{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def write_folder(out: Path, last: str) -> Iterator[Path]:
    """Write the files of a folder whole or not at all.

    Parameters
    ----------
    out : Path
        Made if it does not exist. Files and folders of the same names are replaced, others stay.
    last : str
        Name of the file that says that the folder is whole; it is removed first and comes last.

    Yields
    ------
    Path
        A temporary folder beside. Its files are moved to ``out`` if the block succeeds, else removed.
    """
    part = out.with_name(f"_{out.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    try:
        yield part
        if not out.exists():
            os.replace(part, out)
            return
        (out / last).unlink(missing_ok=True)
        for path in sorted(part.iterdir(), key=lambda path: path.name == last):
            if path.is_dir():
                shutil.rmtree(out / path.name, ignore_errors=True)
            os.replace(path, out / path.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remove_unfinished(folder: Path) -> None:
    """Remove temporary files that a killed process left in a folder and the folders below it.

    Parameters
    ----------
    folder : Path
    """
    for path in (*folder.glob("_*.part"), *folder.glob("*/_*.part")):
        path.unlink(missing_ok=True)


def hash_file(path: Path) -> str:
    """Hash a file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        SHA-256, hexadecimal.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def explain_error(error: Exception) -> str:
    """Explain an error in a sentence.

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str
        Its own words, but those of the operating system with the file and a remedy.

    Examples
    --------
    >>> explain_error(PermissionError(13, "Permission denied", "out"))
    'out cannot be read or written (Permission denied); check the path and its permissions'
    """
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    path, why = printable(str(error.filename)), error.strerror
    return f"{path} cannot be read or written ({why}); check the path and its permissions"


def explain_missing(what: str, package: str, extra: str) -> str:
    """Say that a package is missing, and how it comes with porescope, which is on no package index.

    Parameters
    ----------
    what : str
        What needs it: a command, an option.
    package : str
        The package, or what it is known as.
    extra : str
        The extra of porescope that it belongs to.

    Returns
    -------
    str

    Examples
    --------
    >>> explain_missing("--structure", "ASE", "atoms")
    "--structure needs ASE: install porescope with its extra atoms, in its folder: pip install '.[atoms]'"
    """
    install = f"pip install '.[{extra}]'"
    return f"{what} needs {package}: install porescope with its extra {extra}, in its folder: {install}"
