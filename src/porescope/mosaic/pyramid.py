"""The sheet as an OME-Zarr image in several resolutions, with its pores as labels; written block by block."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.files import explain_missing
from porescope.mosaic.layout import Layout, remember

#: Side of the blocks in which the sheet is written and stored [px].
_BLOCK = 1024
#: Memory of a tile with its labels and field for each pixel [bytes].
_BYTES_A_PIXEL = 9

#: Number of a tile → its image, where it has data (None: everywhere), and its label image in numbers of the
#: sheet's pores.
LoadTile = Callable[[int], tuple[NDArray[np.float32], "NDArray[np.bool_] | None", NDArray[np.int32]]]


class _Frame(NamedTuple):
    """The pixels of the sheet: along y and x, as large as those of the tiles."""

    low_nm: NDArray[np.float64]  # (2,): centre of the first one
    pixel_nm: float
    shape: tuple[int, int]


def check_zarr() -> None:
    """Make sure that OME-Zarr can be written.

    Raises
    ------
    ValueError
        If the extra is missing.
    """
    if find_spec("ome_zarr") is None:
        raise ValueError(explain_missing("--zarr", "ome-zarr", "zarr"))


def write_pyramid(load: LoadTile, layout: Layout, folder: Path) -> None:
    """Write the sheet and its labels as OME-Zarr (version 0.5) in nm, in the coordinates of the sheet.

    Parameters
    ----------
    load : callable
        It is called more than once for a tile, so that few are in memory.
    layout : Layout
    folder : Path
        The store to write. Each place is from the tile that shows it farthest from its border; 0 where there
        is none. The labels are in ``labels/pores``.
    """
    import zarr

    with warnings.catch_warnings():  # ome-zarr 0.18 warns of its own default argument
        warnings.simplefilter("ignore", DeprecationWarning)
        from ome_zarr.writer import write_label_metadata, write_multiscales_metadata

    frame = _lay_frame(layout)
    root = zarr.open_group(str(folder), mode="w", zarr_format=3)
    group = root.create_group("labels").create_group("pores")
    n_levels = 1 + max(0, int(np.ceil(np.log2(max(frame.shape) / _BLOCK))))
    shapes = [tuple(-(-n // 2**k) for n in frame.shape) for k in range(n_levels)]
    images, labels = (
        [_create(to, f"s{k}", shape, dtype) for k, shape in enumerate(shapes)]
        for to, dtype in ((root, np.float32), (group, np.int32))
    )
    kept = remember(load, layout.shapes.tolist(), _BYTES_A_PIXEL)
    for block in _list_blocks(shapes[0]):
        images[0][block], labels[0][block] = _compose(block, kept, layout, frame)
    for k in range(1, n_levels):
        for block in _list_blocks(shapes[k]):
            finer = tuple(slice(2 * part.start, 2 * part.stop) for part in block)
            images[k][block] = _halve(images[k - 1][finer]).mean(axis=(1, 3))
            labels[k][block] = _halve(labels[k - 1][finer]).max(axis=(1, 3))
    for to, name in ((root, "sheet"), (group, "pores")):
        write_multiscales_metadata(
            to,
            [_describe_level(k, frame) for k in range(n_levels)],
            axes=["y", "x"],
            axes_units={"y": "nanometer", "x": "nanometer"},
            name=name,
        )
    write_label_metadata(root["labels"], "pores", source={"image": "../../"})


def _lay_frame(layout: Layout) -> _Frame:
    low, high = layout.bounds_nm
    pixel = layout.pixel_nm * float(np.sqrt(np.linalg.det(layout.affine)))
    rows, columns = np.ceil((high - low) / pixel - 1e-6).astype(int)
    return _Frame(low + pixel / 2, pixel, (int(rows), int(columns)))


def _create(group: Any, name: str, shape: tuple[int, ...], dtype: type) -> Any:
    chunks = tuple(min(n, _BLOCK) for n in shape)
    return group.create_array(name, shape=shape, chunks=chunks, dtype=dtype, dimension_names=["y", "x"])


def _list_blocks(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    for y, x in np.ndindex(-(-shape[0] // _BLOCK), -(-shape[1] // _BLOCK)):
        rows, columns = (
            (n * _BLOCK, min((n + 1) * _BLOCK, side)) for n, side in zip((y, x), shape, strict=True)
        )
        yield slice(*rows), slice(*columns)


def _halve(block: NDArray[Any]) -> NDArray[Any]:
    """Pixels in squares of 2 × 2, shape (M / 2, 2, N / 2, 2); an odd border is doubled."""
    rows, columns = block.shape
    even = np.pad(block, ((0, rows % 2), (0, columns % 2)), mode="edge")
    return even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2)


def _describe_level(k: int, frame: _Frame) -> dict[str, Any]:
    scale = frame.pixel_nm * 2**k
    # The first pixel of a coarser level has its centre between those that it is made of.
    first = frame.low_nm + (2**k - 1) / 2 * frame.pixel_nm
    changes = [
        {"type": "scale", "scale": [scale, scale]},
        {"type": "translation", "translation": first.tolist()},
    ]
    return {"path": f"s{k}", "coordinateTransformations": changes}


def _compose(
    block: tuple[slice, slice], load: LoadTile, layout: Layout, frame: _Frame
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Image and labels of a part of the sheet."""
    first = frame.low_nm + np.array([part.start for part in block]) * frame.pixel_nm
    size = np.array([part.stop - part.start for part in block])
    image, labels = np.zeros(size, np.float32), np.zeros(size, np.int32)
    depth = np.zeros(size, np.float32)  # distance to the border of the tile that is shown [px]
    boxes = layout.boxes_nm
    last = first + size * frame.pixel_nm
    for tile in np.flatnonzero(((boxes[:, 0] < last) & (boxes[:, 1] > first)).all(axis=1)).tolist():
        low = np.clip(np.floor((boxes[tile, 0] - first) / frame.pixel_nm), 0, size).astype(int)
        high = np.clip(np.ceil((boxes[tile, 1] - first) / frame.pixel_nm) + 1, 0, size).astype(int)
        if (high <= low).any():
            continue
        part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        its_image, its_labels, its_depth = _warp(
            tile, load, layout, frame, first + low * frame.pixel_nm, high - low
        )
        deeper = its_depth > depth[part]
        image[part][deeper], depth[part][deeper] = its_image[deeper], its_depth[deeper]
        labels[part][its_labels > 0] = its_labels[its_labels > 0]
    return image, labels


def _warp(
    tile: int,
    load: LoadTile,
    layout: Layout,
    frame: _Frame,
    first_nm: NDArray[np.float64],
    size: NDArray[np.int64],
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]:
    """Image, labels and distance to the border (0: outside) of a tile in pixels of the sheet."""
    image, known, labels = load(tile)
    back = np.linalg.inv(layout.affine) / layout.pixel_nm
    origin = back @ (first_nm - layout.sheet_nm[tile])
    turn = back * frame.pixel_nm
    # OpenCV has x before y.
    matrix = np.column_stack([turn[::-1, ::-1], origin[::-1]])
    rows, columns = map(int, size)

    def warp(source: NDArray[Any], how: int) -> NDArray[Any]:
        flags = how | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(source, matrix, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)

    y, x = (
        origin[axis] + turn[axis, 0] * np.arange(rows)[:, None] + turn[axis, 1] * np.arange(columns)
        for axis in (0, 1)
    )
    m, n = layout.shapes[tile]
    depth = np.minimum(np.minimum(y, m - 1 - y), np.minimum(x, n - 1 - x)) + 0.5
    if known is not None:
        depth[warp(known.astype(np.uint8), cv2.INTER_NEAREST) == 0] = 0
    depth = np.maximum(depth, 0).astype(np.float32)
    # OpenCV warps no integers of 32 bits; those of labels are exact in 64-bit floats.
    found = warp(labels.astype(np.float64), cv2.INTER_NEAREST).astype(np.int32)
    return warp(image, cv2.INTER_CUBIC), np.where(depth > 0, found, 0).astype(np.int32), depth
