"""The command ``label``: images at the desk, in napari."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from porescope.cli.console import Inputs, Material, Modality, PixelSize, Recursive, say, stop
from porescope.cli.options import (
    Calibrate,
    Calibration,
    Device,
    Lattice,
    LeastConfidence,
    Method,
    Model,
    Precision,
    Quiet,
    Recipe,
    Signal,
    Split,
    Turned,
    make_job,
)

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
    method: Method = None,
    recipe: Recipe = None,
    model: Model = None,
    turned: Turned = False,
    device: Device = None,
    precision: Precision = None,
    split: Split = True,
    least_confidence: LeastConfidence = None,
    modality: Modality = "auto",
    pixel_size: PixelSize = None,
    signal: Signal = None,
    material: Material = None,
    calibrate: Calibrate = Calibration.header,
    lattice: Lattice = None,
    quiet: Quiet = False,
) -> None:
    """Look at images, correct their pores, tune a recipe and run it, in napari's window."""
    given = locals()
    from importlib.util import find_spec

    from porescope.files import explain_missing, find_files
    from porescope.runs import check_folder

    try:
        if find_spec("napari") is None or find_spec("qtpy") is None:
            raise ValueError(explain_missing("porescope label", "napari", "gui"))
        if signal == "all":
            raise ValueError("--signal all gives several images of a place; name one signal")
        paths = find_files(inputs, say, recursive=recursive)
        check_folder(out)
        from porescope.desk import check_display, open_desk

        check_display()
        files = dict.fromkeys(("rois", "geojson", "coco", "structure", "excess"), False)
        job = make_job({**given, **files, "images": True})
        rescued = open_desk(paths, job, _list_words(given))
    except (ValueError, OSError) as error:
        stop(error)
    if rescued:
        say(f"Edits that were not saved are in {rescued}.")


def _list_words(given: Mapping[str, Any]) -> list[str]:
    """How pores are found, as the options of detect say it: for a run on a folder."""
    named = {f"--{name}": given[name] for name in ("method", "recipe", "model", "device", "precision")}
    named["--least-confidence"] = given["least_confidence"]
    words = [word for name, value in named.items() if value is not None for word in (name, str(value))]
    flags = {"--turned": given["turned"], "--no-split": not given["split"]}
    flags |= {"--lattice": given["lattice"] is True, "--no-lattice": given["lattice"] is False}
    return [*words, *(flag for flag, is_set in flags.items() if is_set)]
