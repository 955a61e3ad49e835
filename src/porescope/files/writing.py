"""Files: written whole or not at all, and hashed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
