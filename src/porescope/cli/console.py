"""What the commands share: options, messages to the user, endings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

from porescope.files import escape_hidden
from porescope.modalities import MODALITIES, check_modality

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, folders or globs.")]


def _read_modality(text: str) -> str:
    try:
        check_modality(text, "auto")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


Modality = Annotated[
    str,
    typer.Option(
        "--modality",
        metavar="|".join(("auto", *MODALITIES)),
        parser=_read_modality,
        help="How the images were taken; auto asks the metadata, and takes HAADF if it does not say.",
    ),
]

PixelSize = Annotated[
    float | None,
    typer.Option("--pixel-size", metavar="NM", help="Pixel size in nm; default: as the files say."),
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


def stop(text: str) -> NoReturn:
    """End the command with exit code 2, wrong use.

    Parameters
    ----------
    text : str
        What is wrong, in a sentence.

    Raises
    ------
    typer.Exit
    """
    say(f"porescope: {text}")
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
