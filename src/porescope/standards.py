"""Read standards (ground truth): pores marked by hand in images, masks, label images or outlines."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from porescope.files import check_claim
from porescope.labels import label_regions, number_consecutively

#: File name endings that a standard may have.
_ENDINGS = (".png", ".tif", ".tiff", ".npy", ".jpg", ".jpeg", ".bmp", ".roi", ".zip", ".json", ".geojson")
#: Endings of files with outlines.
OUTLINE_ENDINGS = (".roi", ".zip", ".json", ".geojson")
#: Lowest excess of green over the larger of red and blue at which a pixel is painted [grey levels].
_PAINTED = 128
#: Range of that excess in which a pixel is in doubt, as at a softened (antialiased) edge [grey levels].
_DOUBT = (32, 224)
#: Colour in which porescope outlines what it found (red, green, blue), lowest excess of its red over blue
#: at which a pixel counts as outline [grey levels], and number of such pixels that makes an overlay.
_OUTLINE, _LEAST_RED, _LEAST_OUTLINE = (230, 159, 0), 60, 12
#: Lowest difference of the greys of a mask with softened edges [grey levels]; label images of fewer pores
#: have smaller numbers.
_LEAST_CONTRAST = 100
#: Greys of a softened edge: their distance from the darkest and from the brightest, as shares of the
#: difference of these two; and the largest share of the frame that such edges may have.
_EDGE_GREYS, _MOST_EDGE = (0.05, 0.1), 0.3
#: Smallest share that one grey has of the sheet in a mask; the noise of a micrograph has many.
_LEAST_USUAL = 0.4
#: Share of the frame above which marked pixels are the sheet rather than its pores.
_MOST_MARKED = 0.5
#: Largest size of outlines, in a file and unpacked [bytes].
_MOST_BYTES = 256_000_000


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
        A colour image with pores painted green (0, 255, 0); a mask, white on black, also with softened
        edges or as colour image; a label image (TIFF, PNG, NPY);
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
        Says how many pixels of softened edges are in doubt, or that most of the image is marked.

    Raises
    ------
    ValueError
        If the file cannot be read, no pixel or every pixel is marked, a mask is inverted, or the size
        differs from ``shape``.

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
    try:
        check_claim(path)
    except ValueError as error:
        raise ValueError(f"standard {error}") from None
    try:
        labels = read_outlines(path, shape) if suffix in OUTLINE_ENDINGS else _read_image(path)
    except ValueError as error:
        raise ValueError(f"standard {path.name}: {error}") from None
    except Exception as error:
        raise ValueError(
            f"standard {path.name} cannot be read ({type(error).__name__}); is it whole?"
        ) from None
    labels = number_consecutively(labels)
    if shape is not None and labels.shape != tuple(shape):
        raise ValueError(f"standard {path.name}: {_explain_size(labels.shape, shape)}")
    marked = int((labels > 0).sum())
    if marked in (0, labels.size):
        what = "nothing is" if marked == 0 else "every pixel is"
        raise ValueError(f"standard {path.name}: {what} marked; paint each pore pure green (0, 255, 0)")
    if marked > _MOST_MARKED * labels.size:
        warnings.warn(
            f"standard {path.name}: {marked / labels.size:.0%} of the image is marked; invert it if that is "
            "the sheet",
            stacklevel=2,
        )
    return labels


def read_outlines(path: Path, shape: tuple[int, int] | None = None) -> NDArray[np.int32]:
    """Fill the outlines of ImageJ's ROIs, COCO's or GeoJSON's polygons; of crossing ones the last is above.

    Parameters
    ----------
    path : Path
        With one of `OUTLINE_ENDINGS`.
    shape : tuple of int, optional
        Rows and columns of the micrograph; COCO's files may have it themselves.

    Returns
    -------
    ndarray of int32, shape (M, N)
        Label image, numbered from 1 in the order of the outlines.

    Raises
    ------
    ValueError
        If the file holds no such outlines, or its size is not ``shape``.
    """
    if path.suffix.lower() in (".roi", ".zip"):
        return _fill_polygons(_read_rois(path), _require_shape(shape))
    polygons, own = _read_json(path)
    if own and shape and own != tuple(shape):
        raise ValueError(_explain_size(own, shape))
    return _fill_polygons(polygons, own or _require_shape(shape))


def _explain_size(own: tuple[int, ...], shape: tuple[int, int]) -> str:
    return (
        f"it has {own[0]} × {own[1]} px, the micrograph {shape[0]} × {shape[1]}; paint on an uncropped copy "
        "of the same size"
    )


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
            mode = {"P": "RGB", "PA": "RGB", "CMYK": "RGB", "LA": "L"}.get(picture.mode)
            data = np.asarray(picture.convert(mode) if mode else picture)
    if data.size == 0:
        raise ValueError(f"is empty, of shape {data.shape}")
    if data.ndim == 3 and data.shape[2] in (3, 4):
        return _find_paint(data, path)
    if data.ndim != 2 or data.dtype.kind not in "biu":
        raise ValueError(f"must be a colour image, a mask or a label image, not {data.dtype} {data.shape}")
    mask = _find_mask(data, path)
    if mask is not None:
        return label_regions(mask)
    low, high = data.min(), data.max()
    if low < 0 or high > 2**31 - 1:
        raise ValueError(f"labels must be from 0 to 2³¹ − 1, not {low} to {high}")
    zeros = np.count_nonzero(data == 0)
    noisy = data.size - zeros > _MOST_EDGE * data.size and not _is_flat(data, data > 0)
    if noisy or (2 * zeros < data.size and zeros < np.bincount(data.ravel()).max()):
        raise ValueError("looks like a micrograph, not a standard: its background is not 0")
    return np.asarray(data, np.int32)


def _find_paint(data: NDArray[Any], path: Path) -> NDArray[np.int32]:
    """Label the regions painted green, or white on black, in an image of shape (M, N, 3) or (M, N, 4)."""
    red, green, blue = (data[..., i].astype(np.int32) for i in range(3))
    excess = green - np.maximum(red, blue)
    # A line of that colour is mixed with the grey below it; the ratio of the differences stays.
    hue = np.abs((green - blue) * _OUTLINE[0] - (red - blue) * _OUTLINE[1]) < 0.1 * _OUTLINE[0] * (red - blue)
    outline = hue & (red - blue >= _LEAST_RED)
    if outline.sum() >= _LEAST_OUTLINE and not (excess >= _PAINTED).any():
        raise ValueError(
            "is an overlay of porescope's, whose outlines are no paint; paint each pore pure green "
            "(0, 255, 0) on a copy of the micrograph itself"
        )
    if max(np.abs(green - red).max(), np.abs(green - blue).max()) < _DOUBT[0]:
        mask = _find_mask(green, path)
        if mask is not None:
            return label_regions(mask)
    _tell_doubt(int(((excess >= _DOUBT[0]) & (excess < _DOUBT[1])).sum()), "green", path)
    return label_regions(excess >= _PAINTED)


def _find_mask(data: NDArray[Any], path: Path) -> NDArray[np.bool_] | None:
    """Find the pores of a mask of two greys, sharp or softened (antialiased, JPEG); None if it is none."""
    values, counts = np.unique(data, return_counts=True)
    low, high = int(values[0]), int(values[-1])
    if len(values) == 1:
        return np.asarray(data != 0)
    if low < 0:
        return None
    mask = np.asarray(data > (low + high) / 2)
    if len(values) > 2:
        below, above = (share * (high - low) for share in _EDGE_GREYS)
        edge = (data > low + below) & (data < high - above)
        usual = values[counts.argmax()]
        side = mask if usual > (low + high) / 2 else ~mask
        soft = _LEAST_CONTRAST <= high - low < 2**16 and edge.mean() <= _MOST_EDGE
        if not soft or counts.max() <= _LEAST_USUAL * side.sum() or _is_flat(data, edge):
            return None
        _tell_doubt(int(edge.sum()), "white", path)
    if high > 1 and mask.mean() > _MOST_MARKED:
        raise ValueError(
            f"{mask.mean():.0%} of the frame is marked, as in an inverted mask; paint the pores white on a "
            "black sheet"
        )
    return mask


def _is_flat(data: NDArray[Any], where: NDArray[np.bool_]) -> bool:
    """Whether most pixels have three or more equal neighbours, as in a region of one label."""
    padded = np.pad(data, 1, mode="edge")
    rows, columns = data.shape
    equal = np.zeros(data.shape, np.int8)
    for y, x in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)):
        equal += padded[y : y + rows, x : x + columns] == data
    return bool(where.any()) and float((equal[where] >= 3).mean()) >= 0.5


def _tell_doubt(doubt: int, colour: str, path: Path) -> None:
    if doubt:
        warnings.warn(
            f"standard {path.name}: {doubt} pixels of softened edges are in doubt; those more than "
            f"half {colour} count as pore",
            stacklevel=5,
        )


#: A region: its outline, those of its holes and of further pieces, each of shape (n, 2): (x, y) from the
#: image's corner [px].
_Rings = list[NDArray[np.float64]]


def _read_rois(path: Path) -> list[_Rings]:
    """Read the outlines of ImageJ ROIs."""
    import roifile

    unpacked = path.stat().st_size
    if path.suffix.lower() == ".zip":
        with ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    _check_size(unpacked)
    rois = roifile.roiread(path)
    rois = rois if isinstance(rois, list) else [rois]
    return [[_as_points(p) for p in roi.coordinates(multi=True)] for roi in rois]


def _read_json(path: Path) -> tuple[list[_Rings], tuple[int, int] | None]:
    """Read COCO or GeoJSON polygons, and the image's size if the file has it."""
    _check_size(path.stat().st_size)
    content = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, dict) and "annotations" in content:  # COCO
        image = (content.get("images") or [{}])[0]
        if len(content.get("images") or []) > 1:
            raise ValueError("holds several images; give one file per image")
        own = (int(image["height"]), int(image["width"])) if "height" in image else None
        if any(isinstance(a["segmentation"], dict) for a in content["annotations"]):
            raise ValueError("holds run-length masks; export polygons instead")
        flat = [ring for a in content["annotations"] for ring in a["segmentation"]]
        return [[_as_points(ring)] for ring in flat], own
    if isinstance(content, dict) and "features" not in content:
        raise ValueError("must be COCO's JSON or a GeoJSON FeatureCollection")
    features = content["features"] if isinstance(content, dict) else content
    polygons = []
    for feature in features:
        geometry = feature["geometry"]
        parts = geometry["coordinates"]
        for rings in [parts] if geometry["type"] == "Polygon" else parts:
            polygons.append([_as_points(ring) for ring in rings])
    return polygons, None


def _as_points(points: Any) -> NDArray[np.float64]:
    """Convert an outline, pairs (x, y) or a flat list of them, to an array (n, 2) or wider."""
    try:
        array = np.asarray(points, float)
        array = array.reshape(-1, 2) if array.ndim == 1 else array
    except (TypeError, ValueError, OverflowError):
        array = np.array([[np.nan, np.nan]])
    if array.ndim != 2 or array.shape[1] < 2 or not np.isfinite(array).all():
        raise ValueError("holds an outline with a point that is no pair of finite numbers; draw it anew")
    return array


def _check_size(size: int) -> None:
    if size > _MOST_BYTES:
        raise ValueError(
            f"outlines must have at most {_MOST_BYTES:,} bytes, not {size:,}; simplify them or give a mask"
        )


def _fill_polygons(polygons: list[_Rings], shape: tuple[int, int]) -> NDArray[np.int32]:
    """Label the pixels whose centres lie in each region: in an odd number of its rings."""
    from skimage.draw import polygon

    labels = np.zeros(shape, np.int32)
    for label, rings in enumerate(polygons, start=1):
        places = [polygon(ring[:, 1] - 0.5, ring[:, 0] - 0.5, shape) for ring in rings if len(ring) > 2]
        flat = [np.ravel_multi_index(place, shape) for place in places]
        inside, times = np.unique(np.concatenate(flat or [np.empty(0, int)]), return_counts=True)
        labels.ravel()[inside[times % 2 == 1]] = label
    return labels
