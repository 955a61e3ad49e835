"""Many files: detect and measure in worker processes, and write the results in parts."""

from __future__ import annotations

import errno
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from porescope.files import DETECT_ENDINGS, hash_file, name_files, printable
from porescope.micrograph import read_all
from porescope.processes import run_tasks
from porescope.runs.image import process_image
from porescope.runs.job import ImageRecord, Job
from porescope.runs.parts import PART_SECONDS, Done, PartWriter

#: Longest time that an image may take [s].
TIMEOUT = 600.0
#: Numbers of the errors of a full disk.
DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
#: Most pictures kept per file for the report.
_PICTURES_A_FILE = 10


def run_batch(
    paths: Sequence[Path],
    job: Job,
    *,
    workers: int = 0,
    max_pictures: int = 100,
    done: Done | None = None,
    part_seconds: float = PART_SECONDS,
    timeout: float = TIMEOUT,
    on_file: Callable[[Path], None] = lambda path: None,
) -> None:
    """Detect and measure in all files, and write the results to the run's folder as they come.

    Parameters
    ----------
    paths : sequence of Path
        As `find_files` returns them.
    job : Job
    workers : int
        Number of worker processes; with 0 all happens in this one.
    max_pictures : int
        Number of files of which pictures are kept for the report.
    done : Done, optional
        Images that an earlier start of the run has done, which are left out.
    part_seconds : float
        Time after which the results so far are written as a part [s].
    timeout : float
        Longest time that an image may take [s]; it holds only with workers.
    on_file : callable
        Called with each file when it is done.

    Raises
    ------
    ValueError
        If the run would overwrite one of its inputs.
    OSError
        If the disk of the run's folder is full.
    """
    names = name_files(paths)
    _protect_inputs(paths, names, job.out)
    keep = max_pictures if job.overlays else 0
    tasks = [
        (path, name, job, i < keep, (done or {}).get(name, {}))
        for i, (path, name) in enumerate(zip(paths, names, strict=True))
    ]
    writer = PartWriter(job.out, part_seconds)
    # The last image of a file is known when the file has ended.
    held: dict[int, ImageRecord] = {}
    frames = dict.fromkeys(range(len(tasks)), 0)
    try:
        for outcome in run_tasks(process_file, tasks, workers, timeout=timeout):
            i = outcome.task
            if i in held:
                writer.add(held.pop(i), last=outcome.ended and not (outcome.died or outcome.late))
            if outcome.died or outcome.late:
                path, name, *_ = tasks[i]
                message = "the process that read it died twice: the file is damaged, or the method kills it"
                if outcome.late:
                    message = f"it took longer than {timeout:g} s; allow more with --timeout SECONDS"
                writer.add(_fail(path, name, job, frames[i], message), last=True)
            elif not outcome.ended:
                if isinstance(outcome.result, OSError):
                    raise outcome.result
                held[i] = outcome.result
                frames[i] = held[i].row["frame"] + 1
            if outcome.ended:
                on_file(paths[i])
    finally:
        for record in held.values():
            writer.add(record, last=False)
        writer.close_part()


def _protect_inputs(paths: Sequence[Path], names: Sequence[str], out: Path) -> None:
    """Refuse a run that would overwrite one of its inputs."""
    endings = "|".join(map(re.escape, DETECT_ENDINGS))
    stems = set(names)
    for path in paths:
        match = re.fullmatch(rf"(.+?)(_\d{{4,}})?({endings})", path.name)
        if (
            path.resolve().parent == out.resolve()
            and match
            and stems & {match[1], f"{match[1]}{match[2] or ''}"}
        ):
            raise ValueError(f"{path} would be overwritten by this run's own results; give another -o")


def process_file(
    path: Path,
    name: str,
    job: Job,
    picture: bool = False,
    done: dict[str, tuple[set[int], bool]] | None = None,
) -> Iterator[ImageRecord | OSError]:
    """Detect and measure in every image of a file; a bad file gives a failed row, never an exception.

    Parameters
    ----------
    path : Path
    name : str
        Name of the file in the tables.
    job : Job
    picture : bool
        Whether to draw pictures for the report.
    done : dict, optional
        Hash of the file → frames that are done, and whether these are all of them.

    Yields
    ------
    ImageRecord or OSError
        The error only if the disk is full, which ends the run.
    """
    frame = 0
    try:
        sha256 = hash_file(path) if path.is_file() else ""
        known, whole = (done or {}).get(sha256, (set(), False))
        if whole:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # readers' remarks on foreign metadata
            for micrograph in read_all(path, pixel_size=job.pixel_size, modality=job.modality):
                if frame not in known:
                    shown = picture and frame < _PICTURES_A_FILE
                    yield process_image(replace(micrograph, name=name), sha256, job, shown)
                frame += 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            yield error
            return
        known_kind = isinstance(error, (ValueError, OSError))
        message = str(error) if known_kind else f"{type(error).__name__}: {error}"
        yield _fail(path, name, job, frame, printable(" ".join(message.split())))


def _fail(path: Path, name: str, job: Job, frame: int, message: str) -> ImageRecord:
    row = {"image": name, "frame": frame, "file": printable(path), "method": job.detector.method}
    return ImageRecord({**row, "status": "failed", "message": message}, {}, [])
