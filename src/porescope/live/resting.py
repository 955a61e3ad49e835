"""Which files rest: what has not changed for a while is taken to be complete."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

#: Size [bytes] and time of the last change [ns] of a file.
Signature = tuple[int, int]


class Arrival(NamedTuple):
    """A file that is to be read."""

    path: Path
    changed: float  # time at which its last change was noticed [s], as `time.monotonic` counts
    signature: Signature


@dataclass
class _Growing:
    """A file that was seen and not yet handed out."""

    signature: Signature
    seen: float  # first time [s]
    changed: float  # last change [s]
    rest: float  # time for which it must rest [s]
    told: bool = False  # whether it was said that it never rests


class Resting:
    """What is known of the files of a folder: their sizes, and since when they rest.

    A file is handed out once it has rested, and again whenever it has changed since and rested again.

    Parameters
    ----------
    quiet : float
        Time for which a file must not change [s].
    longest : float
        Time after which a file that never rests is told of [s].
    """

    def __init__(self, quiet: float, longest: float) -> None:
        self.quiet, self.longest = quiet, longest
        self._growing: dict[Path, _Growing] = {}
        self._handed: dict[Path, Signature] = {}

    def see(self, path: Path, signature: Signature | None, now: float, rest: float = 0.0) -> bool:
        """Note how a file looks now.

        Parameters
        ----------
        path : Path
        signature : tuple of int, optional
            None: it is gone.
        now : float
            [s]
        rest : float
            Time for which it must rest at least [s].

        Returns
        -------
        bool
            Whether a file is gone that was waited for.
        """
        known = self._growing.get(path)
        if signature is None:
            self._growing.pop(path, None)
            return known is not None
        if known is None:
            if self._handed.get(path) != signature:
                self._growing[path] = _Growing(signature, now, now, max(self.quiet, rest))
        elif known.signature != signature:
            known.signature, known.changed, known.rest = signature, now, max(self.quiet, rest)
        return False

    def take(self, now: float) -> Iterator[Arrival]:
        """Hand out the files that rest, in the order in which they came to.

        Parameters
        ----------
        now : float
            [s]

        Yields
        ------
        Arrival
        """
        ready = [(g.changed, path) for path, g in self._growing.items() if now - g.changed >= g.rest]
        for changed, path in sorted(ready):
            signature = self._handed[path] = self._growing.pop(path).signature
            yield Arrival(path, changed, signature)

    def take_endless(self, now: float) -> Iterator[Path]:
        """Name the files that have been growing for too long, each once.

        Parameters
        ----------
        now : float
            [s]

        Yields
        ------
        Path
        """
        for path, growing in self._growing.items():
            if now - growing.seen > self.longest and not growing.told:
                growing.told = True
                yield path

    def put_back(self, path: Path, now: float, rest: float) -> None:
        """Wait for a file that could not be read: for a while, or until it changes and rests.

        Parameters
        ----------
        path : Path
        now : float
            [s]
        rest : float
            Time for which to wait [s].
        """
        signature = self._handed.pop(path, None)
        if path not in self._growing and signature is not None:
            self._growing[path] = _Growing(signature, now, now, rest)

    @property
    def growing(self) -> list[Path]:
        """Files that are waited for."""
        return list(self._growing)
