"""Files: written whole or not at all, and hashed; what is said of them, as text that disturbs no terminal."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Characters that move the cursor, turn the text after them around or cannot be seen: controls, separators
#: of lines, bidirectional marks, other format characters. The joiners of emoji and Persian are none.
HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)


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


def describe_counts(pores: int, images: int | None = None) -> str:
    """Describe the result of a run, or of one image, in words.

    Parameters
    ----------
    pores : int
    images : int, optional

    Returns
    -------
    str

    Examples
    --------
    >>> describe_counts(1, 5)
    '1 pore in 5 images'
    """
    where = "" if images is None else f" in {images} image{'s' * (images != 1)}"
    return f"{pores} pore{'s' * (pores != 1)}{where}"


def printable(path: str | Path) -> str:
    r"""Turn a path, or text that holds paths, into text that is valid UTF-8, even if the path is not.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str
        Invalid bytes are written as ``\xff``.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def escape_hidden(text: str) -> str:
    r"""Write characters that cannot be seen, or that change how others are shown, as escapes.

    Parameters
    ----------
    text : str
        As it came from a user, a file or a file's name.

    Returns
    -------
    str
        One line, whose every character is shown where it stands.

    Examples
    --------
    >>> print(escape_hidden("a\u202egnp.tif\x1b[2J"))
    a\u202egnp.tif\x1b[2J
    """
    if text.isascii() and text.isprintable():
        return text
    return re.sub(f"[{HIDDEN}]", lambda match: ascii(match[0])[1:-1], text)


def sort_naturally(text: str) -> list[Any]:
    """Key to sort names by, in which numbers count by their value.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str or int

    Examples
    --------
    >>> sorted(["frame10.tif", "frame9.tif"], key=sort_naturally)
    ['frame9.tif', 'frame10.tif']
    """
    # Text and numbers alternate, so that neither is compared with the other.
    return [int(part) if part.isdecimal() else part.casefold() for part in re.split(r"(\d+)", text)]
