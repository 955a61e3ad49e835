"""A lock in a store. Whoever has it says so every few seconds; if nobody does, the next one takes it."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from porescope.storage.addresses import Address
from porescope.storage.store import describe_content, list_objects, remove, write_text

#: Interval at which the holder renews a lock, and time without after which it counts as dead [s].
_RENEW, _DEAD = 5.0, 30.0


@contextmanager
def hold_lock(folder: Address) -> Iterator[None]:
    """Keep other runs out of a folder during a block.

    The locks are numbered, and each is created once, so that of several who find a dead one exactly one has
    the next. No clock but this machine's is asked: a lock is dead if it did not change for half a minute.

    Parameters
    ----------
    folder : Address

    Yields
    ------
    None

    Raises
    ------
    ValueError
        If another run has the lock and is alive.
    """
    last = _find_lock(folder)
    if last is not None:
        seen, end = describe_content(last), time.monotonic() + _DEAD
        while time.monotonic() < end and seen is not None:
            time.sleep(_DEAD / 30)
            if (now := describe_content(last)) != seen and now is not None:
                raise ValueError(f"another run is writing to {folder}; give another -o, or wait for it")
            seen = now
    number = 1 if last is None else int(last.name[-6:]) + 1
    mine = folder / f"_lock-{number:06d}"
    if not write_text(mine, _describe_holder(), once=True):
        raise ValueError(f"another run is writing to {folder}; give another -o, or wait for it")
    for old in _list_locks(folder):
        if old.name < mine.name:
            remove(old)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(mine, ended), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join(_RENEW)
        with suppress(OSError):
            remove(mine)


def _renew(lock: Address, ended: threading.Event) -> None:
    while not ended.wait(_RENEW):
        with suppress(OSError):  # the store is away; the next time will do
            write_text(lock, _describe_holder())


def _describe_holder() -> str:
    """A text that is new each time."""
    return f"{socket.gethostname()} {os.getpid()} {uuid.uuid4()}"


def _list_locks(folder: Address) -> list[Address]:
    return [a for a in list_objects(folder) if a.name.startswith("_lock-") and a.name[-6:].isdigit()]


def _find_lock(folder: Address) -> Address | None:
    return max(_list_locks(folder), default=None, key=lambda lock: lock.name)
