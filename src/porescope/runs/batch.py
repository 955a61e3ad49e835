"""Many files: detect and measure in processes, write what belongs to each, collect the tables."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from porescope import processes
from porescope.files.names import DETECT_ENDINGS, ENDINGS, name_files, printable
from porescope.files.writing import hash_file
from porescope.measurement import PORE_COLUMNS
from porescope.micrograph import read_all
from porescope.runs.image import PICTURES_A_FILE, process
from porescope.runs.job import IMAGE_COLUMNS, Census, Job, Result

if TYPE_CHECKING:
    pass


def run_batch(
    paths: Sequence[Path],
    job: Job,
    *,
    workers: int = 1,
    max_pictures: int = 100,
    on_file: Callable[[Path], None] = lambda path: None,
) -> Census:
    """Detect and measure in all files, write what belongs to each, and collect the tables.

    Parameters
    ----------
    paths : sequence of Path
        As `find_files` gives them.
    job : Job
    workers : int
        Number of processes; 1 stays in this one.
    max_pictures : int
        Of how many images pictures are kept for the report.
    on_file : callable
        Called with each file when it is done.

    Returns
    -------
    Census
        In the order of the files; a file that failed has one row with status ``failed``.
    """
    names = name_files(paths)
    _protect_inputs(paths, names, job.out)
    keep = max_pictures if job.overlays else 0
    tasks = [(path, name, job, i < keep) for i, (path, name) in enumerate(zip(paths, names, strict=True))]
    results: list[list[Result]] = [[] for _ in tasks]
    mapped = _map_here(tasks) if workers <= 1 else _map_processes(tasks, workers)
    for i, result in mapped:
        results[i] = result
        on_file(paths[i])
    return _collect([r for rs in results for r in rs])


def _protect_inputs(paths: Sequence[Path], names: Sequence[str], out: Path) -> None:
    """Refuse a run that would write over one of its own inputs."""
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


def _map_here(tasks: Sequence[_Task]) -> Iterator[tuple[int, list[Result]]]:
    for i, task in enumerate(tasks):
        yield i, process_file(*task)


def _map_processes(tasks: Sequence[_Task], workers: int) -> Iterator[tuple[int, list[Result]]]:
    done: set[int] = set()
    with processes.start_pool(workers) as pool:
        futures = {pool.submit(process_file, *task): i for i, task in enumerate(tasks)}
        try:
            for future in as_completed(futures):
                result = future.result()
                done.add(futures[future])
                yield futures[future], result
        except BrokenProcessPool:
            pass
    # A file brought its process down: the rest go one by one, so that only it is lost.
    for i in sorted(set(range(len(tasks))) - done):
        with processes.start_pool(1) as pool:
            try:
                yield i, pool.submit(process_file, *tasks[i]).result()
            except BrokenProcessPool:
                yield i, [_failure(tasks[i], "the process that read it died; the file is damaged")]


def process_file(path: Path, name: str, job: Job, picture: bool = False) -> list[Result]:
    """Detect and measure in every image of a file; never raises for a bad file."""
    results: list[Result] = []
    try:
        sha256 = hash_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # readers' remarks on foreign metadata
            for micrograph in read_all(path, pixel_size=job.pixel_size, modality=job.modality):
                named = replace(micrograph, name=name)
                results.append(process(named, sha256, job, picture and len(results) < PICTURES_A_FILE))
        return results
    except Exception as error:
        known = isinstance(error, (ValueError, OSError))
        message = str(error) if known else f"{type(error).__name__}: {error}"
        failed = _failure((path, name, job, picture), printable(Path(" ".join(message.split()))))
        failed.row["frame"] = len(results)
        return [*results, failed]


def _failure(task: _Task, message: str) -> Result:
    path, name, job, _ = task
    row = {"image": name, "frame": 0, "file": printable(path), "method": job.method}
    return Result({**row, "status": "failed", "message": message}, {}, [], None)


def _collect(results: Sequence[Result]) -> Census:
    import pandas as pd

    rows = [result.row for result in results]
    images = pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)).astype(IMAGE_COLUMNS)
    parts = [result.pores for result in results if result.pores]
    pores = pd.DataFrame(
        {
            name: np.concatenate([part[name] for part in parts]) if parts else np.array([], object)
            for name in PORE_COLUMNS
        }
    ).astype(PORE_COLUMNS)
    pictures = {
        Path(r.outputs[0]).name.removesuffix(ENDINGS["labels"]): r.pictures for r in results if r.pictures
    }
    return Census(images, pores, [name for r in results for name in r.outputs], pictures)
