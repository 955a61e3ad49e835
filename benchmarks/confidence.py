"""Reliability of ``confidence``: the share of real pores among the regions of each confidence.

python benchmarks/confidence.py                     # the table of docs/accuracy.md
python benchmarks/confidence.py -o reliability.svg  # and its plot
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from porescope.lattice import find_lattice
from porescope.network import Network, find_mode
from porescope.training.rating import draw_rated, find_real

#: Number of images of 384 × 384 px: of even number without pores, others with many or with lone vacancies.
N_IMAGES = 3000
#: Smallest number of regions of a row of the table.
FEWEST = 30
SETS = ("all", "haadf", "bf", "hrtem", "distorted", "lone vacancies")


def rate_image(index: int) -> list[tuple[str, int, float, bool]]:
    """Mode, number of the image, confidence and truth of each region."""
    cv2.setNumThreads(1)
    drawn = draw_rated(index, purpose="benchmark")
    found = Network(least_confidence=0).find(drawn.micrograph, find_lattice(drawn.micrograph))
    mode = find_mode(drawn.micrograph.modality)
    real = find_real(drawn, found.labels)
    return [(mode, index, c, r) for c, r in zip(found.confidence.tolist(), real.tolist(), strict=True)]


def choose(name: str, mode: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Regions that belong to one of `SETS`."""
    if name == "distorted":
        return index % 3 == 0
    if name == "lone vacancies":
        return index % 4 == 3
    return np.ones(len(mode), bool) if name == "all" else mode == name


def draw_plot(path: Path, curves: dict[str, list[tuple[float, float]]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    ax = figure.subplots()
    ax.plot([0, 1], [0, 1], color="#999999", lw=1, ls="--", label="perfect")
    colours = ("#000000", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
    for (name, points), colour in zip(curves.items(), colours, strict=True):
        x, y = zip(*points, strict=True)
        ax.plot(x, y, marker="o", ms=4, lw=1.2, color=colour, label=name)
    ax.set(xlabel="confidence", ylabel="share of real pores", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    ax.legend(frameon=False, fontsize=9)
    figure.savefig(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--out", type=Path)
    parser.add_argument("--images", type=int, default=N_IMAGES)
    given = parser.parse_args()
    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver")) as pool:
        rows = [row for part in pool.map(rate_image, range(given.images), chunksize=20) for row in part]
    mode, index, confidence, real = map(np.array, zip(*rows, strict=True))
    heads = " | ".join(SETS)
    print(
        f"share of real pores (number of regions)\n| confidence | {heads} |\n"
        + "|---" * (len(SETS) + 1)
        + "|"
    )
    curves: dict[str, list[tuple[float, float]]] = {name: [] for name in SETS}
    for low in np.arange(10) / 10:
        cells = []
        for name in SETS:
            own = choose(name, mode, index) & (confidence >= low) & (confidence < low + 0.1 + (low == 0.9))
            if own.sum() >= FEWEST:
                curves[name].append((confidence[own].mean(), real[own].mean()))
            cells.append(f"{real[own].mean():.2f} ({own.sum()})" if own.any() else "–")
        print(f"| {low:.1f}–{low + 0.1:.1f} | " + " | ".join(cells) + " |")
    if given.out:
        draw_plot(given.out, curves)
