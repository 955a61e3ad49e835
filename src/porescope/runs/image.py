"""One image of a run: its lattice, its pores, its row, its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.atoms import Crystal, Occupancy, build_structure, find_sites, judge_crystal
from porescope.detection import Automatic, Detector
from porescope.field import look_for_field
from porescope.files import (
    ENDINGS,
    PICTURE_ENDINGS,
    PICTURES,
    doubt_size,
    save_coco,
    save_geojson,
    save_labels,
    save_rois,
    save_structure,
    write_whole,
)
from porescope.labels import HIDDEN, Detection
from porescope.lattice import calibrate, check_calibration, find_lattice
from porescope.materials import MATERIALS
from porescope.measurement import PORE_COLUMNS, density_interval, is_counted, measure_columns
from porescope.membrane import find_clear, identify_pores, judge_sublattices
from porescope.micrograph import Micrograph, check_micrograph
from porescope.network import list_excess
from porescope.runs.job import ImageRecord, Job
from porescope.strips import cut_strips
from porescope.voids import list_doubts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ImageResult:
    """All that came of one image.

    Attributes
    ----------
    micrograph : Micrograph
        With the pixel size that was used, and without the areas that have no data.
    detection : Detection
    columns, candidates : dict of ndarray
        The columns of `PORE_COLUMNS`, of the pores and of the regions that were dropped.
    crystal : Crystal or None
    messages : list of str
        What the user must know about this image.
    method : str
        Of the detector.
    excess : dict of ndarray
        The columns of `EXCESS_COLUMNS`, of the bright sites.
    """

    micrograph: Micrograph
    detection: Detection
    columns: dict[str, NDArray[Any]]
    candidates: dict[str, NDArray[Any]]
    crystal: Crystal | None
    messages: list[str]
    method: str
    excess: dict[str, NDArray[Any]]

    @property
    def labels(self) -> NDArray[np.int32]:
        """Label image of the pores, shape (M, N)."""
        return self.detection.labels

    @cached_property
    def pores(self) -> pd.DataFrame:
        """The rows of ``pores.csv``."""
        import pandas as pd

        return pd.DataFrame(self.columns).astype(PORE_COLUMNS)

    @cached_property
    def row(self) -> dict[str, Any]:
        """The row of ``images.csv``, without the hash of the file."""
        return _make_row(self)


def census(
    micrograph: Micrograph,
    *,
    detector: Detector | None = None,
    material: str | None = None,
    calibrate: bool = False,
    lattice: bool | None = None,
) -> ImageResult:
    """Find and measure the pores of one micrograph, exactly as ``porescope detect`` does.

    Parameters
    ----------
    micrograph : Micrograph
    detector : Detector, optional
        Default: the method that fits the image.
    material : str, optional
        One of `MATERIALS`.
    calibrate : bool
        Whether the lattice corrects the pixel size of the table.
    lattice : bool, optional
        Whether to look for the lattice; default: yes.

    Returns
    -------
    ImageResult

    Raises
    ------
    ValueError
        If the options contradict each other, or the detector cannot be used.

    Examples
    --------
    >>> from porescope.simulation import Scene, simulate
    >>> result = census(simulate(Scene(shape=(150, 170), pores=1, max_missing=9), seed=4).micrograph)
    >>> len(result.pores), result.row["n_pores"], result.pores.size_method[0]
    (1, 1, 'contour')
    """
    check_micrograph(micrograph, "census")
    job = Job(
        Path(),
        detector or Automatic(),
        material=material,
        calibrate=calibrate,
        lattice=lattice,
    )
    return find_and_measure(micrograph, job)


def process_image(micrograph: Micrograph, sha256: str, job: Job, n_images: int = 1) -> ImageRecord:
    """Detect and measure the pores of one micrograph, and write its files.

    Parameters
    ----------
    micrograph : Micrograph
    sha256 : str
        Hash of its file.
    job : Job
    n_images : int
        Number of images in the file.

    Returns
    -------
    ImageRecord
    """
    return save_result(find_and_measure(micrograph, job), sha256, job, n_images)


def save_result(result: ImageResult, sha256: str, job: Job, n_images: int = 1) -> ImageRecord:
    """Write the files of one image.

    Parameters
    ----------
    result : ImageResult
    sha256, job, n_images
        As for `process_image`.

    Returns
    -------
    ImageRecord
    """
    row = {**result.row, "sha256": sha256}
    mapped = _map_field(result)
    # The maps have served; in a large image they take as much memory as the pictures need.
    found = result.detection
    kept = Detection(found.labels, candidates=found.candidates, vacancies=found.vacancies)
    result = replace(result, detection=kept)
    outputs = _write_files(result, mapped, job)
    return ImageRecord(row, result.columns, outputs, n_images, result.candidates, result.excess)


def find_and_measure(micrograph: Micrograph, job: Job) -> ImageResult:
    """Find the lattice and the pores of one micrograph, and measure them.

    Parameters
    ----------
    micrograph : Micrograph
    job : Job

    Returns
    -------
    ImageResult
    """
    remark, doubt = micrograph.acquisition.remark or "", doubt_size(micrograph.pixel_size)
    # Reading a file has doubted its pixel size already.
    messages = [told for told in (remark, "" if doubt in remark else doubt) if told]
    crystal = None
    micrograph = look_for_field(micrograph)
    if job.wants_lattice:
        micrograph, crystal, message = _look_for_lattice(micrograph, job)
        messages.append(message)
    lattice = crystal.lattice if crystal else None
    found = job.detector.find(micrograph, lattice, job.material)
    if found.message and found.message not in messages:
        messages.append(found.message)
    occupancy = judge_crystal(micrograph, crystal, found.labels, found.probability)
    columns = measure_columns(micrograph, found.labels, found.probability, crystal, occupancy)
    if found.confidence is not None:
        columns["confidence"] = found.confidence
    columns |= _identify(found, columns, crystal, occupancy)
    candidates = {}
    if found.candidates is not None and found.candidate_confidence is not None:
        candidates = measure_columns(micrograph, found.candidates, found.probability, crystal)
        candidates["confidence"] = found.candidate_confidence
    if micrograph.acquisition.modality_source == "assumed":
        messages.append("modality not in the metadata, taken as HAADF")
    if float(np.ptp(micrograph.filled)) == 0:
        messages.append("all pixels have the same value")
    method = found.method or job.detector.method
    messages += list_doubts(micrograph, found, crystal is not None, method)
    excess = list_excess(micrograph, found, lattice)
    return ImageResult(micrograph, found, columns, candidates, crystal, messages, method, excess)


def _identify(
    found: Detection, columns: dict[str, NDArray[Any]], crystal: Crystal | None, occupancy: Occupancy | None
) -> dict[str, NDArray[Any]]:
    """The columns that say what each pore is, if its atoms are known."""
    if crystal is None or crystal.material is None or occupancy is None:
        return {}
    numbers, labels = columns["label"], found.labels
    known = ~columns["touches_border"] & ~np.isin(numbers, occupancy.owner[~occupancy.trusted])
    known &= find_clear(labels, numbers, found.unusable, crystal.lattice.constant_px)
    sublattices = judge_sublattices(crystal.lattice, occupancy.sites, crystal.material, labels)
    missing = np.where(occupancy.held, 0, occupancy.owner)
    return identify_pores(numbers, occupancy.sites, missing, crystal.material, sublattices, known)


def _look_for_lattice(micrograph: Micrograph, job: Job) -> tuple[Micrograph, Crystal | None, str]:
    """Find the lattice, say what it tells of the pixel size, and correct that if asked to."""
    lattice = find_lattice(micrograph)
    if lattice is None:
        kept = ", so the pixel size stays as it is" if job.calibrate else ""
        return micrograph, None, f"no lattice found{kept}"
    message = check_calibration(lattice, job.material)[1]
    if job.calibrate and job.material:
        recorded = float(np.sqrt(micrograph.pixel_area))
        try:
            micrograph = calibrate(micrograph, lattice, job.material)
            corrected = float(np.sqrt(micrograph.pixel_area))
            message += f"; corrected by the lattice from {recorded:.4g} to {corrected:.4g} nm"
        except ValueError as error:
            message += f"; {error}"
    material = MATERIALS[job.material] if job.material else None
    sites = find_sites(micrograph, lattice, material) if material else None
    return micrograph, Crystal(lattice, material, sites), message


def _make_row(result: ImageResult) -> dict[str, Any]:
    """The image's row of ``images.csv``."""
    micrograph, labels, pores = result.micrograph, result.labels, result.columns
    acquisition, field = micrograph.acquisition, micrograph.field
    n_pores = len(pores["label"])
    header = acquisition.pixel_size_header
    field_nm2 = (labels.size if field is None else int(field.sum())) * micrograph.pixel_area
    counted = int(is_counted(labels, pores["label"], field).sum())
    density_low, density_high = density_interval(counted, field_nm2 / 1e6)
    unusable = result.detection.unusable
    clean = np.nan if unusable is None else _measure_clean(unusable, field)
    return {
        "image": micrograph.name,
        "frame": micrograph.frame or 0,
        "file": acquisition.file,
        "height_px": labels.shape[0],
        "width_px": labels.shape[1],
        "modality": micrograph.modality,
        "pixel_size_nm": float(np.sqrt(micrograph.pixel_area)),
        "pixel_size_header_nm": float(np.sqrt(header[0] * header[1])) if header else np.nan,
        "pixel_size_source": acquisition.pixel_size_source,
        "lattice_constant_nm": result.crystal.lattice.constant_nm if result.crystal else np.nan,
        "n_pores": n_pores,
        "n_border": int(pores["touches_border"].sum()),
        "density_per_um2": counted / field_nm2 * 1e6,
        "density_low_per_um2": density_low,
        "density_high_per_um2": density_high,
        "porosity": float(pores["area_nm2"].sum()) / field_nm2,
        "median_diameter_nm": np.median(pores["equivalent_diameter_nm"]) if n_pores else np.nan,
        "clean_fraction": clean,
        "field_fraction": 1.0 if field is None else float(field.mean()),
        "method": result.method,
        "status": "ok",
        "message": "; ".join(result.messages),
        "signal": micrograph.signal,
        "scan_distortion": result.crystal.lattice.distortion if result.crystal else np.nan,
        "row_jitter_nm": result.crystal.lattice.row_jitter_nm if result.crystal else np.nan,
        "reason": result.detection.reason or "asked for",
    }


def _measure_clean(unusable: NDArray[Any], field: NDArray[np.bool_] | None) -> float:
    """Share of the field in which the sheet is not hidden."""
    clean, total = 0, 0
    for rows in cut_strips(unusable.shape):
        shown = unusable[rows] < HIDDEN
        inside = shown if field is None else shown[field[rows]]
        clean, total = clean + int(np.count_nonzero(inside)), total + inside.size
    return clean / total


def _map_field(result: ImageResult) -> NDArray[np.uint8] | None:
    """0 outside the field, 1 where the sheet is clean, 2 where it is hidden; None if all is clean."""
    mapped = np.ones(result.labels.shape, np.uint8)
    if result.detection.unusable is not None:
        mapped[result.detection.unusable >= HIDDEN] = 2
    if result.micrograph.field is not None:
        mapped[~result.micrograph.field] = 0
    return None if (mapped == 1).all() else mapped


def _write_files(result: ImageResult, mapped: NDArray[np.uint8] | None, job: Job) -> list[str]:
    """Write the files of one image, with the map of its field; their names."""
    micrograph, labels, crystal = result.micrograph, result.labels, result.crystal
    files: dict[str, Callable[[Path], object]] = {
        ENDINGS["labels"]: lambda part: save_labels(part, labels, micrograph.pixel_size)
    }
    if mapped is not None:
        files[ENDINGS["field"]] = lambda part: save_labels(part, mapped, micrograph.pixel_size)
    if job.rois:
        files[ENDINGS["rois"]] = lambda part: save_rois(part, labels)
    if job.geojson:
        files[ENDINGS["geojson"]] = lambda part: save_geojson(part, labels, result.columns)
    if job.coco:
        name = Path(micrograph.acquisition.file or micrograph.name).name
        files[ENDINGS["coco"]] = lambda part: save_coco(part, labels, result.columns, name)
    if job.structure and crystal and crystal.material and crystal.sites:
        structure = build_structure(crystal.sites, labels, crystal.lattice, crystal.material)
        files[ENDINGS["xyz"]] = lambda part: save_structure(part, *structure, "extxyz")
        files[ENDINGS["cif"]] = lambda part: save_structure(part, *structure, "cif")
    if job.overlays:
        for ending, content in _draw(result, job.excess).items():
            files[ending] = lambda part, content=content: part.write_bytes(content)  # type: ignore[misc]
        _keep_pictures(result, job.out / PICTURES)
    for ending, write in files.items():
        with write_whole(job.out / f"{micrograph.stem}{ending}") as part:
            write(part)
    return [f"{micrograph.stem}{ending}" for ending in files]


def _draw(result: ImageResult, marks_excess: bool) -> dict[str, bytes]:
    """Pictures of one image, as PNG files by their ending."""
    from porescope.pictures import PALETTE, draw_lattice, draw_overlay, draw_vacancies

    micrograph, labels = result.micrograph, result.labels
    sites = result.excess if marks_excess else None
    files = {ENDINGS["overlay"]: _encode(".png", draw_overlay(micrograph, labels, excess=sites))}
    if result.crystal:
        panels = draw_lattice(micrograph, result.crystal.lattice, result.crystal.sites)
        files[ENDINGS["lattice"]] = _encode_indexed(panels, PALETTE)
    if result.detection.vacancies is not None:
        drawn = draw_vacancies(micrograph, result.detection.vacancies, labels, result.detection.candidates)
        files[ENDINGS["vacancies"]] = _encode(".png", drawn)
    return files


def _keep_pictures(result: ImageResult, folder: Path) -> None:
    """Keep what the report shows of one image beside its label image and field."""
    from porescope.pictures import encode_micrograph, encode_vacancies

    micrograph, found = result.micrograph, result.detection
    picture = encode_micrograph(micrograph)
    kept: dict[str, Callable[[Path], object]] = {"image": lambda part: part.write_bytes(picture)}
    if found.vacancies is not None:
        drawn = encode_vacancies(found.vacancies)
        kept["vacancies"] = lambda part: part.write_bytes(drawn)
    if found.candidates is not None and found.candidates.any():
        candidates = found.candidates
        kept["candidates"] = lambda part: save_labels(part, candidates, micrograph.pixel_size)
    folder.mkdir(exist_ok=True)
    for kind, write in kept.items():
        with write_whole(folder / f"{micrograph.stem}{PICTURE_ENDINGS[kind]}") as part:
            write(part)


def _encode(ending: str, picture: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(ending, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())


def _encode_indexed(picture: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """PNG of a picture whose pixels are rows of a palette."""
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    image = Image.fromarray(picture, "P")
    image.putpalette(palette.tobytes())
    image.save(file, "PNG", compress_level=3)
    return file.getvalue()
