"""Where ``porescope`` starts.

Signals end it with an exit code and no traceback, from the first moment. No file's name is read as an option.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

#: Signals that end a command; Windows has no SIGHUP.
_SIGNALS = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


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


def _end(number: int, frame: Any) -> None:
    """End with the exit code of a shell: 128 + the signal's number; further signals do not disturb that."""
    for name in _SIGNALS:  # to ignore them would print a traceback for one that is on its way
        signal.signal(getattr(signal, name), lambda number, frame: None)
    sys.exit(128 + number)
