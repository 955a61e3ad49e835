"""What is done to the files of a store: listed, fetched, put, removed. It is tried again while it is away."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from porescope.storage.addresses import Address

_T = TypeVar("_T")

#: Pauses after which a store that does not answer is asked again [s].
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
#: Errors that asking again does not mend.
_FINAL = (FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError)
#: What stores say to a condition that does not hold.
_CONDITION = ("pre-condition", "precondition", "conditional request")


@lru_cache(maxsize=8)
def _open_store(protocol: str) -> Any:
    try:
        import fsspec

        return fsspec.filesystem(protocol, use_listings_cache=False)
    except ImportError as error:
        raise ValueError(
            f"{protocol}:// needs another library ({error}); for s3:// install porescope with its extra "
            "cluster, in its folder: pip install '.[cluster]'"
        ) from None
    except ValueError as error:
        raise ValueError(f"{protocol}:// is no protocol of a store ({error}); say s3://…") from None


def _ask(address: Address, question: Callable[[Any], _T]) -> _T:
    """Ask a store, again if it does not answer; what it says of an address names no credentials."""
    store = _open_store(str(address).split("://")[0])
    for pause in (*_PAUSES, None):
        try:
            return question(store)
        except _FINAL as error:
            raise type(error)(error.errno, error.strerror or "refused by the store", str(address)) from None
        except Exception as error:
            if "credentials" in str(error).lower():
                raise PermissionError(
                    errno.EACCES, "no credentials; set those of the store in the environment", str(address)
                ) from None
            if any(words in str(error).lower() for words in _CONDITION):
                raise FileExistsError(errno.EEXIST, "it is there", str(address)) from None
            if pause is None:
                why = f"the store does not answer: {type(error).__name__}"
                raise OSError(errno.EIO, why, str(address)) from None
        time.sleep(pause)
    raise AssertionError


def _name(info: Any, address: Address) -> str:
    """The address of an object as the store lists it, without its protocol."""
    name = str(info["name"]).lstrip("/")
    return f"{str(address).split('://')[0]}://{name}"


def list_objects(address: Address, recursive: bool = False) -> list[Address]:
    """List the files of a folder.

    Parameters
    ----------
    address : Address
    recursive : bool
        Whether to list those of its subfolders too.

    Returns
    -------
    list of Address
        Sorted; empty if there is no such folder. A name that a path cannot hold is left out.
    """

    def list_now(store: Any) -> list[Any]:
        try:
            found = store.find(str(address), maxdepth=None if recursive else 1, detail=True)
        except FileNotFoundError:
            return []
        return [info for info in found.values() if info["type"] == "file"]

    names = [_name(info, address) for info in _ask(address, list_now)]
    listed = [Address(name) for name in sorted(names) if str(Address(name)) == name]
    listed = [found for found in listed if ".." not in found.parts]
    return [found for found in listed if found != address]


def find_objects(pattern: Address) -> list[Address]:
    """List the files that a pattern names.

    Parameters
    ----------
    pattern : Address
        With ``*``, ``?`` or ``**``.

    Returns
    -------
    list of Address
    """
    infos = _ask(pattern, lambda store: store.glob(str(pattern), detail=True)).values()
    return [Address(name) for name in sorted(_name(i, pattern) for i in infos if i["type"] == "file")]


def has_object(address: Address) -> bool:
    """Say whether a file is there.

    Parameters
    ----------
    address : Address

    Returns
    -------
    bool
    """
    return describe_content(address) is not None


def describe_content(address: Address) -> str | None:
    """Describe the content of a file, as the store does: its size and tag.

    Parameters
    ----------
    address : Address

    Returns
    -------
    str or None
        None if there is no such file.
    """
    try:
        info = _ask(address, lambda store: store.info(str(address)))
    except FileNotFoundError:
        return None
    if info["type"] != "file":
        return None
    return f"{info['size']} {info.get('ETag') or info.get('LastModified') or info.get('created')}"


def fetch(address: Address, path: Path) -> None:
    """Copy a file of a store to this machine.

    Parameters
    ----------
    address : Address
    path : Path

    Raises
    ------
    OSError
        If it is not there, is not allowed to be read, or the store does not answer.
    """
    _ask(address, lambda store: store.get_file(str(address), str(path)))


def put(path: Path, address: Address, once: bool = False) -> bool:
    """Copy a file of this machine to a store, whole or not at all.

    Parameters
    ----------
    path : Path
    address : Address
    once : bool
        Whether a file that is there stays (``If-None-Match``).

    Returns
    -------
    bool
        Whether it was written.

    Raises
    ------
    OSError
        If the store does not take it.
    """
    mode = {"mode": "create"} if once else {}
    try:
        _ask(address, lambda store: store.put_file(str(path), str(address), **mode))
    except FileExistsError:
        return False
    return True


def remove(address: Address) -> None:
    """Remove a file from a store, if it is there.

    Parameters
    ----------
    address : Address
    """

    def remove_now(store: Any) -> None:
        try:
            store.rm_file(str(address))
        except FileNotFoundError:
            return

    _ask(address, remove_now)


def write_text(address: Address, text: str, once: bool = False) -> bool:
    """Write a short text to a store.

    Parameters
    ----------
    address, once
        As for `put`.
    text : str

    Returns
    -------
    bool
        Whether it was written.
    """
    mode = {"mode": "create"} if once else {}
    try:
        _ask(address, lambda store: store.pipe_file(str(address), text.encode(), **mode))
    except FileExistsError:
        return False
    return True
