"""Worker processes: how many, fast to start, one core each, none left behind."""

from __future__ import annotations

import gc
import math
import os
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_all_start_methods, get_context
from typing import Any, NamedTuple

#: Most images that are processed by one worker, since starting another takes longer than it saves.
_FEW_TASKS = 20
#: How workers are started. A fork would inherit threads, and their locks, that a fork server has not.
_START_METHOD = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
#: Variables that tell libraries of linear algebra how many threads to use.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: Number of workers that a task may kill before it is given up.
_MOST_DEATHS = 2
#: Interval at which workers are looked after, and at which it is asked whether more tasks come [s].
_WATCH, _TICK = 0.2, 0.05
#: Modules that a worker needs for an image, for `prepare_workers`.
IMAGE_MODULES = ("porescope.runs.batch", "porescope.files.exports", "rsciio.digitalmicrograph", "tifffile")
#: Largest share of the free memory that one worker may use.
_MEMORY_SHARE = 0.9


def count_cores() -> int:
    """Count the cores that this process may use.

    Returns
    -------
    int
    """
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def measure_free_memory() -> int:
    """Measure the memory that can be had without swapping.

    Returns
    -------
    int
        [bytes]
    """
    import psutil

    return int(psutil.virtual_memory().available)


def choose_memory() -> float:
    """Choose the memory that a worker may use: nine tenths of what is free.

    Returns
    -------
    float
        [bytes]
    """
    return _MEMORY_SHARE * measure_free_memory()


def choose_workers(n_tasks: int) -> int:
    """Choose the number of processes for a batch of images.

    Parameters
    ----------
    n_tasks : int

    Returns
    -------
    int
        1 up to 20 images, else the number of cores.
    """
    return min(count_cores(), n_tasks) if n_tasks > _FEW_TASKS else 1


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
    """Start the fork server, if there is one; it and its workers ignore Ctrl-C, the main process decides.

    Raises
    ------
    ValueError
        If it cannot be started.
    """
    if _START_METHOD != "forkserver":
        return
    import signal
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # which would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with _limit_threads():
            forkserver.ensure_running()
    except OSError as error:
        raise ValueError(
            f"worker processes cannot be started ({error}); is the current folder still there, and is the "
            f"folder of temporary files ({tempfile.gettempdir()}) short and writable? Set TMPDIR to another"
        ) from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _limit_threads() -> Iterator[None]:
    """Have the processes that are started meanwhile use one thread each for linear algebra.

    The libraries read that when they are loaded. A matrix product of a worker on all cores would take them
    from the others.
    """
    unset = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, "1"))
    try:
        yield
    finally:
        for name in unset:
            os.environ.pop(name, None)


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
    _start_fork_server()
    return ProcessPoolExecutor(workers, get_context(_START_METHOD), _start_worker)


def _start_worker() -> None:
    import logging

    import cv2

    cv2.setNumThreads(1)
    logging.getLogger().addHandler(logging.NullHandler())  # readers' remarks on foreign files
    # File readers create thousands of small objects; garbage collection over all modules took a third
    # of the time.
    gc.freeze()
    gc.set_threshold(50_000)


class Outcome(NamedTuple):
    """One result of a task, or its end."""

    task: int  # number of the task
    result: Any  # None at the end of the task
    ended: bool
    failure: str = ""  # why the task was given up: "died", "late" or "large"


class _Worker:
    """A process that runs one task after the other; the next one may wait in its pipe."""

    def __init__(self, function: Callable[..., Iterator[Any]]) -> None:
        self.pipe, theirs = connection.Pipe()
        context: Any = get_context(_START_METHOD)
        self.process = context.Process(target=_serve, args=(function, theirs), daemon=True)
        with _limit_threads():  # where there is no fork server
            self.process.start()
        theirs.close()
        self.tasks: deque[int] = deque()  # the first one runs
        self.since = 0.0  # start of the running task, or its last result

    def start(self, number: int, task: tuple[Any, ...]) -> None:
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(number)
        with suppress(OSError):  # it has died; receiving will tell
            self.pipe.send(task)

    def receive(self) -> Outcome:
        try:
            result, ended = self.pipe.recv()
        except (EOFError, OSError):
            return Outcome(self.tasks[0], None, True, "died")
        self.since = time.monotonic()
        return Outcome(self.tasks[0], result, ended)

    def check(self, timeout: float, memory: float) -> Outcome | None:
        """Give the task up if it takes too long or too much memory."""
        if time.monotonic() - self.since > timeout:
            return Outcome(self.tasks[0], None, True, "late")
        if memory < math.inf and _measure_memory(self.process.pid) > memory:
            return Outcome(self.tasks[0], None, True, "large")
        return None

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _measure_memory(process: int) -> int:
    """Memory that a process uses [bytes]; 0 if it is gone."""
    import psutil

    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.Error:
        return 0


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
        except (EOFError, OSError):  # the parent process is gone
            return
        for result in function(*task):
            pipe.send((result, False))
        pipe.send((None, True))


def run_tasks(
    function: Callable[..., Iterator[Any]],
    tasks: Sequence[tuple[Any, ...]],
    workers: int | None = None,
    *,
    timeout: float = math.inf,
    memory: float = math.inf,
    more: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Run tasks in worker processes; a task that kills its worker does not stop the others.

    Parameters
    ----------
    function : callable
        Takes a task's arguments and yields results; must not raise.
    tasks : sequence of tuple
        It may grow while the tasks run; what is added comes next.
    workers : int, optional
        Largest number of processes; with 0 the tasks run in this one. Default: `choose_workers` of the tasks
        that wait.
    timeout : float
        Longest time of a task until its next result [s]; then its worker is killed. It holds only with
        workers.
    memory : float
        Largest memory of a worker [bytes]; then it is killed.
    more : callable
        Called at least every 0.05 s; it may add tasks, which come last. While it returns true, the workers
        wait for more. It holds only with workers.

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
    waiting: deque[int] = deque()
    known, deaths, pool = 0, Counter[int](), list[_Worker]()
    try:
        while True:
            added = range(known, len(tasks))
            to_come = more()
            waiting.extendleft(reversed(added))
            waiting.extend(range(added.stop, len(tasks)))
            known = len(tasks)
            _assign(function, tasks, waiting, pool, workers)
            busy = [worker for worker in pool if worker.tasks]
            if not busy and not to_come:
                return
            if not busy:
                time.sleep(_TICK)
                continue
            pause = min(timeout, _TICK if to_come else _WATCH)
            ready = connection.wait([worker.pipe for worker in busy], timeout=pause)
            for worker in busy:
                outcome = worker.receive() if worker.pipe in ready else worker.check(timeout, memory)
                if outcome is None:
                    continue
                if outcome.ended:
                    worker.tasks.popleft()
                if outcome.failure:
                    pool.remove(worker)
                    worker.stop()
                    waiting.extendleft(reversed(worker.tasks))
                    deaths[outcome.task] += 1
                    if outcome.failure == "died" and deaths[outcome.task] < _MOST_DEATHS:
                        waiting.appendleft(outcome.task)
                        continue
                yield outcome
    finally:
        for worker in pool:
            worker.stop()


def _assign(
    function: Callable[..., Iterator[Any]],
    tasks: Sequence[tuple[Any, ...]],
    waiting: deque[int],
    pool: list[_Worker],
    workers: int | None,
) -> None:
    """Give waiting tasks to the workers that have none, and hire more if there are too few.

    Where many wait, each worker gets its next one too, so that it need not wait for this process.
    """
    workers = workers or choose_workers(len(waiting))
    free = [worker for worker in pool if not worker.tasks]
    while waiting and (free or len(pool) < workers):
        if not free:
            pool.append(_hire(function))
            free.append(pool[-1])
        number = waiting.popleft()
        free.pop().start(number, tasks[number])
    for worker in pool:
        if len(worker.tasks) == 1 and len(waiting) > len(pool):
            number = waiting.popleft()
            worker.start(number, tasks[number])


def _hire(function: Callable[..., Iterator[Any]]) -> _Worker:
    """Start a worker, again if the fork server has just been killed: it is then started anew."""
    for pause in (0.1, 0.3, 1.0, 3.0):
        try:
            return _Worker(function)
        except (OSError, EOFError):
            time.sleep(pause)
            _start_fork_server()
    raise ValueError("worker processes cannot be started; is there memory left, and a limit on processes?")
