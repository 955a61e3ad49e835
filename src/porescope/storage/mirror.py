"""A folder in a store that is worked on in a folder of this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from porescope.storage.addresses import Address
from porescope.storage.store import fetch, list_objects, put, remove


class Mirror:
    """Small files of a folder in a store, copied to this machine and back.

    Parameters
    ----------
    home : Path
        Folder of this machine.
    address : Address
        The folder in the store.
    is_wanted : callable
        Whether the file of a name, with its subfolders, is copied to this machine.
    last : str
        Name of the file that is copied back last, and says that the others are there.
    """

    def __init__(self, home: Path, address: Address, is_wanted: Callable[[str], bool], last: str) -> None:
        self.home, self.address, self.is_wanted, self.last = home, address, is_wanted, last
        self._known: dict[str, tuple[int, int]] = {}  # files that are the same here and there

    def pull(self) -> None:
        """Copy the wanted files that are not here yet."""
        for address in list_objects(self.address, recursive=True):
            name = self._name(address)
            path = self.home / name
            if not self.is_wanted(name) or name in self._known or path.exists():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            fetch(address, path)
            self._known[name] = _stamp(path)

    def push(self) -> None:
        """Copy back what is new or has changed, and remove the wanted files that are not here (any more).

        To be called after `pull` only.
        """
        paths = [p for p in self.home.rglob("*") if p.is_file() and not p.name.startswith("_")]
        paths.sort(key=lambda path: path.name == self.last)
        here = {path.relative_to(self.home).as_posix(): path for path in paths}
        for name, path in here.items():
            if self._known.get(name) != (stamp := _stamp(path)):
                put(path, self.address / name)
                self._known[name] = stamp
        for address in list_objects(self.address, recursive=True):
            name = self._name(address)
            if self.is_wanted(name) and name not in here:
                remove(address)

    def _name(self, address: Address) -> str:
        return str(address)[len(str(self.address)) + 1 :]


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
