"""Many files: detect and measure in processes, write what belongs to each, collect the tables."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope import processes
from porescope.detection import Detection, detect_by
from porescope.files.names import hash_file, name_files, printable, write_whole
from porescope.lattice.calibration import calibrate, check_calibration
from porescope.lattice.finding import Lattice, find_lattice
from porescope.lattice.sites import Sites, build_structure, count_missing, find_sites
from porescope.materials import MATERIALS
from porescope.measurement import PORE_COLUMNS, is_counted, measure_columns
from porescope.micrograph import Micrograph, read_all
from porescope.network.detector import LEAST_CONFIDENCE
from porescope.recipes.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd

#: Longer side of the pictures in the report [px].
REPORT_SIZE = 560

#: Of so many frames of a stack the report keeps pictures.
PICTURES_A_FILE = 10

#: Columns of ``images.csv``, in order, with their types.
IMAGE_COLUMNS = {
    "image": "str", "frame": "int64", "file": "str", "sha256": "str",
    "height_px": "Int64", "width_px": "Int64", "modality": "str",
    "pixel_size_nm": "float64", "pixel_size_header_nm": "float64", "pixel_size_source": "str",
    "lattice_constant_nm": "float64", "n_pores": "Int64", "n_border": "Int64",
    "density_per_um2": "float64", "porosity": "float64", "median_diameter_nm": "float64",
    "clean_fraction": "float64", "method": "str", "status": "str", "message": "str",
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """What is done to every file of a run."""

    out: Path
    recipe: Recipe | None = None  # with one the method is threshold
    method: str = "network"
    model: Path | None = None  # in place of the shipped network
    turned: bool = False  # whether the network sees each image in its eight orientations
    least_confidence: float = LEAST_CONFIDENCE  # what is less sure to be a pore is left out
    lattice: bool = True  # whether to look for one
    material: str | None = None
    calibrate: bool = False  # by the lattice
    structure: bool = False
    modality: str = "auto"
    pixel_size: float | None = None
    overlays: bool = True
    rois: bool = False
    geojson: bool = False

    def __post_init__(self) -> None:
        if self.recipe is not None:
            object.__setattr__(self, "method", "threshold")


class Result(NamedTuple):
    """What came of one image: its row, its pores' columns, files written, pictures."""

    row: dict[str, Any]
    pores: dict[str, NDArray[Any]]
    outputs: list[str]
    pictures: tuple[bytes, ...] | None


class Census(NamedTuple):
    """The tables of a run, and pictures (JPEG: image, overlay) of its first images by stem."""

    images: pd.DataFrame
    pores: pd.DataFrame
    outputs: list[str]
    pictures: dict[str, tuple[bytes, ...]]


def run_batch(
    paths: Sequence[Path],
    job: Job,
    *,
    workers: int = 1,
    max_pictures: int = 100,
    on_file: Callable[[Path], None] = lambda path: None,
) -> Census:
    """Detect and measure in all files, write what belongs to each, and collect the tables.

    Parameters
    ----------
    paths : sequence of Path
        As `find_files` gives them.
    job : Job
    workers : int
        Number of processes; 1 stays in this one.
    max_pictures : int
        Of how many images pictures are kept for the report.
    on_file : callable
        Called with each file when it is done.

    Returns
    -------
    Census
        In the order of the files; a file that failed has one row with status ``failed``.
    """
    names = name_files(paths)
    _protect_inputs(paths, names, job.out)
    keep = max_pictures if job.overlays else 0
    tasks = [(path, name, job, i < keep) for i, (path, name) in enumerate(zip(paths, names, strict=True))]
    results: list[list[Result]] = [[] for _ in tasks]
    mapped = _map_here(tasks) if workers <= 1 else _map_processes(tasks, workers)
    for i, result in mapped:
        results[i] = result
        on_file(paths[i])
    return _collect([r for rs in results for r in rs])


def _protect_inputs(paths: Sequence[Path], names: Sequence[str], out: Path) -> None:
    """Refuse a run that would write over one of its own inputs."""
    endings = "_labels.tif|_overlay.png|_lattice.png|_rois.zip|.geojson|.xyz|.cif"
    stems = set(names)
    for path in paths:
        match = re.fullmatch(rf"(.+?)(_\d{{4,}})?({endings})", path.name)
        if (
            path.resolve().parent == out.resolve()
            and match
            and stems & {match[1], f"{match[1]}{match[2] or ''}"}
        ):
            raise ValueError(f"{path} would be overwritten by this run's own results; give another -o")


_Task = tuple[Path, str, Job, bool]


def _map_here(tasks: Sequence[_Task]) -> Iterator[tuple[int, list[Result]]]:
    for i, task in enumerate(tasks):
        yield i, process_file(*task)


def _map_processes(tasks: Sequence[_Task], workers: int) -> Iterator[tuple[int, list[Result]]]:
    done: set[int] = set()
    with processes.start_pool(workers) as pool:
        futures = {pool.submit(process_file, *task): i for i, task in enumerate(tasks)}
        try:
            for future in as_completed(futures):
                result = future.result()
                done.add(futures[future])
                yield futures[future], result
        except BrokenProcessPool:
            pass
    # A file brought its process down: the rest go one by one, so that only it is lost.
    for i in sorted(set(range(len(tasks))) - done):
        with processes.start_pool(1) as pool:
            try:
                yield i, pool.submit(process_file, *tasks[i]).result()
            except BrokenProcessPool:
                yield i, [_failure(tasks[i], "the process that read it died; the file is damaged")]


def process_file(path: Path, name: str, job: Job, picture: bool = False) -> list[Result]:
    """Detect and measure in every image of a file; never raises for a bad file."""
    results: list[Result] = []
    try:
        sha256 = hash_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # readers' remarks on foreign metadata
            for micrograph in read_all(path, pixel_size=job.pixel_size, modality=job.modality):
                named = replace(micrograph, name=name)
                results.append(_process(named, sha256, job, picture and len(results) < PICTURES_A_FILE))
        return results
    except Exception as error:
        known = isinstance(error, (ValueError, OSError))
        message = str(error) if known else f"{type(error).__name__}: {error}"
        failed = _failure((path, name, job, picture), printable(Path(" ".join(message.split()))))
        failed.row["frame"] = len(results)
        return [*results, failed]


def _failure(task: _Task, message: str) -> Result:
    path, name, job, _ = task
    row = {"image": name, "frame": 0, "file": printable(path), "method": job.method}
    return Result({**row, "status": "failed", "message": message}, {}, [], None)


def _process(micrograph: Micrograph, sha256: str, job: Job, picture: bool) -> Result:
    messages: list[str] = []
    crystal = None
    if job.lattice:
        micrograph, crystal, messages = _look_for_lattice(micrograph, job)
    found = _detect(micrograph, crystal.lattice if crystal else None, job)
    labels = found.labels
    if found.message and found.message not in messages:
        messages.append(found.message)
    pores = measure_columns(micrograph, labels, found.probability)
    if found.confidence is not None:
        pores["confidence"] = found.confidence
    if crystal and crystal.sites and job.material:
        material = MATERIALS[job.material]
        pores["missing_atoms"] = count_missing(crystal.sites, labels, crystal.lattice, material)
    outputs, pictures = _write_image(micrograph, labels, pores, crystal, job, picture)
    row = _image_row(micrograph, labels, pores, crystal, sha256, job, messages)
    row["clean_fraction"] = found.clean_fraction
    return Result(row, pores, outputs, pictures)


def _detect(micrograph: Micrograph, lattice: Lattice | None, job: Job) -> Detection:
    """Find pores as the job says; a model whose file is no ONNX is a Mask R-CNN."""
    if job.model is not None and job.model.suffix == ".pt":
        from porescope.training.maskrcnn import find_pores

        return Detection(*find_pores(micrograph, job.model, lattice=lattice, material=job.material))
    return detect_by(
        job.method,
        micrograph,
        lattice=lattice,
        recipe=job.recipe,
        material=job.material,
        model=job.model,
        turned=job.turned,
        least_confidence=job.least_confidence,
    )


class Crystal(NamedTuple):
    """The lattice of an image, and its sites where the material is known."""

    lattice: Lattice
    sites: Sites | None


def _look_for_lattice(micrograph: Micrograph, job: Job) -> tuple[Micrograph, Crystal | None, list[str]]:
    """Find the lattice, say what it tells of the pixel size, and apply that if asked to."""
    lattice = find_lattice(micrograph)
    if lattice is None:
        kept = ", so the pixel size stays as it is" if job.calibrate else ""
        return micrograph, None, [f"no lattice found{kept}"]
    message = check_calibration(lattice, job.material)[1]
    if job.calibrate and job.material:
        micrograph = calibrate(micrograph, lattice, job.material)
        message += "; corrected by the lattice"
    sites = find_sites(micrograph, lattice, MATERIALS[job.material]) if job.material else None
    return micrograph, Crystal(lattice, sites), [message]


def _image_row(
    micrograph: Micrograph,
    labels: NDArray[np.int32],
    pores: dict[str, NDArray[Any]],
    crystal: Crystal | None,
    sha256: str,
    job: Job,
    messages: list[str],
) -> dict[str, Any]:
    height, width = labels.shape
    n_pores = len(pores["label"])
    header = micrograph.metadata["pixel_size_header"]
    messages = list(messages)
    if micrograph.metadata["modality_source"] == "assumed":
        messages.append("modality not in the metadata, taken as HAADF")
    if float(np.ptp(micrograph.image)) == 0:
        messages.append("all pixels have the same value")
    frame_nm2 = height * width * micrograph.pixel_area
    return {
        "image": micrograph.name,
        "frame": micrograph.frame or 0,
        "file": micrograph.metadata["file"],
        "sha256": sha256,
        "height_px": height,
        "width_px": width,
        "modality": micrograph.modality,
        "pixel_size_nm": float(np.sqrt(micrograph.pixel_area)),
        "pixel_size_header_nm": float(np.sqrt(header[0] * header[1])) if header else np.nan,
        "pixel_size_source": micrograph.metadata["pixel_size_source"],
        "lattice_constant_nm": crystal.lattice.constant_nm if crystal else np.nan,
        "n_pores": n_pores,
        "n_border": int(pores["touches_border"].sum()),
        "density_per_um2": is_counted(labels, pores["label"]).sum() / frame_nm2 * 1e6,
        "porosity": float(pores["area_nm2"].sum()) / frame_nm2,
        "median_diameter_nm": np.median(pores["equivalent_diameter_nm"]) if n_pores else np.nan,
        "method": job.method,
        "status": "ok",
        "message": "; ".join(messages),
    }


def _write_image(
    micrograph: Micrograph,
    labels: NDArray[np.int32],
    pores: dict[str, NDArray[Any]],
    crystal: Crystal | None,
    job: Job,
    picture: bool,
) -> tuple[list[str], tuple[bytes, ...] | None]:
    """Write the files that belong to one image; give their names, and pictures for the report."""
    from porescope.files import exports as export

    stem = micrograph.stem
    pictures: tuple[bytes, ...] | None = None
    outputs: dict[str, Callable[[Path], object]] = {
        f"{stem}_labels.tif": lambda part: export.save_labels(part, labels, micrograph.pixel_size)
    }
    if job.rois:
        outputs[f"{stem}_rois.zip"] = lambda part: export.save_rois(part, labels)
    if job.geojson:
        outputs[f"{stem}.geojson"] = lambda part: export.save_geojson(part, labels, pores)
    if job.overlays:
        from porescope.pictures.overlays import draw_image, draw_lattice, draw_overlay

        overlay = draw_overlay(micrograph, labels)
        outputs[f"{stem}_overlay.png"] = lambda part: part.write_bytes(_encode(".png", overlay))
        if picture:
            plain = draw_image(micrograph, REPORT_SIZE)[0]
            marked = draw_overlay(micrograph, labels, REPORT_SIZE)
            pictures = (_encode(".jpg", plain), _encode(".jpg", marked))
        if crystal:
            panels = draw_lattice(micrograph, crystal.lattice, crystal.sites)
            outputs[f"{stem}_lattice.png"] = lambda part: part.write_bytes(_encode(".png", panels))
            if pictures:
                pictures = (*pictures, _encode(".jpg", panels))
    if job.structure and job.material and crystal and crystal.sites:
        structure = build_structure(crystal.sites, labels, crystal.lattice, MATERIALS[job.material])
        outputs[f"{stem}.xyz"] = lambda part: export.save_structure(part, *structure, "extxyz")
        outputs[f"{stem}.cif"] = lambda part: export.save_structure(part, *structure, "cif")
    for name, write in outputs.items():
        with write_whole(job.out / name) as part:
            write(part)
    return list(outputs), pictures


def _encode(ending: str, picture: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(ending, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())


def _collect(results: Sequence[Result]) -> Census:
    import pandas as pd

    rows = [result.row for result in results]
    images = pd.DataFrame(rows, columns=list(IMAGE_COLUMNS)).astype(IMAGE_COLUMNS)
    parts = [result.pores for result in results if result.pores]
    pores = pd.DataFrame(
        {
            name: np.concatenate([part[name] for part in parts]) if parts else np.array([], object)
            for name in PORE_COLUMNS
        }
    ).astype(PORE_COLUMNS)
    pictures = {
        Path(r.outputs[0]).name.removesuffix("_labels.tif"): r.pictures for r in results if r.pictures
    }
    return Census(images, pores, [name for r in results for name in r.outputs], pictures)
