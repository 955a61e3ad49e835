"""Many files: detect and measure in worker processes, and write the results in parts."""

from __future__ import annotations

import errno
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib import import_module
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from porescope.files import (
    check_claim,
    describe_counts,
    explain_error,
    hash_file,
    keep_names,
    printable,
)
from porescope.processes import choose_memory, run_tasks
from porescope.reading import ImageFile, open_images
from porescope.runs.image import process_image
from porescope.runs.job import ImageRecord, Job
from porescope.runs.parts import PART_SECONDS, Done, PartWriter
from porescope.storage import Address, fetch_input, put_folder

_log = logging.getLogger(__name__)

#: Longest time that an image may take [s].
TIMEOUT = 600.0
#: Numbers of the errors of a full disk, and of all errors after which nothing can be written: also a limit on
#: the size of files, and a disk that turned read-only.
DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
UNWRITABLE = (*DISK_FULL, errno.EFBIG, errno.EROFS)
#: Size above which a file takes long to hash [bytes].
_LONG_TO_HASH = 2**28


def run_batch(
    paths: Sequence[Path],
    job: Job,
    *,
    workers: int | None = 0,
    done: Done | None = None,
    known: Mapping[str, str] | None = None,
    part_seconds: float = PART_SECONDS,
    timeout: float = TIMEOUT,
    memory: float | None = None,
    on_progress: Callable[[int, int], None] = lambda ended, total: None,
) -> None:
    """Detect and measure in all files, and write the results to the run's folder as they come.

    Parameters
    ----------
    paths : sequence of Path
        As `find_files` returns them.
    job : Job
    workers : int, optional
        Number of worker processes; with 0 all happens in this one, with None the tasks decide.
    done : Done, optional
        Images that an earlier start of the run has done, which are left out.
    known : mapping, optional
        Names that an earlier start of the run gave to files, as `list_names` returns them.
    part_seconds : float
        Time after which the results so far are written as a part [s].
    timeout : float
        Longest time that an image may take [s]; it holds only with workers.
    memory : float, optional
        Largest memory of a worker [bytes]; default: nine tenths of what is free.
    on_progress : callable
        Called with the numbers of images that are done and that are known; an unopened file counts as one.

    Raises
    ------
    OSError
        If the disk of the run's folder takes no more, or the folder is gone.
    """
    tasks = list_tasks(paths, job, done=done, known=known)
    # The first part needs it; it loads while the workers start.
    threading.Thread(target=import_module, args=("pandas",), daemon=True).start()
    writer = PartWriter(job.out, part_seconds, job.store)
    memory = choose_memory() if memory is None else memory
    try:
        for record in iterate_records(
            tasks, workers, timeout=timeout, memory=memory, on_progress=on_progress
        ):
            writer.add(record)
            note_image(record.row, record.n_images)
    finally:
        writer.close_part()


def list_tasks(
    paths: Sequence[Path],
    job: Job,
    *,
    done: Done | None = None,
    known: Mapping[str, str] | None = None,
) -> list[Task]:
    """List the tasks of a run: one for each file.

    Parameters
    ----------
    paths, job, done, known
        As for `run_batch`.

    Returns
    -------
    list of Task
    """
    names = keep_names(paths, known or {})
    return [
        Task(path, name, job, (done or {}).get(name, {})) for path, name in zip(paths, names, strict=True)
    ]


def iterate_records(
    tasks: list[Task],
    workers: int | None,
    *,
    timeout: float = TIMEOUT,
    memory: float,
    follow: bool = True,
    scratch: Path | None = None,
    on_progress: Callable[[int, int], None] = lambda ended, total: None,
) -> Iterator[ImageRecord]:
    """Process tasks in worker processes; one that is given up has a failed record.

    Parameters
    ----------
    tasks : list of Task
        The other images of a file are appended.
    workers, timeout, memory, on_progress
        As for `run_batch`.
    follow : bool
        Whether to process the other images of a file too.
    scratch : Path, optional
        Folder for copies of files of a store; default: that of temporary files.

    Yields
    ------
    ImageRecord

    Raises
    ------
    OSError
        If the disk of the run's folder takes no more, or the folder is gone.
    """
    ended = 0
    with ExitStack() as stack:
        if any(isinstance(task.path, Address) or task.job.store for task in tasks):
            # Here, since whoever processes a file may be killed.
            folder = stack.enter_context(TemporaryDirectory(prefix="porescope-", dir=scratch))
            tasks[:] = [task._replace(scratch=Path(folder)) for task in tasks]
        for outcome in run_tasks(process_file, tasks, workers, timeout=timeout, memory=memory):
            result = outcome.result
            if outcome.failure:
                result = give_up(tasks[outcome.task], outcome.failure, timeout, memory)
            if isinstance(result, OSError):
                raise result
            if isinstance(result, ImageRecord):
                yield result
            elif result and follow:
                tasks += result
            ended += outcome.ended
            on_progress(ended, len(tasks))


def note_image(row: Mapping[str, Any], n_images: int) -> None:
    """Log what became of one image.

    Parameters
    ----------
    row : mapping
        Of ``images.csv``.
    n_images : int
        Number of images in its file.
    """
    name = f"{row['image']} [{row['frame']}]" if n_images > 1 else row["image"]
    if row["status"] != "ok":
        _log.error("%s failed: %s", name, row["message"])
    else:
        text = f"{name}: {describe_counts(row['n_pores'])}" + f"; {row['message']}" * bool(row["message"])
        _log.log(logging.WARNING if row["message"] else logging.DEBUG, "%s", text)


class Task(NamedTuple):
    """One file, or one image of a file that holds several."""

    path: Path
    name: str  # of the file in the tables
    job: Job
    done: dict[str, tuple[set[int], bool]] = {}  # as `list_done` returns it for this file
    frame: int | None = None  # None: the file's first image that is not done
    sha256: str = ""  # hash of the file, if ``frame`` is given
    shown: Path | None = None  # the file as the tables and messages name it; None: by its path
    scratch: Path | None = None  # folder for copies of files of a store; None: that of temporary files


def give_up(task: Task, failure: str, timeout: float, memory: float) -> ImageRecord:
    """Record an image whose task was given up.

    Parameters
    ----------
    task : Task
    failure : {"died", "late", "large", "growing"}
    timeout : float
        Longest time that it might take [s].
    memory : float
        Largest memory that it might take [bytes].

    Returns
    -------
    ImageRecord
    """
    message = {
        "died": "the process that read it died twice: the file is damaged, or the method kills it",
        "late": f"it took longer than {timeout:g} s; allow more with --timeout SECONDS",
        "large": f"it took more than {memory / 2**30:.2g} GB of memory; allow more with --memory GB, or crop "
        "or bin the image",
        "growing": f"it still grew after {timeout:g} s; it is read once it rests",
    }[failure]
    return fail_task(task, message)


def process_file(*task: Any) -> Iterator[ImageRecord | list[Task] | OSError]:
    """Detect and measure in one image; if its file holds others, hand back the tasks of those.

    A bad file or image gives a failed row, never an exception.

    Parameters
    ----------
    *task
        The fields of `Task`.

    Yields
    ------
    ImageRecord, list of Task or OSError
        The error only if the disk takes no more or the run's folder is gone, which ends the run.
    """
    this = Task(*task)
    if this.job.store is None and not isinstance(this.path, Address):
        yield from _process_file(this)
        return
    try:
        with TemporaryDirectory(dir=this.scratch, prefix="porescope-") as folder:
            local = _copy_task(this, Path(folder))
            for result in _process_file(local):
                if isinstance(result, ImageRecord) and this.job.store is not None:
                    _put_outputs(local.job.out, this.job.store)
                elif isinstance(result, list):
                    result = [other._replace(path=this.path, job=this.job) for other in result]
                yield result
    except _StoreError as error:
        yield OSError(error.errno, error.strerror, error.filename)
    except (OSError, ValueError) as error:
        yield fail_task(this, printable(" ".join(explain_error(error).split())))


class _StoreError(OSError):
    """The store does not take the results, which ends the run."""


def _copy_task(task: Task, folder: Path) -> Task:
    """Bring the file of a task to this machine if it is in a store, and give it a folder here."""
    path, job = task.path, task.job
    if isinstance(path, Address):
        # Other workers of this machine take the copy of a stack.
        path = fetch_input(path, folder if task.frame is None else task.scratch or folder)
    if job.store is not None:
        job = replace(job, out=folder / "out")
        job.out.mkdir()
    return task._replace(path=path, job=job, shown=task.shown or task.path)


def _put_outputs(folder: Path, store: Address) -> None:
    try:
        put_folder(folder, store)
    except OSError as error:
        raise _StoreError(error.errno, error.strerror, error.filename) from None


def _process_file(this: Task) -> Iterator[ImageRecord | list[Task] | OSError]:
    """Do what `process_file` does with a file of this machine."""
    n_images = 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # readers' remarks on foreign metadata
            if not this.sha256:
                this = this._replace(sha256=_hash(this.path))
                if this.done.get(this.sha256, (set(), False))[1]:
                    return
            images = _open(this)
            n_images = len(images)
            left = list_left(this, n_images)
            if not left:
                return
            if left[1:]:
                yield [this._replace(frame=k) for k in left[1:]]
            this = this._replace(frame=left[0])
            micrograph = replace(images.read(left[0]), name=this.name)
            del images  # a large image is not kept twice
            record = process_image(micrograph, this.sha256, this.job, n_images)
            yield record._replace(row={**record.row, "file": _show(this)})
    except Exception as error:
        if isinstance(error, OSError) and (error.errno in UNWRITABLE or not this.job.out.is_dir()):
            yield error
            return
        known_kind = isinstance(error, (ValueError, OSError))
        message = explain_error(error) if known_kind else f"{type(error).__name__}: {error}"
        message = printable(" ".join(message.split())).replace(printable(this.path), _show(this))
        yield fail_task(this, message, n_images)


def _show(task: Task) -> str:
    """The file of a task as the tables name it."""
    return printable(task.shown or task.path)


def _hash(path: Path) -> str:
    """Hash of a file; one that cannot be read or would take long to hash in vain is refused before."""
    if not path.is_file() or path.stat().st_size > _LONG_TO_HASH:
        check_claim(path)
    return hash_file(path)


def list_left(task: Task, n_images: int) -> list[int]:
    """List the images that are left to be processed: the task's own, or those of its file that are not done.

    Parameters
    ----------
    task : Task
    n_images : int
        Number of images in its file.

    Returns
    -------
    list of int
    """
    if task.frame is not None:
        return [task.frame]
    done = task.done.get(task.sha256, (set(), False))[0]
    return [k for k in range(n_images) if k not in done]


#: The stack that this process opened last, by all that reading depends on: its images come one by one.
_opened: dict[tuple[Any, ...], ImageFile] = {}


def _open(task: Task) -> ImageFile:
    job = task.job
    key = task.path, task.path.stat().st_mtime_ns, job.pixel_size, job.modality, job.signal
    if key not in _opened:
        _opened.clear()
        images = open_images(task.path, pixel_size=job.pixel_size, modality=job.modality, signal=job.signal)
        if len(images) == 1:
            return images
        _opened[key] = images
    return _opened[key]


def fail_task(task: Task, message: str, n_images: int = 1) -> ImageRecord:
    """Make the record of an image that could not be processed, or of its whole file.

    Parameters
    ----------
    task : Task
    message : str
        Why.
    n_images : int
        Number of images in the file, if it is known.

    Returns
    -------
    ImageRecord
    """
    done = {frame for frames, _ in task.done.values() for frame in frames}
    frame = next(k for k in count() if k not in done) if task.frame is None else task.frame
    row = {"image": task.name, "frame": frame, "file": _show(task), "sha256": task.sha256 or None}
    row |= {"method": task.job.detector.method, "status": "failed", "message": message}
    return ImageRecord(row, {}, [], n_images)
