"""Tuning of a recipe on standards: the search, and the files that it writes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.detection import detect
from porescope.files import FILES, TUNING_FILES, hash_file, printable, write_whole
from porescope.pictures import ShownImage, draw_ascent, draw_cvvp, write_page
from porescope.recipes import (
    CLIMBERS,
    Choice,
    Climb,
    Metric,
    Recipe,
    Search,
    check_axes,
    choose,
    cross_validate,
    find_metric,
    grid_search,
    rank,
    read_off,
    save_recipe,
    segment,
)
from porescope.runs.labelled import LabelledImages
from porescope.scoring import score

#: Number of best points whose overlays the page shows, and number of images shown of each.
_BEST_SHOWN, _IMAGES_SHOWN = 10, 6

#: Number of standards from which on leaving one out tells something of the next image.
_LEAST_TO_TELL = 3

#: Files that a tuning may write; those of an earlier tuning are removed first.
_OUTPUTS = tuple(FILES[kind] for kind in TUNING_FILES)


@dataclass(frozen=True)
class Goal:
    """What to tune for, and how to search.

    Attributes
    ----------
    metric : str
        Name of the metric; see `find_metric`.
    objective : {"mean", "worst", "successes"}
        How the scores of several images are combined; see `rank`.
    success : float or None
        The success mark as given; see `mark`.
    method : {"grid", "ascend", "evolve"}
        Exhaustive search, gradient ascent or differential evolution.
    restarts : int
        Number of random starts of a climb.
    seed : int
        Seed of the random starts.
    cross_validate : bool
        Whether to leave each image out in turn, if there are at least two.
    """

    metric: str = "f1"
    objective: str = "mean"
    success: float | None = None
    method: str = "grid"
    restarts: int = 5
    seed: int = 0
    cross_validate: bool = True

    @property
    def mark(self) -> float | None:
        """The success mark by which points are ranked: as given, else 0.9 for precision, as in the paper."""
        return 0.9 if self.success is None and self.metric == "precision" else self.success

    def describe(self) -> str:
        """Describe the goal in words.

        Returns
        -------
        str
        """
        how = {
            "mean": "mean of images",
            "worst": "worst image",
            "successes": "number of successes, then mean",
        }
        mark = f", most images over {self.mark:g} first" if self.mark is not None else ""
        return f"{self.metric}, {how[self.objective]}{mark}"


def tune(
    data: LabelledImages,
    axes: dict[str, NDArray[np.float64]],
    recipe: Recipe,
    goal: Goal,
    out: Path,
    *,
    workers: int = 1,
    command: Sequence[str] = ("porescope", "tune"),
    on_progress: Callable[[float], None] = lambda share: None,
) -> tuple[Recipe, list[str]]:
    """Tune a recipe, and write it with its scores, plots and record.

    Parameters
    ----------
    data : LabelledImages
    axes : dict
        Field of the recipe → its values.
    recipe : Recipe
        Gives the values of the other fields.
    goal : Goal
    out : Path
        Folder of the results. The files of an earlier tuning are removed.
    workers : int
        Number of processes.
    command : sequence of str
        The command line, for the record and the page.
    on_progress : callable
        Called with the share of the search that is done.

    Returns
    -------
    Recipe
        The best recipe, with its provenance.
    list of str
        The results, in sentences.

    Raises
    ------
    ValueError
        If the goal or an axis is impossible.
    """
    metric = find_metric(goal.metric)
    rank(np.zeros((1, 1)), goal.objective, goal.mark)  # refuses an impossible goal before the search
    axes = check_axes(axes, recipe)
    out.mkdir(parents=True, exist_ok=True)
    for name in _OUTPUTS:
        (out / name).unlink(missing_ok=True)
    search = partial(grid_search, data.micrographs, data.standards, recipe=recipe, workers=workers)
    if goal.method == "grid":
        result = _tune_by_grid(data, search(axes, on_progress=on_progress), goal, out)
    else:
        climb = partial(
            CLIMBERS[goal.method], axes=axes, metric=metric, recipe=recipe, objective=goal.objective,
            success=goal.mark, restarts=goal.restarts, seed=goal.seed,
        )  # fmt: skip
        coarse = {name: values[:: max(1, len(values) // 10)] for name, values in axes.items()}
        result = _tune_by_climb(data, climb, search(coarse), goal, out, on_progress)
    best = replace(result.recipe, name=printable(out.name), provenance=_provenance(data, goal, result))
    save_recipe(best, out / FILES["recipe"], overwrite=True)
    pairs = zip(data.micrographs, data.standards, strict=True)
    network = np.array([float(metric(score(standard, detect(m)).counts)) for m, standard in pairs])
    lines = [*_describe(data, goal, result, network), *result.notes]
    record = {
        "version": version("porescope"),
        "command": printable(shlex.join(command)),
        "method": goal.method,
        "goal": goal.describe(),
        "seed": goal.seed,
        "axes": {name: values.tolist() for name, values in axes.items()},
        "recipe": best.numbers(),
        "values": dict(zip([m.name for m in data.micrographs], result.values.tolist(), strict=True)),
        "left_out": None if result.left_out is None else result.left_out.tolist(),
        "network": network.tolist(),
        "notes": lines,
        "inputs": [
            {"file": printable(p), "sha256": hash_file(p)} for p in (*data.paths, *data.standard_paths)
        ],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with write_whole(out / FILES["tuning"]) as part:
        part.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    return best, lines


class _Result(NamedTuple):
    """The result of either method of tuning."""

    recipe: Recipe
    values: NDArray[np.float64]  # (images,) metric of each image
    left_out: NDArray[np.float64] | None  # (images,) the same, with the recipe tuned on the other images
    notes: list[str]  # sentences


def _tune_by_grid(data: LabelledImages, search: Search, goal: Goal, out: Path) -> _Result:
    choice = _choose(search, goal)
    left_out = None
    if goal.cross_validate and len(data.paths) > 1:
        left_out, _ = cross_validate(choice.values, goal.objective, goal.mark)
    _write_scores(search, out / FILES["scores"])
    draw_cvvp(choice, out / FILES["cvvp"])
    recipes = [search.recipe_at(point) for point in choice.best.tolist()]
    pairs = list(zip(data.micrographs, data.standards, strict=True))[:_IMAGES_SHOWN]
    shown = [ShownImage(m.name, m, standard, [segment(m, r) for r in recipes]) for m, standard in pairs]
    write_page(choice, shown, out / FILES["cvvp_page"])
    return _Result(choice.recipe, choice.values[:, choice.point], left_out, read_off(choice))


def _choose(search: Search, goal: Goal) -> Choice:
    values = search.evaluate(find_metric(goal.metric))
    best = choose(values, goal.objective, goal.mark, _BEST_SHOWN)
    # Without a success mark, the plot marks what is at most 5 % below the best mean.
    mean = float(values[:, best[0]].mean())
    mark = goal.mark if goal.mark is not None else round(mean - 0.05 * abs(mean), 3)
    images = f"{len(values)} image{'s' * (len(values) > 1)}"
    title = f"{np.prod(search.shape):,} points on {images}: {goal.metric} above {mark:g}"
    if goal.success is not None:
        reason = "It was asked for with --success."
    elif goal.mark is not None:
        reason = "It is the paper's mark for precision; --success sets another."
    else:
        reason = f"It lies 5 % below the mean of the best point, {mean:.3g}; --success sets another."
    return Choice(search, values, best, mark, title, reason)


#: A climb with all its options: micrographs, standards → result.
_Climber = Callable[..., Climb]


def _tune_by_climb(
    data: LabelledImages,
    climb: _Climber,
    coarse: Search,
    goal: Goal,
    out: Path,
    on_progress: Callable[[float], None],
) -> _Result:
    """Climb, and draw the paths over the objective of a coarse search."""
    metric = find_metric(goal.metric)
    n = len(data.paths) if goal.cross_validate and len(data.paths) > 1 else 0
    climbs = [
        partial(climb, on_progress=lambda share, k=k: on_progress((k + share) / (n + 1)))
        for k in range(n + 1)
    ]
    done = climbs[0](data.micrographs, data.standards)
    left_out = np.array([_leave_out(i, data, climbs[i + 1], metric) for i in range(n)]) if n else None
    with write_whole(out / FILES["path"]) as part:
        done.path.to_csv(part, index=False, float_format="%.6g")
    _write_scores(coarse, out / FILES["scores"])
    mark = goal.mark if goal.objective == "successes" else None
    surface = rank(coarse.evaluate(metric), goal.objective, mark)[:, 1]
    title = f"{goal.method}: {done.evaluations} points looked at, {goal.describe()}"
    reached = rank(done.values[:, None], goal.objective, mark)[0, 1]
    chosen = {name: float(done.recipe.numbers()[name]) for name in coarse.axes}
    shape = coarse.shape
    draw_ascent(surface.reshape(shape), coarse.axes, done.path, title, out / FILES["ascent"], chosen=chosen)
    better = "which is better: try --method grid" if surface.max() > reached else "which is no better"
    notes = [
        f"{done.evaluations} distinct points were looked at.",
        f"The climbs reached {reached:.3f}; a coarse grid of {surface.size:,} points reaches "
        f"{surface.max():.3f}, {better}.",
    ]
    return _Result(done.recipe, done.values, left_out, notes)


def _leave_out(i: int, data: LabelledImages, climb: _Climber, metric: Metric) -> float:
    """Compute the metric of image i with the recipe tuned on the other images."""
    rest = [j for j in range(len(data.paths)) if j != i]
    found = climb([data.micrographs[j] for j in rest], [data.standards[j] for j in rest])
    labels = segment(data.micrographs[i], found.recipe)
    return float(metric(score(data.standards[i], labels).counts))


def _write_scores(search: Search, path: Path) -> None:
    """Write every point of every image, one image at a time to save memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with write_whole(path) as part:
        writer = None
        for image in range(len(search.names)):
            table = pa.Table.from_pandas(search.table(image), preserve_index=False)
            writer = writer or pq.ParquetWriter(part, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()


def _spread(values: NDArray[np.float64]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}, worst {values.min():.3f}"


def _list(data: LabelledImages, values: NDArray[np.float64]) -> str:
    pairs = zip(data.micrographs, values, strict=True)
    return ", ".join(f"{m.name} {v:.2f}" for m, v in list(pairs)[:12])


def _describe(data: LabelledImages, goal: Goal, result: _Result, network: NDArray[np.float64]) -> list[str]:
    """Say how good the recipe is on these images, how good to expect on others, and how good the network."""
    values, left_out = result.values, result.left_out
    lines = [f"{goal.describe()}: {_spread(values)} on these images ({_list(data, values)})."]
    if left_out is not None:
        lines.append(f"Leave one image out: {_spread(left_out)} ({_list(data, left_out)}).")
    if len(values) < _LEAST_TO_TELL:
        lines.append(
            f"Nothing is known about the next image: that takes {_LEAST_TO_TELL} standards or more, not "
            f"{len(values)}."
        )
    elif left_out is not None:
        lines[-1] = f"{lines[-1][:-1]}; expect this on the next image."
    line = f"The default network on the same images, untuned: {_spread(network)} ({_list(data, network)})"
    # The recipe's score on the images that it was tuned on is too high to be held against the network.
    known = values if left_out is None else left_out
    if network.mean() >= known.mean():
        line += ", which is better: no recipe is needed"
    elif left_out is not None:
        line += ", which is worse than the recipe on images left out"
    return [*lines, f"{line}."]


def _provenance(data: LabelledImages, goal: Goal, result: _Result) -> dict[str, Any]:
    sizes = sorted({round(float(np.sqrt(m.pixel_area)), 6) for m in data.micrographs})
    names = printable(", ".join(p.name for p in data.paths[:20]))
    modalities = sorted({m.modality for m in data.micrographs})
    provenance: dict[str, Any] = {
        "by": f"porescope {version('porescope')}",
        "date": datetime.now(UTC).date().isoformat(),
        "tuned_on": f"{len(data.paths)} images ({', '.join(modalities)}): {names}",
        "goal": goal.describe(),
        "method": goal.method,
        "pixel_sizes_nm": sizes,
        "calibration": ", ".join(sorted({m.acquisition.pixel_size_source for m in data.micrographs})),
        "score": f"{goal.metric} {_spread(result.values)} (in-sample)",
    }
    if result.left_out is not None:
        provenance["cross_validated"] = f"{goal.metric} {_spread(result.left_out)} (leave one image out)"
    return provenance
