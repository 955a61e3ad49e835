"""The loop of a watch: files that arrive are processed, written, shown and looked at for alarms."""

from __future__ import annotations

import errno
import logging
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from porescope.files import Names, printable
from porescope.live.arrivals import Arrivals
from porescope.live.board import Board
from porescope.live.commands import Caller
from porescope.live.resting import Arrival
from porescope.micrograph import Micrograph
from porescope.processes import Outcome, count_cores, run_tasks
from porescope.runs import (
    DISK_FULL,
    TIMEOUT,
    Done,
    ImageRecord,
    Job,
    PartWriter,
    Task,
    census,
    give_up,
    make_tables,
    note_image,
    process_file,
)

_log = logging.getLogger(__name__)

#: Interval between two writings of tables and page [s]: where there are results, where only the files that
#: are waited for are others, or there is a queue, where nothing is new.
_FLUSH, _REFRESH, _HEARTBEAT = 0.2, 0.5, 5.0
#: Number of tasks a worker that are handed out: one runs, one waits beside it, one is there when that starts.
_AHEAD = 3
#: Time after which a part of the tables is closed; until then it is written again as it grows [s].
_PART_SECONDS = 20.0
#: Time for which a file is tried again that cannot be read, since its last change, and the first pause [s].
_PATIENCE, _PAUSE = 10.0, 0.5
#: Interval at which a full disk is tried again [s].
_RETRY = 1.0
#: Errors of a disk that takes no more for the time being. On Windows a file that is being read cannot be
#: replaced.
_WAITED_FOR = (*DISK_FULL, *((errno.EACCES,) if os.name == "nt" else ()))


@dataclass
class _Reading:
    """A file that is being processed."""

    arrival: Arrival
    left: int = 1  # its tasks that have not ended
    failure: ImageRecord | None = None  # why it could not be read at all
    renamed: bool = False  # whether it is another file, renamed


@dataclass
class _Held:
    """A file that could not be read, and is tried again."""

    failure: ImageRecord
    arrival: Arrival
    since: float  # first failure since its last change [s]
    pause: float = _PAUSE  # until the next try [s]


class Watch:
    """Processes the files that arrive, as ``porescope detect`` does.

    Parameters
    ----------
    arrivals : Arrivals
    job : Job
        In a folder that is locked and ready.
    board : Board
        Shows what comes of it, and has the alarms.
    workers : int, optional
        Number of worker processes; default: one a core.
    timeout : float
        Longest time that an image may take [s].
    memory : float
        Largest memory of a worker [bytes].
    done : Done, optional
        Images that an earlier start of the run has done.
    known : mapping, optional
        Names that an earlier start gave to files, as `list_names` returns them.
    caller : Caller, optional
        Is called for each image that raises an alarm.
    """

    def __init__(
        self,
        arrivals: Arrivals,
        job: Job,
        board: Board,
        *,
        workers: int | None = None,
        timeout: float = TIMEOUT,
        memory: float,
        done: Done | None = None,
        known: Mapping[str, str] | None = None,
        caller: Caller | None = None,
    ) -> None:
        self.arrivals, self.job, self.board, self.caller = arrivals, job, board, caller
        self.workers = workers or count_cores()
        self.limits = {"timeout": timeout, "memory": memory}
        self.paths: dict[Path, None] = {}  # that were processed, in their order
        self._done, self._names = dict(done or {}), Names(known or {})
        self._contents = _list_contents(self._done, known or {})
        self._writer = PartWriter(job.out, _PART_SECONDS)
        make_tables([])[0].to_parquet(BytesIO())  # what the first part needs is loaded before the first file
        # The workers get warm with a task each.
        self._tasks: list[tuple[Any, ...]] = [(job,)] * self.workers
        self._cold = self.workers  # workers that are not warm yet
        self._open = self.workers  # tasks that run or wait in the pool
        self._queue: deque[Arrival] = deque()
        self._stuck: deque[Task] = deque()  # which the full disk took nothing of
        self._reading: dict[Path, _Reading] = {}
        self._held: dict[Path, _Held] = {}
        self._full: OSError | None = None
        self._retry = 0.0  # when the full disk is tried again [s]
        self._saved, self._changed = 0.0, True
        self._shown: list[Path] = []  # files that are waited for, as the page has them
        self._until, self._idle = float("inf"), float("inf")
        self._active = time.monotonic()

    def run(self, seconds: float | None = None, idle: float | None = None) -> None:
        """Watch until a signal comes, or until the time is over.

        Parameters
        ----------
        seconds : float, optional
            Time after which no more files are taken [s]; those that have arrived are finished.
        idle : float, optional
            Time without anything to do after which it ends [s].

        Raises
        ------
        OSError
            If the folder of the run is gone, or its disk is full at the end.
        """
        self._until = time.monotonic() + seconds if seconds is not None else float("inf")
        self._idle = idle if idle is not None else float("inf")
        try:
            for outcome in run_tasks(_process, self._tasks, self.workers, more=self._step, **self.limits):
                self._receive(outcome)
            for held in self._held.values():
                self._add(held.failure, held.arrival)
        finally:
            self._writer.close_part()

    def _step(self) -> bool:
        """Look around, many times a second: what has arrived, what is to be written; whether to go on."""
        now = time.monotonic()
        is_over = now > self._until
        if not is_over:
            self._take_news()
        self._feed(now)
        self._save(now)
        busy = bool(self._queue or self._reading)
        if busy or self.arrivals.growing or not self.arrivals.searched:
            self._active = now
        if is_over and self._full and not self._open:
            raise self._full
        return busy or not (is_over or now - max(self._active, self.arrivals.active) > self._idle)

    def _take_news(self) -> None:
        news = self.arrivals.take()
        for path in news.gone:
            self._held.pop(path, None)
            self._remark(path, "was gone before it was read")
        for path in news.endless:
            task = Task(path, self._names.give(path), self.job)
            self.paths[path] = None
            self._add(give_up(task, "growing", **self.limits), None)
        self._queue.extend(news.arrived)

    def _feed(self, now: float) -> None:
        """Give the workers what they can take, in order; nothing while the disk is full."""
        if self._full and now < self._retry:
            return
        later = []
        while (self._stuck or self._queue) and self._open <= _AHEAD * self.workers:
            if self._stuck:
                self._start(self._stuck.popleft())
                continue
            arrival = self._queue.popleft()
            if arrival.path in self._reading:  # it grew again while it was read
                later.append(arrival)
                continue
            self._reading[arrival.path] = _Reading(arrival)
            name = self._names.give(arrival.path)
            self.paths[arrival.path] = None
            self._start(Task(arrival.path, name, self.job, self._done.get(name, {})))
        self._queue.extendleft(reversed(later))

    def _start(self, task: Task) -> None:
        self._tasks.append(task)
        self._open += 1

    def _receive(self, outcome: Outcome) -> None:
        """Take up what a worker hands back."""
        number, result = outcome.task, outcome.result
        self._open -= outcome.ended
        if number < self.workers:  # which only made it warm
            self._cold -= outcome.ended
            self._changed = True
            return
        task = Task(*self._tasks[number])
        reading = self._reading[task.path]
        reading.left -= outcome.ended
        if outcome.failure:
            result = give_up(task, outcome.failure, **self.limits)
        if isinstance(result, OSError):
            self._wait_for_space(result)
            self._stuck.append(task)
            reading.left += 1
        elif isinstance(result, ImageRecord):
            self._take(task, result, reading, bool(outcome.failure))
        elif result:
            # Now, since its images come back in any order.
            self._compare(task.path, result[0].sha256, reading)
            self._tasks += result
            self._open += len(result)
            reading.left += len(result)
            # If it must run again, it hands out no other task again.
            first = _find_first(task.done, result[0].sha256)
            self._tasks[number] = task._replace(frame=first, sha256=result[0].sha256)
        if outcome.ended:
            self._tasks[number] = ()  # a watch may go on for weeks
        if not reading.left:
            self._end(reading, task.name)

    def _take(self, task: Task, record: ImageRecord, reading: _Reading, given_up: bool) -> None:
        """Take up the record of one image."""
        path = task.path
        if record.row["status"] != "ok" and task.frame is None and not given_up:
            reading.failure = record
            return
        if record.row["status"] == "ok" and task.frame in (None, 0):
            self._compare(path, record.row["sha256"], reading)
        if reading.renamed:
            for name in record.outputs:
                (self.job.out / name).unlink(missing_ok=True)
            return
        self._add(record, reading.arrival)

    def _compare(self, path: Path, content: str, reading: _Reading) -> None:
        """Note whether a file is one that was processed before, under another name."""
        former = self._contents.get(content)
        if former is None or former == path or former.exists():
            self._contents[content] = path
        elif not reading.renamed:
            reading.renamed = True
            self._remark(path, f"is {printable(former)}, renamed; it counts once")

    def _end(self, reading: _Reading, name: str) -> None:
        """Take up that all images of a file have been processed."""
        path, failure, now = reading.arrival.path, reading.failure, time.monotonic()
        del self._reading[path]
        held = self._held.pop(path, None)
        if failure is None:
            self._done.pop(name, None)
            return
        if not os.path.lexists(path):
            self._remark(path, "was gone before it was read")
            return
        if held is None or held.arrival.signature != reading.arrival.signature:
            held = _Held(failure, reading.arrival, now)
        if now - held.since >= _PATIENCE or now > self._until:
            self._add(failure, reading.arrival)
            return
        self._held[path] = _Held(failure, reading.arrival, held.since, 2 * held.pause)
        self.arrivals.put_back(path, held.pause)

    def _add(self, record: ImageRecord, arrival: Arrival | None) -> None:
        """Put a record into the tables and on the page, and look at it for alarms."""
        note_image(record.row, record.n_images)
        self._changed = True
        self.board.add(record, arrival.changed if arrival else time.monotonic())
        self._look_for_alarms(record, arrival)
        try:
            self._writer.add(record)
        except OSError as error:  # it keeps the record
            self._wait_for_space(error)

    def _look_for_alarms(self, record: ImageRecord, arrival: Arrival | None) -> None:
        found = []
        for alarm in self.board.alarms:
            labels, values = alarm.find(record)
            if values:
                found.append(self.board.raise_alarm(alarm, record, labels, values))
                _log.warning("alarm: %s: %s", record.row["image"], found[-1])
        if found and self.caller and arrival:
            self.caller.call(arrival.path, "; ".join(found))

    def _save(self, now: float) -> None:
        """Write tables and page, if there is something new and the last time is long enough ago."""
        growing = self.arrivals.growing
        wait = _REFRESH if self._changed or growing != self._shown else _HEARTBEAT
        if self._changed and not self._queue:
            wait = _FLUSH
        if now - self._saved < wait or (self._full and now < self._retry):
            return
        try:
            self._writer.save()
            self.board.state = "starting" if self._cold else "watching"
            self.board.save(len(self._queue) + len(self._reading), growing)
        except OSError as error:
            self._wait_for_space(error)
            return
        if self._full and not self._stuck:
            self._full = None
            self._remark(self.job.out, "takes results again")
        self._saved, self._changed, self._shown = time.monotonic(), False, growing

    def _wait_for_space(self, error: OSError) -> None:
        """Process nothing for a while: the disk takes no more. What cannot be waited for is raised."""
        if error.errno not in _WAITED_FOR or not self.job.out.is_dir():
            raise error
        if self._full is None:
            self._remark(self.job.out, f"takes no more ({error.strerror}); the watch waits until it does")
        self._full, self._retry = error, time.monotonic() + _RETRY
        self._changed = True
        self.board.state = "waiting for space"

    def _remark(self, path: Path, text: str) -> None:
        _log.warning("%s %s", printable(path), text)
        self.board.remark(f"{printable(path)} {text}")
        self._changed = True


def _process(*task: Any) -> Iterator[Any]:
    """Process a file; a task that is only a job makes its worker warm."""
    if len(task) > 1:
        yield from process_file(*task)
        return
    job: Job = task[0]
    with suppress(Exception):  # what is wrong with a detector is said of the first image
        noise = np.random.default_rng(0).normal(100, 5, (256, 256)).astype(np.float32)
        census(Micrograph(noise, (0.04, 0.04)), detector=job.detector, lattice=job.wants_lattice)


def _list_contents(done: Done, known: Mapping[str, str]) -> dict[str, Path]:
    """File of each content that was processed, by its hash."""
    files = {name: Path(place) for place, name in known.items()}
    return {sha: files[name] for name, contents in done.items() for sha in contents if name in files}


def _find_first(done: Mapping[str, tuple[set[int], bool]], sha256: str) -> int:
    """First image of a file that is not done."""
    frames = done.get(sha256, (set(), False))[0]
    return next(k for k in count() if k not in frames)
