"""What the commands share: words to the user, endings, common options."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, folders or globs.")]


class Modality(enum.StrEnum):
    """How the image was taken."""

    auto = "auto"
    haadf = "haadf"
    bf = "bf"
    abf = "abf"
    hrtem = "hrtem"


def say(text: str) -> None:
    """Tell the user something beside the results."""
    typer.echo(text, err=True)


def stop(text: str) -> NoReturn:
    """End because the command was used wrongly."""
    say(f"porescope: {text}")
    raise typer.Exit(2)


@contextmanager
def spoken_warnings() -> Iterator[None]:
    """Say warnings to the user as sentences."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            say(str(warning.message))
