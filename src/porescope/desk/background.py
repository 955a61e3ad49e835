"""Work beside the window: one thread for each kind of work, in which only the newest task counts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from porescope.files import explain_error


class Cancelled(Exception):  # noqa: N818 - it is no error
    """Ends a task that was cancelled."""


class Worker:
    """A thread that does one task after the other; of those that wait only the newest is done.

    Parameters
    ----------
    deliver : callable
        Takes a function without arguments, and calls it in the thread of the window.

    Examples
    --------
    >>> import queue
    >>> delivered = queue.Queue()
    >>> worker = Worker(delivered.put)
    >>> worker.ask(lambda: 6 * 7, print, print)
    >>> delivered.get(timeout=60)()
    42
    >>> worker.close()
    """

    def __init__(self, deliver: Callable[[Callable[[], None]], None]) -> None:
        self._deliver = deliver
        self._changed = threading.Condition()
        self._waiting: tuple[Callable[[], Any], Callable[[Any], None], Callable[[str], None]] | None = None
        self._busy = self._closed = self._cancelled = False
        self._undelivered = 0
        # A daemon: a long task must not keep the program from ending.
        self._thread = threading.Thread(target=self._run, name="porescope-desk", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a task is done or waits, or its result is on its way."""
        with self._changed:
            return self._busy or self._waiting is not None or self._undelivered > 0

    def ask(
        self,
        task: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[str], None],
    ) -> None:
        """Ask for a task; one that waits still is dropped.

        Parameters
        ----------
        task : callable
            Is called in the thread of the worker.
        done : callable
            Is called with its result in the thread of the window.
        failed : callable
            Is called so with a sentence instead, if the task raises an error; it is empty if the task was
            cancelled.
        """
        with self._changed:
            self._waiting = (task, done, failed)
            self._changed.notify()

    def cancel(self) -> None:
        """Drop the task that waits, and end the one that is done where it calls `check`."""
        with self._changed:
            self._waiting, self._cancelled = None, self._busy

    def check(self, *_: object) -> None:
        """Raise `Cancelled` if the task was cancelled; for the task itself, now and then.

        Parameters
        ----------
        *_
            Whatever a function of progress is called with.

        Raises
        ------
        Cancelled
        """
        if self._cancelled or self._closed:
            raise Cancelled

    def close(self) -> None:
        """End the thread after the task that is done; nothing is delivered any more."""
        with self._changed:
            self._closed, self._waiting = True, None
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                while self._waiting is None and not self._closed:
                    self._changed.wait()
                if self._waiting is None:
                    return
                task, done, failed = self._waiting
                self._waiting, self._busy, self._cancelled = None, True, False
            call = self._do(task, done, failed)
            if not self._closed:
                with self._changed:
                    self._undelivered += 1
                self._deliver(partial(self._hand_over, call))

    def _hand_over(self, call: Callable[[], None]) -> None:
        try:
            call()
        finally:
            with self._changed:
                self._undelivered -= 1

    @staticmethod
    def _do(
        task: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[str], None]
    ) -> Callable[[], None]:
        try:
            result = task()
        except Cancelled:
            return lambda: failed("")
        except (ValueError, OSError) as error:
            message = explain_error(error)
        except Exception as error:  # a defect of ours must not end the window
            message = f"{type(error).__name__}: {error}"
        else:
            return lambda: done(result)
        return lambda: failed(message)
