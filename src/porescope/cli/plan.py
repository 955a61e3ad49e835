"""The command ``plan``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from porescope.cli.console import (
    Inputs,
    Material,
    Modality,
    PixelSize,
    Recursive,
    put,
    show_progress,
    spoken_warnings,
    stop,
)
from porescope.cli.options import Method, Model, Recipe, choose_method

if TYPE_CHECKING:
    from porescope.cluster import Plan

app = typer.Typer()

#: Relative errors of the density for which the images are counted.
_ERRORS = (0.01, 0.05, 0.1)


def _read_number(text: str | float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1 <= number < float("inf"):
        raise typer.BadParameter(f"it must be a number of at least 1, such as 20000 or 1.6e9, not {text}")
    return number


@app.command()
def plan(
    inputs: Inputs,
    images: Annotated[
        float | None,
        typer.Option(
            metavar="N", parser=_read_number, help="Number of images of the whole run; default: one a file."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes of the run; default: one a core.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Number of files that are measured.")] = 20,
    recursive: Recursive = False,
    method: Method = None,
    recipe: Recipe = None,
    model: Model = None,
    modality: Modality = "auto",
    pixel_size: PixelSize = None,
    material: Material = None,
    no_images: Annotated[bool, typer.Option("--no-images", help="Without overlays, as for detect.")] = False,
) -> None:
    """Print what a run of many images would take: hours, disk, and how few images suffice."""
    from porescope.cluster import measure_plan
    from porescope.files import find_files
    from porescope.processes import count_cores
    from porescope.runs import Job

    try:
        paths = find_files(inputs, recursive=recursive)
        detector = choose_method(method, {"recipe": recipe, "model": model})
        job = Job(
            Path(),
            detector,
            modality=modality,
            pixel_size=pixel_size,
            material=material,
            overlays=not no_images,
        )
        with show_progress("measuring", min(sample, len(paths))) as on_progress, spoken_warnings():
            measured = measure_plan(paths, job, sample, on_progress)
    except (ValueError, OSError) as error:
        stop(error)
    for line in describe_plan(measured, float(images or len(paths)), workers or count_cores()):
        put(line)


def describe_plan(plan: Plan, n_images: float, workers: int) -> list[str]:
    """Describe a plan in lines of text.

    Parameters
    ----------
    plan : Plan
    n_images : float
        Number of images of the whole run.
    workers : int
        Number of processes of the run.

    Returns
    -------
    list of str
    """
    import numpy as np

    from porescope.cluster import EFFICIENCY, STAGES

    n = len(plan.seconds)
    lines = [
        f"Sample: {n} image{'s' * (n > 1)} on one core of this machine, method {', '.join(plan.methods)}."
    ]
    if plan.failed:
        lines.append(f"Failed: {len(plan.failed)} of {n + len(plan.failed)}; {plan.failed[0]}")
    total = plan.seconds.sum(axis=1)
    for name, times in zip((*STAGES, "together"), (*plan.seconds.T, total), strict=True):
        low, middle, high = np.quantile(times * 1e3, (0.05, 0.5, 0.95))
        share = times.sum() / total.sum()
        lines.append(f"  {name:9}{middle:8.1f} ms an image ({low:.1f} to {high:.1f}), {share:4.0%}")
    lines.append(
        f"Not counted: {plan.waited.mean() * 1e3:.1f} ms an image of waiting, for the disk or other programs."
    )
    hours, low, high = plan.estimate_hours(n_images)
    lines.append(f"{n_images:,.0f} images:")
    spread = "" if np.isnan(low) else f" ({format_hours(low)} to {format_hours(high)})"
    lines.append(f"  time of one core: {format_hours(hours)}{spread}")
    wall = format_hours(hours / workers / EFFICIENCY)
    lines.append(f"  wall time of {workers} workers at {EFFICIENCY:.0%} efficiency: {wall}")
    written, read = plan.written_bytes.mean() + plan.table_bytes, plan.read_bytes.mean()
    lines.append(f"  disk: {format_bytes(read * n_images)} read, {format_bytes(written * n_images)} written")
    lines.append(f"  of which tables: {format_bytes(plan.table_bytes * n_images)}")
    return [*lines, *_describe_sampling(plan, n_images)]


def _describe_sampling(plan: Plan, n_images: float) -> list[str]:
    """How many images suffice for the density of pores."""
    import numpy as np

    if not plan.pores.any():
        return ["No pore in the sample: it does not say how many images the density needs."]
    mean = plan.pores.mean()
    lines = [
        f"Density of pores: {mean:.3g} an image, variance {plan.dispersion:.2g} × that of chance. "
        "With images spread over the whole sheet it is known, at 95 %,"
    ]
    for error in _ERRORS:
        needed = float(np.ceil(plan.count_needed(error)))
        enough = needed <= n_images
        share = f"{needed / n_images:.2g} of the sheet" if enough else "more than there are"
        hours = format_hours(plan.estimate_hours(needed)[0])
        lines.append(f"  within {error:.0%} from {needed:,.0f} images, {share}, {hours} of one core")
    return lines


def format_hours(hours: float) -> str:
    """Write a time in the unit that suits it.

    Parameters
    ----------
    hours : float

    Returns
    -------
    str

    Examples
    --------
    >>> format_hours(0.01), format_hours(5), format_hours(6000), format_hours(43_830)
    ('36 s', '5 h', '250 days', '5 years')
    """
    for unit, length in (("years", 8766.0), ("days", 24.0), ("h", 1.0), ("min", 1 / 60)):
        if hours >= 2 * length or (unit == "h" and hours >= 1):
            return f"{hours / length:.3g} {unit}"
    return f"{hours * 3600:.3g} s"


def format_bytes(n: float) -> str:
    """Write a size in the unit that suits it.

    Parameters
    ----------
    n : float
        [bytes]

    Returns
    -------
    str

    Examples
    --------
    >>> format_bytes(1.8e15), format_bytes(2e3)
    ('1.8 PB', '2 kB')
    """
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return f"{n:.0f} bytes"
