"""One image: its lattice, its pores, its row, its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.detection import Detection, detect_by
from porescope.files.names import ENDINGS
from porescope.files.writing import write_whole
from porescope.lattice.calibration import calibrate, check_calibration
from porescope.lattice.finding import Lattice, find_lattice
from porescope.lattice.sites import Sites, build_structure, count_missing, find_sites
from porescope.materials import MATERIALS
from porescope.measurement import is_counted, measure_columns
from porescope.micrograph import Micrograph
from porescope.runs.job import Job, Result

if TYPE_CHECKING:
    pass


#: Longer side of the pictures in the report [px].
REPORT_SIZE = 560


#: Of so many frames of a stack the report keeps pictures.
PICTURES_A_FILE = 10


def process(micrograph: Micrograph, sha256: str, job: Job, picture: bool) -> Result:
    """Detect and measure in one micrograph, and write what belongs to it."""
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
    header = micrograph.acquisition.pixel_size_header
    messages = list(messages)
    if micrograph.acquisition.modality_source == "assumed":
        messages.append("modality not in the metadata, taken as HAADF")
    if float(np.ptp(micrograph.image)) == 0:
        messages.append("all pixels have the same value")
    frame_nm2 = height * width * micrograph.pixel_area
    return {
        "image": micrograph.name,
        "frame": micrograph.frame or 0,
        "file": micrograph.acquisition.file,
        "sha256": sha256,
        "height_px": height,
        "width_px": width,
        "modality": micrograph.modality,
        "pixel_size_nm": float(np.sqrt(micrograph.pixel_area)),
        "pixel_size_header_nm": float(np.sqrt(header[0] * header[1])) if header else np.nan,
        "pixel_size_source": micrograph.acquisition.pixel_size_source,
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
        f"{stem}{ENDINGS['labels']}": lambda part: export.save_labels(part, labels, micrograph.pixel_size)
    }
    if job.rois:
        outputs[f"{stem}{ENDINGS['rois']}"] = lambda part: export.save_rois(part, labels)
    if job.geojson:
        outputs[f"{stem}{ENDINGS['geojson']}"] = lambda part: export.save_geojson(part, labels, pores)
    if job.overlays:
        from porescope.pictures.lattice import draw_lattice
        from porescope.pictures.overlays import draw_image, draw_overlay

        overlay = draw_overlay(micrograph, labels)
        outputs[f"{stem}{ENDINGS['overlay']}"] = lambda part: part.write_bytes(_encode(".png", overlay))
        if picture:
            plain = draw_image(micrograph, REPORT_SIZE)[0]
            marked = draw_overlay(micrograph, labels, REPORT_SIZE)
            pictures = (_encode(".jpg", plain), _encode(".jpg", marked))
        if crystal:
            panels = draw_lattice(micrograph, crystal.lattice, crystal.sites)
            outputs[f"{stem}{ENDINGS['lattice']}"] = lambda part: part.write_bytes(_encode(".png", panels))
            if pictures:
                pictures = (*pictures, _encode(".jpg", panels))
    if job.structure and job.material and crystal and crystal.sites:
        structure = build_structure(crystal.sites, labels, crystal.lattice, MATERIALS[job.material])
        outputs[f"{stem}{ENDINGS['xyz']}"] = lambda part: export.save_structure(part, *structure, "extxyz")
        outputs[f"{stem}{ENDINGS['cif']}"] = lambda part: export.save_structure(part, *structure, "cif")
    for name, write in outputs.items():
        with write_whole(job.out / name) as part:
            write(part)
    return list(outputs), pictures


def _encode(ending: str, picture: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(ending, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes())
