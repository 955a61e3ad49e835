"""The commands around work by hand: measure, standard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from porescope.cli.console import Inputs, Modality, PixelSize, Recursive, put, say, stop
from porescope.cli.summary import print_summary

app = typer.Typer()


@app.command()
def measure(
    given: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of a run of porescope detect.")],
    labels: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder of the edited label images, named as in the run: NAME_labels.tif, NAME_rois.zip, "
            "NAME.geojson or NAME_coco.json; or one such file.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder of the corrected run.")],
    overwrite: Annotated[
        bool, typer.Option(help="Replace the results of another run, once this one is finished.")
    ] = False,
) -> None:
    """Measure pores that were corrected by hand, and write them as a run beside the original one."""
    from porescope.corrections import correct_run

    try:
        done = correct_run(given, labels, out, command=sys.argv, overwrite=overwrite)
    except (ValueError, OSError) as error:
        stop(error)
    for line in done.warnings:
        say(f"Warning: {line}.")
    for line in done.lines:
        put(line)
    print_summary(done.run, out, messages=False)
    if (done.run.images.status != "ok").any():
        raise typer.Exit(1)


@app.command()
def standard(
    inputs: Inputs,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to which the pictures are written.")
    ],
    pixel_size: PixelSize = None,
    recursive: Recursive = False,
    modality: Modality = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace pictures, also painted ones.")] = False,
) -> None:
    """Write pictures to paint pores on, green, for tune, score and train."""
    from dataclasses import replace

    from porescope.corrections import write_painting
    from porescope.files import explain_error, find_files, name_files
    from porescope.reading import read_all

    try:
        paths = find_files(inputs, say, recursive=recursive)
        if out.exists() and not out.is_dir():
            raise ValueError(f"{out} is a file; give a folder with -o")
        out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        stop(error)
    failed = False
    for path, name in zip(paths, name_files(paths), strict=True):
        try:
            for micrograph in read_all(path, pixel_size=pixel_size, modality=modality):
                put(str(write_painting(replace(micrograph, name=name), out, overwrite)))
        except (ValueError, OSError) as error:
            say(f"failed: {explain_error(error)}")
            failed = True
    say("Paint each pore pure green (0, 255, 0) with a hard brush, and save under the same name.")
    if failed:
        raise typer.Exit(1)
