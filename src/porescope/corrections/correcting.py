"""A run corrected by hand: a new run with the edited pores, in which all else is as it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.corrections.comparing import Edits, compare_labels
from porescope.corrections.reading import find_edited, read_labels
from porescope.corrections.rows import as_columns, drop_taken, join_rows
from porescope.files import (
    DETECT_ENDINGS,
    ENDINGS,
    FILES,
    PICTURE_ENDINGS,
    PICTURES,
    escape_hidden,
    explain_error,
    list_stems,
    printable,
)
from porescope.labels import Detection
from porescope.lattice import Lattice, map_vacancies
from porescope.measurement import PORE_COLUMNS
from porescope.micrograph import Micrograph
from porescope.network import EXCESS_COLUMNS, find_nearest
from porescope.report import write_report
from porescope.runs import (
    ImageRecord,
    ImageResult,
    Job,
    PartWriter,
    Run,
    close_run,
    copy_tables,
    find_and_measure,
    list_outputs,
    lock_folder,
    place_file,
    prepare_folder,
    read_micrograph,
    read_tables,
    replace_run,
    save_result,
    write_record,
)
from porescope.standards import OUTLINE_ENDINGS

if TYPE_CHECKING:
    import pandas as pd

#: Value of ``NAME_field.tif`` where the sheet is hidden.
_HIDDEN = 2
#: Keys of ``run.json`` that tell of one start of a run, not of how its numbers came about.
_OWN_KEYS = (
    "version", "state", "command", "folder", "started", "finished", "python", "platform", "libraries",
    "inputs", "outputs",
)  # fmt: skip
#: Largest area of a region that is doubted as a leftover of the brush [px].
_SPECK = 3


class Correction(NamedTuple):
    """What came of a run that was corrected."""

    run: Run
    lines: list[str]  # what was edited in each image
    warnings: list[str]  # sentences


@dataclass(frozen=True, eq=False)
class _ByHand:
    """The detector that stands for the user's hand.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
    hidden : ndarray of bool, shape (M, N), or None
        Where the sheet is hidden.
    maps_vacancies : bool
        Whether to map vacancies for the pictures.
    row : mapping
        The image's row of ``images.csv``.
    described : mapping
        What the run's record says of how the original came about.
    """

    method: ClassVar[str] = "by hand"
    needs_lattice: ClassVar[bool] = False

    labels: NDArray[np.int32]
    hidden: NDArray[np.bool_] | None
    maps_vacancies: bool
    row: Mapping[str, Any]
    described: Mapping[str, Any]

    def find(
        self, micrograph: Micrograph, lattice: Lattice | None = None, material: str | None = None
    ) -> Detection:
        """Hand over the edited pores."""
        field = micrograph.field
        labels = self.labels if field is None else np.where(field, self.labels, 0).astype(np.int32)
        mapped = map_vacancies(micrograph, lattice) if lattice and self.maps_vacancies else None
        return Detection(
            labels,
            unusable=self.hidden,
            vacancies=None if mapped is None else mapped.z,
            method=str(self.row["method"]),
            reason="" if self.row["reason"] != self.row["reason"] else str(self.row["reason"]),
        )

    def describe(self) -> dict[str, Any]:
        """Describe how the original run came about."""
        return dict(self.described)


def correct_run(
    folder: Path,
    given: Path,
    out: Path,
    *,
    command: Sequence[str] = ("porescope", "measure"),
    overwrite: bool = False,
) -> Correction:
    """Measure the edited label images of a run, and write the whole as another run.

    Parameters
    ----------
    folder : Path
        Of the run, which stays as it is.
    given : Path
        Folder of the edited label images or outlines, or one of them; see `read_labels`.
    out : Path
        Folder of the new run.
    command : sequence of str
        The command line.
    overwrite : bool
        Whether to replace another run in ``out``.

    Returns
    -------
    Correction

    Raises
    ------
    ValueError
        If the folder holds no run, nothing was edited, or ``out`` may not be written.

    Notes
    -----
    Pores that were not touched keep their rows, also their confidence. The others are measured anew, by their
    atoms where the run knows the material, else by their pixels; their confidence is NaN, and ``edited`` is
    true.
    """
    if out.resolve() == folder.resolve():
        raise ValueError(f"-o {out} is the run itself, which stays as it is; give another folder")
    started = datetime.now(UTC)
    tables, record = read_tables(folder)
    tables = _place_files(tables, record)
    outputs = [name for name in list_outputs(folder, record) if Path(name).name == name]
    edited, warnings = _find_edits(folder, given, tables[0], set(outputs))
    if not edited:
        raise ValueError(
            f"nothing in {given} differs from the label images of {folder}; edit a copy of NAME_labels.tif"
        )
    paths = [Path(file) for file in dict.fromkeys(tables[0]["file"])]
    with lock_folder(out):
        job = prepare_folder(_make_job(record, out, outputs, given, folder), paths, overwrite=overwrite)
        write_record(job, paths, command, started, "running")
        copy_tables(folder, job.out, record, tables)
        _copy_files(folder, job.out, outputs, {task.stem for task in edited})
        writer = PartWriter(job.out)
        lines = []
        for task in edited:
            corrected, line = _correct_image(task, tables, job, folder, outputs)
            writer.add(corrected)
            lines.append(line)
        writer.close_part()
        with (job.out / FILES["log"]).open("a", encoding="utf-8", errors="backslashreplace") as log:
            log.writelines(f"{escape_hidden(line)}\n" for line in (*warnings, *lines))
        run = close_run(job, paths, command, started, "finished", write_report)
        replace_run(out)
    return Correction(run, lines, warnings)


class _Task(NamedTuple):
    """An image whose labels were edited."""

    stem: str
    row: dict[str, Any]  # of ``images.csv``
    edits: Edits
    source: Path  # of the edited labels


def _place_files(tables: list[pd.DataFrame], record: Mapping[str, Any]) -> list[pd.DataFrame]:
    """Make the paths of the images absolute, unless they count from here: the new run is started here."""
    images, *others = tables
    if record.get("folder") == printable(os.getcwd()):
        return tables
    return [images.assign(file=[place_file(record, file) for file in images["file"]]), *others]


def _find_edits(
    folder: Path, given: Path, images: pd.DataFrame, outputs: set[str]
) -> tuple[list[_Task], list[str]]:
    """The images whose labels were edited, and what is doubtful about the files."""
    rows: dict[str, dict[str, Any]] = {}
    for given_row in images[images.status == "ok"].to_dict("records"):
        row = {str(name): value for name, value in given_row.items()}
        stems = list_stems(row["image"], row["signal"], row["frame"])
        stem = next((s for s in stems if f"{s}{ENDINGS['labels']}" in outputs), stems[0])
        rows[stem] = row
    found, strays = find_edited(given, rows)
    if not found:
        example = next(iter(rows), "NAME")
        raise ValueError(
            f"{given} holds no labels of this run's images; name them as the run does, such as "
            f"{example}{ENDINGS['labels']}, {example}{ENDINGS['rois']} or {example}{ENDINGS['geojson']}"
        )
    warnings = [f"{name} belongs to no image of {folder} and was left out" for name in strays]
    tasks = []
    for stem, files in found.items():
        row = rows[stem]
        original = read_labels(folder / f"{stem}{ENDINGS['labels']}", (row["height_px"], row["width_px"]))
        compared = [(path, _compare(original, path)) for path in files]
        changed = [_Task(stem, row, edits, path) for path, edits in compared if edits.any]
        if len(changed) > 1:
            names = ", ".join(task.source.name for task in changed)
            raise ValueError(f"{stem} was edited in several files ({names}); leave one of them in {given}")
        tasks += changed
    return tasks, warnings


def _compare(original: NDArray[np.int32], path: Path) -> Edits:
    shape = (int(original.shape[0]), int(original.shape[1]))
    return compare_labels(original, read_labels(path, shape), path.suffix.lower() in OUTLINE_ENDINGS)


def _make_job(record: Mapping[str, Any], out: Path, outputs: Sequence[str], given: Path, folder: Path) -> Job:
    """The job of the original run, so that what it does not tell apart is done in the same way."""
    described = {name: value for name, value in record.items() if name not in _OWN_KEYS}
    described["corrected"] = {"run": printable(folder.resolve()), "labels": printable(given.resolve())}
    nothing = np.zeros((1, 1), np.int32)
    kinds = {
        kind: any(n.endswith(ENDINGS[kind]) for n in outputs) for kind in ("overlay", "rois", "coco", "xyz")
    }
    return Job(
        out,
        _ByHand(nothing, None, False, {}, described),
        lattice=record.get("lattice"),
        material=record.get("material"),
        calibrate=record.get("calibrate") == "lattice",
        structure=kinds["xyz"],
        modality=record.get("modality") or "auto",
        pixel_size=record.get("pixel_size_nm"),
        signal=record.get("signal"),
        overlays=kinds["overlay"],
        rois=kinds["rois"],
        geojson=any(name.endswith(ENDINGS["geojson"]) for name in outputs),
        coco=kinds["coco"],
    )


def _copy_files(folder: Path, out: Path, outputs: Sequence[str], edited: set[str]) -> None:
    """Copy the files of all images that were not edited."""
    for name in outputs:
        ending = next((end for end in DETECT_ENDINGS if name.endswith(end)), None)
        path = folder / name
        if ending and name[: -len(ending)] not in edited and path.is_file() and not path.is_symlink():
            shutil.copy2(path, out / name)
    pictures = folder / PICTURES
    if pictures.is_dir() and not pictures.is_symlink():
        (out / PICTURES).mkdir(exist_ok=True)
        drawn_anew = {f"{stem}{ending}" for stem in edited for ending in PICTURE_ENDINGS.values()}
        for path in pictures.iterdir():
            if path.is_file() and not path.is_symlink() and path.name not in drawn_anew:
                shutil.copy2(path, out / PICTURES / path.name)


def _correct_image(
    task: _Task, tables: Sequence[pd.DataFrame], job: Job, folder: Path, outputs: Sequence[str]
) -> tuple[ImageRecord, str]:
    """Measure the edited pores of an image; a failure becomes a failed row."""
    row = task.row
    name = printable(task.stem)
    n_images = int((tables[0].image == row["image"]).sum())
    try:
        micrograph = read_micrograph(job.describe(), row)
        hidden = _read_hidden(folder, task)
        detector = replace(
            job.detector,  # type: ignore[type-var]
            labels=task.edits.labels,
            hidden=hidden,
            maps_vacancies=f"{task.stem}{ENDINGS['vacancies']}" in outputs,
            row=row,
        )
        result = find_and_measure(micrograph, replace(job, detector=detector))
    except (ValueError, OSError) as error:
        message = explain_error(error)
        failed = {**row, "status": "failed", "message": message}
        return ImageRecord(failed, {}, [], n_images), f"{name} failed: {message}"
    lost = set(np.unique(task.edits.labels).tolist()) - set(np.unique(result.labels).tolist())
    told = "; ".join(_tell(task.edits, result.columns, lost))
    pores, candidates, excess = (
        table[(table.image == row["image"]) & (table.frame == row["frame"])] for table in tables[1:]
    )
    left = drop_taken(candidates, result.labels)
    result = replace(
        result,
        detection=replace(result.detection, candidates=_read_candidates(folder, task, left.label)),
        columns=join_rows(pores[pores.label.isin(task.edits.kept)], result.columns, task.edits),
        candidates=as_columns(left, PORE_COLUMNS),
        excess={**as_columns(excess, EXCESS_COLUMNS), **_measure_near(excess, result)},
        messages=[text for text in (row["message"], f"corrected by hand: {told}") if text],
    )
    return save_result(result, str(row["sha256"]), job, n_images), f"{name}: {told}"


def _tell(edits: Edits, columns: Mapping[str, NDArray[Any]], lost: set[int]) -> Iterator[str]:
    """Say what was edited, and what is doubtful about it."""
    yield edits.describe()
    new = np.isin(columns["label"], [*edits.drawn, *edits.changed])
    specks = int((new & (columns["area_px"] <= _SPECK)).sum())
    if specks:
        yield f"{specks} of at most {_SPECK} px, perhaps left over by the brush"
    if lost:
        yield f"{len(lost)} outside the field of view left out"


def _read_hidden(folder: Path, task: _Task) -> NDArray[np.bool_] | None:
    """Where the sheet is hidden, as the run found it."""
    path = folder / f"{task.stem}{ENDINGS['field']}"
    shape = task.edits.labels.shape
    if path.is_file():
        return np.asarray(read_labels(path, (int(shape[0]), int(shape[1]))) == _HIDDEN)
    # Without a map all is clean, if the run looked for that.
    return None if task.row["clean_fraction"] != task.row["clean_fraction"] else np.zeros(shape, np.bool_)


def _read_candidates(folder: Path, task: _Task, left: pd.Series[int]) -> NDArray[np.int32] | None:
    """Label image of the candidates that are left, if the run kept one for its report."""
    path = folder / PICTURES / f"{task.stem}{PICTURE_ENDINGS['candidates']}"
    if not path.is_file():
        return None
    shape = task.edits.labels.shape
    labels = read_labels(path, (int(shape[0]), int(shape[1])))
    return np.where(np.isin(labels, left.to_numpy()), labels, 0).astype(np.int32)


def _measure_near(excess: pd.DataFrame, result: ImageResult) -> dict[str, NDArray[np.float64]]:
    """The pore that is nearest to each bright site, now that pores were edited."""
    at = np.rint(excess[["y_px", "x_px"]].to_numpy(float)).astype(int)
    return find_nearest(at, result.labels, result.micrograph.pixel_size)
