"""Where ``porescope`` starts.

Signals end it with an exit code and no traceback, from the first moment. No file's name is read as an option.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from typing import Any

#: Signals that end a command; Windows has no SIGHUP.
_SIGNALS = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
#: Longest time that a signal waits for the end of an import [s].
_LONGEST_IMPORT = 5.0
#: Time after which a signal that came at a bad moment is raised once more [s].
_PAUSE = 0.02


def main() -> None:
    """Run the command line."""
    for name in _SIGNALS:
        signal.signal(getattr(signal, name), _end)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed, as by ``>&-``; no file of the run may take its place
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it stays open
    # Arrow's own allocator keeps what it frees: a tenth of the memory of a long run.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    sys.argv[1:] = [protect_name(argument) for argument in sys.argv[1:]]
    from porescope.cli.app import app

    try:
        app()
    except OSError as error:  # what is wrong with a command's inputs and outputs it says itself
        sys.stderr.write(f"porescope: {_explain(error)}\n")
        sys.exit(1)
    finally:  # the interpreter drops handlers before it is gone; a signal then would change the exit code
        for name in _SIGNALS:
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _explain(error: OSError) -> str:
    """Say that the results cannot be printed, if so; else what the error says."""
    from porescope.files import explain_error

    if error.filename is None:  # it may come from a stream, which then takes no line
        try:
            print(flush=True)  # noqa: T201
        except OSError:
            return f"the results cannot be printed ({error})"
    return explain_error(error)


def protect_name(argument: str) -> str:
    """Write a file's name that looks like an option as a path: ``*.tif`` may stand for ``-o.tif``.

    Parameters
    ----------
    argument : str
        A word of the command line.

    Returns
    -------
    str
        With ``./`` before it, if it begins with ``-``, has a suffix and names a file or a folder.
    """
    is_name = argument.startswith("-") and os.path.splitext(argument)[1] and os.path.lexists(argument)
    return os.path.join(os.curdir, argument) if is_name else argument


def _end(number: int, frame: Any, until: float = 0) -> None:
    """End with the exit code of a shell: 128 + the signal's number; further signals do not disturb that.

    In the middle of an import it waits: an exception there leaves locks behind, on which the end would wait.
    """
    until = until or time.monotonic() + _LONGEST_IMPORT
    for name in _SIGNALS:  # to ignore them would print a traceback for one that is on its way
        signal.signal(getattr(signal, name), lambda number, frame: None)
    if _is_importing(frame) and time.monotonic() < until:
        _raise_again(number, until)
        return
    sys.unraisablehook = lambda lost: _end_after_all(lost, number, until)
    sys.exit(128 + number)


def _is_importing(frame: Any) -> bool:
    """Whether a frame was called by an import, or is a part of one."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _raise_again(number: int, until: float) -> None:
    """Raise a signal once more in a moment, in the main thread."""
    signal.signal(number, lambda number, frame: _end(number, frame, until))
    main = threading.main_thread().ident
    assert main is not None
    if hasattr(signal, "pthread_kill"):  # it wakes the main thread where that waits
        timer = threading.Timer(_PAUSE, signal.pthread_kill, (main, number))
    else:
        import _thread

        timer = threading.Timer(_PAUSE, _thread.interrupt_main, (number,))
    timer.daemon = True
    timer.start()


def _end_after_all(lost: sys.UnraisableHookArgs, number: int, until: float) -> None:
    """Take up an end that was lost in a destructor or a callback, which no exception leaves."""
    sys.unraisablehook = sys.__unraisablehook__
    if lost.exc_type is SystemExit:
        _raise_again(number, until)
    else:
        sys.__unraisablehook__(lost)
