"""What several tests need: simulated files, the command line, a page as a browser shows it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tifffile
from typer.testing import CliRunner, Result

from porescope import Recipe
from porescope.cli.app import app
from porescope.recipes import Choice, Search
from porescope.runs import Job, Run, read_run, run_batch, write_record
from porescope.runs.parts import iterate_tables
from porescope.simulation import Scene, simulate


def save_simulated(folder: Path, name: str, seed: int = 1, frames: int = 1, **options: int) -> Path:
    drawn = [
        simulate(Scene(shape=(180, 220), pores=3, max_missing=40, dose=2e6, **options), seed=seed + i)
        for i in range(frames)
    ]
    stack = np.stack([d.micrograph.image for d in drawn]).astype(np.uint16)
    size = 1 / drawn[0].micrograph.pixel_size[0]
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    axes = {"unit": "nm", "axes": "TYX"} if frames > 1 else {"unit": "nm"}
    tifffile.imwrite(
        path, stack if frames > 1 else stack[0], imagej=True, resolution=(size, size), metadata=axes
    )
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def dump(chromium: str, page: Path) -> str:
    """The page's content after its scripts have run."""
    quiet = ["--no-first-run", "--disable-background-networking", "--disable-sync"]
    options = ["--headless", "--no-sandbox", "--disable-gpu", *quiet, "--disable-component-update"]
    options += [f"--user-data-dir={page.parent / 'profile'}", "--dump-dom"]
    command = [chromium, *options, f"file://{page}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def recall_of_pores(score) -> float:
    return score.found / (score.found + score.missed)


def broken_metric(score) -> float:
    return 1 / 0


def not_a_number(score) -> float:
    return float("nan")


def take_census(paths: list[Path], job: Job, **options: object) -> Run:
    """Run a batch and read what it wrote."""
    write_record(job, paths, ["porescope"], datetime.now(UTC), "running")
    run_batch(paths, job, **options)
    return read_run(job.out)


def list_outputs(out: Path) -> list[str]:
    """Names of the files that a run wrote for its images, in the order of the inputs."""
    return [name for images, *_ in iterate_tables(out) for names in images._outputs for name in names]


def build_choice(
    axes: dict[str, np.ndarray], values: np.ndarray, best: list[int], mark: float = 0.5, reason: str = ""
) -> Choice:
    """Build a choice by hand; the images are named A, B, …"""
    names = [chr(ord("A") + i % 26) + "<" * (i // 26) for i in range(len(values))]
    shape = tuple(len(v) for v in axes.values())
    search = Search(Recipe(), axes, names, np.zeros((len(values), *shape, 6), np.int32))
    return Choice(search, values.reshape(len(values), -1), np.array(best), mark, "a title", reason)
