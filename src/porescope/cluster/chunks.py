"""A chunk of a run: a list of tasks whose results are one part of the tables, made by one worker."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import current_process
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from porescope.files import PARTS
from porescope.processes import IMAGE_MODULES, choose_memory, prepare_workers
from porescope.runs import (
    ImageRecord,
    Job,
    Task,
    fail_task,
    iterate_records,
    make_tables,
    write_part,
)
from porescope.storage import Address, describe_content, fetch

#: Columns of a part that the driver is told of.
_TOLD = ("image", "frame", "sha256", "n_pores", "status", "message", "_n_images")


class Chunk(NamedTuple):
    """What a worker is asked for."""

    tasks: list[Task]
    number: int  # of the run's start; the names of its parts begin with it
    timeout: float  # of an image [s]
    memory: float | None  # of an image [bytes]; None: nine tenths of what is free where it is processed

    @property
    def job(self) -> Job:
        """What is done to each image."""
        return self.tasks[0].job


class Told(NamedTuple):
    """What a worker tells of a chunk once its part is there."""

    rows: list[dict[str, Any]]  # of ``images.csv``, without most columns
    seconds: float | None  # time that it took; None: the part was there


def process_chunk(chunk: Chunk) -> Told:
    """Process the tasks of a chunk and write their part, if it is not there yet.

    The images are processed in a process of their own, as without a cluster: one that kills it, takes too
    long or too much memory has a failed row.

    Parameters
    ----------
    chunk : Chunk

    Returns
    -------
    Told

    Raises
    ------
    OSError
        If the disk of the run's folder takes no more, or the folder is gone.
    """
    from distributed import get_worker

    started, name = time.monotonic(), name_part(chunk)
    scratch = Path(get_worker().local_directory)  # which Dask clears if the worker is killed
    # Dask starts workers as daemons, which may have no children; ours end with their parent by themselves.
    current_process()._config["daemon"] = False  # type: ignore[attr-defined]
    with TemporaryDirectory(prefix="porescope-", dir=scratch) as folder:
        there = _read_rows(chunk.job, name, Path(folder))
        if there is not None:
            return Told(there, None)
        prepare_workers(*IMAGE_MODULES)
        records = iterate_records(
            list(chunk.tasks), 1, timeout=chunk.timeout, follow=False, scratch=scratch,
            memory=choose_memory() if chunk.memory is None else chunk.memory,
        )  # fmt: skip
        rows = write_chunk(chunk, list(records))
    return Told(rows, time.monotonic() - started)


def write_chunk(chunk: Chunk, records: Sequence[ImageRecord]) -> list[dict[str, Any]]:
    """Write the part of a chunk, if anything was to be done.

    Parameters
    ----------
    chunk : Chunk
    records : sequence of ImageRecord

    Returns
    -------
    list of dict
        The rows that the driver is told of.
    """
    # By name and frame: an image whose process died may come twice.
    kept = list({(record.row["image"], record.row["frame"]): record for record in records}.values())
    if kept:
        with _choose_folder(chunk.job) as out:
            write_part(out, name_part(chunk), make_tables(kept), chunk.job.store)
    rows = [{**record.row, "_n_images": record.n_images} for record in kept]
    return [{name: row.get(name) for name in _TOLD} for row in rows]


@contextmanager
def _choose_folder(job: Job) -> Iterator[Path]:
    """The run's folder; for one in a store, a temporary one of this machine."""
    if job.store is None:
        yield job.out
        return
    with TemporaryDirectory(prefix="porescope-") as folder:
        for kind in PARTS:
            (Path(folder) / kind).mkdir()
        yield Path(folder)


def fail_chunk(chunk: Chunk, message: str) -> Told:
    """Write the part of a chunk that cannot be processed.

    Parameters
    ----------
    chunk : Chunk
    message : str
        Why, for ``images.csv``.

    Returns
    -------
    Told
    """
    return Told(write_chunk(chunk, [fail_task(task, message) for task in chunk.tasks]), None)


def name_part(chunk: Chunk) -> str:
    """Name the part of a chunk: by its number, and by the hash of what is asked for.

    Parameters
    ----------
    chunk : Chunk

    Returns
    -------
    str
        The same for the same names, contents, frames and signal, and only for these.
    """
    asked = [[task.name, _describe_file(task), task.frame, task.job.signal] for task in chunk.tasks]
    return f"{chunk.number:06d}-{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:24]}"


def _describe_file(task: Task) -> str | None:
    """The hash of a file, or its size and time: to hash it only for a name would read it twice."""
    if task.sha256:
        return task.sha256
    if isinstance(task.path, Address):
        return describe_content(task.path)
    try:
        status = os.stat(task.path)
    except OSError:  # processing it will tell
        return None
    return f"{status.st_size} {status.st_mtime_ns}"


def _read_rows(job: Job, name: str, folder: Path) -> list[dict[str, Any]] | None:
    """Read what the driver is told of from a part; None if it is not there."""
    import pyarrow.parquet as pq

    path = job.out / "images" / f"part-{name}.parquet"
    if job.store is not None:
        path = folder / f"part-{name}.parquet"
        try:
            fetch(job.store / "images" / path.name, path)
        except FileNotFoundError:
            return None
    if not path.is_file():
        return None
    with pq.ParquetFile(path) as file:
        rows: list[dict[str, Any]] = file.read(columns=list(_TOLD)).to_pylist()
    return rows
