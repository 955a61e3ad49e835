"""The command that an alarm starts: its words as a list, never through a shell."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue

_log = logging.getLogger(__name__)

#: Longest time that a command may take, and that is waited for it at the end [s].
_LONGEST, _LONGEST_AT_END = 60.0, 10.0
#: Most alarms that wait for the command.
_MOST_WAITING = 100


def split_command(text: str) -> list[str]:
    """Split a command into its words.

    Parameters
    ----------
    text : str
        As a POSIX shell would read it; on Windows with quotes around what holds spaces.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If it is no command, or there is no such program.

    Examples
    --------
    >>> split_command("sh -c 'echo hello'")
    ['sh', '-c', 'echo hello']
    """
    try:
        words = shlex.split(text, posix=os.name == "posix")
    except ValueError as error:
        raise ValueError(f"--on-alert: {text!r} is no command ({error})") from None
    words = words if os.name == "posix" else [word.strip('"') for word in words]
    if not words or shutil.which(words[0]) is None:
        raise ValueError(f"--on-alert: there is no program {words[0] if words else text!r}; check its path")
    return words


class Caller:
    """Runs a command for each alarm, one after the other, in a thread.

    Parameters
    ----------
    words : sequence of str
        The command; the absolute path of the image's file follows as its last argument, and the environment
        variable ``PORESCOPE_ALERT`` says what was found.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self._queue: SimpleQueue[tuple[Path, str] | None] = SimpleQueue()
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="on-alert")
        self._thread.start()

    def call(self, path: Path, text: str) -> None:
        """Have the command run.

        Parameters
        ----------
        path : Path
            Of the image.
        text : str
            What was found.
        """
        if self._queue.qsize() < _MOST_WAITING:
            self._queue.put((path, text))
        else:
            _log.warning("--on-alert is too slow; it is not told of %s", path)

    def finish(self) -> None:
        """Wait for the commands that are to run, for a while."""
        self._queue.put(None)
        self._thread.join(_LONGEST_AT_END)
        self._ended = True

    def _run(self) -> None:
        while (item := self._queue.get()) is not None and not self._ended:
            path, text = item
            try:
                code = subprocess.run(
                    [*self.words, os.path.abspath(path)],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env={**os.environ, "PORESCOPE_ALERT": text},
                    timeout=_LONGEST,
                    check=False,
                ).returncode
                if code:
                    _log.warning("--on-alert ended with exit code %d for %s", code, path)
            except (OSError, ValueError, subprocess.TimeoutExpired) as error:
                _log.warning("--on-alert failed for %s: %s", path, error)
