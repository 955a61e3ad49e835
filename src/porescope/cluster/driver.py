"""The driver of a run on a cluster: a few chunks in flight a worker, each released when its part is there."""

from __future__ import annotations

import logging
import math
import pickle
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from porescope.cluster.chunks import Chunk, Told, fail_chunk, process_chunk
from porescope.cluster.workers import check_workers, open_cluster
from porescope.files import PARTS
from porescope.runs import (
    TIMEOUT,
    Done,
    Job,
    Task,
    list_left,
    list_tasks,
    next_number,
    note_image,
    run_batch,
)

_log = logging.getLogger(__name__)

#: Time that a chunk should take [s].
PART_SECONDS = 60.0
#: Number of chunks in flight for each worker: one runs, one waits beside it.
_WINDOW = 2
#: Number of tasks of the first chunks, and largest factor from one size to the next.
_FIRST_SIZE, _GROWTH = 4, 4.0
#: Number of workers that may die of a chunk of one task. Its image has a process of its own, so that a worker
#: dies of it only if the whole machine does; by chance it dies rarely.
_MOST_DEATHS = 10
#: Interval at which the workers are counted, and time without any after which that is said [s].
_COUNT, _PATIENCE = 2.0, 60.0


def process_files(
    paths: Sequence[Path], job: Job, *, cluster: str | None, workers: int | None, **options: Any
) -> None:
    """Process all files of a run, in worker processes of this machine or on a cluster.

    Parameters
    ----------
    paths, job
        As for `run_batch`.
    cluster : str, optional
        Address of a cluster, as for `open_cluster`.
    workers : int, optional
        Number of processes; default: the tasks or the cluster decide.
    **options
        As for `run_batch` and `run_on_cluster`.

    Raises
    ------
    OSError
        If the disk of the run's folder takes no more, or the folder is gone.
    ValueError
        If the cluster cannot be used.
    """
    if cluster is None:
        run_batch(paths, job, workers=workers, **options)
        return
    with open_cluster(cluster, workers) as client:
        check_workers(client, None if job.store else job.out.absolute())
        run_on_cluster(client, paths, job, **options)


def run_on_cluster(
    client: Any,
    paths: Sequence[Path],
    job: Job,
    *,
    done: Done | None = None,
    known: Mapping[str, str] | None = None,
    part_seconds: float = PART_SECONDS,
    timeout: float = TIMEOUT,
    memory: float | None = None,
    on_progress: Callable[[int, int], None] = lambda ended, total: None,
) -> None:
    """Detect and measure in all files on a cluster; the tables are those of `run_batch`.

    Parameters
    ----------
    client : distributed.Client
        As `open_cluster` yields it.
    paths, job, done, known, timeout, on_progress
        As for `run_batch`.
    part_seconds : float
        Time that a chunk should take [s]; its results are one part.
    memory : float, optional
        Largest memory of an image's process [bytes]; default: nine tenths of what is free where it runs.

    Raises
    ------
    OSError
        If the disk of the run's folder takes no more, or the folder is gone.
    ValueError
        If the scheduler is gone.
    """
    from distributed import CancelledError, KilledWorker, wait

    for kind in PARTS:
        (job.out / kind).mkdir(parents=True, exist_ok=True)
    tasks = list_tasks(paths, job, done=done, known=known)
    work = _Work(deque(_place(tasks)), next_number(job.out), part_seconds, timeout, memory, len(tasks))
    flights: dict[Any, Chunk] = {}
    try:
        while work.waits or flights:
            for chunk in work.take(_count_workers(client, work), len(flights)):
                # As bytes: Dask would look for its own keys in a list of tuples.
                packed = pickle.dumps(chunk)
                flights[client.submit(_process, packed, pure=False, retries=0)] = chunk
            if not flights:
                time.sleep(_COUNT / 10)  # no worker is there
                continue
            try:
                ended = wait(list(flights), timeout=_COUNT, return_when="FIRST_COMPLETED").done
            except TimeoutError:
                continue
            for future in ended:
                chunk = flights.pop(future)
                try:
                    work.settle(chunk, future.result())
                except KilledWorker:
                    work.split(chunk)
                future.release()
                on_progress(work.ended, work.total)
    except CancelledError:
        raise ValueError("the scheduler of the cluster is gone; what is done is kept: --resume") from None
    finally:
        for future in flights:
            future.release()


def _process(packed: bytes) -> Told:
    told: Told = process_chunk(pickle.loads(packed))
    return told


def _place(tasks: Sequence[Task]) -> list[Task]:
    """The tasks with absolute paths: a worker may run in another folder."""
    if not tasks:
        return []
    job = replace(tasks[0].job, out=tasks[0].job.out.absolute())
    return [task._replace(path=task.path.absolute(), job=job, shown=task.path) for task in tasks]


@dataclass
class _Work:
    """What is left to do, and how much of it makes a chunk."""

    waiting: deque[Task]
    number: int  # of this start of the run
    part_seconds: float
    timeout: float
    memory: float | None
    total: int  # number of tasks, as far as they are known
    ended: int = 0  # number of tasks that are done
    size: float = _FIRST_SIZE  # of a chunk
    workers: int = 1
    counted: float = -math.inf  # when the workers were counted
    seen: float = field(default_factory=time.monotonic)  # when there was a worker
    halves: deque[list[Task]] = field(default_factory=deque)  # of chunks whose worker died
    deaths: Counter[tuple[str, int | None]] = field(default_factory=Counter)

    @property
    def waits(self) -> bool:
        return bool(self.waiting or self.halves)

    def take(self, workers: int, in_flight: int) -> list[Chunk]:
        """Take the chunks that fill the window; the last ones are small, so that all workers end together."""
        chunks = []
        for _ in range(_WINDOW * workers - in_flight):
            if self.halves:
                tasks = self.halves.popleft()
            elif self.waiting:
                size = min(self.size, max(len(self.waiting) / (2 * workers), self.size / 8))
                n = min(max(round(size), 1), len(self.waiting))
                tasks = [self.waiting.popleft() for _ in range(n)]
            else:
                break
            chunks.append(Chunk(tasks, self.number, self.timeout, self.memory))
        return chunks

    def settle(self, chunk: Chunk, told: Told) -> None:
        """Note what became of a chunk, and list the other images of its files."""
        of = {(task.name, task.frame): task for task in chunk.tasks}
        for row in told.rows:
            note_image(row, row["_n_images"])
            task = of.get((row["image"], None))
            if task is None or row["_n_images"] == 1 or not row["sha256"]:
                continue
            task = task._replace(sha256=row["sha256"])
            left = [task._replace(frame=k) for k in list_left(task, row["_n_images"]) if k != row["frame"]]
            self.waiting.extendleft(reversed(left))
            self.total += len(left)
        self.ended += len(chunk.tasks)
        if told.seconds is not None:
            fitting = len(chunk.tasks) * self.part_seconds / max(told.seconds, 1e-3)
            self.size = max(min(fitting, _GROWTH * max(self.size, len(chunk.tasks))), 1)

    def split(self, chunk: Chunk) -> None:
        """Try the halves of a chunk whose worker died; its image is given up if many died of it alone."""
        middle = len(chunk.tasks) // 2
        if middle:
            self.halves.extend((chunk.tasks[:middle], chunk.tasks[middle:]))
            return
        task = chunk.tasks[0]
        self.deaths[task.name, task.frame] += 1
        if self.deaths[task.name, task.frame] < _MOST_DEATHS:
            self.halves.append(chunk.tasks)
            return
        why = f"{_MOST_DEATHS} workers of the cluster died while they had it; have they memory enough for it?"
        self.settle(chunk, fail_chunk(chunk, why))


def _count_workers(client: Any, work: _Work) -> int:
    """Number of chunks that the cluster can process at the same time."""
    now = time.monotonic()
    if now - work.counted > _COUNT:
        work.workers, work.counted = sum(client.nthreads().values()), now
        if client.cluster is not None:  # ours; Dask gives a worker up that is killed while it starts
            client.cluster.scale(len(client.cluster.worker_spec))
        if work.workers:
            work.seen = now
        elif now - work.seen > _PATIENCE:
            _log.warning("the cluster has no worker; waiting for one")
            work.seen = now
    return work.workers
