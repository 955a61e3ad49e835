"""The commands around recipes: tune, score, explain, recipes."""

from __future__ import annotations

import enum
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from porescope.cli.console import Inputs, Modality, say, spoken_warnings, stop

if TYPE_CHECKING:
    from porescope.scoring import Score

app = typer.Typer()


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
        prepare_workers("porescope.recipes.search")
    from porescope.files.names import FILES, find_files
    from porescope.recipes.recipe import Recipe
    from porescope.recipes.search import PAPER_AXES, read_axis
    from porescope.runs.tuning import Goal, read_all_standards
    from porescope.runs.tuning import tune as tune_recipe

    goal = Goal(metric, objective.value, success, method.value, restarts, seed)
    try:
        if (out / FILES["recipe"]).exists() and not overwrite:
            raise ValueError(f"{out} holds a tuned recipe; give another -o or say --overwrite")
        if out.exists() and not out.is_dir():
            raise ValueError(f"{out} is a file; give a folder with -o")
        read_axes = [read_axis(a) for a in axis or []]
        axes = dict(read_axes) or dict(PAPER_AXES)
        if len(read_axes) > len(axes):
            raise ValueError("an --axis is given twice; give each parameter once")
        with spoken_warnings():
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


@app.command()
def score(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Results of porescope detect.")],
    standards: StandardsFolder,
) -> None:
    """Compare results with hand-labelled standards."""
    from porescope.scoring import score_results

    try:
        with spoken_warnings():
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
    recipe: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Draw the stages of the threshold method with it."),
    ] = None,
    model: Annotated[Path | None, typer.Option(metavar="FILE", help="Another network.")] = None,
    pixel_size: Annotated[
        float | None, typer.Option(metavar="NM", help="In place of the files' own.")
    ] = None,
    modality: Annotated[Modality, typer.Option(help="How the images were taken.")] = Modality.auto,
    overwrite: Annotated[bool, typer.Option(help="Replace earlier pictures.")] = False,
) -> None:
    """Draw what the network sees and makes of it; with a recipe the stages of the threshold method."""
    from dataclasses import replace
    from functools import partial

    from porescope.files.names import ENDINGS, find_files, name_files
    from porescope.micrograph import read_all
    from porescope.network.model import load_model
    from porescope.pictures.stages import draw_findings, draw_stages
    from porescope.recipes.recipe import load_recipe

    try:
        if recipe and model:
            raise ValueError("--model belongs to the network, --recipe to the threshold method: give one")
        if recipe:
            kind, draw = "stages", partial(draw_stages, recipe=load_recipe(recipe))
        else:
            kind, draw = "network", partial(draw_findings, model=load_model(model))
        paths = find_files(inputs)
        if out.exists() and not out.is_dir():
            raise ValueError(f"{out} is a file; give a folder with -o")
        out.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        stop(str(error))
    failed = False
    for path, name in zip(paths, name_files(paths), strict=True):
        try:
            for micrograph in read_all(path, pixel_size=pixel_size, modality=modality.value):
                picture = out / f"{replace(micrograph, name=name).stem}{ENDINGS[kind]}"
                if picture.exists() and not overwrite:
                    stop(f"{picture} exists; give another -o or say --overwrite")
                draw(micrograph, path=picture)
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

    from porescope.recipes.recipe import list_recipes, load_recipe

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
    from porescope.recipes.recipe import load_recipe, parameters

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
    from porescope.recipes.recipe import add_recipe, load_recipe

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
    from porescope.recipes.recipe import load_recipe, save_recipe

    try:
        save_recipe(load_recipe(name), file, overwrite=overwrite)
    except (ValueError, OSError) as error:
        stop(str(error))
    typer.echo(f"wrote {file}")
