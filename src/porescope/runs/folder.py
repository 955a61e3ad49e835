"""The folder of a run: made, filled with the tables and the record, never overwritten unasked."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from porescope.files import FILES, printable, write_whole
from porescope.runs.job import Census, Job

#: Files in which an earlier run is recognised.
_SIGNS = tuple(FILES[kind] for kind in ("run", "pores", "images", "report"))


def prepare_folder(out: Path, overwrite: bool) -> None:
    """Make the folder of a run.

    Parameters
    ----------
    out : Path
    overwrite : bool
        Whether to remove the files of an earlier run.

    Raises
    ------
    ValueError
        If the folder holds results that may not be replaced.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder with -o")
    earlier = [name for name in _SIGNS if (out / name).exists()]
    if earlier and not overwrite:
        raise ValueError(
            f"{out} holds the results of another run ({earlier[0]}); give another -o or say --overwrite"
        )
    for name in _list_outputs(out / FILES["run"]) if earlier else []:
        # The content of run.json is untrusted: only plain names inside the folder count.
        if Path(name).name == name and (out / name).is_file():
            (out / name).unlink()
    out.mkdir(parents=True, exist_ok=True)


def _list_outputs(path: Path) -> list[str]:
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def write_tables(census: Census, out: Path) -> list[str]:
    """Write the tables ``pores`` and ``images`` as CSV and Parquet.

    Parameters
    ----------
    census : Census
    out : Path

    Returns
    -------
    list of str
        Names of the files.
    """
    names = []
    for csv, table in ((FILES["pores"], census.pores), (FILES["images"], census.images)):
        parquet = Path(csv).with_suffix(".parquet").name
        with write_whole(out / csv) as part:
            table.to_csv(part, index=False, float_format="%.6g")
        with write_whole(out / parquet) as part:
            table.to_parquet(part, index=False)
        names += [csv, parquet]
    return names


def write_run(
    census: Census, job: Job, outputs: Sequence[str], command: Sequence[str], started: datetime
) -> dict[str, Any]:
    """Write ``run.json``: all that is needed to repeat a run.

    Parameters
    ----------
    census : Census
    job : Job
    outputs : sequence of str
        Names of the files written so far.
    command : sequence of str
        The command line.
    started : datetime

    Returns
    -------
    dict
        The content of the file.
    """
    import platform
    import shlex

    inputs = census.images.drop_duplicates("file")[["file", "sha256"]].astype(object)
    run = {
        "version": version("porescope"),
        "command": shlex.join([Path(command[0]).name, *command[1:]]),
        "folder": printable(Path(os.getcwd())),
        "recipe_name": None,
        "recipe": {},
        "recipe_provenance": {},
        "model": None,
        "seed": None,
        **job.detector.describe(),
        "modality": job.modality,
        "pixel_size_nm": job.pixel_size,
        "material": job.material,
        "calibrate": "lattice" if job.calibrate else "header",
        "lattice": job.wants_lattice,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": _list_versions(),
        "inputs": inputs.where(inputs.notna(), None).to_dict("records"),
        "outputs": [*outputs, FILES["report"]],
    }
    with write_whole(job.out / FILES["run"]) as part:
        part.write_text(json.dumps(run, indent=1, ensure_ascii=False), encoding="utf-8")
    return run


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
