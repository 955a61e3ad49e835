"""Labels that other programs wrote: Fiji, napari, QuPath, tools for COCO."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.files import ENDINGS, check_claim
from porescope.standards import OUTLINE_ENDINGS, read_outlines

#: Endings of the files with the edited labels of an image, after its name.
_LABEL_ENDINGS = ("_labels.tif", "_labels.tiff", "_labels.png", "_labels.npy")
_OUTLINE_ENDINGS = (
    ENDINGS["rois"],
    "_rois.roi",
    ".zip",
    ".roi",
    ENDINGS["geojson"],
    ENDINGS["coco"],
    ".json",
)
_EDITED_ENDINGS = (*_LABEL_ENDINGS, *_OUTLINE_ENDINGS)
#: Suffixes of the files that are looked at; others in the folder are of no concern.
_SUFFIXES = (*OUTLINE_ENDINGS, ".tif", ".tiff", ".png", ".npy")
#: Highest label: that of 32-bit integers.
_HIGHEST = 2**31 - 1


def find_edited(given: Path, stems: Mapping[str, Any]) -> tuple[dict[str, list[Path]], list[str]]:
    """Match files with edited labels to images by name: ``A_labels.tif``, ``A_rois.zip`` … to ``A``.

    Parameters
    ----------
    given : Path
        Folder of the files, or one of them.
    stems : mapping
        Its keys are the names of the images, as those of their files begin.

    Returns
    -------
    dict
        Name → its files.
    list of str
        Names of files that belong to no image.

    Raises
    ------
    ValueError
        If there is no such folder or file.
    """
    if not given.exists():
        raise ValueError(f"--labels {given} does not exist; give the folder of the edited label images")
    files = sorted(given.iterdir()) if given.is_dir() else [given]
    files = [path for path in files if path.is_file() and path.suffix.lower() in _SUFFIXES]
    found: dict[str, list[Path]] = {}
    strays = []
    for path in files:
        names = [path.name[: -len(end)] for end in _EDITED_ENDINGS if path.name.lower().endswith(end)]
        stem = next((name for name in names if name in stems), None)
        if stem is not None:
            found.setdefault(stem, []).append(path)
        elif not _is_other_result(path, stems):
            strays.append(path.name)
    return found, strays


def _is_other_result(path: Path, stems: Iterable[str]) -> bool:
    """Whether a file is another one of porescope's, as in a copy of a whole run."""
    others = [end for kind, end in ENDINGS.items() if kind not in ("labels", "rois", "geojson", "coco")]
    return path.name.endswith((*others, "run.json"))


def read_labels(path: Path, shape: tuple[int, int]) -> NDArray[np.int32]:
    """Read a label image that another program wrote, or the outlines of regions.

    Parameters
    ----------
    path : Path
        TIFF, PNG or NPY with integers, or with floats that are whole numbers; ImageJ's ``.roi`` or ``.zip``;
        GeoJSON or COCO polygons.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    ndarray of int32, shape (M, N)
        0 is background; it may be so everywhere.

    Raises
    ------
    ValueError
        If the file cannot be read, holds no labels, or its size is not ``shape``.
    """
    try:
        check_claim(path)
        outlined = path.suffix.lower() in OUTLINE_ENDINGS
        labels = read_outlines(path, shape) if outlined else _as_labels(_read_array(path))
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    except Exception as error:  # the libraries have many kinds of error
        raise ValueError(f"{path.name} cannot be read ({type(error).__name__}); is it whole?") from None
    if labels.shape != tuple(shape):
        raise ValueError(
            f"{path.name} has {labels.shape[0]} × {labels.shape[1]} px, its image {shape[0]} × {shape[1]}; "
            "edit an uncropped copy of the same size"
        )
    return labels


def _read_array(path: Path) -> NDArray[Any]:
    if path.suffix.lower() == ".npy":
        return np.asarray(np.load(path, allow_pickle=False))
    if path.suffix.lower() == ".png":
        from PIL import Image

        with Image.open(path) as picture:
            return np.asarray(picture)
    import tifffile

    return np.asarray(tifffile.imread(path))


def _as_labels(values: NDArray[Any]) -> NDArray[np.int32]:
    """Take the numbers of an image for labels, or say why they are none."""
    values = np.squeeze(values) if values.ndim > 2 else values
    if values.ndim == 3 and (values.shape[-1] in (3, 4) or values.shape[0] in (3, 4)):
        raise ValueError(
            "it is a colour picture (RGB), in which the numbers of the pores are lost; save the label image "
            "itself, with 8, 16 or 32 bits"
        )
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"it must be one image, not of shape {values.shape}; save one image a file")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"labels must be numbers, not {values.dtype}")
    if values.dtype.kind == "f":
        broken = values[~np.isfinite(values) | (values != np.rint(values))]
        if broken.size:
            raise ValueError(
                f"labels must be whole numbers, but {broken.size} pixels are like {broken[0]:g}; resize "
                "without interpolation, and do not smooth"
            )
    low, high = values.min(), values.max()
    if low < 0 or high > _HIGHEST:
        raise ValueError(f"labels must be from 0 to {_HIGHEST}, not {low:g} to {high:g}")
    return values.astype(np.int32)
