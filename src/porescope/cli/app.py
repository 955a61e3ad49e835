"""The command line's root: all commands, and ``--version``."""

from __future__ import annotations

from typing import Annotated

import typer

from porescope.cli import corrections, demo, desk, detect, network, plan, recipes, runs, watch
from porescope.cli.sheets import conductance, map, statistics, track

app = typer.Typer(
    name="porescope",
    help="Find and measure nanopores in electron-microscope images of thin crystals.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for group in (
    detect, plan, watch, desk, runs, corrections, map, track, conductance, statistics, recipes, network, demo,
):  # fmt: skip
    app.add_typer(group.app)


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Find and measure nanopores in electron-microscope images of thin crystals."""
    if version:
        from porescope import __version__

        typer.echo(__version__)
        raise typer.Exit
