"""Worker processes: how many, fast to start, one core each, none left behind."""

from __future__ import annotations

import gc
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import connection, get_all_start_methods, get_context
from typing import Any, NamedTuple

#: Most files that are processed by one worker, since starting another takes longer than it saves.
_FEW_FILES = 20
#: How workers are started. A fork would inherit threads, and their locks, that a fork server has not.
_START_METHOD = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
#: Number of workers that a task may kill before it is given up.
_MOST_DEATHS = 2
#: Interval at which workers are looked after [s].
_WATCH = 0.5


def count_cores() -> int:
    """Count the cores that this process may use.

    Returns
    -------
    int
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def choose_workers(n_files: int) -> int:
    """Choose the number of processes for a batch of files.

    Parameters
    ----------
    n_files : int

    Returns
    -------
    int
        1 up to 20 files, else the number of cores.
    """
    return min(count_cores(), n_files) if n_files > _FEW_FILES else 1


def prepare_workers(*modules: str) -> None:
    """Start the fork server and let it import modules that all workers need, in the background.

    Does nothing where there is no fork server (Windows).

    Parameters
    ----------
    *modules : str
        Names of the modules.
    """
    if _START_METHOD == "forkserver":
        get_context(_START_METHOD).set_forkserver_preload(list(modules))
        _start_fork_server()


def _start_fork_server() -> None:
    """Start the fork server, if there is one; it and its workers ignore Ctrl-C, the main process decides."""
    if _START_METHOD != "forkserver":
        return
    import signal
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # which would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_pool(workers: int) -> Executor:
    """Start worker processes, each of which uses one core.

    Parameters
    ----------
    workers : int
        Number of processes.

    Returns
    -------
    Executor
    """
    return ProcessPoolExecutor(workers, get_context(_START_METHOD), _start_worker)


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)
    # File readers create thousands of small objects; garbage collection over all modules took a third
    # of the time.
    gc.freeze()
    gc.set_threshold(50_000)


class Outcome(NamedTuple):
    """One result of a task, or its end."""

    task: int  # number of the task
    result: Any  # None at the end of the task
    ended: bool
    died: bool = False  # whether the task killed its workers
    late: bool = False  # whether it took longer than it may


class _Worker:
    """A process that runs one task at a time."""

    def __init__(self, function: Callable[..., Iterator[Any]]) -> None:
        self.pipe, theirs = connection.Pipe()
        context: Any = get_context(_START_METHOD)
        self.process = context.Process(target=_serve, args=(function, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.task: int | None = None
        self.since = 0.0  # start of the task, or its last result

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(function: Callable[..., Iterator[Any]], pipe: Any) -> None:
    """Run tasks until the pipe is closed; end at once when the parent process is gone."""
    import signal
    import threading
    from multiprocessing import parent_process

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides
    _start_worker()
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        for result in function(*task):
            pipe.send((result, False))
        pipe.send((None, True))


def run_tasks(
    function: Callable[..., Iterator[Any]],
    tasks: Sequence[tuple[Any, ...]],
    workers: int,
    *,
    timeout: float = math.inf,
) -> Iterator[Outcome]:
    """Run tasks in worker processes; a task that kills its worker does not stop the others.

    Parameters
    ----------
    function : callable
        Takes a task's arguments and yields results; must not raise.
    tasks : sequence of tuple
    workers : int
        Number of processes; with 0 the tasks run in this one.
    timeout : float
        Longest time of a task until its next result [s]; then its worker is killed. It holds only with
        workers.

    Yields
    ------
    Outcome
        Each result as it comes, then the end of its task. A task whose worker dies is run once more.

    Raises
    ------
    ValueError
        If no worker can be started.
    """
    if workers == 0:
        for i, task in enumerate(tasks):
            yield from (Outcome(i, result, False) for result in function(*task))
            yield Outcome(i, None, True)
        return
    _start_fork_server()
    waiting = deque(range(len(tasks)))
    deaths = dict.fromkeys(waiting, 0)
    pool: list[_Worker] = []
    try:
        for _ in range(min(workers, len(tasks))):
            pool.append(_hire(function))
        while waiting or any(worker.task is not None for worker in pool):
            for worker in pool:
                if worker.task is None and waiting:
                    worker.task, worker.since = waiting.popleft(), time.monotonic()
                    _send(worker, tasks[worker.task])
            busy = [worker for worker in pool if worker.task is not None]
            ready = connection.wait([worker.pipe for worker in busy], timeout=min(timeout, _WATCH))
            for worker in busy:
                assert worker.task is not None
                if worker.pipe not in ready:
                    if time.monotonic() - worker.since > timeout:
                        yield Outcome(worker.task, None, True, late=True)
                        worker.stop()
                        pool[pool.index(worker)] = _hire(function)
                    continue
                try:
                    result, ended = worker.pipe.recv()
                except (EOFError, OSError):
                    deaths[worker.task] += 1
                    if deaths[worker.task] < _MOST_DEATHS:
                        waiting.appendleft(worker.task)
                    else:
                        yield Outcome(worker.task, None, True, died=True)
                    worker.stop()
                    pool[pool.index(worker)] = _hire(function)
                    continue
                yield Outcome(worker.task, result, ended)
                worker.since = time.monotonic()
                if ended:
                    worker.task = None
    finally:
        for worker in pool:
            worker.stop()


def _hire(function: Callable[..., Iterator[Any]]) -> _Worker:
    """Start a worker, again if the fork server has just been killed: it is then started anew."""
    for pause in (0.1, 0.3, 1.0, 3.0):
        try:
            return _Worker(function)
        except (OSError, EOFError):
            time.sleep(pause)
            _start_fork_server()
    raise ValueError("worker processes cannot be started; is there memory left, and a limit on processes?")


def _send(worker: _Worker, task: tuple[Any, ...]) -> None:
    with suppress(OSError):  # it has died; receiving will tell
        worker.pipe.send(task)
