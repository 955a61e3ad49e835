"""The command ``demo``: detect and score pores in published or simulated images."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from porescope.cli.console import say, stop

app = typer.Typer()

#: SHA-256 of the published WS2 images and their standards, by file name.
_PUBLISHED = {
    "A.dm3": "7ce48e916a5a8dbb966266697d9f6b5b905b1c3af08d0bfbcb8a83d7077ded72",
    "A_standard.png": "73db0a1003737711661de93940d14e0e2dfae348c5f0db75281ebd06523d3ac5",
    "B.dm3": "815754d82d7e97e77f5f11efa84f3a2c5a533caa161e95d3629adf3ac4d2d81e",
    "B_standard.png": "79dc728c40290b5dd2ae71c5d1abe353ec704fad317b35dda5fc3c7ad5e8d6fd",
    "C.dm3": "c677a6fff7ab0d2b72a90069c996a37d848b38ee6e229443dec1d0fca569bbd4",
    "C_standard.png": "3b792bbaef8e6df03678b544f74f01bfd43ef81a81c12b22c8684259c437f26f",
    "D.dm3": "82e8f411c936d6e50ec9081698254b95fb7c700f26b4ae291117f4c7e2387b6e",
    "D_standard.png": "945b5ce9fe253bcfcf8d08c69eca47e6cb8f8f71ee60c2c5b917202bc5d750ea",
    "E.dm3": "deca05178324405a6788903c2026d3ccf51152b7250f414a74263db9a00e50e7",
    "E_standard.png": "43819cadf37aecd507d54acbe0a0aa5a7b8c21d54c42a84111b197904f4a4534",
}
#: Folder of the published images.
ADDRESS = (
    "https://raw.githubusercontent.com/joshualchen/nanopore-identification/"
    "c178502e6de9350e190aadf5accb2110c4ab350b/working_directory/"
)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("demo"),
    overwrite: Annotated[bool, typer.Option(help="Replace the results of another run.")] = False,
) -> None:
    """Detect and score pores in published or simulated images, and write a report."""
    from porescope.cli.detect import run_job
    from porescope.cli.summary import print_summary
    from porescope.runs import Job

    try:
        images, standards = find_images(out / "simulated", say)
        run = run_job(images, Job(out), {"workers": 1}, overwrite=overwrite)
        _print_scores(out, standards)
    except (ValueError, OSError) as error:
        stop(error)
    print_summary(run, out)


def _print_scores(out: Path, folder: Path) -> None:
    from porescope.runs import score_results

    scores = list(score_results(out, folder).values())
    pooled = sum(scores[1:], scores[0])
    mean = [sum(getattr(s, name) for s in scores) / len(scores) for name in ("precision", "recall", "f1")]
    say(
        f"Against the standards: {pooled.found} of {pooled.found + pooled.missed} pores found, "
        f"{pooled.false} false; pixel precision {mean[0]:.2f}, recall {mean[1]:.2f}, F1 {mean[2]:.2f} "
        "(means of images)."
    )


def find_data(subfolder: str = "ws2") -> Path | None:
    """Find the folder of the test data: in ``$PORESCOPE_DATA``, else in ``../shared/data``.

    Parameters
    ----------
    subfolder : str

    Returns
    -------
    Path or None
        None if there is no such folder.
    """
    root = Path(os.environ.get("PORESCOPE_DATA") or Path("..", "shared", "data"))
    folder = root / subfolder
    return folder if folder.is_dir() else None


def find_images(simulated: Path, say: Callable[[str], None]) -> tuple[list[Path], Path]:
    """Find the published images, fetch them, or draw five into a folder.

    Parameters
    ----------
    simulated : Path
        Folder for simulated images.
    say : callable
        Called with a sentence that says which images are used.

    Returns
    -------
    images : list of Path
    standards : Path
        The folder that holds a standard of each.
    """
    folder = find_data()
    if folder is None:
        try:
            folder = _fetch(say)
        except Exception as error:  # whatever a network does
            reason = type(error).__name__
            say(f"The published WS2 images could not be fetched ({reason}); drawing five simulated ones.")
            folder = _simulate(simulated)
            return sorted(folder.glob("simulated_?.tif")), folder
    say(f"The published WS2 images are in {folder}.")
    return [folder / name for name in _PUBLISHED if name.endswith(".dm3")], folder


def _fetch(say: Callable[[str], None]) -> Path:
    import pooch

    cache = Path(pooch.os_cache("porescope")) / "ws2"
    pooch.get_logger().setLevel("ERROR")
    say("Fetching the published WS2 images …")
    fetcher = pooch.create(
        cache, ADDRESS, registry={k: f"sha256:{v}" for k, v in _PUBLISHED.items()}, allow_updates=False
    )
    for name in _PUBLISHED:
        fetcher.fetch(name, downloader=pooch.HTTPDownloader(timeout=10))
    return cache


def _simulate(folder: Path) -> Path:
    from porescope.simulation import Scene, save_simulation, simulate

    for i in range(1, 6):
        drawn = simulate(Scene(pores=3 + i), seed=i, name=f"simulated_{i}")
        save_simulation(folder, drawn, f"demo, seed {i}")
    return folder
