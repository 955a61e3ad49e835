"""Where ``porescope`` starts: signals end it with an exit code and no traceback, from the first moment."""

from __future__ import annotations

import signal
import sys
from typing import Any


def main() -> None:
    """Run the command line."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), _end)
    from porescope.cli.app import app

    app()


def _end(number: int, frame: Any) -> None:
    """End with the exit code of a shell: 128 + the signal's number; further signals do not disturb that."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)
