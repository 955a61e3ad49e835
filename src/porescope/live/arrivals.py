"""Files that arrive in a folder: noticed, waited for until they rest, handed out."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, NamedTuple, Self

from porescope.files import is_found, search_folder
from porescope.live.resting import Arrival, Resting, Signature

_log = logging.getLogger(__name__)

#: Interval at which files that were noticed are looked at [s].
_TICK = 0.05
#: Shortest interval between searches of the whole folder [s]: where the system tells of changes, and where it
#: does not.
_SEARCH, _POLL = 5.0, 0.2
#: Largest share of the time that goes into such searches: where the system tells of changes, and where not.
_SEARCH_SHARE, _POLL_SHARE = 0.02, 0.25
#: Time for which a .ser file rests, because its .emi file, which is read in its place, may follow [s].
_SER_REST = 3.0


class News(NamedTuple):
    """What became of the files of a folder since it was last asked."""

    arrived: list[Arrival]
    endless: list[Path]  # files that never rest
    gone: list[Path]  # files that vanished before they rested


class Arrivals:
    """Watches a folder, in a thread, for files that are complete.

    Parameters
    ----------
    folder : Path
        It need not exist yet.
    recursive : bool
        Whether to watch its subfolders too.
    poll : bool
        Whether to search the folder again and again, as network drives need it, instead of asking the system.
    quiet : float
        Time for which a file must not change [s].
    longest : float
        Time after which a file that never rests is told of [s].
    """

    def __init__(
        self, folder: Path, *, recursive: bool = False, poll: bool = False, quiet: float, longest: float
    ) -> None:
        self.folder, self.recursive, self.poll = folder, recursive, poll
        self._resting = Resting(quiet, longest)
        self._noticed: SimpleQueue[Path] = SimpleQueue()
        self._lock = threading.Lock()
        self._news = News([], [], [])
        self._observer: Any = None
        self._observed: tuple[int, int] | None = None  # device and number of the folder that is observed
        self._next_search = 0.0
        self._growing: list[Path] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="arrivals")
        self.searched = False  # whether it was looked for files once
        self.active = time.monotonic()  # when a file last changed or was waited for [s]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(5)  # a network drive may never answer

    def take(self) -> News:
        """Take what has happened since the last call.

        Returns
        -------
        News
        """
        with self._lock:
            news, self._news = self._news, News([], [], [])
        return news

    def put_back(self, path: Path, rest: float) -> None:
        """Wait for a file that could not be read.

        Parameters
        ----------
        path : Path
        rest : float
            Time for which to wait, unless it changes [s].
        """
        with self._lock:
            self._resting.put_back(path, time.monotonic(), rest)

    @property
    def growing(self) -> list[Path]:
        """Files that are waited for."""
        return self._growing

    def _run(self) -> None:
        while not self._ended.wait(_TICK):
            try:
                self._look()
            except Exception:  # a folder that vanished in between; it is searched again
                _log.debug("searching %s failed", self.folder, exc_info=True)
                self._observed = None
        self._unobserve()

    def _look(self) -> None:
        """Look at the files that were noticed and, when it is time, at the whole folder."""
        paths: dict[Path, None] = dict.fromkeys(self._growing)
        with suppress(Empty):
            while True:
                paths[self._noticed.get_nowait()] = None
        started = time.monotonic()
        if started >= self._next_search:
            self._observe()
            if self.folder.is_dir():
                paths.update(dict.fromkeys(search_folder(self.folder, self.recursive)))
        looks = [(path, _sign(path), _choose_rest(path)) for path in paths if not _has_emi(path)]
        now = time.monotonic()
        if started >= self._next_search:
            shortest, share = (_POLL, _POLL_SHARE) if self._observer is None else (_SEARCH, _SEARCH_SHARE)
            self._next_search = now + max(shortest, (now - started) / share)
        with self._lock:
            gone = [path for path, sign, rest in looks if self._resting.see(path, sign, now, rest)]
            self._news.gone.extend(gone)
            self._news.endless.extend(self._resting.take_endless(now))
            self._news.arrived.extend(self._resting.take(now))
            self._growing = self._resting.growing
            if self._growing or self._news.arrived or not self.searched:
                self.active = now
            self.searched = True

    def _observe(self) -> None:
        """Ask the system to tell of changes, again if the folder is another one than before."""
        if self.poll:
            return
        try:
            status = self.folder.stat()
        except OSError:
            self._unobserve()
            return
        if self._observed == (status.st_dev, status.st_ino):
            return
        self._unobserve()
        from watchdog.events import FileSystemEventHandler
        from watchdog.observers import Observer

        handler = FileSystemEventHandler()
        handler.on_any_event = self._notice  # type: ignore[method-assign]
        observer = Observer()
        try:
            observer.schedule(handler, str(self.folder), recursive=self.recursive)
            observer.start()
        except OSError as error:  # no more watches to be had
            _log.warning("%s is searched again and again, as with --poll (%s)", self.folder, error)
            self.poll = True
            return
        self._observer, self._observed = observer, (status.st_dev, status.st_ino)

    def _unobserve(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer = None
        self._observed = None

    def _notice(self, event: Any) -> None:
        """Take up what the system tells, in watchdog's thread."""
        if event.event_type in ("opened", "closed_no_write"):
            return
        for name in {event.src_path, event.dest_path or event.src_path}:
            path = Path(os.fsdecode(name))
            if event.is_directory:
                if event.event_type in (
                    "created",
                    "moved",
                ):  # files in it may have come before it was watched
                    self._next_search = 0.0
                continue
            with suppress(OSError, ValueError):
                if is_found(path, self.folder, self.recursive) or path in self._growing:
                    self._noticed.put(path)


def _sign(path: Path) -> Signature | None:
    """Size and time of the last change; None if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _choose_rest(path: Path) -> float:
    return _SER_REST if path.suffix.lower() == ".ser" else 0.0


def _has_emi(path: Path) -> bool:
    """Whether a .ser file is read with its .emi file."""
    if path.suffix.lower() != ".ser":
        return False
    return path.with_name(re.sub(r"_\d+$", "", path.stem) + ".emi").exists()
