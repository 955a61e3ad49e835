"""The newest task counts, results are delivered elsewhere."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from porescope.desk.background import Worker

#: Longest time that a test waits [s].
_PATIENCE = 120


class Box:
    """A worker, and what it delivers: called one by one, as the window's thread does."""

    def __init__(self) -> None:
        self.delivered: queue.Queue[Callable[[], None]] = queue.Queue()
        self.worker = Worker(self.delivered.put)
        self.results: list[object] = []
        self.failures: list[str] = []

    def ask(self, task: Callable[[], object]) -> None:
        self.worker.ask(task, self.results.append, self.failures.append)

    def take(self) -> None:
        self.delivered.get(timeout=_PATIENCE)()


@pytest.fixture
def box() -> Iterator[Box]:
    box = Box()
    yield box
    box.worker.close()
    box.worker._thread.join(_PATIENCE)
    assert not box.worker._thread.is_alive()


def test_of_those_that_wait_only_the_newest_is_done(box: Box) -> None:
    begun, go = threading.Event(), threading.Event()

    def wait() -> int:
        begun.set()
        assert go.wait(_PATIENCE)
        return 0

    box.ask(wait)
    assert begun.wait(_PATIENCE)
    for number in range(1, 6):
        box.ask(lambda number=number: number)
    go.set()
    box.take()
    box.take()
    assert box.results == [0, 5] and box.delivered.empty() and not box.worker.busy


def test_it_is_busy_until_its_result_was_taken(box: Box) -> None:
    box.ask(lambda: 1)
    call = box.delivered.get(timeout=_PATIENCE)
    assert box.worker.busy and box.results == []
    call()
    assert box.results == [1]


def test_an_error_becomes_a_sentence_and_the_next_task_is_done(box: Box) -> None:
    def fail(error: Exception) -> None:
        raise error

    for error in (ValueError("no pores"), KeyError("a defect")):
        box.ask(lambda error=error: fail(error))
        box.take()
    box.ask(lambda: "done")
    box.take()
    assert box.failures == ["no pores", "KeyError: 'a defect'"] and box.results == ["done"]


def test_a_task_is_cancelled_where_it_asks(box: Box) -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go.wait(_PATIENCE)
        box.worker.check()

    box.ask(work)
    assert begun.wait(_PATIENCE)
    box.worker.cancel()
    go.set()
    box.take()
    assert box.failures == [""] and box.results == []
    box.ask(lambda: box.worker.check())  # the next one is not
    box.take()
    assert box.results == [None]


def test_nothing_is_delivered_after_the_end(box: Box) -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert go.wait(_PATIENCE)

    box.ask(work)
    assert begun.wait(_PATIENCE)
    box.worker.close()
    go.set()
    box.worker._thread.join(_PATIENCE)
    assert box.delivered.empty()
