"""The command ``watch``. Heavy imports stay inside the functions."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from porescope.cli.console import (
    PROGRESS,
    Material,
    Modality,
    PixelSize,
    Recursive,
    choose_level,
    put,
    say,
    stop,
    write_log,
)
from porescope.cli.detect import explain_disk
from porescope.cli.options import (
    Calibrate,
    Calibration,
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
    make_job,
    make_limits,
)
from porescope.cli.summary import print_summary

if TYPE_CHECKING:
    from porescope.live import Alarm, Board, Caller, Watch
    from porescope.runs import Job, Run

app = typer.Typer()

#: Exit code after an alarm.
_ALARM = 3


@app.command()
def watch(
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Folder into which images are written; it may come later."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the results.")],
    recursive: Recursive = False,
    alert: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'COLUMN > NUMBER'",
            help="Raise an alarm for images whose pores, or themselves, meet this, such as "
            "'equivalent_diameter_nm > 2' or 'n_pores >= 10'; may be given several times.",
        ),
    ] = None,
    on_alert: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="Run this for each image with an alarm; the path of the image follows as its last argument. "
            "No shell is used.",
        ),
    ] = None,
    for_: Annotated[
        float | None,
        typer.Option("--for", min=0, metavar="SECONDS", help="Take no more files after this time in s."),
    ] = None,
    until_idle: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="End when there was nothing to do for this time in s."),
    ] = None,
    quiet_time: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="Read a file once it has not changed for this time in s."
        ),
    ] = 0.3,
    poll: Annotated[
        bool,
        typer.Option("--poll", help="Search the folder again and again, as network drives need it."),
    ] = False,
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
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes; default: one a core.")
    ] = None,
    timeout: Timeout = None,
    memory: Memory = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an earlier watch, or a run of detect.")
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
    """Find the pores in images as they arrive in a folder, and show them in a page that refreshes itself."""
    given = locals()
    from porescope.processes import prepare_workers

    try:
        _check_folders(folder, out, resume)
        heavy = ("porescope.live.watching", "porescope.files.exports", "rsciio.digitalmicrograph", "tifffile")
        prepare_workers(*heavy)
        from porescope.live import Caller, parse_alarm, split_command

        alarms = [parse_alarm(text) for text in alert or ()]
        words = split_command(on_alert) if on_alert is not None else None
        if words and not alarms:
            raise ValueError("--on-alert needs an alarm: say --alert 'equivalent_diameter_nm > 2'")
        job = make_job(given)
        level = choose_level(quiet, verbose)
        caller = Caller(words) if words else None
        run, board = _watch_folder(given, job, alarms, caller, level)
    except (ValueError, OSError) as error:
        stop(error)
    if not quiet:
        print_summary(run, out, messages=level == PROGRESS)
    if board.n_alarms:
        put(f"alarms: {board.n_alarms}")
        raise typer.Exit(_ALARM)
    if (run.images.status != "ok").any():
        raise typer.Exit(1)


def _check_folders(folder: Path, out: Path, resume: bool) -> None:
    """Refuse folders that cannot be watched or hold results."""
    from porescope.runs import check_folder, read_record

    check_folder(out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; name the folder into which images are written")
    if folder.resolve() == out.resolve():
        raise ValueError(f"{out} is the folder that is watched, where results do not belong; give another -o")
    if read_record(out) and not resume:
        raise ValueError(f"{out} holds the results of another run; give another -o, or go on with --resume")


def _watch_folder(
    given: Mapping[str, Any], job: Job, alarms: list[Alarm], caller: Caller | None, level: int
) -> tuple[Run, Board]:
    """Watch a folder, and write tables, record and report at the end, also if that comes by a signal."""
    from porescope.files import FILES
    from porescope.live import Arrivals, Board
    from porescope.runs import TIMEOUT, lock_folder, prepare_folder

    out, folder = given["out"], given["folder"]
    with lock_folder(out):
        try:
            job = prepare_folder(job, [], resume=given["resume"])
            with write_log(job.out / FILES["log"], level) as log:
                board = Board(folder, job.out, alarms, {"method": job.detector.method}, job.overlays)
                arrivals = Arrivals(
                    folder,
                    recursive=given["recursive"],
                    poll=given["poll"],
                    quiet=given["quiet_time"],
                    longest=given["timeout"] or TIMEOUT,
                )
                with arrivals:
                    run = _watch_prepared(given, job, board, arrivals, caller, log)
        except OSError as error:
            explain_disk(error, job.out)
            raise typer.Exit(1) from None
    return run, board


def _watch_prepared(
    given: Mapping[str, Any],
    job: Job,
    board: Board,
    arrivals: Any,
    caller: Caller | None,
    log: logging.Logger,
) -> Run:
    """Watch, in a folder that is locked and ready."""
    import datetime

    from porescope.files import FILES
    from porescope.live import Watch
    from porescope.processes import choose_memory
    from porescope.runs import list_done, list_names, read_run, write_record

    started = datetime.datetime.now(datetime.UTC)
    done, known, before = None, None, list[str]()
    if given["resume"]:
        done, known = list_done(job.out), list_names(job.out)
        earlier = read_run(job.out)
        board.load(earlier)
        before = list(dict.fromkeys(earlier.images["file"]))
    log.info("%s: watching %s", "resumed" if given["resume"] else "started", given["folder"])
    write_record(job, list(map(Path, before)), sys.argv, started, "running")
    limits = {"memory": choose_memory(), **make_limits(given)}
    watching = Watch(arrivals, job, board, done=done, known=known, caller=caller, **limits)
    if not given["quiet"]:
        if not given["folder"].exists():
            say(f"{given['folder']} does not exist yet; it is waited for.")
        say(f"Watching {given['folder']}; the page is {job.out / FILES['live']}. Ctrl-C ends it.")
    try:
        watching.run(given["for_"], given["until_idle"])
        code = 0
    except SystemExit as error:  # a signal
        code = int(error.code or 0)
    run = _close(job, watching, before, started, "stopped" if code else "finished")
    log.info("%s: %d images", "stopped" if code else "finished", len(run.images))
    if arrivals.growing:
        names = ", ".join(path.name for path in arrivals.growing[:5])
        say(f"Still growing at the end, and so not read: {names}; --resume reads them.")
    if caller:
        caller.finish()
    if code:
        say(f"Stopped after {run.images['file'].nunique()} files; go on with --resume.")
        raise typer.Exit(code)
    return run


def _close(job: Job, watching: Watch, before: list[str], started: Any, state: str) -> Run:
    """Write tables, record, report and the last state of the page."""
    from porescope.report import write_report
    from porescope.runs import close_run, write_record

    paths = list(dict.fromkeys([*map(Path, before), *watching.paths]))
    write_record(job, paths, sys.argv, started, "running")  # the order of the tables
    run = close_run(job, paths, sys.argv, started, state, write_report)
    watching.board.state = state
    watching.board.save(0, [])
    return run
