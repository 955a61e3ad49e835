"""Results in the formats of other programs: TIFF, ImageJ ROIs, GeoJSON, extended XYZ, CIF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.labels import outline_regions
from porescope.strips import cut_strips


def save_labels(path: Path, labels: NDArray[np.integer], pixel_size: tuple[float, float]) -> None:
    """Write a label image as a TIFF that ImageJ opens with its pixel size.

    Parameters
    ----------
    path : Path
    labels : ndarray of int, shape (M, N)
        Written as 8-bit integers up to label 255, as 16-bit integers up to 65,535, else as 32-bit.
    pixel_size : tuple of float
        (row, column) [nm].
    """
    import tifffile

    smallest = np.min_scalar_type(int(labels.max(initial=0)))
    tifffile.imwrite(
        path,
        labels.astype(smallest),
        compression="zlib",
        rowsperstrip=cut_strips(labels.shape)[0].stop,
        maxworkers=1,
        # ImageJ's header is written here, because tifffile writes it only without compression.
        description="ImageJ=1.54f\nimages=1\nunit=nm\n",
        metadata=None,
        resolution=(1 / pixel_size[1], 1 / pixel_size[0]),
        resolutionunit="NONE",
    )


def save_rois(path: Path, labels: NDArray[np.integer]) -> None:
    """Write the outlines of a label image as an archive of ImageJ ROIs, named by their labels.

    Parameters
    ----------
    path : Path
    labels : ndarray of int, shape (M, N)

    Notes
    -----
    Positions count from the corner of the first pixel, as in ImageJ.
    """
    import roifile

    rois = [
        roifile.ImagejRoi.frompoints(outline[:-1, ::-1] + 0.5, name=f"{label:04d}")
        for label, outline in outline_regions(labels).items()
    ]
    path.unlink(missing_ok=True)
    if rois:
        # roifile recognises an archive by the suffix .zip, which a file being written does not have.
        archive = path.with_name(f"{path.name}.zip")
        roifile.roiwrite(archive, rois, mode="w")
        archive.replace(path)
    else:
        import zipfile

        zipfile.ZipFile(path, "w").close()


def save_geojson(path: Path, labels: NDArray[np.integer], pores: dict[str, NDArray[Any]]) -> None:
    """Write the outlines of a label image as GeoJSON polygons.

    Parameters
    ----------
    path : Path
    labels : ndarray of int, shape (M, N)
    pores : dict of ndarray
        Columns of ``pores.csv``; each polygon's properties are its row, without NaN.

    Notes
    -----
    Positions [px] count from the corner of the first pixel, as in QuPath.
    """
    outlines = outline_regions(labels)
    features = []
    columns = {name: values.tolist() for name, values in pores.items()}
    for i, label in enumerate(pores["label"]):
        known = {name: values[i] for name, values in columns.items() if values[i] is not None}
        row = {name: value for name, value in known.items() if value == value}
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
    """Write atoms in a box with 1.5 Å of space at the sides and 10 Å above and below.

    Parameters
    ----------
    path : Path
    elements : list of str
        Symbols of the K atoms.
    positions : ndarray, shape (K, 3)
        x, y, z [Å]
    form : {"extxyz", "cif"}
        File format: extended XYZ or CIF.
    """
    from ase import Atoms
    from ase.io import write

    box = np.ptp(positions, axis=0) + (3.0, 3.0, 20.0)
    atoms = Atoms(elements, positions - positions.min(axis=0) + (1.5, 1.5, 10.0), cell=box, pbc=False)
    write(str(path), atoms, format=form)
