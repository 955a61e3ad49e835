"""The folder of a run: made, recorded, closed, never overwritten unasked."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porescope.files import (
    DETECT_ENDINGS,
    ENDINGS,
    FILES,
    NEXT,
    PAGE_FILES,
    PAGES,
    PARTS,
    PICTURE_ENDINGS,
    PICTURES,
    name_files,
    printable,
    remove_unfinished,
)
from porescope.runs.job import Job
from porescope.runs.parts import list_outputs
from porescope.runs.record import list_inputs, read_record, write_record
from porescope.runs.run import Run, read_run, restore_parts
from porescope.runs.tables import write_tables

if TYPE_CHECKING:
    from filelock import FileLock

#: Files in which an earlier run is recognised, and all that a run has once; the record is removed last.
_SIGNS = tuple(FILES[kind] for kind in (*PARTS, "report", "run"))
_OWN_FILES = (
    *(Path(FILES[kind]).with_suffix(".parquet").name for kind in PARTS),
    *(FILES[kind] for kind in ("log", "live", "live_data", "live_script")),
    *_SIGNS,
)


def check_folder(out: Path) -> None:
    """Refuse a folder of results that is a file, or whose name tables cannot be written to.

    Parameters
    ----------
    out : Path
        It need not exist.

    Raises
    ------
    ValueError
        If it is a file or a remote address, or its name is not valid UTF-8.
    """
    if re.match(r"\w{2,}:/", str(out)):
        raise ValueError(f"{out} is a remote address; give a local folder with -o")
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder with -o")
    if printable(out) != str(out):
        raise ValueError(f"{printable(out)} is not valid UTF-8, as Parquet needs it; give another -o")


@contextmanager
def lock_folder(out: Path) -> Iterator[None]:
    """Make the folder of a run, and keep other runs out of it during a block.

    Parameters
    ----------
    out : Path

    Yields
    ------
    None

    Raises
    ------
    ValueError
        If the folder cannot be written, or another run is writing to it.
    """
    from filelock import FileLock, Timeout

    check_folder(out)
    lock = FileLock(out / "_lock")
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f"another run is writing to {out}; give another -o, or wait for it") from None
    except OSError as error:
        raise ValueError(f"{out} cannot be written ({error.strerror}); give another -o") from None
    try:
        replace_run(out)
        yield
    finally:
        _unlock(lock)


def _unlock(lock: FileLock) -> None:
    """Remove a lock, then release it: else it could be removed while the next one has it."""
    with suppress(OSError):  # Windows removes it when it is released
        Path(lock.lock_file).unlink()
    lock.release()


@contextmanager
def lock_tables(out: Path) -> Iterator[None]:
    """Let one process at a time write the final tables: a run that ends, or a report on it.

    Else a report that began while the run went on would put its older tables in the place of the final ones.

    Parameters
    ----------
    out : Path

    Yields
    ------
    None
    """
    from filelock import FileLock

    lock = FileLock(out / "_tables_lock")
    lock.acquire()
    try:
        yield
    finally:
        _unlock(lock)


def prepare_folder(job: Job, paths: Sequence[Path], *, overwrite: bool = False, resume: bool = False) -> Job:
    """Make the folder of a run ready: empty, or ready to go on with an earlier run.

    An earlier run that is to be overwritten stays until the new one is finished, which is written in
    ``OUT/_next``.

    Parameters
    ----------
    job : Job
    paths : sequence of Path
        The inputs, which are never removed.
    overwrite : bool
        Whether to replace an earlier run.
    resume : bool
        Whether to go on with an earlier run, which must be of the same job.

    Returns
    -------
    Job
        With the folder in which the run is written.

    Raises
    ------
    ValueError
        If the folder holds results that may not be replaced, or a run of another job.
    """
    out, following = job.out, job.out / NEXT
    if following.is_symlink():
        raise ValueError(f"{following} is a link, which may lead anywhere; remove it, or give another -o")
    signs = [path for folder in (out, following) for name in _SIGNS if (path := folder / name).exists()]
    _protect_inputs([*paths, *map(Path, list_inputs(read_record(out)))], name_files(paths), out)
    if resume:
        out = following if read_record(following) else out
        _check_same_job(job, read_record(out))
        restore_parts(out)
    elif signs and not overwrite:
        raise ValueError(
            f"{out} holds the results of another run ({signs[0].relative_to(out)}); give another -o, or say "
            "--overwrite, or --resume to go on with it"
        )
    elif signs:
        _remove_run(following, paths)
        clear_parts(following)  # also where its record is damaged
        out = following
        out.mkdir(exist_ok=True)
    remove_unfinished(out)
    return replace(job, out=out)


def _protect_inputs(inputs: Sequence[Path], names: Sequence[str], out: Path) -> None:
    """Refuse a run that would overwrite one of the inputs, its own or those of the run that it replaces."""
    endings = "|".join(map(re.escape, DETECT_ENDINGS))
    stems, folder = set(names), out.resolve()
    for path in inputs:
        match = re.fullmatch(rf"(.+?)(_\d{{4,}})?({endings})", path.name)
        if match is None:
            continue
        own = bool(stems & {match[1], f"{match[1]}{match[2] or ''}"})
        # Between the name and the number of a frame there may be its signal's.
        own |= bool(match[2]) and match[1].startswith(tuple(f"{stem}_" for stem in stems))
        if own and path.resolve().parent == folder:
            raise ValueError(f"{path} would be overwritten by this run's own results; give another -o")


def _check_same_job(job: Job, record: Mapping[str, Any]) -> None:
    """Refuse to go on with a run whose numbers were made in another way."""
    if not record:
        return
    mine = {"version": version("porescope"), **job.describe()}
    for key, value in json.loads(json.dumps(mine, default=str)).items():
        if record.get(key) != value:
            raise ValueError(
                f"--resume: {job.out} was made with {key} = {record.get(key)!r}, not {value!r}; say the same "
                "options as then, or give another -o"
            )


def _remove_run(out: Path, paths: Sequence[Path]) -> None:
    """Remove the files that a run wrote, its record last, but for inputs and files of any other kind."""
    record = read_record(out)
    keep = {path.resolve() for path in (*paths, *map(Path, list_inputs(record)))}
    own = [path for path in _list_own_files(out, record) if path.resolve() not in keep]
    if own:
        clear_parts(out)
    for path in own:
        path.unlink(missing_ok=True)
    for folder in (out / PICTURES, out / PAGES, out):
        with suppress(OSError):  # something else is in it
            folder.rmdir()


def _list_own_files(out: Path, record: Mapping[str, Any]) -> list[Path]:
    """Files in a folder that its run wrote, the record last.

    The content of ``run.json`` is untrusted. Only plain names of porescope's own kinds count.
    """
    if not record:
        return []
    named = [name for name in list_outputs(out, record) if Path(name).name == name]
    images = [name for name in named if name.endswith(DETECT_ENDINGS)]
    labels = ENDINGS["labels"]
    stems = [] if (out / PICTURES).is_symlink() else [n[: -len(labels)] for n in images if n.endswith(labels)]
    older = [f"_{i}.jpg" for i in range(4)]  # as earlier versions named them
    pictures = [out / PICTURES / f"{stem}{e}" for stem in stems for e in (*PICTURE_ENDINGS.values(), *older)]
    pages = [] if (out / PAGES).is_symlink() else list((out / PAGES).glob(PAGE_FILES))
    paths = [*pictures, *pages, *(out / name for name in (*images, *_OWN_FILES))]
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def replace_run(out: Path) -> None:
    """Put the run in ``OUT/_next``, if it is finished, in the place of the earlier one.

    It may be called again if it was cut short.

    Parameters
    ----------
    out : Path
    """
    following = out / NEXT
    record = read_record(following)
    if following.is_symlink() or record.get("state") != "finished":
        return
    clear_parts(following)  # it may have been killed before; a later run would count them as its own
    _remove_run(out, list(map(Path, list_inputs(record))))
    for path in _list_own_files(following, record):
        target = out / path.relative_to(following)
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)
    for folder in (following / PICTURES, following / PAGES, following):
        with suppress(OSError):  # something else is in it
            folder.rmdir()


def clear_parts(out: Path) -> None:
    """Remove the parts of a run, and their folders if nothing else is in them.

    Parameters
    ----------
    out : Path
    """
    for kind in PARTS:
        for path in (out / kind).glob("part-*.parquet"):
            path.unlink()
        with suppress(OSError):
            (out / kind).rmdir()


#: What writes the report of a run into its folder: the command hands it in, since it lies above.
WriteReport = Callable[[Run, Path], object]


def close_run(
    job: Job,
    paths: Sequence[Path],
    command: Sequence[str],
    started: datetime,
    state: str,
    write_report: WriteReport,
) -> Run:
    """Write the tables, the record and the report of a run from its parts.

    Parameters
    ----------
    job, paths, command, started, state
        As for `write_record`.
    write_report : callable
        As `porescope.report.write_report`.

    Returns
    -------
    Run
    """
    with lock_tables(job.out):
        return _close_run(job, paths, command, started, state, write_report)


def _close_run(
    job: Job,
    paths: Sequence[Path],
    command: Sequence[str],
    started: datetime,
    state: str,
    write_report: WriteReport,
) -> Run:
    if read_record(job.out).get("state") == "finished":  # a signal came while its parts were removed
        clear_parts(job.out)
        run = read_run(job.out)
        write_report(run, job.out)
        return run
    remove_unfinished(job.out)  # of workers that were killed
    outputs = write_tables(job.out)
    run = read_run(job.out)
    inputs = run.images.drop_duplicates("file")[["file", "sha256"]].astype(object)
    known: Any = inputs.where(inputs.notna(), None).to_dict("records")
    record = write_record(
        job, paths, command, started, state, [*outputs, FILES["report"], FILES["log"]], known
    )
    run = run._replace(record=record)
    write_report(run, job.out)
    if state == "finished":
        clear_parts(job.out)
    return run
