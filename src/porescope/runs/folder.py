"""The folder of a run: made, filled with the tables and the record, never filled over unasked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from porescope.files.names import FILES
from porescope.files.writing import hash_file, write_whole
from porescope.network.model import SHIPPED, load_model
from porescope.runs.job import Census, Job


def write_tables(census: Census, out: Path) -> list[str]:
    """Write ``pores`` and ``images`` as CSV and Parquet; give the files' names."""
    names = []
    for csv, table in ((FILES["pores"], census.pores), (FILES["images"], census.images)):
        parquet = str(Path(csv).with_suffix(".parquet"))
        with write_whole(out / csv) as part:
            table.to_csv(part, index=False, float_format="%.6g")
        with write_whole(out / parquet) as part:
            table.to_parquet(part, index=False)
        names += [csv, parquet]
    return names


def prepare_folder(out: Path, overwrite: bool) -> None:
    """Make the folder of a run; with ``overwrite`` remove what an earlier run wrote there.

    Raises
    ------
    ValueError
        If the folder holds results and they may not be replaced.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file; give a folder with -o")
    earlier = [FILES[key] for key in ("run", "pores", "images", "report") if (out / FILES[key]).exists()]
    if earlier and not overwrite:
        raise ValueError(
            f"{out} holds the results of another run ({earlier[0]}); give another -o or say --overwrite"
        )
    for name in _outputs_of(out / FILES["run"]) if earlier else []:
        # Names in run.json are a file's content: only plain names inside the folder count.
        if Path(name).name == name and (out / name).is_file():
            (out / name).unlink()
    out.mkdir(parents=True, exist_ok=True)


def _outputs_of(path: Path) -> list[str]:
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["outputs"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def _describe_model(job: Job) -> dict[str, Any] | None:
    """Say which network found the pores: its file, hash, version and seed."""
    if job.method != "network":
        return None
    if job.model is not None and job.model.suffix == ".pt":
        return {"file": job.model.name, "sha256": hash_file(job.model), "kind": "Mask R-CNN"}
    model = load_model(job.model)
    return {
        "file": (job.model or SHIPPED).name,
        "sha256": model.sha256,
        "trained_by": f"porescope {model.card['porescope']}",
        "seed": model.card["plan"]["seed"],
        "steps": model.card["steps"],
        "turned": job.turned,
        "least_confidence": job.least_confidence,
    }


def write_run(
    census: Census, job: Job, outputs: Sequence[str], command: Sequence[str], started: datetime
) -> dict[str, Any]:
    """Write ``run.json``: all that is needed to repeat a run; give its content."""
    import platform
    import shlex
    from importlib.metadata import version

    inputs = census.images.drop_duplicates("file")[["file", "sha256"]].astype(object)
    run = {
        "version": version("porescope"),
        "command": shlex.join([Path(command[0]).name, *command[1:]]),
        "method": job.method,
        "recipe_name": job.recipe.name if job.recipe else None,
        "recipe": job.recipe.numbers() if job.recipe else {},
        "recipe_provenance": dict(job.recipe.provenance) if job.recipe else {},
        "model": _describe_model(job),
        "modality": job.modality,
        "pixel_size_nm": job.pixel_size,
        "material": job.material,
        "calibrate": "lattice" if job.calibrate else "header",
        "seed": None,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "libraries": {
            name: version(name)
            for name in (
                "numpy",
                "scipy",
                "opencv-python-headless",
                "scikit-image",
                "rosettasciio",
                "onnxruntime",
            )
        },
        "inputs": inputs.where(inputs.notna(), None).to_dict("records"),
        "outputs": [*outputs, FILES["report"]],
    }
    with write_whole(job.out / FILES["run"]) as part:
        part.write_text(json.dumps(run, indent=1, ensure_ascii=False), encoding="utf-8")
    return run
