"""The command line. Heavy imports stay inside the commands that need them."""

from __future__ import annotations

import enum
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from porescope.batch import Census, Job
    from porescope.recipe import Recipe
    from porescope.scoring import Score

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
    lattice = "lattice"


class Calibration(enum.StrEnum):
    """Where the pixel size of the tables comes from."""

    header = "header"
    lattice = "lattice"


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
    material: Annotated[
        str | None,
        typer.Option(metavar="WS2", help="The crystal: checks the pixel size, counts missing atoms."),
    ] = None,
    calibrate: Annotated[
        Calibration, typer.Option(help="Pixel size of the tables: the file's or the lattice's.")
    ] = Calibration.header,
    lattice: Annotated[
        bool | None,
        typer.Option("--lattice/--no-lattice", help="Look for the lattice; default unless --no-images."),
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
    from porescope.files import find_files
    from porescope.processes import choose_workers, prepare_workers

    try:
        paths = find_files(inputs)
    except (ValueError, OSError) as error:
        stop(str(error))
    workers = workers or choose_workers(len(paths))
    if workers > 1:
        prepare_workers("porescope.batch", "porescope.export", "rsciio.digitalmicrograph", "tifffile")
    from porescope.batch import Job
    from porescope.recipe import load_recipe

    if method is Method.lattice and recipe is not None:
        stop("--method lattice takes no --recipe")
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
            method=(method or Method.threshold).value,
            material=material,
            calibrate=calibrate is Calibration.lattice,
            lattice=_wants_lattice(lattice, method, material, calibrate, images),
            structure=structure,
        )
        _check_job(job)
        census = _run(paths, job, workers, overwrite)
    except (ValueError, OSError) as error:
        stop(str(error))
    _print_summary(census, out)
    if (census.images.status != "ok").any():
        raise typer.Exit(1)


def _wants_lattice(
    asked: bool | None, method: Method | None, material: str | None, calibrate: Calibration, images: bool
) -> bool:
    if asked is not None:
        return asked
    return images or material is not None or method is Method.lattice or calibrate is Calibration.lattice


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


class TuneMethod(enum.StrEnum):
    """How a recipe is tuned."""

    grid = "grid"
    ascend = "ascend"
    evolve = "evolve"


class Objective(enum.StrEnum):
    """What of several images' scores counts."""

    mean = "mean"
    worst = "worst"
    successes = "successes"


class Scaling(enum.StrEnum):
    """How a recipe follows the magnification."""

    physical = "physical"
    published = "published"


Inputs = Annotated[list[str], typer.Argument(metavar="INPUT...", help="Files, folders or globs.")]
StandardsFolder = Annotated[
    Path, typer.Option(metavar="DIR", help="Folder of the standards: A_standard.png for A.dm3.")
]


@app.command()
def tune(
    inputs: Inputs,
    standards: StandardsFolder,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the results.")],
    method: Annotated[TuneMethod, typer.Option(help="How to search.")] = TuneMethod.grid,
    metric: Annotated[
        str, typer.Option(help="precision, recall, f1, iou, hamming, pore_f1, or your module:function.")
    ] = "f1",
    objective: Annotated[Objective, typer.Option(help="Over the images.")] = Objective.mean,
    success: Annotated[
        float | None, typer.Option(help="Rank first by images above this; 0.9 for precision.")
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=START:STOP:STEP", help="Range of a parameter; default: the paper's four."),
    ] = None,
    scaling: Annotated[Scaling, typer.Option(help="Of the recipe.")] = Scaling.physical,
    restarts: Annotated[int, typer.Option(min=1, help="Random starts of a climb.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the random starts.")] = 0,
    cross_validate: Annotated[
        bool | None,
        typer.Option(
            "--cross-validate/--no-cross-validate", help="Leave each image out; default from 3 images on."
        ),
    ] = None,
    pixel_size: Annotated[
        float | None, typer.Option(metavar="NM", help="In place of the files' own.")
    ] = None,
    modality: Annotated[Modality, typer.Option(help="How the images were taken.")] = Modality.auto,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one per core.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the results of another tuning.")] = False,
) -> None:
    """Find the recipe that suits hand-labelled images best."""
    from porescope.processes import count_cores, prepare_workers

    workers = workers or count_cores()
    if workers > 1:
        prepare_workers("porescope.tuning")
    from porescope.files import find_files
    from porescope.recipe import Recipe
    from porescope.tuned import Goal, read_all_standards
    from porescope.tuned import tune as tune_recipe
    from porescope.tuning import PAPER_AXES, read_axis

    goal = Goal(metric, objective.value, success, method.value, restarts, seed)
    try:
        if (out / "recipe.toml").exists() and not overwrite:
            raise ValueError(f"{out} holds a tuned recipe; give another -o or say --overwrite")
        if out.exists() and not out.is_dir():
            raise ValueError(f"{out} is a file; give a folder with -o")
        read_axes = [read_axis(a) for a in axis or []]
        axes = dict(read_axes) or dict(PAPER_AXES)
        if len(read_axes) > len(axes):
            raise ValueError("an --axis is given twice; give each parameter once")
        with _spoken_warnings():
            data = read_all_standards(
                find_files(inputs), standards, pixel_size=pixel_size, modality=modality.value
            )
        check = len(data.paths) >= 3 if cross_validate is None else cross_validate
        recipe, lines = tune_recipe(
            data, axes, Recipe(scaling=scaling.value), goal, out,
            cross_validate=check, workers=workers, command=["porescope", *sys.argv[1:]],
        )  # fmt: skip
    except (ValueError, OSError) as error:
        stop(str(error))
    for line in lines:
        typer.echo(line)
    numbers = recipe.numbers()
    typer.echo(
        "recipe: " + ", ".join(f"{name} {numbers[name]:g}" for name in axes) + f", {recipe.scaling} scaling"
    )
    typer.echo(f"in {out}: {', '.join(sorted(p.name for p in out.iterdir()))}")


@contextmanager
def _spoken_warnings() -> Iterator[None]:
    """Say warnings to the user as sentences."""
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, UserWarning):
            say(str(warning.message))


@app.command()
def score(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Results of porescope detect.")],
    standards: StandardsFolder,
) -> None:
    """Compare results with hand-labelled standards."""
    from porescope.scoring import score_results

    try:
        with _spoken_warnings():
            scores = score_results(out, standards)
    except (ValueError, OSError) as error:
        stop(str(error))
    _print_score_table(scores)


def _print_score_table(scores: Mapping[str, Score]) -> None:
    from rich.console import Console
    from rich.table import Table

    from porescope.scoring import wilson_interval

    heads = ("image", "precision", "recall", "F1", "IoU", "Hamming [px]", "found", "missed", "false")
    table = Table(*heads, "diameter bias", "error", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    pooled = sum(list(scores.values())[1:], next(iter(scores.values())))
    for name, s in [*scores.items(), ("pooled", pooled)]:
        shares = (f"{value:.3f}" for value in (s.precision, s.recall, s.f1, s.iou))
        counts = (str(n) for n in (s.hamming, s.found, s.missed, s.false))
        table.add_row(name, *shares, *counts, f"{s.diameter_bias:+.1%}", f"{s.diameter_error:.1%}")
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120).print(table)
    each = scores.values()
    means = [
        sum(getattr(s, name) for s in each) / len(scores) for name in ("precision", "recall", "f1", "iou")
    ]
    typer.echo(
        "means of images: " + ", ".join(f"{n} {v:.3f}" for n, v in zip(heads[1:5], means, strict=True))
    )
    n = pooled.found + pooled.missed
    low, high = wilson_interval(pooled.found, n)
    typer.echo(
        f"{pooled.found} of {n} pores found (95 % interval {low:.0%} to {high:.0%}), {pooled.false} false"
    )


@app.command()
def explain(
    inputs: Inputs,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the pictures.")],
    recipe: Annotated[str, typer.Option(metavar="NAME|FILE", help="Parameters.")] = "ws2",
    pixel_size: Annotated[
        float | None, typer.Option(metavar="NM", help="In place of the files' own.")
    ] = None,
    modality: Annotated[Modality, typer.Option(help="How the images were taken.")] = Modality.auto,
    overwrite: Annotated[bool, typer.Option(help="Replace earlier pictures.")] = False,
) -> None:
    """Draw the stages of the pipeline side by side, with a line scan through a pore."""
    from dataclasses import replace

    from porescope.files import find_files, name_files
    from porescope.micrograph import read_all
    from porescope.plotting import draw_stages
    from porescope.recipe import load_recipe

    try:
        chosen, paths = load_recipe(recipe), find_files(inputs)
        if out.exists() and not out.is_dir():
            raise ValueError(f"{out} is a file; give a folder with -o")
        out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        stop(str(error))
    failed = False
    for path, name in zip(paths, name_files(paths), strict=True):
        try:
            for micrograph in read_all(path, pixel_size=pixel_size, modality=modality.value):
                picture = out / f"{replace(micrograph, name=name).stem}_stages.png"
                if picture.exists() and not overwrite:
                    stop(f"{picture} exists; give another -o or say --overwrite")
                draw_stages(micrograph, chosen, picture)
                typer.echo(str(picture))
        except (ValueError, OSError) as error:
            say(f"failed: {error}")
            failed = True
    if failed:
        raise typer.Exit(1)


recipes = typer.Typer(help="The library of recipes.", no_args_is_help=True)
app.add_typer(recipes, name="recipes")


@recipes.command("list")
def list_all() -> None:
    """List all recipes with their scores."""
    from rich.console import Console
    from rich.table import Table

    from porescope.recipe import list_recipes, load_recipe

    table = Table("name", "grid", "radius", "threshold", "area", "scaling", "score", box=None, pad_edge=False)
    for name in list_recipes():
        try:
            r = load_recipe(name)
        except ValueError as error:
            say(str(error))
            continue
        known = r.provenance.get("cross_validated", r.provenance.get("score", ""))
        table.add_row(
            name, f"{r.grid:g}", f"{r.radius:g}", f"{r.threshold:g}", f"{r.area:g}", r.scaling, str(known)
        )
    Console(highlight=False, markup=False).print(table)


@recipes.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME|FILE")]) -> None:
    """Show a recipe: every parameter with its unit and meaning, and where it comes from."""
    from porescope.recipe import load_recipe, parameters

    try:
        recipe = load_recipe(name)
    except ValueError as error:
        stop(str(error))
    for p in parameters():
        value = f"{getattr(recipe, p.name):g}"
        typer.echo(f"{p.name:12} {value:>7} {p.metadata['unit']:13} {p.metadata['doc']}")
    typer.echo(f"{'scaling':12} {recipe.scaling:>7}")
    for key, value in recipe.provenance.items():
        typer.echo(f"{key}: {value}")


@recipes.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    name: Annotated[str, typer.Option(help="What to call it.")],
    overwrite: Annotated[bool, typer.Option(help="Replace your recipe of that name.")] = False,
) -> None:
    """Add a recipe to your own library."""
    from porescope.recipe import add_recipe, load_recipe

    try:
        typer.echo(f"added {add_recipe(load_recipe(file), name, overwrite=overwrite)}")
    except (ValueError, OSError) as error:
        stop(str(error))


@recipes.command()
def export(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    file: Annotated[Path, typer.Argument(metavar="FILE")],
    overwrite: Annotated[bool, typer.Option(help="Replace the file.")] = False,
) -> None:
    """Write a recipe of the library to a file, for others."""
    from porescope.recipe import load_recipe, save_recipe

    try:
        save_recipe(load_recipe(name), file, overwrite=overwrite)
    except (ValueError, OSError) as error:
        stop(str(error))
    typer.echo(f"wrote {file}")


@app.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder for the images.")],
    material: Annotated[str, typer.Option(help="WS2, MoS2, WSe2, MoSe2, graphene or hBN.")] = "WS2",
    pores: Annotated[int, typer.Option(min=0, help="Pores in an image.")] = 5,
    max_missing: Annotated[int, typer.Option(min=1, help="Most atoms that a pore lacks.")] = 20,
    dose: Annotated[float, typer.Option(help="Electrons per nm².")] = 5e5,
    modality: Annotated[str, typer.Option(help="haadf, bf or hrtem.")] = "haadf",
    pixel_size: Annotated[float, typer.Option(metavar="NM", help="Pixel size.")] = 0.04,
    rows: Annotated[int, typer.Option(min=1)] = 512,
    columns: Annotated[int, typer.Option(min=1)] = 512,
    count: Annotated[int, typer.Option(min=1, help="Number of images, seeds counted on.")] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace earlier images.")] = False,
) -> None:
    """Draw micrographs with known pores: image, truth (labels and table), atoms."""
    from porescope.export import save_simulation
    from porescope.simulation import simulate as draw

    try:
        for one in range(seed, seed + count):
            name = f"{material}_{modality}_{one}"
            if (out / f"{name}.tif").exists() and not overwrite:
                raise ValueError(f"{out / name}.tif exists; give another -o or say --overwrite")
            drawn = draw(
                material, shape=(rows, columns), pixel_size=pixel_size, pores=pores, max_missing=max_missing,
                dose=dose, modality=modality, seed=one, name=name,
            )  # fmt: skip
            note = f"seed {one}, {shlex.join(sys.argv[1:])}"
            typer.echo(", ".join(save_simulation(out, drawn, note)))
    except (ValueError, OSError) as error:
        stop(str(error))


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the results.")] = Path("demo"),
    overwrite: Annotated[bool, typer.Option(help="Replace the results of another run.")] = False,
) -> None:
    """Detect and score pores in published or simulated images, and write a report."""
    from porescope.batch import Job
    from porescope.demo import find_images
    from porescope.recipe import load_recipe

    try:
        recipe = load_recipe("ws2")
        images, standards = find_images(out / "simulated", say)
        census = _run(images, Job(out=out, recipe=recipe), 1, overwrite)
        _print_scores(images, standards, recipe)
    except (ValueError, OSError) as error:
        stop(str(error))
    _print_summary(census, out)


def _print_scores(images: Sequence[Path], folder: Path, recipe: Recipe) -> None:
    from porescope.detection import detect as detect_pores
    from porescope.micrograph import read
    from porescope.scoring import score
    from porescope.standards import find_standards, read_standard

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
