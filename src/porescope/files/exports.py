"""Results in the formats of other programs: TIFF, ImageJ ROIs, GeoJSON, COCO, extended XYZ, CIF."""

from __future__ import annotations

import colorsys
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.labels import outline_regions
from porescope.strips import cut_strips

#: Number of the TIFF tag of a table of colours.
_COLOUR_TAG = 320
#: Steps of the hue from a label to the next, the golden ratio, which keeps any few neighbours apart; and
#: brightness and saturation that take turns.
_HUE_STEP, _SHADES = 0.61803398875, ((1.0, 0.75), (0.75, 1.0), (1.0, 0.45))


def save_labels(path: Path, labels: NDArray[np.integer], pixel_size: tuple[float, float]) -> None:
    """Write a label image as a TIFF that ImageJ opens in colours, with its pixel size.

    Parameters
    ----------
    path : Path
    labels : ndarray of int, shape (M, N)
        Written as 8-bit integers up to label 255, as 16-bit integers up to 65,535, else as 32-bit. The
        colours are a table beside the labels, which stay what they are.
    pixel_size : tuple of float
        (row, column) [nm].
    """
    import tifffile

    highest = int(labels.max(initial=0))
    smallest = np.min_scalar_type(highest)
    # Each of 255 labels has a colour; more share them.
    shown = f"min=0.0\nmax={float(max(highest, 255))}\n"
    tifffile.imwrite(
        path,
        labels.astype(smallest),
        compression="zlib",
        rowsperstrip=cut_strips(labels.shape)[0].stop,
        maxworkers=1,
        # ImageJ's header is written here, because tifffile writes it only without compression.
        description=f"ImageJ=1.54f\nimages=1\nunit=nm\n{shown}",
        metadata=None,
        photometric="minisblack",
        extratags=[(_COLOUR_TAG, "H", 768, _list_colours(), True)],
        resolution=(1 / pixel_size[1], 1 / pixel_size[0]),
        resolutionunit="NONE",
    )


def _list_colours() -> list[int]:
    """Red of 256 labels, then green, then blue, from 0 to 65,535; 0 is black."""
    colours = [(0.0, 0.0, 0.0)]
    for label in range(1, 256):
        bright, full = _SHADES[label % len(_SHADES)]
        colours.append(colorsys.hsv_to_rgb(label * _HUE_STEP % 1, full, bright))
    return [round(value * 255) * 257 for channel in zip(*colours, strict=True) for value in channel]


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


def save_coco(path: Path, labels: NDArray[np.integer], pores: dict[str, NDArray[Any]], image: str) -> None:
    """Write the outlines of a label image as COCO's JSON of instances.

    Parameters
    ----------
    path : Path
    labels : ndarray of int, shape (M, N)
    pores : dict of ndarray
        Columns of ``pores.csv``.
    image : str
        Name of the image's file.

    Notes
    -----
    Positions [px] count from the corner of the first pixel. ``id`` is the label, ``score`` the confidence,
    where it is known.
    """
    outlines = outline_regions(labels)
    columns = [pores[name].tolist() for name in ("label", "area_px", "confidence")]
    annotations = []
    for label, area, confidence in zip(*columns, strict=True):
        ring = (outlines[int(label)][:-1, ::-1] + 0.5).round(3)
        low, size = ring.min(axis=0), np.ptp(ring, axis=0)
        annotation = {
            "id": label, "image_id": 1, "category_id": 1, "iscrowd": 0, "area": area,
            "bbox": [*low.tolist(), *size.tolist()], "segmentation": [ring.ravel().tolist()],
        }  # fmt: skip
        annotations.append(annotation | ({"score": confidence} if confidence == confidence else {}))
    content = {
        "images": [{"id": 1, "file_name": image, "height": labels.shape[0], "width": labels.shape[1]}],
        "categories": [{"id": 1, "name": "pore"}],
        "annotations": annotations,
    }
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
