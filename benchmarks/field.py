"""The published images changed as programs change them: prints the table of docs/accuracy.md.

PORESCOPE_DATA=folder python benchmarks/field.py    # the folder that holds ws2/A.dm3 … E.dm3

The pores that `porescope.census` finds in a changed image are held against those of the untouched one, moved
by the same transformation.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import tifffile
from PIL import Image

from porescope import Micrograph, census, read

#: Margin that a whole pore keeps to the edge of the data [px].
MARGIN = 2


class Changed(NamedTuple):
    """A changed image, where it has data, and the affine matrix (2, 3) from the old (x, y) to the new."""

    micrograph: Micrograph
    data: np.ndarray
    matrix: np.ndarray


def move(m: Micrograph, matrix: np.ndarray, data: np.ndarray | None = None) -> Changed:
    """Move the image, and leave zeros where nothing comes or where there is no ``data``."""
    size = m.image.shape[::-1]
    inside = cv2.warpAffine(np.ones(m.image.shape, np.uint8), matrix, size, flags=cv2.INTER_NEAREST) > 0
    inside = inside if data is None else inside & data
    image = np.where(inside, cv2.warpAffine(m.image, matrix, size, flags=cv2.INTER_LINEAR), 0)
    return Changed(replace(m, image=image.astype(np.float32)), inside, matrix)


def shift(m: Micrograph) -> Changed:
    return move(m, np.float64([[1, 0, -31], [0, 1, 23]]))


def rotate(m: Micrograph) -> Changed:
    rows, columns = m.image.shape
    return move(m, cv2.getRotationMatrix2D(((columns - 1) / 2, (rows - 1) / 2), 7, 1))


def stop(m: Micrograph) -> Changed:
    data = np.zeros(m.image.shape, np.bool_)
    data[: len(data) // 2] = True
    return move(m, np.eye(2, 3), data)


def crop(m: Micrograph, rows: slice, columns: slice = slice(None)) -> Changed:
    """Cut the image: what the zeros of `shift` and `stop` alone do shows beside this."""
    image = m.image[rows, columns]
    matrix = np.float64([[1, 0, -(columns.start or 0)], [0, 1, -(rows.start or 0)]])
    return Changed(replace(m, image=image), np.ones(image.shape, np.bool_), matrix)


def add_bar(m: Micrograph) -> Changed:
    """Add a black bar below, with a scale and text in white."""
    rows, columns = m.image.shape
    bar = np.zeros((max(rows // 12, 24), columns), np.uint8)
    height = len(bar)
    cv2.rectangle(bar, (8, height // 2 - 2), (columns // 5, height // 2 + 2), 255, -1)
    place, scale = (columns // 4, 2 * height // 3), height / 45
    cv2.putText(bar, "2 nm   80 kV   HAADF", place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    written = bar * (m.image.max() / np.float32(255))
    data = np.arange(rows + height)[:, None] < np.full(columns, rows)
    return Changed(replace(m, image=np.vstack([m.image, written])), data, np.eye(2, 3))


def save(m: Micrograph, name: str, write: Callable[[Path, np.ndarray], object]) -> Changed:
    """Save the image in 8 or 16 bits, and read it back."""
    low, high = float(m.image.min()), float(m.image.max())
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        path = Path(folder) / name
        write(path, (m.image - low) / (high - low))
        again = read(path, pixel_size=float(np.sqrt(m.pixel_area)), modality=m.modality)
    return Changed(again, np.ones(m.image.shape, np.bool_), np.eye(2, 3))


def invert(m: Micrograph) -> Changed:
    def write(path: Path, image: np.ndarray) -> None:
        tifffile.imwrite(path, np.round(65535 * (1 - image)).astype(np.uint16), photometric="miniswhite")

    return save(m, "a.tif", write)


def compress(m: Micrograph, quality: int) -> Changed:
    def write(path: Path, image: np.ndarray) -> None:
        Image.fromarray(np.round(255 * image).astype(np.uint8)).save(path, quality=quality)

    return save(m, "a.jpg", write)


VARIANTS: dict[str, Callable[[Micrograph], Changed]] = {
    "shifted, an L of zeros": shift,
    "the same, cropped without zeros": lambda m: crop(m, slice(0, len(m.image) - 23), slice(31, None)),
    "rotated by 7°, corners of zeros": rotate,
    "scan stopped half-way": stop,
    "the upper half alone": lambda m: crop(m, slice(0, len(m.image) // 2)),
    "information bar with text": add_bar,
    "TIFF, white is zero": invert,
    "JPEG, 8-bit, quality 95": lambda m: compress(m, 95),
    "JPEG, 8-bit, quality 90": lambda m: compress(m, 90),
}


class Tally(NamedTuple):
    """Pores that should be found, that were, that were lost, that are extra; changes of their diameters."""

    due: int
    found: int
    lost: list[str]
    extra: list[str]
    changes: list[float]


def compare(name: str, labels: np.ndarray, diameters: dict[int, float], changed: Changed) -> Tally:
    """Hold the pores of a changed image against the labels and diameters of the untouched one."""
    pores = census(changed.micrograph).pores
    found_at = pores[["x_px", "y_px"]].to_numpy(float)
    free, due, lost, changes = set(range(len(pores))), 0, [], []
    size = changed.data.shape[::-1]
    for label, diameter in diameters.items():
        rows, columns = np.nonzero(labels == label)
        at = changed.matrix @ [columns.mean(), rows.mean(), 1]
        distances = np.hypot(*(found_at - at).T) if len(pores) else np.array([np.inf])
        match = int(distances.argmin())
        here = match in free and distances[match] < np.sqrt(len(rows) / np.pi)
        free -= {match} if here else set()
        mask = cv2.dilate((labels == label).astype(np.uint8), np.ones((2 * MARGIN + 1,) * 2, np.uint8))
        moved = cv2.warpAffine(mask, changed.matrix, size, flags=cv2.INTER_NEAREST)
        if (moved > 0)[changed.data].sum() < 0.97 * mask.sum():
            continue  # cut by the new edge, whether found or not
        due += 1
        if here:
            changes.append(pores.equivalent_diameter_nm[match] / diameter - 1)
        else:
            lost.append(f"{name} {diameter:.2f} nm")
    extra = [f"{name} {pores.equivalent_diameter_nm[i]:.2f} nm ({pores.confidence[i]:.2f})" for i in free]
    return Tally(due, len(changes), lost, extra, changes)


def main() -> None:
    """Print a row for each variant."""
    folder = Path(os.environ.get("PORESCOPE_DATA", "../shared/data")) / "ws2"
    images = {name: read(folder / f"{name}.dm3") for name in "ABCDE"}
    untouched = {name: census(m) for name, m in images.items()}
    print("| change | whole pores | found | lost | extra | largest change of a diameter |")
    print("|---|---|---|---|---|---|")
    for what, change in VARIANTS.items():
        tallies = []
        for name, m in images.items():
            pores = untouched[name].pores
            diameters = dict(zip(pores.label, pores.equivalent_diameter_nm, strict=True))
            tallies.append(compare(name, untouched[name].labels, diameters, change(m)))
        lost, extra = (sum((getattr(t, side) for t in tallies), []) for side in ("lost", "extra"))
        worst = max((c for t in tallies for c in t.changes), key=abs)
        cells = ["; ".join([str(len(pores)), *pores]) for pores in (lost, extra)]
        counts = f"{sum(t.due for t in tallies)} | {sum(t.found for t in tallies)}"
        print(f"| {what} | {counts} | {cells[0]} | {cells[1]} | {worst:+.1%} |", flush=True)


if __name__ == "__main__":
    main()
