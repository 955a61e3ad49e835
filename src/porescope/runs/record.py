"""The record of a run, ``run.json``: written whole, read as untrusted."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from porescope.files import FILES, hash_file, printable, write_folder, write_whole
from porescope.runs.job import Job
from porescope.storage import is_address, locate


def read_record(folder: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Parameters
    ----------
    folder : Path
        Of the run.

    Returns
    -------
    dict
        Empty if there is none, or none that can be read.
    """
    try:
        record = json.loads((folder / FILES["run"]).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def list_inputs(record: Mapping[str, Any]) -> list[str]:
    """Files of a run, in their order.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``.

    Returns
    -------
    list of str
    """
    inputs = record.get("inputs")
    entries = inputs if isinstance(inputs, list) else []
    return [str(entry["file"]) for entry in entries if isinstance(entry, dict) and "file" in entry]


def place_file(record: Mapping[str, Any], file: str) -> str:
    """Absolute path of a file of a run, whose relative paths count from the folder where it was started.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``.
    file : str

    Returns
    -------
    str

    Examples
    --------
    >>> place_file({"folder": "/data"}, "night/a.tif")
    '/data/night/a.tif'
    """
    return file if is_address(file) else os.path.abspath(os.path.join(str(record.get("folder", "")), file))


def list_unnamed(record: Mapping[str, Any], paths: Sequence[Path]) -> list[str]:
    """List the inputs of a run that are not among the files that are named now.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``.
    paths : sequence of Path

    Returns
    -------
    list of str
    """
    here = {printable(locate(path)) for path in paths}
    return [file for file in list_inputs(record) if place_file(record, file) not in here]


def write_record(
    job: Job,
    paths: Sequence[Path],
    command: Sequence[str],
    started: datetime,
    state: str,
    outputs: Sequence[str] = (),
    inputs: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Write ``run.json``: all that is needed to repeat a run.

    Parameters
    ----------
    job : Job
    paths : sequence of Path
        The inputs.
    command : sequence of str
        The command line.
    started : datetime
    state : {"running", "stopped", "finished"}
    outputs : sequence of str
        Names of the files written so far.
    inputs : sequence of mapping, optional
        File and hash of each input, once they are known.

    Returns
    -------
    dict
        The content of the file.
    """
    import platform
    import shlex

    record = {
        "version": version("porescope"),
        "state": state,
        "command": printable(shlex.join([Path(command[0]).name, *command[1:]])),
        "folder": printable(os.getcwd()),
        **job.describe(),
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds") if state != "running" else None,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": _list_versions(),
        "inputs": [{"file": printable(p), "sha256": None} for p in paths] if inputs is None else list(inputs),
        "outputs": list(outputs),
    }
    with write_whole(job.out / FILES["run"]) as part:
        part.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    return record


def check_results(out: Path, method: str, names: Sequence[str], overwrite: bool) -> None:
    """Refuse a folder that holds results which may not be replaced.

    Parameters
    ----------
    out : Path
        It need not exist.
    method : str
        Name of the command that will write to it.
    names : sequence of str
        Names of the files that it will write.
    overwrite : bool
        Whether results of the same command may be replaced.

    Raises
    ------
    ValueError
    """
    here = [name for name in (FILES["run"], *names) if (out / name).exists()]
    if here and read_record(out).get("analysis") != method:
        raise ValueError(f"{out} holds {here[0]} of something else; give another -o")
    if here and not overwrite:
        raise ValueError(
            f"{out} holds the results of an earlier {method}; give another -o or say --overwrite"
        )


@contextmanager
def write_results(
    out: Path, method: str, command: Sequence[str], inputs: Sequence[Path], options: Mapping[str, Any]
) -> Iterator[Path]:
    """Write the folder of a command that works on results: its files and ``run.json``, whole or not at all.

    Parameters
    ----------
    out : Path
        See `check_results`.
    method : str
        Name of the command.
    command : sequence of str
        The command line.
    inputs : sequence of Path
        The files that were read.
    options : mapping
        All that changes the numbers.

    Yields
    ------
    Path
        Folder to write the files to.
    """
    import platform
    import shlex

    started = datetime.now(UTC)
    with write_folder(out, FILES["run"]) as part:
        yield part
        record = {
            "version": version("porescope"),
            "state": "finished",
            "analysis": method,
            "command": printable(shlex.join([Path(command[0]).name, *command[1:]])),
            "folder": printable(os.getcwd()),
            **options,
            "started": started.isoformat(timespec="seconds"),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "libraries": _list_versions(),
            "inputs": [{"file": printable(path), "sha256": hash_file(path)} for path in inputs],
            "outputs": sorted(path.name for path in part.iterdir()),
        }
        text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)
        (part / FILES["run"]).write_text(text, encoding="utf-8")


def _list_versions() -> dict[str, str]:
    """Versions of all libraries that porescope requires, and of those of its extras that are loaded."""
    versions = {}
    for requirement in requires("porescope") or []:
        name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
        extra = "extra ==" in requirement
        if extra and (name not in sys.modules or requirement.endswith("'dev'")):
            continue
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # an extra's library of the same name as a module
            continue
    return versions
