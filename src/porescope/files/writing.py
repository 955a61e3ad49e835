"""Atomic writing of files, and their hashes."""

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
        The file; an earlier one is replaced.

    Yields
    ------
    Path
        A temporary file in the same folder, to write to. It is renamed to ``path`` if the block succeeds,
        and removed if it raises.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_whole(Path(folder) / "a.txt") as part:
    ...         _ = part.write_text("whole")
    ...     [p.name for p in Path(folder).iterdir()]
    ['a.txt']
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def hash_file(path: Path) -> str:
    """Hash a file's content.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        SHA-256, as 64 hexadecimal digits.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
