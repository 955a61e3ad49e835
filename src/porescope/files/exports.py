"""Results in other programs' formats: TIFF, ImageJ ROIs, GeoJSON, atoms, simulations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.files.names import write_whole
from porescope.simulation.drawing import Simulation
from porescope.simulation.series import Tile


def save_labels(path: Path, labels: NDArray[np.integer], pixel_size: tuple[float, float]) -> None:
    """Write a label image as a TIFF that ImageJ opens with its scale.

    Parameters
    ----------
    path : Path
    labels : ndarray of int, shape (M, N)
        Written as 8-bit integers, from 256 labels on as 16-bit and from 65,536 on as 32-bit ones.
    pixel_size : tuple of float
        (row, column) [nm].
    """
    import tifffile

    smallest = np.min_scalar_type(int(labels.max(initial=0)))
    tifffile.imwrite(
        path,
        labels.astype(smallest),
        compression="zlib",
        rowsperstrip=labels.shape[0],
        # ImageJ's own header by hand: tifffile writes it only without compression.
        description="ImageJ=1.54f\nimages=1\nunit=nm\n",
        metadata=None,
        resolution=(1 / pixel_size[1], 1 / pixel_size[0]),
        resolutionunit="NONE",
    )


def outline_regions(labels: NDArray[np.integer]) -> dict[int, NDArray[np.float64]]:
    """Outer outline of each region as a polygon.

    Parameters
    ----------
    labels : ndarray of int, shape (M, N)

    Returns
    -------
    dict of ndarray, shape (K, 2)
        Label → corners (row, column), half a pixel outside the outermost pixels' centres; a
        polygon filled by its pixel centres gives the region back, holes apart.

    Examples
    --------
    >>> import numpy as np
    >>> outline_regions(np.array([[0, 0], [0, 7]]))[7].shape
    (5, 2)
    """
    from skimage.measure import find_contours, regionprops

    outlines = {}
    for region in regionprops(np.asarray(labels)):
        mask = np.pad(region.image_filled, 1).astype(float)
        contour = max(find_contours(mask, 0.5, fully_connected="high"), key=len)
        outlines[region.label] = contour - 1 + np.array(region.bbox[:2])
    return outlines


def save_rois(path: Path, labels: NDArray[np.integer]) -> None:
    """Write the outlines as an ImageJ ROI archive; ROI names are the labels.

    ImageJ counts positions from the corner of the first pixel.
    """
    import roifile

    rois = [
        roifile.ImagejRoi.frompoints(outline[:-1, ::-1] + 0.5, name=f"{label:04d}")
        for label, outline in outline_regions(labels).items()
    ]
    path.unlink(missing_ok=True)
    if rois:
        # roifile tells an archive by the ending .zip, which a file being written lacks.
        archive = path.with_name(f"{path.name}.zip")
        roifile.roiwrite(archive, rois, mode="w")
        archive.replace(path)
    else:
        import zipfile

        zipfile.ZipFile(path, "w").close()


def save_geojson(path: Path, labels: NDArray[np.integer], pores: dict[str, NDArray[Any]]) -> None:
    """Write the outlines as GeoJSON polygons [px, from the corner of the first pixel].

    Each feature carries its row of the pore table; what is NaN there is left out.
    """
    outlines = outline_regions(labels)
    features = []
    for i, label in enumerate(pores["label"]):
        row = {name: values[i].item() for name, values in pores.items() if values[i] == values[i]}
        ring = (outlines[int(label)][:, ::-1] + 0.5).round(3).tolist()
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": {"objectType": "annotation", "name": str(label), **row},
            }
        )
    content = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(content), encoding="utf-8")


def save_structure(path: Path, elements: list[str], positions: NDArray[np.float64], form: str) -> None:
    """Write atoms as extended XYZ or CIF, in a box with 10 Å of vacuum above and below.

    Parameters
    ----------
    path : Path
    elements : list of str
    positions : ndarray, shape (K, 3)
        [Å]
    form : {"extxyz", "cif"}
    """
    from ase import Atoms
    from ase.io import write

    box = np.ptp(positions, axis=0) + (3.0, 3.0, 20.0)
    atoms = Atoms(elements, positions - positions.min(axis=0) + (1.5, 1.5, 10.0), cell=box, pbc=False)
    write(str(path), atoms, format=form)


def save_simulation(folder: Path, drawn: Simulation, note: str) -> list[str]:
    """Write a simulated micrograph with its truth; give the files' names.

    Parameters
    ----------
    folder : Path
    drawn : Simulation
        Written under its micrograph's name: ``NAME.tif`` with its scale, ``NAME_standard.tif``
        (labels), ``NAME_truth.csv`` (a row a pore) and ``NAME_atoms.csv`` (a row a site).
    note : str
        How it was made; kept in the TIFF with the version.
    """
    import pandas as pd
    import tifffile

    micrograph, labels = drawn.micrograph, drawn.labels
    stem, size = micrograph.name, micrograph.pixel_size
    numbers = np.arange(1, len(drawn.area_nm2) + 1)
    centres = [np.argwhere(labels == n).mean(axis=0) * size for n in numbers]
    y, x = np.array(centres).reshape(-1, 2).T
    truth = {
        "label": numbers, "y_nm": y, "x_nm": x, "area_nm2": drawn.area_nm2,
        "equivalent_diameter_nm": np.sqrt(4 * drawn.area_nm2 / np.pi), "missing_atoms": drawn.missing_atoms,
    }  # fmt: skip
    atoms = drawn.atoms
    sites = {
        "element": np.where(atoms.second, drawn.material.second, drawn.material.first),
        "y_nm": atoms.positions[:, 0], "x_nm": atoms.positions[:, 1], "atoms": atoms.occupancy,
    }  # fmt: skip
    header: dict[str, Any] = {
        "resolution": (1 / size[1], 1 / size[0]),
        "metadata": {"unit": "nm", "Info": f"porescope {version('porescope')}: {note}"},
    }
    counts = np.clip(micrograph.image, 0, 2**16 - 1).astype(np.uint16)
    writers: dict[str, Any] = {
        f"{stem}.tif": lambda part: tifffile.imwrite(part, counts, imagej=True, **header),
        f"{stem}_standard.tif": lambda part: save_labels(part, labels, size),
        f"{stem}_truth.csv": lambda part: pd.DataFrame(truth).to_csv(part, index=False, float_format="%.6g"),
        f"{stem}_atoms.csv": lambda part: pd.DataFrame(sites).to_csv(part, index=False, float_format="%.6g"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in writers.items():
        with write_whole(folder / name) as part:
            write(part)
    return list(writers)


def save_stage(folder: Path, name: str, tiles: Sequence[Tile]) -> str:
    """Write where the stage was for each tile of a sheet; give the file's name."""
    import pandas as pd

    rows = [
        {
            "image": tile.simulation.micrograph.name,
            "stage_y_nm": tile.stage_nm[0], "stage_x_nm": tile.stage_nm[1],
            "true_y_nm": tile.true_nm[0], "true_x_nm": tile.true_nm[1],
        }
        for tile in tiles
    ]  # fmt: skip
    file = f"{name}_stage.csv"
    with write_whole(folder / file) as part:
        pd.DataFrame(rows).to_csv(part, index=False, float_format="%.6g")
    return file
