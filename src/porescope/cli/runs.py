"""The commands around finished and stopped runs: report, figures, compare."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from porescope.cli.console import put, say, show_progress, stop

app = typer.Typer()

#: Number of differences that are printed.
_MOST_SHOWN = 50

_RunFolder = Annotated[Path, typer.Argument(metavar="OUT", help="Folder of a run of porescope detect.")]


@app.command()
def report(
    out: _RunFolder,
    beside: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER...]",
            help="Folders of statistics, conductance … to show too. Those made from this run that lie in or "
            "beside it are found.",
        ),
    ] = None,
) -> None:
    """Write the tables and the report of a run from what is there, also while it runs."""
    from porescope.files import FILES
    from porescope.report import write_report
    from porescope.runs import lock_folder, lock_tables, read_run, refresh_tables

    try:
        if out.is_dir():
            with suppress(ValueError), lock_folder(out):  # which completes a replacement that was cut short
                pass
        read_run(out)  # refuses what is no run
        if not os.access(out, os.W_OK):
            raise ValueError(f"{out} cannot be written; copy the run to a folder that can, and name that")
        with lock_tables(out):
            run = read_run(out)
            refresh_tables(out, run)
            path = write_report(run, out, beside or [])
    except (ValueError, OSError) as error:
        stop(error)
    state = run.record.get("state", "finished")
    n = run.images["file"].nunique()
    say(f"{n} files, {state}; tables in {out / FILES['pores']} and {FILES['images']}.")
    put(str(path))


@app.command()
def figures(
    given: _RunFolder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the figures.")],
    image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Image to draw, repeatable, as images.csv names it. Default: the first ones."
        ),
    ] = None,
    most: Annotated[int, typer.Option(min=0, help="Number of images that are drawn if none is named.")] = 20,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the figures of a run.")] = False,
) -> None:
    """Draw the figures of a run for a paper (SVG, PDF), and write the paragraph of the methods."""
    from porescope.files import FILES
    from porescope.paper import describe_methods, draw_figures
    from porescope.runs import check_folder, check_results, read_run, write_results

    try:
        run = read_run(given)
        check_folder(out)
        check_results(out, "figures", [FILES["methods"], FILES["references"]], overwrite)
        files = [path for kind in ("images", "pores") if (path := given / FILES[kind]).is_file()]
        options = {"run": str(given), "images": image, "most": most}
        with (
            write_results(out, "figures", sys.argv, files, options) as folder,
            show_progress("drawing", 1) as on_progress,
        ):
            done = draw_figures(run, given, folder, names=image or (), most=most, on_progress=on_progress)
            texts = zip(("methods", "references"), describe_methods(run), strict=True)
            for kind, text in texts:
                (folder / FILES[kind]).write_text(text, encoding="utf-8")
    except (ValueError, OSError) as error:
        stop(error)
    for failure in done.failures:
        say(f"failed: {failure}")
    if done.n_left_out:
        say(f"{done.n_left_out} more images are not drawn; name them with --image NAME, or raise --most.")
    put(f"in {out}: {FILES['methods']}, {FILES['references']}, {', '.join(done.names)}")
    if done.failures:
        raise typer.Exit(1)


@app.command()
def compare(
    one: Annotated[Path, typer.Argument(metavar="OUT1", help="Folder of a run.")],
    two: Annotated[Path, typer.Argument(metavar="OUT2", help="Folder of another run of the same images.")],
) -> None:
    """Print what differs between two runs: pores that appeared, are gone, or changed their size."""
    from rich.console import Console
    from rich.table import Table

    from porescope.files import escape_hidden
    from porescope.runs import compare_runs, read_run

    try:
        changes = compare_runs(read_run(one), read_run(two))
    except (ValueError, OSError) as error:
        stop(error)
    table = Table("image", "change", "y [nm]", "x [nm]", "diameter 1 [nm]", "diameter 2 [nm]", box=None)
    for image, frame, change, *values in changes.head(_MOST_SHOWN).to_numpy().tolist():
        numbers = ("" if value != value else f"{value:.3f}" for value in values)
        name = f"{image} [{frame}]" if frame else image
        table.add_row(*map(escape_hidden, (name, change, *numbers)))
    if len(changes):
        Console(highlight=False, markup=False).print(table)
    counts = changes.change.value_counts()
    words = ", ".join(f"{n} {change}" for change, n in counts.items())
    put(words if words else "no difference in images, pores or sizes")
    if len(changes) > _MOST_SHOWN:
        say(f"The first {_MOST_SHOWN} of {len(changes)} differences are shown.")
