"""The command line. Heavy imports stay inside the commands that need them."""

from __future__ import annotations

import enum
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from porescope.batch import Census, Job
    from porescope.recipe import Recipe

app = typer.Typer(
    name="porescope",
    help="Find and measure nanopores in electron-microscope images of thin crystals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Method(enum.StrEnum):
    """How pores are found."""

    threshold = "threshold"


class Modality(enum.StrEnum):
    """How the image was taken."""

    auto = "auto"
    haadf = "haadf"
    bf = "bf"
    abf = "abf"
    hrtem = "hrtem"


def say(text: str) -> None:
    """Tell the user something beside the results."""
    typer.echo(text, err=True)


def stop(text: str) -> NoReturn:
    """End because the command was used wrongly."""
    say(f"porescope: {text}")
    raise typer.Exit(2)


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Find and measure nanopores in electron-microscope images of thin crystals."""
    if version:
        from porescope import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def detect(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, folders or globs.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the results.")],
    method: Annotated[Method | None, typer.Option(help="How to find pores.")] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Parameters of the threshold method.")
    ] = None,
    modality: Annotated[Modality, typer.Option(help="How the images were taken.")] = Modality.auto,
    pixel_size: Annotated[
        float | None, typer.Option(metavar="NM", help="Pixel size, in place of the files' own.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the results of another run.")] = False,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Write overlays, show them in the report.")
    ] = True,
    rois: Annotated[bool, typer.Option("--rois", help="Write ImageJ ROIs too.")] = False,
    geojson: Annotated[bool, typer.Option("--geojson", help="Write GeoJSON too.")] = False,
) -> None:
    """Find the pores in images and write tables, overlays and a report."""
    from porescope.files import find_files
    from porescope.processes import choose_workers, prepare_workers

    try:
        paths = find_files(inputs)
    except ValueError as error:
        stop(str(error))
    workers = workers or choose_workers(len(paths))
    if workers > 1:
        prepare_workers()
    from porescope.batch import Job
    from porescope.recipe import load_recipe

    if method is None and recipe is None:
        say("Method: threshold with the recipe ws2, the default today (tuned on HAADF of WS2).")
    try:
        job = Job(
            out=out,
            recipe=load_recipe(recipe or "ws2"),
            modality=modality.value,
            pixel_size=pixel_size,
            overlays=images,
            rois=rois,
            geojson=geojson,
        )
        census = _run(paths, job, workers, overwrite)
    except (ValueError, OSError) as error:
        stop(str(error))
    _print_summary(census, out)
    if (census.images.status != "ok").any():
        raise typer.Exit(1)


def _run(paths: Sequence[Path], job: Job, workers: int, overwrite: bool) -> Census:
    """Run a batch with a progress bar and write all that belongs to it."""
    import datetime

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from porescope.batch import prepare_folder, run_batch, write_run, write_tables
    from porescope.report import write_report

    if job.pixel_size is not None and not 0 < job.pixel_size < float("inf"):
        raise ValueError(f"--pixel-size must be above 0 nm, not {job.pixel_size:g}")
    started = datetime.datetime.now(datetime.UTC)
    prepare_folder(job.out, overwrite)
    bar = Progress(
        TextColumn("detecting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=len(paths))
        census = run_batch(paths, job, workers=workers, on_file=lambda _: bar.advance(task))
    names = write_tables(census, job.out)
    run = write_run(census, job, [*census.outputs, *names], sys.argv, started)
    write_report(census, run, job.out / "report.html")
    return census


def _print_summary(census: Census, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("image", "pores", "median diameter [nm]", "density [1/µm²]", ""):
        table.add_column(head, justify="right" if head.endswith(("s", "]")) else "left")
    rows = census.images.to_dict("records")
    shown = rows if len(rows) <= 20 else [row for row in rows if row["status"] != "ok"][:20]
    for row in shown:
        table.add_row(*_summarise(row))
    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    if shown:
        console.print(table)
    done = census.images[census.images.status == "ok"]
    for message, n in done.message[done.message != ""].value_counts().items():
        say(f"{n} of {len(rows)} images: {message}.")
    failed = int((census.images.status != "ok").sum())
    console.print(
        f"{len(census.pores)} pores in {len(done)} images" + (f", {failed} failed" if failed else "")
    )
    median = census.pores.equivalent_diameter_nm.median() if len(census.pores) else float("nan")
    console.print(f"median diameter {median:.3f} nm")
    console.print(f"report: {out / 'report.html'}")


def _summarise(row: Mapping[Any, Any]) -> tuple[str, ...]:
    name = row["image"] if row["frame"] == 0 else f"{row['image']} [{row['frame']}]"
    if row["status"] != "ok":
        return name, "failed", "", "", row["message"]
    median = row["median_diameter_nm"]
    return (
        name,
        str(row["n_pores"]),
        f"{median:.3f}" if median == median else "",
        f"{row['density_per_um2']:.0f}",
        "",
    )


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("demo"),
) -> None:
    """Detect and score pores in published or simulated images, and write a report."""
    from porescope.batch import Job
    from porescope.demo import find_images
    from porescope.recipe import load_recipe

    recipe = load_recipe("ws2")
    try:
        images, standards = find_images(out / "simulated", say)
        census = _run(images, Job(out=out, recipe=recipe), 1, overwrite=True)
        _print_scores(images, standards, recipe)
    except (ValueError, OSError) as error:
        stop(str(error))
    _print_summary(census, out)


def _print_scores(images: Sequence[Path], folder: Path, recipe: Recipe) -> None:
    from porescope.detection import detect as detect_pores
    from porescope.micrograph import read
    from porescope.scoring import find_standards, read_standard, score

    scores = []
    for image, standard in find_standards(images, folder).items():
        micrograph = read(image)
        truth = read_standard(standard, micrograph.image.shape)
        scores.append(score(truth, detect_pores(micrograph, recipe), micrograph.pixel_size))
    if scores:
        pooled = sum(scores[1:], scores[0])
        mean = [sum(getattr(s, name) for s in scores) / len(scores) for name in ("precision", "recall")]
        say(
            f"Against the standards: {pooled.found} of {pooled.found + pooled.missed} pores found, "
            f"{pooled.false} false; pixel precision {mean[0]:.2f}, recall {mean[1]:.2f} (means of images)."
        )
