"""A chunk of a run: a list of tasks whose results are one part of the tables, made by one worker."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from porescope.processes import IMAGE_MODULES, choose_memory, prepare_workers
from porescope.runs import (
    ImageRecord,
    Task,
    fail_task,
    iterate_records,
    make_tables,
    write_part,
)

#: Columns of a part that the driver is told of.
_TOLD = ("image", "frame", "sha256", "n_pores", "status", "message", "_n_images")


class Chunk(NamedTuple):
    """What a worker is asked for."""

    tasks: list[Task]
    number: int  # of the run's start; the names of its parts begin with it
    timeout: float  # of an image [s]
    memory: float | None  # of an image [bytes]; None: nine tenths of what is free where it is processed


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
    started, out, name = time.monotonic(), chunk.tasks[0].job.out, name_part(chunk)
    path = out / "images" / f"part-{name}.parquet"
    if path.is_file():
        return Told(_read_rows(path), None)
    prepare_workers(*IMAGE_MODULES)
    memory = choose_memory() if chunk.memory is None else chunk.memory
    records = iterate_records(list(chunk.tasks), 1, timeout=chunk.timeout, memory=memory, follow=False)
    if not write_chunk(chunk, records):  # all was done before
        return Told([], time.monotonic() - started)
    return Told(_read_rows(path), time.monotonic() - started)


def write_chunk(chunk: Chunk, records: Iterator[ImageRecord] | Sequence[ImageRecord]) -> bool:
    """Write the part of a chunk.

    Parameters
    ----------
    chunk : Chunk
    records : iterable of ImageRecord

    Returns
    -------
    bool
        Whether there are records.
    """
    # By name and frame: an image whose process died may come twice.
    kept = {(record.row["image"], record.row["frame"]): record for record in records}
    if kept:
        write_part(chunk.tasks[0].job.out, name_part(chunk), make_tables(list(kept.values())))
    return bool(kept)


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
    records = [fail_task(task, message) for task in chunk.tasks]
    write_chunk(chunk, records)
    return Told([{**record.row, "_n_images": record.n_images} for record in records], None)


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
    asked = [[task.name, _describe_content(task), task.frame, task.job.signal] for task in chunk.tasks]
    return f"{chunk.number:06d}-{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:24]}"


def _describe_content(task: Task) -> str:
    """The hash of a file, or its size and time: to hash it only for a name would read it twice."""
    if task.sha256:
        return task.sha256
    try:
        status = os.stat(task.path)
    except OSError:  # processing it will tell
        return "absent"
    return f"{status.st_size} {status.st_mtime_ns}"


def _read_rows(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        rows: list[dict[str, Any]] = file.read(columns=list(_TOLD)).to_pylist()
    return rows
