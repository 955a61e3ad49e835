"""Where the images of a run were clean, and which of their pores count there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files import ENDINGS, list_stems
from porescope.measurement import is_counted
from porescope.runs.parts import Run

if TYPE_CHECKING:
    import pandas as pd

#: Value of a clean pixel in ``NAME_field.tif``.
_CLEAN = 1


class CleanField(NamedTuple):
    """Where one image was clean, and its pores there."""

    pores: pd.DataFrame  # rows of its pores whose centre is in the clean area
    mask: NDArray[np.bool_]  # (M, N)
    pixel_nm: float
    n_counted: int  # pores that count for the density of the clean area


def read_fields(folder: Path, run: Run) -> list[CleanField]:
    """Read where the images of a run were clean.

    Parameters
    ----------
    folder : Path
        Of the run.
    run : Run

    Returns
    -------
    list of CleanField
        One for each image that was processed; of a stack, whose frames show the same pores, the first frame.
        Without its label image the count is that of ``images.csv``.

    Raises
    ------
    ValueError
        If a file of the run cannot be read or has another shape.
    """
    done = run.images[run.images.status == "ok"]
    first = done.sort_values("frame", kind="stable").drop_duplicates("image").sort_index()
    is_stack = done.groupby("image").frame.transform("size") > 1
    groups = dict(list(run.pores.groupby(["image", "frame"])))
    fields = []
    for index, row in zip(first.index, first.to_dict("records"), strict=True):
        pores = groups.get((row["image"], row["frame"]), run.pores.iloc[:0])
        stems = list_stems(row["image"], row["signal"], row["frame"])
        if not is_stack[index]:  # else the file of another image, named a_0000, would be taken
            stems = stems[::-1]
        fields.append(_read_field(folder, row, pores, [stem for stem in stems if Path(stem).name == stem]))
    return fields


def read_labels(folder: Path, row: Mapping[Any, Any]) -> NDArray[np.integer]:
    """Read the label image of one image of a run.

    Parameters
    ----------
    folder : Path
        Of the run.
    row : mapping
        Of ``images.csv``.

    Returns
    -------
    ndarray of int, shape (M, N)

    Raises
    ------
    ValueError
        If there is none, or it cannot be read or has another shape.
    """
    stems = [s for s in list_stems(row["image"], row["signal"], row["frame"]) if Path(s).name == s]
    shape = int(row["height_px"]), int(row["width_px"])
    # An image by itself has no number in its name; of a stack, the frame after the first has one for sure.
    labels = _read_image(folder, stems if row["frame"] else stems[::-1], "labels", shape)
    if labels is None:
        raise ValueError(f"{folder} lacks the label image of {row['image']}; run detection again")
    return labels


def _read_field(folder: Path, row: dict[Any, Any], pores: pd.DataFrame, stems: list[str]) -> CleanField:
    shape = int(row["height_px"]), int(row["width_px"])
    pixel = float(row["pixel_size_nm"])
    mapped, labels = (_read_image(folder, stems, kind, shape) for kind in ("field", "labels"))
    # A view: an image without a map takes no memory.
    mask = np.broadcast_to(np.True_, shape) if mapped is None else mapped == _CLEAN
    at = np.rint(pores[["y_px", "x_px"]].to_numpy(float)).astype(int)
    pores = pores[mask[tuple(np.clip(at, 0, np.array(shape) - 1).T)]]
    if labels is None:
        counted = round(row["density_per_um2"] * mask.size * pixel**2 / 1e6)
    else:
        field = None if mapped is None else mask
        counted = int(is_counted(labels, pores.label.to_numpy(int), field).sum())
    return CleanField(pores, mask, pixel, counted)


def _read_image(
    folder: Path, stems: list[str], kind: str, shape: tuple[int, int]
) -> NDArray[np.integer] | None:
    import tifffile

    path = next((p for stem in stems if (p := folder / f"{stem}{ENDINGS[kind]}").is_file()), None)
    if path is None:
        return None
    try:
        image = np.asarray(tifffile.imread(path))
    except Exception as error:  # tifffile has many kinds of error
        raise ValueError(f"{path} cannot be read ({type(error).__name__}: {error})") from None
    if image.shape != shape:
        raise ValueError(f"{path} has shape {image.shape}, not that of its image, {shape}")
    return image
