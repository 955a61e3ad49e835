"""Addresses of files in a store: ``s3://bucket/night/a.dm3``."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

#: Start of an address: a protocol of at least two letters, since one is a drive of Windows.
_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")

if TYPE_CHECKING:  # it goes where paths go, but has no file that could be opened
    _Base = Path
else:
    _Base = PurePosixPath


class Address(_Base):
    """A file or a folder in a store, with the names, parents and suffixes of a path."""

    def __str__(self) -> str:
        return super().__str__().replace(":/", "://", 1)

    def resolve(self, strict: bool = False) -> Address:
        """Return the address: it has no links.

        Parameters
        ----------
        strict : bool
            As for paths.

        Returns
        -------
        Address
        """
        return self

    def absolute(self) -> Address:
        """Return the address: it depends on no folder.

        Returns
        -------
        Address
        """
        return self


def is_address(text: str | Path) -> bool:
    """Say whether a text is an address in a store, not a path.

    Parameters
    ----------
    text : str or Path

    Returns
    -------
    bool

    Examples
    --------
    >>> is_address("s3://bucket/a.dm3"), is_address("C:/a.dm3"), is_address("a.dm3")
    (True, False, False)
    """
    return isinstance(text, Address) or _PROTOCOL.match(str(text)) is not None


def read_address(text: str) -> Address:
    """Read an address.

    Parameters
    ----------
    text : str

    Returns
    -------
    Address

    Raises
    ------
    ValueError
        If it holds credentials, or names that a path cannot hold.

    Examples
    --------
    >>> address = read_address("s3://bucket/night/a.dm3")
    >>> print(address, address.stem, address.parent)
    s3://bucket/night/a.dm3 a s3://bucket/night
    """
    protocol = _PROTOCOL.match(text)
    if protocol is None:
        raise ValueError(f"{text} is no address such as s3://bucket/folder")
    host = text[protocol.end() :].split("/", 1)[0]
    if "@" in host:  # not said again: it stands in terminals and logs
        raise ValueError(
            f"an address of {protocol[1]} holds a user or a password; leave it out and set the credentials "
            "in the environment"
        )
    address = Address(text)
    if not host or str(address) != text.rstrip("/"):
        raise ValueError(
            f"{text} is no plain address; say PROTOCOL://BUCKET/FOLDER, without // or /./ inside"
        )
    return address


def locate(path: str | Path) -> str:
    """Find the absolute place of a file: its path, or its address.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str

    Examples
    --------
    >>> locate("/data/a/../b.tif"), locate("s3://bucket/b.tif")
    ('/data/b.tif', 's3://bucket/b.tif')
    """
    return str(path) if is_address(path) else os.path.abspath(path)
