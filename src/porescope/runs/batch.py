"""Many files: detect and measure in processes, and collect the tables."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import numpy as np

from porescope import processes
from porescope.files import DETECT_ENDINGS, ENDINGS, hash_file, name_files, printable
from porescope.measurement import PORE_COLUMNS
from porescope.micrograph import read_all
from porescope.runs.image import process_image
from porescope.runs.job import IMAGE_COLUMNS, Census, ImageRecord, Job

#: Most pictures kept per file for the report.
_PICTURES_A_FILE = 10


def run_batch(
    paths: Sequence[Path],
    job: Job,
    *,
    workers: int = 1,
    max_pictures: int = 100,
    on_file: Callable[[Path], None] = lambda path: None,
) -> Census:
    """Detect and measure in all files, write the files of each image, and collect the tables.

    Parameters
    ----------
    paths : sequence of Path
        As `find_files` returns them.
    job : Job
    workers : int
        Number of processes; with 1 all happens in this one.
    max_pictures : int
        Number of files of which pictures are kept for the report.
    on_file : callable
        Called with each file when it is done.

    Returns
    -------
    Census
        In the order of the files; a file that failed has one row with status ``failed``.

    Raises
    ------
    ValueError
        If the run would overwrite one of its inputs.
    """
    names = name_files(paths)
    _protect_inputs(paths, names, job.out)
    keep = max_pictures if job.overlays else 0
    tasks = [(path, name, job, i < keep) for i, (path, name) in enumerate(zip(paths, names, strict=True))]
    records: list[list[ImageRecord]] = [[] for _ in tasks]
    mapped = _map_here(tasks) if workers <= 1 else _map_processes(tasks, workers)
    for i, done in mapped:
        records[i] = done
        on_file(paths[i])
    return _collect([record for of_file in records for record in of_file])


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


_Task = tuple[Path, str, Job, bool]


def _map_here(tasks: Sequence[_Task]) -> Iterator[tuple[int, list[ImageRecord]]]:
    for i, task in enumerate(tasks):
        yield i, process_file(*task)


def _map_processes(tasks: Sequence[_Task], workers: int) -> Iterator[tuple[int, list[ImageRecord]]]:
    done: set[int] = set()
    with processes.start_pool(workers) as pool:
        futures = {pool.submit(process_file, *task): i for i, task in enumerate(tasks)}
        try:
            for future in as_completed(futures):
                records = future.result()
                done.add(futures[future])
                yield futures[future], records
        except BrokenProcessPool:
            pass
    # A file killed its process. The rest run one by one, so that only this file is lost.
    for i in sorted(set(range(len(tasks))) - done):
        with processes.start_pool(1) as pool:
            try:
                yield i, pool.submit(process_file, *tasks[i]).result()
            except BrokenProcessPool:
                yield (
                    i,
                    [
                        _fail(
                            tasks[i],
                            "the process that read it died: the file is damaged, or the method kills it",
                        )
                    ],
                )


def process_file(path: Path, name: str, job: Job, picture: bool = False) -> list[ImageRecord]:
    """Detect and measure in every image of a file; a bad file gives a failed row, never an exception.

    Parameters
    ----------
    path : Path
    name : str
        Name of the file in the tables.
    job : Job
    picture : bool
        Whether to draw pictures for the report.

    Returns
    -------
    list of ImageRecord
    """
    records: list[ImageRecord] = []
    try:
        sha256 = hash_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # readers' remarks on foreign metadata
            for micrograph in read_all(path, pixel_size=job.pixel_size, modality=job.modality):
                shown = picture and len(records) < _PICTURES_A_FILE
                records.append(process_image(replace(micrograph, name=name), sha256, job, shown))
        return records
    except Exception as error:
        known = isinstance(error, (ValueError, OSError))
        message = str(error) if known else f"{type(error).__name__}: {error}"
        failed = _fail((path, name, job, picture), printable(Path(" ".join(message.split()))))
        failed.row["frame"] = len(records)
        return [*records, failed]


def _fail(task: _Task, message: str) -> ImageRecord:
    path, name, job, _ = task
    row = {"image": name, "frame": 0, "file": printable(path), "method": job.detector.method}
    return ImageRecord({**row, "status": "failed", "message": message}, {}, [], None)


def _collect(records: Sequence[ImageRecord]) -> Census:
    import pandas as pd

    rows = [record.row for record in records]
    images = pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)).astype(IMAGE_COLUMNS)
    parts = [record.pores for record in records if record.pores]
    pores = pd.DataFrame(
        {
            name: np.concatenate([part[name] for part in parts]) if parts else np.array([], object)
            for name in PORE_COLUMNS
        }
    ).astype(PORE_COLUMNS)
    pictures = {r.outputs[0].removesuffix(ENDINGS["labels"]): r.pictures for r in records if r.pictures}
    return Census(images, pores, [name for r in records for name in r.outputs], pictures)
