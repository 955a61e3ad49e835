"""What the commands share: options, messages to the user, endings."""

from __future__ import annotations

import inspect
import logging
import math
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from porescope.files import escape_hidden, explain_error
from porescope.materials import MATERIALS
from porescope.modalities import MODALITIES, check_modality

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, folders or globs.")]

Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Look in subfolders too.")]


def _read_modality(text: str) -> str:
    try:
        check_modality(text.lower(), "auto")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text.lower()


def read_material(text: str) -> str:
    """Read the name of a material, in any case.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        As `MATERIALS` spells it.

    Raises
    ------
    typer.BadParameter
        If there is no such material.
    """
    for name in MATERIALS:
        if name.lower() == text.lower():
            return name
    raise typer.BadParameter(f"material must be one of {', '.join(MATERIALS)}, not {text!r}")


def read_length(text: str | float) -> float:
    """Read a length: a number with a decimal point or comma, and a unit, by default nm.

    Parameters
    ----------
    text : str or float

    Returns
    -------
    float
        [nm]

    Raises
    ------
    typer.BadParameter
        If it is no length above 0.
    """
    from porescope.files import nanometres

    number, unit = re.fullmatch(r"\s*([-+\d.,e]*)\s*(.*?)\s*", str(text), re.IGNORECASE).groups()  # type: ignore[union-attr]
    factor = nanometres(unit or "nm")
    try:
        length = float(number.replace(",", ".")) * (factor or math.nan)
    except ValueError:
        length = math.nan
    if not 0 < length < math.inf:
        raise typer.BadParameter(f"it must be a length above 0 nm, such as 0.04, 0.04nm or 40pm, not {text}")
    return length


def read_folder(text: str | Path) -> Path:
    """Read the name of a folder: a path, or an address in a store such as ``s3://bucket/run``.

    Parameters
    ----------
    text : str or Path

    Returns
    -------
    Path

    Raises
    ------
    typer.BadParameter
        If it is an address that cannot be used.
    """
    from porescope.storage import is_address, read_address

    if not is_address(text):
        return Path(text)
    try:
        return read_address(str(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Modality = Annotated[
    str,
    typer.Option(
        "--modality",
        metavar="|".join(("auto", *MODALITIES)),
        parser=_read_modality,
        autocompletion=lambda: ["auto", *MODALITIES],
        help="How the images were taken; auto asks the metadata, and takes HAADF if it does not say.",
    ),
]

Material = Annotated[
    str | None,
    typer.Option(
        "--material",
        metavar="WS2",
        parser=read_material,
        autocompletion=lambda: list(MATERIALS),
        help=f"The crystal: {', '.join(MATERIALS)}. It checks the pixel size and counts missing atoms.",
    ),
]

PixelSize = Annotated[
    float | None,
    typer.Option(
        "--pixel-size",
        metavar="NM",
        parser=read_length,
        help="Pixel size in nm, or with a unit (0.4Å, 40pm); default: as the files say.",
    ),
]


def put(text: str) -> None:
    """Print a line of results to stdout, with what could disturb the terminal escaped.

    Parameters
    ----------
    text : str
    """
    typer.echo(escape_hidden(text))


def say(text: str) -> None:
    """Print a message to stderr, apart from the results, with what could disturb the terminal escaped.

    Parameters
    ----------
    text : str
    """
    typer.echo(escape_hidden(text), err=True)


def stop(reason: str | Exception) -> NoReturn:
    """End the command with exit code 2, wrong use.

    Parameters
    ----------
    reason : str or Exception
        What is wrong, in a sentence, or an error that says it.

    Raises
    ------
    typer.Exit
    """
    say(f"porescope: {reason if isinstance(reason, str) else explain_error(reason)}")
    raise typer.Exit(2)


@contextmanager
def spoken_warnings() -> Iterator[None]:
    """Print the warnings of a block as sentences."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            say(str(warning.message))


#: Levels above all that is logged: a progress bar in place of lines, and nothing at all.
PROGRESS, _NOTHING = logging.CRITICAL + 1, logging.CRITICAL + 2


class _Line(logging.Formatter):
    """One line a message, whatever names it holds."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return escape_hidden(super().format(record))


class _LogFile(logging.FileHandler):
    """A log that ends no run: a full disk is said elsewhere."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: D102, N802 - the name is the library's
        return


@contextmanager
def write_log(path: Path, level: int) -> Iterator[logging.Logger]:
    """Write what porescope logs during a block to a file, with times in UTC, and to stderr as plain lines.

    Parameters
    ----------
    path : Path
        Of the file, which is continued.
    level : int
        Least level of the lines on stderr, as `logging` has them.

    Yields
    ------
    logging.Logger
    """
    logger = logging.getLogger("porescope")
    file = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    file.setFormatter(_Line("%(asctime)sZ %(message)s", "%Y-%m-%dT%H:%M:%S"))
    file.setLevel(min(level, logging.INFO))
    console = logging.StreamHandler(sys.stderr)
    console.setFormatter(_Line())
    console.setLevel(level)
    logger.setLevel(logging.DEBUG)
    for handler in (file, console):
        logger.addHandler(handler)
    try:
        yield logger
    finally:
        for handler in (file, console):
            logger.removeHandler(handler)
        file.close()


def choose_level(quiet: bool, verbose: bool) -> int:
    """Choose the least level of the lines on stderr.

    On a terminal the summary tells of warnings and failures, elsewhere each has its line.

    Parameters
    ----------
    quiet, verbose : bool

    Returns
    -------
    int
        As `logging` has them.

    Raises
    ------
    ValueError
        If both are asked for.
    """
    if quiet and verbose:
        raise ValueError("--quiet and --verbose contradict each other; say one of them")
    if quiet:
        return _NOTHING
    if verbose:
        return logging.DEBUG
    return PROGRESS if sys.stderr.isatty() else logging.WARNING


@contextmanager
def show_progress(text: str, total: float, shown: bool = True) -> Iterator[Callable[..., None]]:
    """Show a bar with the share, the rate and the time left, on a terminal.

    Parameters
    ----------
    text : str
        What is done.
    total : float
        Number of steps at the start.
    shown : bool
        Whether to show it at all.

    Yields
    ------
    callable
        Takes the number of steps that are done, and the total if that has changed.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn(text), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[count]}"),
        TimeRemainingColumn(), console=Console(stderr=True), transient=True,
        disable=not (shown and sys.stderr.isatty()),
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=total, count="")

        def advance(done: float, total: float = total) -> None:
            speed = bar.tasks[0].speed
            rate = f", {speed:.3g}/s" if speed and total > 1 else ""
            count = f"{done:.0f} of {total:.0f}{rate}" if total > 1 else ""
            bar.update(task, completed=done, total=total, count=count)

        yield advance


def take_options_of(command: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command, whose last parameter is ``**options``, the parameters of another one too.

    Parameters
    ----------
    command : callable

    Returns
    -------
    callable
        A decorator.
    """

    def extend(function: Callable[..., Any]) -> Callable[..., Any]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[:-1]
        taken = list(inspect.signature(command, eval_str=True).parameters.values())
        keyword = inspect.Parameter.KEYWORD_ONLY
        every = [p.replace(kind=keyword) for p in (*taken, *own)]
        function.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        function.__annotations__ = {p.name: p.annotation for p in every}
        return function

    return extend
