"""The commands around recipes: tune, score, explain, recipes."""

from __future__ import annotations

import enum
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from porescope.cli.console import (
    Inputs,
    Modality,
    PixelSize,
    Recursive,
    put,
    say,
    show_progress,
    spoken_warnings,
    stop,
)

if TYPE_CHECKING:
    from porescope.scoring import Score

app = typer.Typer()


class TuneMethod(enum.StrEnum):
    """How a search for the best recipe goes."""

    grid = "grid"
    ascend = "ascend"
    evolve = "evolve"


class Objective(enum.StrEnum):
    """How the scores of several images are combined."""

    mean = "mean"
    worst = "worst"
    successes = "successes"


class Scaling(enum.StrEnum):
    """How a recipe follows the magnification."""

    physical = "physical"
    published = "published"


_StandardsFolder = Annotated[
    Path,
    typer.Option(
        metavar="DIR", help="Folder of the hand-labelled standards, such as A_standard.png for A.dm3."
    ),
]


@app.command()
def tune(
    inputs: Inputs,
    standards: _StandardsFolder,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Folder to which the results are written.")
    ],
    method: Annotated[
        TuneMethod,
        typer.Option(
            help="How to search: every combination (grid), by gradient ascent or by differential evolution."
        ),
    ] = TuneMethod.grid,
    metric: Annotated[
        str,
        typer.Option(
            help="Metric to maximise: precision, recall, f1, iou, hamming (negative distance), pore_f1, "
            "or your own as module:function."
        ),
    ] = "f1",
    objective: Annotated[
        Objective, typer.Option(help="How the scores of several images are combined.")
    ] = Objective.mean,
    success: Annotated[
        float | None,
        typer.Option(
            help="Success mark: recipes are ranked first by the number of images whose metric is larger. "
            "Default: 0.9 for precision, else none."
        ),
    ] = None,
    axis: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=START:STOP:STEP",
            help="Values of one parameter, repeatable. "
            "Default: grid=5:30:5, radius=0:4:1, threshold=40:120:10, area=0:90:10.",
        ),
    ] = None,
    scaling: Annotated[
        Scaling,
        typer.Option(
            help="How the recipe follows the magnification: constant in nm (physical), or as published."
        ),
    ] = Scaling.physical,
    restarts: Annotated[
        int, typer.Option(min=1, help="Number of random starts of ascend; effort of evolve.")
    ] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the random starts.")] = 0,
    cross_validate: Annotated[
        bool | None,
        typer.Option(
            "--cross-validate/--no-cross-validate",
            help="Whether each image is left out in turn to estimate the score on new images. "
            "Default: with three or more images.",
        ),
    ] = None,
    pixel_size: PixelSize = None,
    recursive: Recursive = False,
    modality: Modality = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of processes. Default: one per core.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the results of an earlier tuning.")] = False,
) -> None:
    """Find the recipe that suits hand-labelled images best."""
    from porescope.processes import count_cores, prepare_workers

    workers = workers or count_cores()
    if workers > 1:
        prepare_workers("porescope.recipes.search")
    from porescope.files import FILES, find_files
    from porescope.recipes import PAPER_AXES, Recipe, read_axis
    from porescope.runs import Goal, check_folder, read_labelled_images
    from porescope.runs import tune as tune_recipe

    try:
        if (out / FILES["recipe"]).exists() and not overwrite:
            raise ValueError(f"{out} holds a tuned recipe; give another -o or say --overwrite")
        check_folder(out)
        read_axes = [read_axis(a) for a in axis or []]
        axes = dict(read_axes) or dict(PAPER_AXES)
        if len(read_axes) > len(axes):
            raise ValueError("an --axis is given twice; give each parameter once")
        with spoken_warnings():
            data = read_labelled_images(
                find_files(inputs, recursive=recursive), standards, pixel_size=pixel_size, modality=modality
            )
        check = len(data.paths) >= 3 if cross_validate is None else cross_validate
        goal = Goal(metric, objective.value, success, method.value, restarts, seed, check)
        with show_progress("tuning", 1) as on_progress:
            recipe, lines = tune_recipe(
                data, axes, Recipe(scaling=scaling.value), goal, out,
                workers=workers, command=["porescope", *sys.argv[1:]], on_progress=on_progress,
            )  # fmt: skip
    except (ValueError, OSError) as error:
        stop(error)
    for line in lines:
        put(line)
    numbers = recipe.numbers()
    put("recipe: " + ", ".join(f"{name} {numbers[name]:g}" for name in axes) + f", {recipe.scaling} scaling")
    put(f"in {out}: {', '.join(sorted(p.name for p in out.iterdir()))}")


@app.command()
def score(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the results of porescope detect.")],
    standards: _StandardsFolder,
) -> None:
    """Compare the results of a detection with hand-labelled standards."""
    from porescope.runs import score_results

    try:
        with spoken_warnings():
            scores = score_results(out, standards)
    except (ValueError, OSError) as error:
        stop(error)
    _print_score_table(scores)


def _print_score_table(scores: Mapping[str, Score]) -> None:
    from rich.console import Console
    from rich.table import Table

    from porescope.files import escape_hidden
    from porescope.scoring import wilson_interval

    heads = ("image", "precision", "recall", "F1", "IoU", "Hamming [px]", "found", "missed", "false")
    table = Table(*heads, "diameter bias", "error", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    pooled = sum(list(scores.values())[1:], next(iter(scores.values())))
    for name, s in [*scores.items(), ("pooled", pooled)]:
        shares = (f"{value:.3f}" for value in (s.precision, s.recall, s.f1, s.iou))
        counts = (str(n) for n in (s.hamming, s.found, s.missed, s.false))
        table.add_row(
            escape_hidden(name), *shares, *counts, f"{s.diameter_bias:+.1%}", f"{s.diameter_error:.1%}"
        )
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120).print(table)
    each = scores.values()
    means = [
        sum(getattr(s, name) for s in each) / len(scores) for name in ("precision", "recall", "f1", "iou")
    ]
    put("means of images: " + ", ".join(f"{n} {v:.3f}" for n, v in zip(heads[1:5], means, strict=True)))
    n = pooled.found + pooled.missed
    low, high = wilson_interval(pooled.found, n)
    put(f"{pooled.found} of {n} pores found (95 % interval {low:.0%} to {high:.0%}), {pooled.false} false")


@app.command()
def explain(
    inputs: Inputs,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Folder to which the pictures are written.")
    ],
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Recipe of the threshold method, whose stages are drawn. Default: the network is drawn.",
        ),
    ] = None,
    model: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Network to draw. Default: the shipped one.")
    ] = None,
    pixel_size: PixelSize = None,
    recursive: Recursive = False,
    modality: Modality = "auto",
    overwrite: Annotated[bool, typer.Option(help="Replace existing pictures.")] = False,
) -> None:
    """Draw the input and output of the network, or the stages of the threshold method."""
    from dataclasses import replace
    from functools import partial

    from porescope.field import look_for_field
    from porescope.files import ENDINGS, explain_error, find_files, name_files
    from porescope.network import Network
    from porescope.pictures import draw_findings, draw_stages
    from porescope.reading import read_all
    from porescope.recipes import load_recipe

    try:
        if recipe and model:
            raise ValueError("--model belongs to the network, --recipe to the threshold method: give one")
        if recipe:
            kind, draw = "stages", partial(draw_stages, recipe=load_recipe(recipe))
        else:
            detector = Network(model)
            detector.describe()
            kind, draw = "network", partial(draw_findings, detector=detector)
        paths = find_files(inputs, recursive=recursive)
        if out.exists() and not out.is_dir():
            raise ValueError(f"{out} is a file; give a folder with -o")
        out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        stop(error)
    failed = False
    for path, name in zip(paths, name_files(paths), strict=True):
        try:
            for read in read_all(path, pixel_size=pixel_size, modality=modality):
                micrograph = look_for_field(read)
                picture = out / f"{replace(micrograph, name=name).stem}{ENDINGS[kind]}"
                if picture.exists() and not overwrite:
                    stop(f"{picture} exists; give another -o or say --overwrite")
                draw(micrograph, path=picture)
                put(str(picture))
        except (ValueError, OSError) as error:
            say(f"failed: {explain_error(error)}")
            failed = True
    if failed:
        raise typer.Exit(1)


recipes = typer.Typer(help="Show, add and export recipes of the threshold method.", no_args_is_help=True)
app.add_typer(recipes, name="recipes")


@recipes.command("list")
def list_all() -> None:
    """List all recipes with their parameters and scores."""
    from rich.console import Console
    from rich.table import Table

    from porescope.files import escape_hidden
    from porescope.recipes import list_recipes, load_recipe

    table = Table("name", "grid", "radius", "threshold", "area", "scaling", "score", box=None, pad_edge=False)
    for name in list_recipes():
        try:
            r = load_recipe(name)
        except ValueError as error:
            say(str(error))
            continue
        known = r.provenance.get("cross_validated", r.provenance.get("score", ""))
        table.add_row(
            escape_hidden(name),
            f"{r.grid:g}",
            f"{r.radius:g}",
            f"{r.threshold:g}",
            f"{r.area:g}",
            r.scaling,
            escape_hidden(str(known)),
        )
    Console(highlight=False, markup=False).print(table)


@recipes.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE", help="Name of a recipe, or its .toml file.")],
) -> None:
    """Show a recipe: each parameter with unit and meaning, and its provenance."""
    from porescope.recipes import load_recipe, parameters

    try:
        recipe = load_recipe(name)
    except ValueError as error:
        stop(error)
    for p in parameters():
        value = f"{getattr(recipe, p.name):g}"
        put(f"{p.name:12} {value:>7} {p.metadata['unit']:13} {p.metadata['doc']}")
    put(f"{'scaling':12} {recipe.scaling:>7}")
    for key, value in recipe.provenance.items():
        put(f"{key}: {value}")


@recipes.command()
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The recipe's .toml file.")],
    name: Annotated[str, typer.Option(help="Name of the recipe in your library: letters, digits, - and _.")],
    overwrite: Annotated[bool, typer.Option(help="Replace a recipe of that name.")] = False,
) -> None:
    """Add a recipe to your own library."""
    from porescope.recipes import add_recipe, load_recipe

    try:
        put(f"added {add_recipe(load_recipe(file), name, overwrite=overwrite)}")
    except (ValueError, OSError) as error:
        stop(error)


@recipes.command()
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a recipe.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .toml file to write.")],
    overwrite: Annotated[bool, typer.Option(help="Replace an existing file.")] = False,
) -> None:
    """Write a recipe of the library to a file."""
    from porescope.recipes import load_recipe, save_recipe

    try:
        save_recipe(load_recipe(name), file, overwrite=overwrite)
    except (ValueError, OSError) as error:
        stop(error)
    put(f"wrote {file}")
