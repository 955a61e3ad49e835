"""What a tuning leaves behind: the recipe with its provenance, the scores, plots, a record."""

from __future__ import annotations

import json
import shlex
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.files.names import FILES, name_files
from porescope.files.writing import hash_file, write_whole
from porescope.micrograph import Micrograph, read
from porescope.pictures import climbs, cvvp, overlays
from porescope.recipes import choice, climbing, evaluation
from porescope.recipes.recipe import Recipe, save_recipe
from porescope.recipes.search import Search, check_axes, grid_search
from porescope.recipes.segmentation import segment
from porescope.standards import find_standards, read_standard

#: Best points whose overlays the page shows, and of how many images.
BEST_SHOWN, IMAGES_SHOWN = 10, 6


#: What a tuning writes; those of an earlier one are removed first.
OUTPUTS = tuple(FILES[key] for key in ("recipe", "scores", "cvvp", "cvvp_page", "path", "ascent", "tuning"))


@dataclass(frozen=True)
class Goal:
    """What a tuning is for, and how."""

    metric: str = "f1"
    objective: str = "mean"
    success: float | None = None
    method: str = "grid"
    restarts: int = 5
    seed: int = 0

    @property
    def mark(self) -> float | None:
        """The success mark that ranks points: the paper's 0.9 for precision, else as given."""
        return 0.9 if self.success is None and self.metric == "precision" else self.success

    def describe(self) -> str:
        """In words."""
        how = {
            "mean": "mean of images",
            "worst": "worst image",
            "successes": "number of successes, then mean",
        }
        mark = f", most images over {self.mark:g} first" if self.mark is not None else ""
        return f"{self.metric}, {how[self.objective]}{mark}"


@dataclass(frozen=True, eq=False)
class Standards:
    """Images with their standards, and where they come from."""

    paths: list[Path]
    standard_paths: list[Path]
    micrographs: list[Micrograph]
    standards: list[NDArray[np.int32]]


def read_all_standards(
    paths: Sequence[Path], folder: Path, *, pixel_size: float | None = None, modality: str = "auto"
) -> Standards:
    """Read the images that have a standard in the folder.

    Raises
    ------
    ValueError
        If none has.
    """
    if not folder.is_dir():
        raise ValueError(f"--standards {folder} is not a folder; give the one that holds A_standard.png …")
    found = find_standards(paths, folder)
    if not found:
        raise ValueError(
            f"{folder} holds no standard of {', '.join(p.name for p in list(paths)[:3])}; name it like "
            f"{Path(paths[0]).stem}_standard.png"
        )
    without = [path.name for path in paths if path not in found]
    if without:
        warnings.warn(f"no standard for {', '.join(without[:10])}: left out", stacklevel=2)
    micrographs = [
        replace(read(path, pixel_size=pixel_size, modality=modality), name=name)
        for path, name in zip(found, name_files(list(found)), strict=True)
    ]
    standards = [read_standard(s, m.image.shape) for s, m in zip(found.values(), micrographs, strict=True)]
    return Standards(list(found), list(found.values()), micrographs, standards)


def tune(
    data: Standards,
    axes: dict[str, NDArray[np.float64]],
    recipe: Recipe,
    goal: Goal,
    out: Path,
    *,
    cross_validate: bool = True,
    workers: int = 1,
    command: Sequence[str] = ("porescope", "tune"),
) -> tuple[Recipe, list[str]]:
    """Tune a recipe and write all that belongs to it.

    Returns
    -------
    Recipe
        With its provenance.
    list of str
        What came of it, in sentences.
    """
    metric = choice.find_metric(goal.metric)
    choice.rank(np.zeros((1, 1)), goal.objective, goal.mark)  # refuses an impossible goal early
    axes = check_axes(axes, recipe)
    out.mkdir(parents=True, exist_ok=True)
    for name in OUTPUTS:
        (out / name).unlink(missing_ok=True)
    if goal.method == "grid":
        best, values, held_out, notes = _tune_by_grid(
            data, axes, recipe, goal, metric, out, cross_validate, workers, command
        )
    else:
        best, values, held_out, notes = _tune_by_climb(
            data, axes, recipe, goal, metric, out, cross_validate, workers
        )
    lines = [f"{goal.describe()}: {_spread(values)} on these images ({_list(data, values)})."]
    if held_out is not None:
        lines.append(
            f"Leave one image out: {_spread(held_out)} ({_list(data, held_out)}); "
            "expect this on the next image."
        )
    best = replace(best, name=out.name, provenance=_provenance(data, goal, values, held_out))
    save_recipe(best, out / FILES["recipe"], overwrite=True)
    record = {
        "version": version("porescope"),
        "command": shlex.join(command),
        "method": goal.method,
        "goal": goal.describe(),
        "seed": goal.seed,
        "axes": {name: values.tolist() for name, values in axes.items()},
        "recipe": best.numbers(),
        "values": dict(zip([m.name for m in data.micrographs], values.tolist(), strict=True)),
        "left_out": None if held_out is None else held_out.tolist(),
        "notes": [*lines, *notes],
        "inputs": [{"file": str(p), "sha256": hash_file(p)} for p in (*data.paths, *data.standard_paths)],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with write_whole(out / FILES["tuning"]) as part:
        part.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    return best, [*lines, *notes]


_Outcome = tuple[Recipe, NDArray[np.float64], NDArray[np.float64] | None, list[str]]


def _tune_by_grid(
    data: Standards, axes: dict[str, NDArray[np.float64]], recipe: Recipe, goal: Goal,
    metric: choice.Metric, out: Path, cross_validate: bool, workers: int, command: Sequence[str],
) -> _Outcome:  # fmt: skip
    search = grid_search(data.micrographs, data.standards, axes, recipe, workers=workers)
    values = search.evaluate(metric)
    best = choice.choose(values, goal.objective, goal.mark, BEST_SHOWN)
    held_out = (
        choice.cross_validate(values, goal.objective, goal.mark)[0]
        if cross_validate and len(values) > 1
        else None
    )
    _write_scores(search, out / FILES["scores"])
    # Where no mark is set the plot shows what comes within 5 % of the best mean.
    mean = float(values[:, best[0]].mean())
    mark = goal.mark if goal.mark is not None else round(mean - 0.05 * abs(mean), 3)
    title = f"{np.prod(search.shape):,} points on {len(values)} images: {goal.metric} above {mark:g}"
    cvvp.draw_cvvp(search, values, mark, int(best[0]), title, out / FILES["cvvp"])
    overlays = [_draw_overlays(data, search.recipe_at(int(p))) for p in best]
    plain = _without_axes(command)
    cvvp.write_page(search, values, mark, best.tolist(), overlays, title, plain, out / FILES["cvvp_page"])
    return (
        search.recipe_at(int(best[0])),
        values[:, best[0]],
        held_out,
        cvvp.read_off(search, values, mark, int(best[0])),
    )


def _tune_by_climb(
    data: Standards, axes: dict[str, NDArray[np.float64]], recipe: Recipe, goal: Goal,
    metric: choice.Metric, out: Path, cross_validate: bool, workers: int,
) -> _Outcome:  # fmt: skip
    climb = climbing.CLIMBERS[goal.method]
    options: dict[str, Any] = {
        "objective": goal.objective, "success": goal.mark, "restarts": goal.restarts, "seed": goal.seed,
    }  # fmt: skip
    done = climb(data.micrographs, data.standards, axes, metric, recipe, **options)
    held_out = None
    if cross_validate and len(data.paths) > 1:
        held_out = np.array(
            [_leave_out(i, data, axes, recipe, metric, climb, options) for i in range(len(data.paths))]
        )
    with write_whole(out / FILES["path"]) as part:
        done.path.to_csv(part, index=False, float_format="%.6g")
    coarse = {n: v[:: max(1, len(v) // 10)] for n, v in axes.items()}
    search = grid_search(data.micrographs, data.standards, coarse, recipe, workers=workers)
    _write_scores(search, out / FILES["scores"])
    surface = choice.rank(
        search.evaluate(metric), goal.objective, None if goal.objective != "successes" else goal.mark
    )[:, 1]
    title = f"{goal.method}: {done.evaluations} points looked at, {goal.describe()}"
    climbs.draw_ascent(surface.reshape(search.shape), search.axes, done.path, title, out / FILES["ascent"])
    return done.recipe, done.values, held_out, [f"{done.evaluations} distinct points were looked at."]


def _leave_out(
    i: int, data: Standards, axes: dict[str, NDArray[np.float64]], recipe: Recipe,
    metric: choice.Metric, climb: Any, options: dict[str, Any],
) -> float:  # fmt: skip
    """The metric of image i with the recipe tuned on the others."""
    rest = [j for j in range(len(data.paths)) if j != i]
    others = [data.micrographs[j] for j in rest], [data.standards[j] for j in rest]
    found = climb(*others, axes, metric, recipe, **options).recipe
    stages = evaluation.Stages(evaluation.prepare(data.micrographs[i], data.standards[i]), found.area)
    return float(metric(stages.count_areas(found, np.array([found.area])))[0])


def _write_scores(search: Search, path: Path) -> None:
    """Every point of every image, written image by image to spare memory."""
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


def _draw_overlays(data: Standards, recipe: Recipe) -> list[bytes]:
    pictures = []
    for micrograph, standard in list(zip(data.micrographs, data.standards, strict=True))[:IMAGES_SHOWN]:
        picture = overlays.draw_overlay(
            micrograph, segment(micrograph, recipe), 360, numbers=False, standard=standard
        )
        pictures.append(cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes())
    return pictures


def _without_axes(command: Sequence[str]) -> list[str]:
    """The command without its axes and folder, which the page gives anew."""
    kept, skip = [], False
    for word in command:
        if skip:
            skip = False
        elif word in ("--axis", "-o", "--out"):
            skip = True
        elif not word.startswith(("--axis=", "--out=")):
            kept.append(word)
    return [Path(kept[0]).name, *kept[1:]] if kept else []


def _spread(values: NDArray[np.float64]) -> str:
    return (
        f"{values.mean():.3f} ± {values.std(ddof=1) if len(values) > 1 else 0:.3f}, worst {values.min():.3f}"
    )


def _list(data: Standards, values: NDArray[np.float64]) -> str:
    pairs = zip(data.micrographs, values, strict=True)
    return ", ".join(f"{m.name} {v:.2f}" for m, v in list(pairs)[:12])


def _provenance(
    data: Standards, goal: Goal, values: NDArray[np.float64], held_out: NDArray[np.float64] | None
) -> dict[str, Any]:
    sizes = sorted({round(float(np.sqrt(m.pixel_area)), 6) for m in data.micrographs})
    names = ", ".join(p.name for p in data.paths[:20])
    modalities = sorted({m.modality for m in data.micrographs})
    provenance: dict[str, Any] = {
        "by": f"porescope {version('porescope')}",
        "date": datetime.now(UTC).date().isoformat(),
        "tuned_on": f"{len(data.paths)} images ({', '.join(modalities)}): {names}",
        "goal": goal.describe(),
        "method": goal.method,
        "pixel_sizes_nm": sizes,
        "calibration": ", ".join(sorted({m.acquisition.pixel_size_source for m in data.micrographs})),
        "score": f"{goal.metric} {_spread(values)} (in-sample)",
    }
    if held_out is not None:
        provenance["cross_validated"] = f"{goal.metric} {_spread(held_out)} (leave one image out)"
    return provenance
