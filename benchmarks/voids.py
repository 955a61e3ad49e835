"""Accuracy at low magnification on simulated membranes: the tables of docs/accuracy.md.

python benchmarks/voids.py
python benchmarks/voids.py --purpose validation     (for choices; the benchmark is only for reporting)
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.filters import threshold_multiotsu, threshold_otsu
from skimage.measure import label
from skimage.segmentation import watershed

from porescope import score
from porescope.labels import Detection
from porescope.measurement import measure_columns
from porescope.micrograph import Micrograph
from porescope.modalities import HOLE_SIGN
from porescope.simulation import Simulation, draw_membrane, make_generator, vary_membrane
from porescope.voids import Voids

KINDS = ("dense", "dense, 8-bit JPEG", "SiN", "dense, no pore", "SiN, no pore")
SIDES = (512, 768, 1024)
#: IoU from which a pore is found; errors of porosity and median diameter that are reached.
LEAST_IOU, POROSITY, DIAMETER = 0.5, 0.05, 0.03


def draw_image(index: int, kind: str, purpose: str) -> Simulation:
    """Draw an image: the same membranes for the plain and the JPEG images."""
    offset = 60_000 + 1000 * KINDS.index(kind.replace(", 8-bit JPEG", ""))
    rng = make_generator(purpose, offset + index)
    side = int(rng.choice(SIDES))
    pores = 0 if "no pore" in kind else None
    scene = vary_membrane(rng, (side, side), pores=pores, thick="SiN" in kind)
    if "JPEG" in kind:
        scene = replace(scene, recording=replace(scene.recording, bits=8, jpeg=int(60 + index)))
    return draw_membrane(scene, rng, f"{kind} {index}")


def find_lowest_otsu(micrograph: Micrograph) -> NDArray[np.int32]:
    """Five lines: a Gaussian, and the lowest of four Otsu classes."""
    image = micrograph.image if HOLE_SIGN[micrograph.modality] < 0 else -micrograph.image
    smoothed = gaussian_filter(image, 1.5)
    dark = smoothed < threshold_multiotsu(smoothed, 4)[0]
    labels = label(dark)
    return np.where(np.isin(labels, np.flatnonzero(np.bincount(labels.ravel()) >= 12)), labels, 0)


def find_voronoi_otsu(micrograph: Micrograph, spot: float = 3.0, outline: float = 1.5) -> NDArray[np.int32]:
    """Voronoi-Otsu labelling: maxima of one Gaussian, Otsu's threshold of another, a watershed between."""
    image = micrograph.image if HOLE_SIGN[micrograph.modality] >= 0 else -micrograph.image
    smoothed = gaussian_filter(image, outline)
    inside = smoothed > threshold_otsu(smoothed)
    peaks = gaussian_filter(image, spot)
    spots = (peaks == cv2.dilate(peaks, np.ones((5, 5), np.uint8))) & inside
    return watershed(-peaks, label(spots), mask=inside)


METHODS = {
    "voids": lambda micrograph: Voids().find(micrograph),
    "Gaussian, lowest of 4 Otsu classes": lambda micrograph: Detection(find_lowest_otsu(micrograph)),
    "Voronoi-Otsu": lambda micrograph: Detection(find_voronoi_otsu(micrograph)),
}


def rate(drawn: Simulation, found: Detection) -> dict[str, float]:
    """Scores of one image."""
    micrograph = drawn.micrograph
    columns = measure_columns(micrograph, found.labels.astype(np.int32), found.probability)
    scored = score(drawn.labels, found.labels, min_iou=LEAST_IOU)
    area = drawn.labels.size * micrograph.pixel_area
    true = np.sqrt(4 * drawn.area_nm2 / np.pi)
    one = {"found": scored.found, "missed": scored.missed, "false": scored.false}
    if len(true):
        one["porosity"] = columns["area_nm2"].sum() / drawn.area_nm2.sum() - 1
        seen = columns["equivalent_diameter_nm"]
        one["diameter"] = np.median(seen) / np.median(true) - 1 if len(seen) else -1.0
    one["any"] = float(len(columns["label"]) > 0)
    return one | {"megapixel": drawn.labels.size / 1e6, "true": drawn.area_nm2.sum() / area}


def print_table(purpose: str, count: int) -> None:
    print(
        "| images | method | F1 | found | false | porosity, median error | within 5 % | median diameter, "
        "median error | within 3 % | images with any pore | s/megapixel |\n" + "|---" * 11 + "|"
    )
    for kind in KINDS:
        rows: dict[str, list[dict[str, float]]] = {method: [] for method in METHODS}
        for index in range(count):
            drawn = draw_image(index, kind, purpose)
            for method, find in METHODS.items():
                start = time.process_time()
                found = find(drawn.micrograph)
                seconds = time.process_time() - start
                rows[method].append({**rate(drawn, found), "seconds": seconds})
        for method, ones in rows.items():
            total = {name: np.array([one.get(name, np.nan) for one in ones]) for name in ones[0]}
            found, missed, false = (total[name].sum() for name in ("found", "missed", "false"))
            f1 = 2 * found / max(2 * found + missed + false, 1)
            cells = [f"{f1:.3f}", f"{found:.0f} of {found + missed:.0f}", f"{false:.0f}"]
            if "porosity" in total:
                for name, limit in (("porosity", POROSITY), ("diameter", DIAMETER)):
                    error = np.abs(total[name])
                    cells += [f"{np.median(error):.1%}", f"{(error <= limit).sum()} of {len(ones)}"]
            else:
                cells = ["–", "–", cells[2], *["–"] * 4]
            speed = total["seconds"].sum() / total["megapixel"].sum()
            cells += [f"{total['any'].sum():.0f} of {len(ones)}", f"{speed:.2f}"]
            print(f"| {kind} | {method} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser()
    parser.add_argument("--purpose", default="benchmark", choices=("benchmark", "validation"))
    parser.add_argument("--count", type=int, default=30, help="images of each kind; default 30")
    given = parser.parse_args()
    print_table(given.purpose, given.count)
