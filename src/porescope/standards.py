"""Read standards (ground truth): pores marked by hand in images, masks, label images or outlines."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.labels import label_regions, number_consecutively

#: File name endings that a standard may have.
_ENDINGS = (".png", ".tif", ".tiff", ".npy", ".jpg", ".jpeg", ".bmp", ".roi", ".zip", ".json", ".geojson")
#: Lowest excess of green over the larger of red and blue at which a pixel is painted [grey levels].
_PAINTED = 128
#: Range of that excess in which a pixel is in doubt, as at a softened (antialiased) edge [grey levels].
_DOUBT = (32, 224)


def find_standards(images: Iterable[Path], folder: Path) -> dict[Path, Path]:
    """Match images to standards by name: ``A.dm3`` to ``A_standard.png``, else to ``A.png``.

    Parameters
    ----------
    images : iterable of Path
    folder : Path
        Where the standards are.

    Returns
    -------
    dict of Path to Path
        Image → standard, for the images that have one.

    Warns
    -----
    UserWarning
        If several files match; the first by name is taken.
    """
    files = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in _ENDINGS]
    found = {}
    for image in images:
        exact = [p for p in files if p.stem.removesuffix("_rois") == f"{image.stem}_standard"]
        plain = [p for p in files if p.stem == image.stem and p.resolve() != image.resolve()]
        candidates = exact or plain
        if len(candidates) > 1:
            names = ", ".join(p.name for p in candidates)
            warnings.warn(
                f"{image.name} has several standards ({names}); took {candidates[0].name}", stacklevel=2
            )
        if candidates:
            found[image] = candidates[0]
    return found


def read_standard(path: str | Path, shape: tuple[int, int] | None = None) -> NDArray[np.int32]:
    """Read pores that were marked by hand.

    Parameters
    ----------
    path : str or Path
        A colour image with pores painted green (0, 255, 0); a mask or label image (TIFF, PNG, NPY);
        ImageJ's ``.roi`` or ``.zip``; COCO JSON or GeoJSON polygons.
    shape : tuple of int, optional
        Rows and columns of the micrograph. Outlines need it, unless a COCO file has it; the size of an
        image is checked against it.

    Returns
    -------
    ndarray of int32, shape (M, N)
        Label image, numbered from 1.

    Warns
    -----
    UserWarning
        Says how many pixels of softened edges are in doubt.

    Raises
    ------
    ValueError
        If the file cannot be read, no pixel or every pixel is marked, or the size differs from ``shape``.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.eye(4, 5, dtype=bool))
    ...     read_standard(f"{folder}/a.npy").max()
    np.int32(1)
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if not path.is_file():
        raise ValueError(f"standard {path} is not a file; check the path")
    try:
        if suffix in (".roi", ".zip"):
            labels = _fill_polygons(_read_rois(path), _require_shape(shape))
        elif suffix in (".json", ".geojson"):
            polygons, own = _read_json(path)
            labels = _fill_polygons(polygons, own or _require_shape(shape))
        else:
            labels = _read_image(path)
    except ValueError as error:
        raise ValueError(f"standard {path.name}: {error}") from None
    except Exception as error:
        raise ValueError(
            f"standard {path.name} cannot be read ({type(error).__name__}); is it whole?"
        ) from None
    labels = number_consecutively(labels)
    if shape is not None and labels.shape != tuple(shape):
        raise ValueError(
            f"standard {path.name} has {labels.shape[0]} × {labels.shape[1]} px, the micrograph "
            f"{shape[0]} × {shape[1]}; paint on an uncropped copy of the same size"
        )
    marked = int((labels > 0).sum())
    if marked in (0, labels.size):
        what = "nothing is" if marked == 0 else "every pixel is"
        raise ValueError(f"standard {path.name}: {what} marked; paint each pore pure green (0, 255, 0)")
    return labels


def _require_shape(shape: tuple[int, int] | None) -> tuple[int, int]:
    if shape is None:
        raise ValueError("outlines lack the size of the image; give shape=(rows, columns)")
    return shape


def _read_image(path: Path) -> NDArray[np.int32]:
    """Read a painted colour image, a mask or a label image."""
    if path.suffix.lower() == ".npy":
        data = np.load(path, allow_pickle=False)
    elif path.suffix.lower() in (".tif", ".tiff"):
        import tifffile

        data = tifffile.imread(path)
    else:
        from PIL import Image

        with Image.open(path) as picture:
            convert = picture.mode in ("P", "PA", "CMYK")
            data = np.asarray(picture.convert("RGB") if convert else picture)
    if data.size == 0:
        raise ValueError(f"is empty, of shape {data.shape}")
    if data.ndim == 3 and data.shape[2] in (3, 4):
        return _find_green(data, path)
    if data.ndim != 2 or data.dtype.kind not in "biu":
        raise ValueError(f"must be a colour image, a mask or a label image, not {data.dtype} {data.shape}")
    values = np.unique(data)
    if len(values) <= 2:
        return label_regions(data != 0)
    if values[0] < 0 or values[-1] > 2**31 - 1:
        raise ValueError(f"labels must be from 0 to 2³¹ − 1, not {values[0]} to {values[-1]}")
    zeros = np.count_nonzero(data == 0)
    if 2 * zeros < data.size and zeros < np.bincount(data.ravel()).max():
        raise ValueError("looks like a micrograph, not a standard: its background is not 0")
    return np.asarray(data, np.int32)


def _find_green(data: NDArray[Any], path: Path) -> NDArray[np.int32]:
    """Label the regions painted green in an image of shape (M, N, 3) or (M, N, 4)."""
    red, green, blue = (data[..., i].astype(np.int32) for i in range(3))
    excess = green - np.maximum(red, blue)
    doubt = int(((excess >= _DOUBT[0]) & (excess < _DOUBT[1])).sum())
    if doubt:
        warnings.warn(
            f"standard {path.name}: {doubt} pixels of softened edges are in doubt; those more than "
            "half green count as pore",
            stacklevel=4,
        )
    return label_regions(excess >= _PAINTED)


def _read_rois(path: Path) -> list[NDArray[np.float64]]:
    """Read the outlines of ImageJ ROIs as polygons (n, 2) of (x, y)."""
    import roifile

    rois = roifile.roiread(path)
    polygons = []
    for roi in rois if isinstance(rois, list) else [rois]:
        polygons += [np.asarray(p, float) for p in roi.coordinates(multi=True)]
    return polygons


def _read_json(path: Path) -> tuple[list[NDArray[np.float64]], tuple[int, int] | None]:
    """Read COCO or GeoJSON polygons (n, 2) of (x, y), and the image's size if the file has it."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, dict) and "annotations" in content:  # COCO
        image = (content.get("images") or [{}])[0]
        if len(content.get("images") or []) > 1:
            raise ValueError("holds several images; give one file per image")
        own = (int(image["height"]), int(image["width"])) if "height" in image else None
        if any(isinstance(a["segmentation"], dict) for a in content["annotations"]):
            raise ValueError("holds run-length masks; export polygons instead")
        flat = [ring for a in content["annotations"] for ring in a["segmentation"]]
        return [np.asarray(ring, float).reshape(-1, 2) for ring in flat], own
    if isinstance(content, dict) and "features" not in content:
        raise ValueError("must be COCO's JSON or a GeoJSON FeatureCollection")
    features = content["features"] if isinstance(content, dict) else content
    polygons = []
    for feature in features:
        geometry = feature["geometry"]
        parts = geometry["coordinates"]
        for rings in [parts] if geometry["type"] == "Polygon" else parts:
            polygons.append(np.asarray(rings[0], float))
    return polygons, None


def _fill_polygons(polygons: list[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Label the pixels whose centres lie in each polygon of (x, y), counted from the image's corner."""
    from skimage.draw import polygon

    labels = np.zeros(shape, np.int32)
    for label, points in enumerate(polygons, start=1):
        rows, columns = polygon(points[:, 1] - 0.5, points[:, 0] - 0.5, shape)
        labels[rows, columns] = label
    return labels
