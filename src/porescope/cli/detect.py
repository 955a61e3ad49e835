"""The command ``detect``. Heavy imports stay inside the functions."""

from __future__ import annotations

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
    read_folder,
    say,
    show_progress,
    stop,
    write_log,
)
from porescope.cli.options import (
    Calibrate,
    Calibration,
    Cluster,
    Coco,
    Device,
    Excess,
    Geojson,
    Images,
    Lattice,
    LeastConfidence,
    Memory,
    Method,
    Model,
    PartSeconds,
    Precision,
    Quiet,
    Recipe,
    Rois,
    Signal,
    Split,
    Structure,
    Timeout,
    Turned,
    Verbose,
    Workers,
    make_job,
    make_limits,
)
from porescope.cli.summary import print_summary

if TYPE_CHECKING:
    from porescope.runs import Job, Run
    from porescope.storage import Mirror

app = typer.Typer()


@app.command()
def detect(
    inputs: Inputs,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="OUT", parser=read_folder, help="Folder for the results."),
    ],
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
    workers: Workers = None,
    cluster: Cluster = None,
    part_seconds: PartSeconds = None,
    overwrite: Annotated[
        bool, typer.Option(help="Replace the results of another run, once this one is finished.")
    ] = False,
    timeout: Timeout = None,
    memory: Memory = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with a stopped run: process only what is missing."),
    ] = False,
    images: Images = True,
    rois: Rois = False,
    geojson: Geojson = False,
    coco: Coco = False,
    structure: Structure = False,
    excess: Excess = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find the pores in images and write tables, overlays and a report."""
    given = locals()
    from porescope.files import find_files
    from porescope.processes import IMAGE_MODULES, prepare_workers

    try:
        paths = find_files(inputs, say, recursive=recursive, stored=True)
        if cluster is None:
            prepare_workers(*IMAGE_MODULES)
    except (ValueError, OSError) as error:
        stop(error)
    try:
        job = make_job(given)
        if overwrite and resume:
            raise ValueError("--overwrite and --resume contradict each other; say one of them")
        level = choose_level(quiet, verbose)
        run = run_job(paths, job, make_limits(given), overwrite=overwrite, resume=resume, level=level)
    except (ValueError, OSError) as error:
        stop(error)
    if not quiet:
        print_summary(run, out, messages=level == PROGRESS)
    if (run.images.status != "ok").any():
        raise typer.Exit(1)


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
        Arguments of `run_batch`: workers, timeout [s], memory [bytes], part_seconds [s]; and the address of a
        cluster.
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
    from porescope.cluster import open_folder
    from porescope.files import FILES
    from porescope.runs import lock_folder, prepare_folder, replace_run

    opened = open_folder(job, overwrite=overwrite, resume=resume)
    with opened as (job, mirror), lock_folder(out := job.out):
        try:
            job = prepare_folder(job, paths, overwrite=overwrite, resume=resume)
            progress = show_progress("detecting", len(paths), level == PROGRESS)
            with write_log(job.out / FILES["log"], level) as log, progress as on_progress:
                options = {"workers": None, "cluster": None, **(limits or {}), "on_progress": on_progress}
                run = _run_prepared(paths, job, options, resume, log, mirror)
            replace_run(out)
        except OSError as error:
            explain_disk(error, job.out)
            raise typer.Exit(1) from None
    return run


def explain_disk(error: OSError, out: Path) -> None:
    """Say why nothing can be written to the folder of a run; raise what has another cause.

    Parameters
    ----------
    error : OSError
    out : Path
        Of the run.
    """
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
    paths: Sequence[Path],
    job: Job,
    options: Mapping[str, Any],
    resume: bool,
    log: logging.Logger,
    mirror: Mirror | None,
) -> Run:
    """Run a batch in a folder that is locked and ready."""
    import datetime

    from porescope.cluster import process_files
    from porescope.report import write_report
    from porescope.runs import (
        close_run,
        list_done,
        list_names,
        list_unnamed,
        read_record,
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

    def close(state: str) -> Run:
        if mirror:
            mirror.pull()
        run = close_run(job, paths, sys.argv, started, state, write_report)
        log.info("%s: %d images of %d files", state, len(run.images), len(paths))
        if mirror:
            mirror.push()
        return run

    try:
        if mirror:
            mirror.push()
        process_files(paths, job, done=done, known=known, **options)
        run = close("finished")
    except SystemExit as error:  # a signal
        run = close("stopped")
        n = run.images["file"].nunique()
        say(f"Stopped after {n} of {len(paths)} files; go on with --resume.")
        raise typer.Exit(int(error.code or 0)) from None
    return run
