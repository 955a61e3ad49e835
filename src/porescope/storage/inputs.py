"""Inputs in a store: what an address names, and a copy of it on this machine."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from porescope.storage.addresses import Address, read_address
from porescope.storage.store import fetch, find_objects, has_object, list_objects, put


def find_inputs(
    given: str, is_wanted: Callable[[Path, set[str]], bool], sign: str, recursive: bool = False
) -> list[Path]:
    """List the files that an address names: a file, a folder or a pattern.

    Parameters
    ----------
    given : str
    is_wanted : callable
        Whether a file of a folder with files of these stems is wanted.
    sign : str
        Name of a file whose subfolder is passed over.
    recursive : bool
        Whether to look in subfolders too, but for hidden ones.

    Returns
    -------
    list of Path
        Addresses.

    Raises
    ------
    ValueError
        If there are none.
    """
    address = read_address(given)
    if any(sign in given for sign in "*?["):
        if found := find_objects(address):
            return [*found]
        raise ValueError(f"{given} names no file; check the address")
    if address.suffix and has_object(address):
        return [address]
    listed = list_objects(address, recursive)
    if not listed:
        if has_object(address):
            return [address]
        if not list_objects(address, recursive=True):
            raise ValueError(f"{given} names neither a file nor a folder with files; check the address")
    wanted = _choose(listed, address, is_wanted, sign)
    if not wanted:
        below = not recursive and _choose(list_objects(address, recursive=True), address, is_wanted, sign)
        remedy = "its subfolders do: say --recursive" if below else "name a folder or files that do"
        raise ValueError(f"{given} holds no image files; {remedy}")
    return wanted


def _choose(
    listed: list[Address], folder: Address, is_wanted: Callable[[Path, set[str]], bool], sign: str
) -> list[Path]:
    """Those of a folder's files that are wanted, but for hidden subfolders, Zarr stores and runs."""
    runs = {path.parent for path in listed if path.name == sign} - {folder}
    stems: dict[Path, set[str]] = {}
    for path in listed:
        stems.setdefault(path.parent, set()).add(path.stem)

    def is_below(path: Path) -> bool:
        between = [parent for parent in path.parents if len(parent.parts) > len(folder.parts)]
        return any(p.name.startswith((".", "_")) or p in runs or p.suffix == ".zspy" for p in between)

    return [path for path in listed if is_wanted(path, stems[path.parent]) and not is_below(path)]


def fetch_input(address: Address, folder: Path) -> Path:
    """Copy a file to a folder of this machine, with the ``.ser`` files of an ``.emi`` file.

    Parameters
    ----------
    address : Address
    folder : Path

    Returns
    -------
    Path
        In a folder of its own, with its own name. A copy that is there stays.

    Raises
    ------
    OSError
        If it is not there, is not allowed to be read, or the store does not answer.
    """
    own = folder / hashlib.sha256(str(address).encode()).hexdigest()[:16]
    own.mkdir(exist_ok=True)
    path = own / address.name
    if path.exists():
        return path
    if address.suffix.lower() == ".emi":
        for other in list_objects(address.parent):
            if other.suffix.lower() == ".ser" and re.sub(r"_\d+$", "", other.stem) == address.stem:
                fetch(other, own / other.name)
    part = own / f"_{os.getpid()}.part"
    fetch(address, part)
    os.replace(part, path)
    return path


def put_folder(folder: Path, address: Address) -> None:
    """Move the files of a folder to a store.

    Parameters
    ----------
    folder : Path
    address : Address

    Raises
    ------
    OSError
        If the store does not take them.
    """
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        put(path, address / path.relative_to(folder).as_posix())
        path.unlink()
