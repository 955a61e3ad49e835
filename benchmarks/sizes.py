"""Accuracy of diameters and of missing atoms on simulated images: prints the tables of docs/accuracy.md.

python benchmarks/sizes.py                                        (the benchmark; only for reporting)
python benchmarks/sizes.py --purpose validation --seeds 3         (for choices; other images)
python benchmarks/sizes.py --modalities haadf --condition "low dose"
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import accuracy
import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.atoms import find_crystal
from porescope.field import look_for_field
from porescope.labels import find_bordered
from porescope.materials import MATERIALS
from porescope.measurement import measure_columns
from porescope.network import Network
from porescope.simulation import Simulation

#: Classes of true diameters [nm].
CLASSES = ((0.0, 0.4), (0.4, 0.6), (0.6, 1.0), (1.0, 2.0), (2.0, 5.0))
#: Smallest overlap of a region and its pore, intersection over union.
LEAST_IOU = 0.2


class Pair(NamedTuple):
    """A true pore and the row of the table that measures it."""

    modality: str
    material: str
    diameter: float  # true [nm]
    measured: float  # [nm]
    deviation: float  # [nm]
    missing: int  # true
    counted: float
    method: str


def match(drawn: Simulation, labels: NDArray[np.int32]) -> list[tuple[int, int]]:
    """Pairs of a pore and the only region that meets it and meets no other, both clear of the border."""
    n, m = int(drawn.labels.max()), int(labels.max())
    both = np.bincount(
        drawn.labels.ravel().astype(np.int64) * (m + 1) + labels.ravel(), minlength=(n + 1) * (m + 1)
    ).reshape(n + 1, m + 1)
    cut, seen_cut = find_bordered(drawn.labels), find_bordered(labels)
    pairs = []
    for pore in range(1, n + 1):
        met = np.flatnonzero(both[pore, 1:]) + 1
        if pore in cut or len(met) != 1 or met[0] in seen_cut or (both[1:, met[0]] > 0).sum() != 1:
            continue
        union = both[pore].sum() + both[:, met[0]].sum() - both[pore, met[0]]
        if both[pore, met[0]] >= LEAST_IOU * union:
            pairs.append((pore, int(met[0])))
    return pairs


def measure_image(task: tuple[int, int, str, bool]) -> list[Pair]:
    """Draw an image, find its pores with the network, measure them with or without the material."""
    cv2.setNumThreads(1)
    index, seed, purpose, told = task
    name, modality, *_ = accuracy.GRID[index]
    drawn = accuracy.draw_image(index, purpose, seed)
    micrograph = look_for_field(drawn.micrograph)
    crystal = find_crystal(micrograph, MATERIALS[name] if told else None)
    found = Network().find(micrograph, crystal.lattice if crystal else None, name if told else None)
    columns = measure_columns(micrograph, found.labels, found.probability, crystal)
    pairs = []
    for pore, label in match(drawn, found.labels):
        row = {column: values[label - 1] for column, values in columns.items()}
        pairs.append(
            Pair(
                modality,
                name,
                float(np.sqrt(4 * drawn.area_nm2[pore - 1] / np.pi)),
                float(row["equivalent_diameter_nm"]),
                float(row["equivalent_diameter_std_nm"]),
                int(drawn.missing_atoms[pore - 1]),
                float(row["missing_atoms"]),
                str(row["size_method"]),
            )
        )
    return pairs


def describe(pairs: list[Pair]) -> str:
    """Cells of a table row."""
    if not pairs:
        return "0 | – | – | – | –"
    ratio = np.array([p.measured / p.diameter for p in pairs]) - 1
    inside = np.mean([abs(p.measured - p.diameter) < p.deviation for p in pairs])
    few = [p for p in pairs if 1 <= p.missing <= 6 and not np.isnan(p.counted)]
    exact = f"{sum(p.counted == p.missing for p in few)} of {len(few)}" if few else "–"
    return f"{len(pairs)} | {np.median(ratio):+.1%} | {np.median(np.abs(ratio)):.1%} | {inside:.0%} | {exact}"


def print_table(pairs: list[Pair], modality: str, told: bool) -> None:
    pairs = [p for p in pairs if p.modality == modality]
    by_atoms = sum(p.method == "atoms" for p in pairs)
    given = "with `--material`" if told else "without a material"
    print(f"\n{modality}, {given}: {by_atoms} of {len(pairs)} pores by their atoms\n")
    print("| pores | number | bias | error | within one sigma | missing atoms exact, 1–6 |")
    print("|---|---|---|---|---|---|")
    for low, high in CLASSES:
        print(f"| {low:g}–{high:g} nm | {describe([p for p in pairs if low <= p.diameter < high])} |")
    for name in MATERIALS:
        print(f"| {name} | {describe([p for p in pairs if p.material == name])} |")
    print(f"| **all** | {describe(pairs)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--purpose", default="benchmark", choices=("benchmark", "validation"))
    parser.add_argument("--condition", default="usual", choices=tuple(accuracy.CONDITIONS))
    parser.add_argument("--modalities", default=",".join(accuracy.MODALITIES))
    parser.add_argument("--seeds", type=int, default=1, help="number of images of each kind; default 1")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    given = parser.parse_args()
    modalities = given.modalities.split(",")
    for told in (True, False):
        tasks = [
            (i, seed, given.purpose, told)
            for seed in range(given.first_seed, given.first_seed + given.seeds)
            for i, (_, modality, _, condition) in enumerate(accuracy.GRID)
            if modality in modalities and condition == given.condition
        ]
        with ProcessPoolExecutor(given.workers, get_context("forkserver")) as pool:
            done = [pair for found in pool.map(measure_image, tasks) for pair in found]
        for modality in modalities:
            print_table(done, modality, told)
