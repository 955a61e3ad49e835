"""The command ``label``: images at the desk, in napari."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from porescope.cli.console import Inputs, Material, Modality, PixelSize, Recursive, say, stop

app = typer.Typer()


@app.command()
def label(
    inputs: Inputs,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="OUT", help="Folder for standards, corrected runs and tuned recipes."
        ),
    ] = Path("desk"),
    recursive: Recursive = False,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD", help="How pores are found, as for detect. Default: what fits."
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Recipe of the threshold method; default: ws2.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A network of your own; default: the shipped network.")
    ] = None,
    modality: Modality = "auto",
    pixel_size: PixelSize = None,
    signal: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Detector or channel that is taken of files with several."),
    ] = None,
    material: Material = None,
) -> None:
    """Look at images, correct their pores, tune a recipe and run it, in napari."""
    from importlib.util import find_spec

    from porescope.cli.detect import choose_by_options
    from porescope.files import explain_missing, find_files
    from porescope.runs import Job, check_folder

    try:
        if find_spec("napari") is None or find_spec("qtpy") is None:
            raise ValueError(explain_missing("porescope label", "napari", "gui"))
        paths = find_files(inputs, say, recursive=recursive)
        check_folder(out)
        detector = choose_by_options(method, {"recipe": recipe, "model": model})
        job = Job(out, detector, material=material, modality=modality, pixel_size=pixel_size, signal=signal)
        from porescope.desk import check_display, open_desk

        check_display()
        rescued = open_desk(paths, job)
    except (ValueError, OSError) as error:
        stop(error)
    if rescued:
        say(f"Edits that were not saved are in {rescued}.")
