"""The command ``detect``. Heavy imports stay inside the functions."""

from __future__ import annotations

import enum
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from porescope.cli.console import (
    PROGRESS,
    Inputs,
    Material,
    Modality,
    PixelSize,
    Recursive,
    choose_level,
    say,
    show_progress,
    stop,
    write_log,
)
from porescope.cli.summary import print_summary

if TYPE_CHECKING:
    from porescope.detection import Detector
    from porescope.runs import Job, Run

app = typer.Typer()


class Calibration(enum.StrEnum):
    """Where the pixel size of the tables comes from."""

    header = "header"
    lattice = "lattice"


def _list_methods() -> list[str]:
    from porescope.detection import DETECTORS

    return list(DETECTORS)


@app.command()
def detect(
    inputs: Inputs,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the results.")],
    recursive: Recursive = False,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            autocompletion=_list_methods,
            help="How pores are found: network, threshold, lattice, vacancies, voids, or FILE.py:NAME for a "
            "function of your own that takes a Micrograph and returns a label image. Default: what fits the "
            "image, network where a lattice shows and voids where none can; threshold if a recipe is given.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Recipe of the threshold method; default: ws2."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A network of your own; default: the shipped network."),
    ] = None,
    turned: Annotated[
        bool,
        typer.Option("--turned", help="Average the network over eight orientations: slower, more cautious."),
    ] = False,
    device: Annotated[
        str | None,
        typer.Option(
            metavar="auto|cpu|cuda|…",
            help="Where the network runs: cpu, cuda, directml, coreml or openvino, as far as the installed "
            "onnxruntime has it; default: cuda where it can be used, else cpu.",
        ),
    ] = None,
    split: Annotated[
        bool,
        typer.Option("--split/--no-split", help="Split touching pores at their necks (method voids)."),
    ] = True,
    least_confidence: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Drop pores whose confidence is below this (default 0.5)."),
    ] = None,
    modality: Modality = "auto",
    pixel_size: PixelSize = None,
    signal: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|all",
            help="Detector or channel that is taken of files with several; default: HAADF, or the one most "
            "like it, of each field of view.",
        ),
    ] = None,
    material: Material = None,
    calibrate: Annotated[
        Calibration, typer.Option(help="Whether the file or the lattice gives the pixel size of the tables.")
    ] = Calibration.header,
    lattice: Annotated[
        bool | None,
        typer.Option(
            "--lattice/--no-lattice",
            help="Look for the lattice; default: yes, but not for --method threshold --no-images.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of processes; default: one a core, but one for up to 20 images."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option(help="Replace the results of another run, once this one is finished.")
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="SECONDS", help="Give an image up after this time in s (default 600)."),
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="GB",
            help="Give an image up that takes more memory than this in GB; default: nine tenths of what is "
            "free at the start.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with a stopped run: process only what is missing."),
    ] = False,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Write overlays and show pictures in the report.")
    ] = True,
    rois: Annotated[bool, typer.Option("--rois", help="Write outlines as ImageJ ROIs too.")] = False,
    geojson: Annotated[bool, typer.Option("--geojson", help="Write outlines as GeoJSON too.")] = False,
    coco: Annotated[bool, typer.Option("--coco", help="Write outlines as COCO's JSON too.")] = False,
    structure: Annotated[
        bool, typer.Option("--structure", help="Write the sheet's atoms too (extended XYZ, CIF).")
    ] = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print no progress and no summary; run.log has the failures."),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for each image.")] = False,
) -> None:
    """Find the pores in images and write tables, overlays and a report."""
    from porescope.files import find_files
    from porescope.processes import prepare_workers

    try:
        paths = find_files(inputs, say, recursive=recursive)
        heavy = ("porescope.runs.batch", "porescope.files.exports", "rsciio.digitalmicrograph", "tifffile")
        prepare_workers(*heavy)
    except (ValueError, OSError) as error:
        stop(error)
    from porescope.runs import Job

    options: dict[str, Any] = {
        "recipe": recipe, "model": model, "turned": turned or None, "least_confidence": least_confidence,
        "split": None if split else False, "device": device,
    }  # fmt: skip
    try:
        detector = choose_by_options(method, options)
        job = Job(
            out=out,
            detector=detector,
            modality=modality,
            pixel_size=pixel_size,
            signal=signal,
            overlays=images,
            rois=rois,
            geojson=geojson,
            coco=coco,
            material=material,
            calibrate=calibrate is Calibration.lattice,
            lattice=lattice,
            structure=structure,
        )
        if method is None and recipe is None and not quiet:
            say(_tell_default(detector, model))
        if overwrite and resume:
            raise ValueError("--overwrite and --resume contradict each other; say one of them")
        limits = {"workers": workers, "timeout": timeout, "memory": memory and memory * 2**30}
        limits = {name: limit for name, limit in limits.items() if limit is not None}
        level = choose_level(quiet, verbose)
        run = run_job(paths, job, limits, overwrite=overwrite, resume=resume, level=level)
    except (ValueError, OSError) as error:
        stop(error)
    if not quiet:
        print_summary(run, out, messages=level == PROGRESS)
    if (run.images.status != "ok").any():
        raise typer.Exit(1)


def choose_by_options(method: str | None, options: Mapping[str, Any]) -> Detector:
    """Choose the detector, and make sure that it can be used; a .pt file is a Mask R-CNN."""
    from porescope.detection import choose_detector
    from porescope.network import Network
    from porescope.recipes import load_recipe

    model = options["model"]
    if method in (None, Network.method) and model is not None and model.suffix == ".pt":
        if len([value for value in options.values() if value is not None]) > 1:
            raise ValueError("no other option of a detector goes with a Mask R-CNN")
        detector = _load_maskrcnn(model)
    else:
        recipe = options["recipe"]
        loaded = {**options, "recipe": None if recipe is None else load_recipe(recipe)}
        detector = choose_detector(method, loaded)
    detector.describe()
    return detector


def _tell_default(detector: Detector, model: Path | None) -> str:
    """What is used where no method was asked for."""
    from porescope.detection import Automatic

    network = f"network ({model.name if model else 'the shipped one'}), which needs no labels"
    if not isinstance(detector, Automatic):
        return f"Method: {detector.method if model is None else network}."
    return f"Method: {network}; voids where no lattice can show (--method chooses one)."


def _load_maskrcnn(path: Path) -> Detector:
    from importlib.util import find_spec

    if not path.is_file():
        raise ValueError(f"--model {path} is not a file")
    if find_spec("torchvision") is None:
        from porescope.files import explain_missing

        raise ValueError(explain_missing("a Mask R-CNN", "torchvision", "maskrcnn"))
    from porescope.training import MaskRCNN

    return MaskRCNN(path)


def run_job(
    paths: Sequence[Path],
    job: Job,
    limits: Mapping[str, Any] | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    level: int = PROGRESS,
) -> Run:
    """Run a batch with a progress bar, and write tables, record and report, also if it is stopped.

    Parameters
    ----------
    paths : sequence of Path
    job : Job
    limits : mapping, optional
        Arguments of `run_batch`: workers, timeout [s], memory [bytes].
    overwrite : bool
        Whether to replace an earlier run's results.
    resume : bool
        Whether to go on with an earlier run.
    level : int
        Least level of the lines on stderr, as `choose_level` returns it.

    Returns
    -------
    Run

    Raises
    ------
    typer.Exit
        If the run was stopped by a signal (exit code 128 + the signal's number) or a full disk (1).
    """
    from porescope.files import FILES
    from porescope.runs import lock_folder, prepare_folder, replace_run

    out = job.out
    with lock_folder(out):
        try:
            job = prepare_folder(job, paths, overwrite=overwrite, resume=resume)
            progress = show_progress("detecting", len(paths), level == PROGRESS)
            with write_log(job.out / FILES["log"], level) as log, progress as on_progress:
                options = {"workers": None, **(limits or {}), "on_progress": on_progress}
                run = _run_prepared(paths, job, options, resume, log)
            replace_run(out)
        except OSError as error:
            _explain_disk(error, job.out)
            raise typer.Exit(1) from None
    return run


def _explain_disk(error: OSError, out: Path) -> None:
    """Say why nothing can be written to the folder of a run; raise what has another cause."""
    import os

    from porescope.files import remove_unfinished
    from porescope.runs import DISK_FULL, UNWRITABLE

    if not out.is_dir():
        say(f"{out} was moved or removed while the run went on; nothing is written there any more.")
        return
    if error.errno not in UNWRITABLE:
        raise error
    remove_unfinished(out)
    if error.errno in DISK_FULL:
        say(f"The disk of {out} is full; what is done is kept. Free space and go on with --resume.")
    else:
        why = os.strerror(error.errno or 0)
        say(f"{out} takes no more ({why}); what is done is kept. Mend that and go on with --resume.")


def _run_prepared(
    paths: Sequence[Path], job: Job, options: Mapping[str, Any], resume: bool, log: logging.Logger
) -> Run:
    """Run a batch in a folder that is locked and ready."""
    import datetime

    from porescope.runs import (
        close_run,
        list_done,
        list_names,
        list_unnamed,
        read_record,
        run_batch,
        write_record,
    )

    started = datetime.datetime.now(datetime.UTC)
    done = list_done(job.out) if resume else None
    known = list_names(job.out) if resume else None
    gone = list_unnamed(read_record(job.out), paths)
    if gone:
        say(f"Earlier inputs that are not named now: {len(gone)}; their results stay: {', '.join(gone[:5])}.")
    log.info("%s: %d files", "resumed" if resume else "started", len(paths))
    write_record(job, paths, sys.argv, started, "running")
    try:
        run_batch(paths, job, done=done, known=known, **options)
        run = close_run(job, paths, sys.argv, started, "finished")
        log.info("finished: %d images", len(run.images))
    except SystemExit as error:  # a signal
        run = close_run(job, paths, sys.argv, started, "stopped")
        n = run.images["file"].nunique()
        log.info("stopped after %d of %d files", n, len(paths))
        say(f"Stopped after {n} of {len(paths)} files; go on with --resume.")
        raise typer.Exit(int(error.code or 0)) from None
    return run
