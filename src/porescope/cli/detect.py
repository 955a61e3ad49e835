"""The command line. Heavy imports stay inside the commands that need them."""

from __future__ import annotations

import enum
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from porescope.cli import network, recipes
from porescope.cli.console import Modality, say, stop

if TYPE_CHECKING:
    from porescope.runs.job import Census, Job

app = typer.Typer(
    name="porescope",
    help="Find and measure nanopores in electron-microscope images of thin crystals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(recipes.app)
app.add_typer(network.app)


class Method(enum.StrEnum):
    """How pores are found."""

    network = "network"
    threshold = "threshold"
    lattice = "lattice"


class Calibration(enum.StrEnum):
    """Where the pixel size of the tables comes from."""

    header = "header"
    lattice = "lattice"


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
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A network of your own (porescope train).")
    ] = None,
    turned: Annotated[
        bool,
        typer.Option("--turned", help="Network: average over eight orientations: slower, more cautious."),
    ] = False,
    least_confidence: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Network: leave out what is less sure to be a pore; default 0.5."),
    ] = None,
    modality: Annotated[Modality, typer.Option(help="How the images were taken.")] = Modality.auto,
    pixel_size: Annotated[
        float | None, typer.Option(metavar="NM", help="Pixel size, in place of the files' own.")
    ] = None,
    material: Annotated[
        str | None,
        typer.Option(metavar="WS2", help="The crystal: checks the pixel size, counts missing atoms."),
    ] = None,
    calibrate: Annotated[
        Calibration, typer.Option(help="Pixel size of the tables: the file's or the lattice's.")
    ] = Calibration.header,
    lattice: Annotated[
        bool | None,
        typer.Option(
            "--lattice/--no-lattice",
            help="Look for the lattice; default but for --method threshold --no-images.",
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the results of another run.")] = False,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Write overlays, show them in the report.")
    ] = True,
    rois: Annotated[bool, typer.Option("--rois", help="Write ImageJ ROIs too.")] = False,
    geojson: Annotated[bool, typer.Option("--geojson", help="Write GeoJSON too.")] = False,
    structure: Annotated[
        bool, typer.Option("--structure", help="Write the sheet's atoms too (extended XYZ, CIF).")
    ] = False,
) -> None:
    """Find the pores in images and write tables, overlays and a report."""
    from porescope.files.names import find_files
    from porescope.processes import choose_workers, prepare_workers

    try:
        paths = find_files(inputs)
    except (ValueError, OSError) as error:
        stop(str(error))
    workers = workers or choose_workers(len(paths))
    if workers > 1:
        prepare_workers(
            "porescope.runs.batch", "porescope.files.exports", "rsciio.digitalmicrograph", "tifffile"
        )
    from porescope.detection import DEFAULT_RECIPE
    from porescope.recipes.recipe import load_recipe
    from porescope.runs.job import Job

    try:
        chosen = _choose_method(method, recipe, model, turned or least_confidence is not None)
        job = Job(
            out=out,
            recipe=load_recipe(recipe or DEFAULT_RECIPE) if chosen is Method.threshold else None,
            method=chosen.value,
            model=model,
            turned=turned,
            least_confidence=Job.least_confidence if least_confidence is None else least_confidence,
            modality=modality.value,
            pixel_size=pixel_size,
            overlays=images,
            rois=rois,
            geojson=geojson,
            material=material,
            calibrate=calibrate is Calibration.lattice,
            lattice=_wants_lattice(lattice, chosen, material, calibrate, images),
            structure=structure,
        )
        _check_job(job)
        census = _run(paths, job, workers, overwrite)
    except (ValueError, OSError) as error:
        stop(str(error))
    _print_summary(census, out)
    if (census.images.status != "ok").any():
        raise typer.Exit(1)


def _choose_method(method: Method | None, recipe: str | None, model: Path | None, asked: bool) -> Method:
    """Choose how pores are found: the network, unless a recipe is given; load what it needs.

    ``asked`` tells of options that only the network has.
    """
    chosen = method or (Method.threshold if recipe is not None else Method.network)
    if recipe is not None and chosen is not Method.threshold:
        raise ValueError(f"--method {chosen.value} takes no --recipe")
    if asked and model is not None and model.suffix == ".pt":
        raise ValueError("--turned and --least-confidence belong to the network, not to a Mask R-CNN")
    if chosen is not Method.network and (model is not None or asked):
        raise ValueError(
            f"--model, --turned and --least-confidence belong to the network, not to --method {chosen.value}"
        )
    if chosen is Method.network and (model is None or model.suffix != ".pt"):
        from porescope.network.model import load_model

        load_model(model)
    if model is not None and not model.is_file():
        raise ValueError(f"--model {model} is not a file")
    if chosen is Method.network and method is None:
        say(f"Method: network ({model.name if model else 'the shipped one'}), which needs no labels.")
    return chosen


def _wants_lattice(
    asked: bool | None, method: Method, material: str | None, calibrate: Calibration, images: bool
) -> bool:
    if asked is not None:
        return asked
    return (
        images or method is not Method.threshold or material is not None or calibrate is Calibration.lattice
    )


def _check_job(job: Job) -> None:
    """Refuse options that do not go together."""
    from importlib.util import find_spec

    from porescope.materials import MATERIALS

    if job.material is not None and job.material not in MATERIALS:
        raise ValueError(f"--material must be one of {', '.join(MATERIALS)}, not {job.material!r}")
    if job.calibrate and job.material is None:
        raise ValueError("--calibrate lattice needs the crystal: say --material WS2")
    if not job.lattice and (job.calibrate or job.structure):
        raise ValueError("--no-lattice leaves nothing to calibrate by or to build a structure from")
    if job.structure and job.material is None:
        raise ValueError("--structure needs the crystal: say --material WS2")
    if job.structure and find_spec("ase") is None:
        raise ValueError("--structure needs ASE: pip install 'porescope[atoms]'")


def _run(paths: Sequence[Path], job: Job, workers: int, overwrite: bool) -> Census:
    """Run a batch with a progress bar and write all that belongs to it."""
    import datetime

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from porescope.files.names import FILES
    from porescope.runs.batch import run_batch
    from porescope.runs.folder import prepare_folder, write_run, write_tables
    from porescope.runs.report import write_report

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
    write_report(census, run, job.out / FILES["report"])
    return census


def _print_summary(census: Census, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from porescope.files.names import FILES, describe_counts

    table = Table(box=None, pad_edge=False)
    for head in ("image", "pores", "median diameter [nm]", "density [1/µm²]", ""):
        table.add_column(head, justify="right" if head.endswith(("s", "]")) else "left")
    rows = census.images.to_dict("records")
    bad = [row for row in rows if row["status"] != "ok"]
    shown = rows if len(rows) <= 20 else bad[:20]
    if len(rows) > 20 and len(bad) > 20:
        say(f"The first 20 of {len(bad)} failures; all stand in images.csv.")
    for row in shown:
        table.add_row(*_summarise(row))
    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    if shown:
        console.print(table)
    done = census.images[census.images.status == "ok"]
    told = done.message[done.message != ""].value_counts()
    for message, n in told.head(8).items():
        say(f"{n} of {len(rows)} images: {message}.")
    if len(told) > 8:
        say(f"{len(told) - 8} further messages stand in images.csv.")
    failed = int((census.images.status != "ok").sum())
    console.print(describe_counts(len(census.pores), len(done)) + (f", {failed} failed" if failed else ""))
    median = census.pores.equivalent_diameter_nm.median() if len(census.pores) else float("nan")
    console.print(f"median diameter {median:.3f} nm")
    console.print(f"report: {out / FILES['report']}")


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
    overwrite: Annotated[bool, typer.Option(help="Replace the results of another run.")] = False,
) -> None:
    """Detect and score pores in published or simulated images, and write a report."""
    from porescope.cli.demo import find_images
    from porescope.runs.job import Job

    try:
        images, standards = find_images(out / "simulated", say)
        census = _run(images, Job(out=out), 1, overwrite)
        _print_scores(out, standards)
    except (ValueError, OSError) as error:
        stop(str(error))
    _print_summary(census, out)


def _print_scores(out: Path, folder: Path) -> None:
    from porescope.scoring import score_results

    scores = list(score_results(out, folder).values())
    pooled = sum(scores[1:], scores[0])
    mean = [sum(getattr(s, name) for s in scores) / len(scores) for name in ("precision", "recall", "f1")]
    say(
        f"Against the standards: {pooled.found} of {pooled.found + pooled.missed} pores found, "
        f"{pooled.false} false; pixel precision {mean[0]:.2f}, recall {mean[1]:.2f}, F1 {mean[2]:.2f} "
        "(means of images)."
    )
