from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from porescope import processes
from porescope.processes import choose_workers, count_cores, run_tasks, start_pool


def test_many_files_get_a_process_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "count_cores", lambda: 4)
    assert [choose_workers(n) for n in (1, 20, 21, 1000)] == [1, 1, 4, 4]
    monkeypatch.setattr(processes, "count_cores", lambda: 64)
    assert choose_workers(30) == 30


def test_cores_are_counted() -> None:
    assert 1 <= count_cores() <= (os.cpu_count() or 1)


def test_a_worker_is_another_process() -> None:
    with start_pool(1) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        assert pool.submit(sum, [1, 2]).result() == 3


def _count(n: int, folder: Path) -> Iterator[int]:
    """Yield 0 to n - 1; the first time that n is 3 the process dies, each time that it is 4; 5 takes long."""
    mark = folder / f"{n}.{os.getpid()}"
    for i in range(n):
        if n == 4 and i == 2 or n == 3 and not list(folder.glob("3.*")):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if n == 5:
            time.sleep(30)
        yield i


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_that_kills_its_worker_stops_no_other(tmp_path: Path, workers: int) -> None:
    tasks = [(n, tmp_path) for n in (2, 4, 3, 1, 5)]
    outcomes = list(run_tasks(_count, tasks, workers, timeout=2))
    ended = {o.task: o for o in outcomes if o.ended}
    assert set(ended) == set(range(5)) and [i for i, o in ended.items() if o.failure == "died"] == [1]
    assert [i for i, o in ended.items() if o.failure == "late"] == [4]
    for task, results in ((0, [0, 1]), (1, [0, 1, 0, 1]), (2, [0, 1, 2]), (3, [0])):
        assert [o.result for o in outcomes if o.task == task and not o.ended] == results


def test_tasks_without_workers_run_here() -> None:
    outcomes = list(run_tasks(lambda n: iter(range(n)), [(2,), (0,)], 0))
    assert [(o.task, o.result, o.ended) for o in outcomes] == [
        (0, 0, False), (0, 1, False), (0, None, True), (1, None, True),
    ]  # fmt: skip


def _kill_server(n: int, folder: Path) -> Iterator[int]:
    """The first task kills the fork server, and then its own process."""
    if n == 0 and not list(folder.glob("killed")):
        (folder / "killed").touch()
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    yield n


def test_a_killed_fork_server_is_started_anew(tmp_path: Path) -> None:
    outcomes = list(run_tasks(_kill_server, [(n, tmp_path) for n in range(4)], 1))
    assert [o.result for o in outcomes if not o.ended] == [0, 1, 2, 3]
    assert not any(o.failure for o in outcomes)


def _swell(mebibytes: int) -> Iterator[int]:
    kept = bytearray(mebibytes * 2**20)
    time.sleep(2 if mebibytes > 1 else 0)
    yield len(kept)


def test_a_task_that_takes_too_much_memory_is_given_up() -> None:
    outcomes = list(run_tasks(_swell, [(1,), (800,), (1,)], 2, memory=600 * 2**20))
    assert [(o.task, o.failure) for o in outcomes if o.failure] == [(1, "large")]
    assert sorted(o.task for o in outcomes if o.result) == [0, 2]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_tasks_that_are_added_come_next(workers: int) -> None:
    tasks = [(1,), (5,), (5,)]
    results = []
    for outcome in run_tasks(_half, tasks, workers):
        if outcome.result == 5 and len(tasks) == 3:
            tasks += [(20,), (21,)]
        if not outcome.ended:
            results.append(outcome.result)
    assert sorted(results) == [1, 5, 5, 20, 21]
    if workers == 1:
        assert results[:4] == [1, 5, 20, 21]


def _half(n: int) -> Iterator[int]:
    yield n


def _name(name: str, children: int) -> Iterator[tuple[str, int]]:
    yield name, children


def test_tasks_that_arrive_later_come_last_and_those_of_a_result_next() -> None:
    tasks = [("a", 2)]
    arriving = [("b", 0), ("c", 1), ("d", 0)]
    pauses = iter(range(5))

    def more() -> bool:
        if len(tasks) == 4:  # the children of a are there
            tasks.extend(arriving)
            arriving.clear()
            return True
        return next(pauses, None) is not None

    order = []
    for outcome in run_tasks(_name, tasks, 1, more=more):
        if not outcome.ended:
            name, children = outcome.result
            order.append(name)
            tasks += [(f"{name}{i}", 0) for i in range(children)]
            if name == "a":
                tasks.append(("a2", 0))
    assert order == ["a", "a0", "a1", "a2", "b", "c", "c0", "d"]


def test_a_worker_uses_one_thread_for_linear_algebra_unless_told_otherwise() -> None:
    """The main process stays as it is. In a process of its own: a fork server may run here already."""
    code = """
import os
from porescope.processes import start_pool
with start_pool(1) as pool:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        print(pool.submit(os.getenv, name).result(), os.getenv(name))
"""
    told = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"} | {"OMP_NUM_THREADS": "3"}
    done = subprocess.run([sys.executable, "-c", code], env=told, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "None", "3", "3"]
