"""The limit of detection: recall against the ideal signal-to-noise ratio of each pore, in simulated images.

python benchmarks/limit.py -o limit                  # the table, limit.csv, limit.svg, missed.png
python benchmarks/limit.py --method vacancies --quick 4
python benchmarks/limit.py --purpose validation --least-confidence 0.3

The sheets are clean (carbon at most a tenth of what hides them), with random optics, scan errors and doses.
What the ratio does not know is left out: clipped greys, hopping atoms, JPEG, scale bars, frames; and adatoms
and carbon at the pores' edges, unless --edges says to keep them.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
from accuracy import SMALLEST, draw_class
from numpy.typing import NDArray

from porescope.detection import choose_detector
from porescope.field import look_for_field
from porescope.labels import outline_regions
from porescope.lattice import find_lattice
from porescope.materials import MATERIALS
from porescope.scoring import wilson_interval
from porescope.simulation import Simulation, draw, draw_scene, make_generator, thick_carbon

MODALITIES = ("haadf", "bf", "hrtem")
#: Number of images: a multiple of 18, so that materials and modalities are equally frequent.
N_IMAGES = 180
#: Contrast of the lattice / noise of a unit cell; the ideal ratio of a single vacancy is about the same.
CLARITY = (2.0, 14.0)
#: Limits of the ratio's classes in the table, and in the plot.
CLASSES = (0.0, 4.0, 6.0, 8.0, np.inf)
STEPS = (0, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 24)
#: A missed pore above this ratio is shown.
VISIBLE = 8.0
#: Side of a crop [nm], its picture [px], and the largest numbers of crops: of an image, and in all.
CROP_NM, CROP_PX, MOST_OF_ONE, MOST_CROPS = 3.0, 200, 3, 60


class Rated(NamedTuple):
    """What is known of one image."""

    pores: list[dict[str, Any]]  # a row each
    false: int
    crops: list[tuple[float, NDArray[np.uint8]]]  # ratio and surroundings of pores missed above VISIBLE


def draw_rated(index: int, purpose: str, edges: bool = False) -> Simulation:
    """Draw an image of small pores at a random dose, with each pore's ideal ratio."""
    rng = make_generator(purpose, 20_000 + index)
    material = list(MATERIALS)[index % 6]
    scene = draw_scene(
        rng, (512, 512), rng.uniform(6, 12), material=material, modality=MODALITIES[index // 6 % 3]
    )
    film = 0.1 * thick_carbon(scene.modality, MATERIALS[material])
    recording = replace(scene.recording, clip=(0.0, 0.0), streaks=0.0, jpeg=None, bar=False, frame=0)
    scene = replace(
        scene,
        pores=draw_class(rng, scene, "1–4 atoms"),
        recording=recording,
        clarity=float(np.exp(rng.uniform(*np.log(CLARITY)))),
        contamination=min(scene.contamination or 0.0, film),
        chalcogen_vacancies=min(scene.chalcogen_vacancies, 0.01),
        amorphous=0.0,
        patches=0.0,
        dopants=0.0,
        alloyed=0.0,
        twist=None,
        grain_angle=None,
    )
    if not edges:
        scene = replace(scene, rim=0.0, rim_atoms=0.0, adatoms=0.0)
    return draw(scene, rng, f"{index}", rated=True)


def match(drawn: Simulation, labels: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_], int]:
    """Whether each pore is found, whether a region overlaps it, and the number of regions that do neither.

    Several atoms: IoU ≥ 0.3. Single vacancies, and pores that the frame cut: centroids within 0.15 nm.
    """
    n, m = len(drawn.area_nm2), int(labels.max())
    both = np.bincount((drawn.labels * (m + 1) + labels).ravel(), minlength=(n + 1) * (m + 1))
    both = both.reshape(n + 1, m + 1)
    shared = both[1:, 1:]
    either = both.sum(axis=1)[1:, None] + both.sum(axis=0)[None, 1:] - shared
    places = [_find_centroids(image) for image in (drawn.labels, labels)]
    apart = np.hypot(*(places[0][:, None] - places[1][None]).transpose(2, 0, 1))
    single = (drawn.missing_atoms == 1) | (drawn.area_nm2 < SMALLEST)
    near = single[:, None] & (apart * drawn.micrograph.pixel_size[0] < 0.15)
    matched = (shared / np.maximum(either, 1) >= 0.3) | near
    met = matched | (shared > 0)
    return matched.any(axis=1), met.any(axis=1), int((~met.any(axis=0)).sum())


def _find_centroids(labels: NDArray[np.int32]) -> NDArray[np.float64]:
    y, x = np.nonzero(labels)
    n, at = int(labels.max()), labels[y, x]
    count = np.maximum(np.bincount(at, minlength=n + 1)[1:], 1)
    return np.stack([np.bincount(at, k, minlength=n + 1)[1:] / count for k in (y, x)], axis=1)


def rate_image(task: tuple[int, str, bool, str, dict[str, Any]]) -> Rated:
    """Draw one image, detect, and say which pores were found."""
    cv2.setNumThreads(1)
    index, purpose, edges, method, options = task
    drawn = draw_rated(index, purpose, edges)
    micrograph = look_for_field(drawn.micrograph)
    lattice = find_lattice(micrograph)
    labels = choose_detector(method, options).find(micrograph, lattice, None).labels
    found, met, false = match(drawn, labels)
    rows: list[dict[str, Any]] = []
    crops: list[tuple[float, NDArray[np.uint8]]] = []
    for k, (snr, missing) in enumerate(zip(drawn.snr, drawn.missing_atoms, strict=True)):
        row = {
            "image": index,
            "modality": micrograph.modality,
            "material": list(MATERIALS)[index % 6],
            "missing_atoms": int(missing),
            "snr": float(snr),
            "found": bool(found[k]),
            "met": bool(met[k]),
            "lattice": lattice is not None,
        }
        rows.append(row)
        if snr >= VISIBLE and not found[k]:
            crops.append((float(snr), draw_crop(drawn, labels, k + 1, row)))
    return Rated(rows, false, sorted(crops, key=lambda crop: -crop[0])[:MOST_OF_ONE])


def draw_crop(
    drawn: Simulation, labels: NDArray[np.int32], pore: int, row: dict[str, Any]
) -> NDArray[np.uint8]:
    """A pore's surroundings twice: bare, and with the truth in green and what was detected in red."""
    image, size = drawn.micrograph.image, drawn.micrograph.pixel_size[0]
    side = round(CROP_NM / size)
    middle = np.rint(np.argwhere(drawn.labels == pore).mean(axis=0)).astype(int)
    top, left = np.clip(middle - side // 2, 0, np.array(image.shape) - side)
    box = np.s_[top : top + side, left : left + side]
    low, high = np.percentile(image, (0.5, 99.5))
    grey = np.clip((image[box] - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    grey = cv2.resize(grey, (CROP_PX, CROP_PX), interpolation=cv2.INTER_CUBIC)
    bare = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    marked = bare.copy()
    for regions, colour in ((drawn.labels[box], (0, 220, 0)), (labels[box], (60, 60, 255))):
        for outline in outline_regions(regions).values():
            points = np.rint((outline[:, ::-1] + 0.5) * CROP_PX / side).astype(np.int32)
            cv2.polylines(marked, [points], True, colour, 1, cv2.LINE_AA)
    head = np.full((18, 2 * CROP_PX, 3), 255, np.uint8)
    lattice = "" if row["lattice"] else ", no lattice"
    text = f"{row['image']} {row['modality']} {row['material']}, {row['missing_atoms']} atoms, "
    text += f"SNR {row['snr']:.1f}{lattice}"
    cv2.putText(head, text, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.vstack([head, np.hstack([bare, marked])])


def run(
    method: str = "network",
    purpose: str = "benchmark",
    quick: int = 1,
    edges: bool = False,
    **options: Any,
) -> tuple[pd.DataFrame, int, list[NDArray[np.uint8]]]:
    """Rate all images: a table of the pores, the number of false regions, crops of the clearest misses."""
    tasks = [(i, purpose, edges, method, options) for i in range(N_IMAGES // quick)]
    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver")) as pool:
        rated = list(pool.map(rate_image, tasks, chunksize=2))
    pores = pd.DataFrame([row for image in rated for row in image.pores])
    crops = sorted((crop for image in rated for crop in image.crops), key=lambda crop: -crop[0])
    return pores, sum(image.false for image in rated), [crop for _, crop in crops[:MOST_CROPS]]


def print_table(pores: pd.DataFrame) -> None:
    """Print the pores found of those in each class of the ratio."""
    names = [f"{low:g}–{high:g}" for low, high in zip(CLASSES, CLASSES[1:], strict=False)]
    names[0], names[-1] = f"< {CLASSES[1]:g}", f"> {CLASSES[-2]:g}"
    print(f"\n| modality | pores | {' | '.join(f'SNR {name}' for name in names)} |")
    print("|---" * (2 + len(names)) + "|")
    for modality in MODALITIES:
        kinds = (
            ("1 atom", 1, 1),
            ("2 atoms or more", 2, 99),
            ("all", 0, 99),
            ("all, overlap is enough", 0, 99),
        )
        for kind, few, many in kinds:
            these = pores[(pores.modality == modality) & pores.missing_atoms.between(few, many)]
            hits = these.met if "overlap" in kind else these.found
            cells = []
            for low, high in zip(CLASSES, CLASSES[1:], strict=False):
                found = hits[(these.snr >= low) & (these.snr < high)]
                share = f", {found.mean():.2f}" if len(found) else ""
                cells.append(f"{found.sum()} of {len(found)}{share}")
            print(f"| {modality} | {kind} | {' | '.join(cells)} |")


def draw_plot(pores: pd.DataFrame, path: Path) -> None:
    """Plot the share of pores found against the ratio, with 95 % intervals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams.update({"svg.hashsalt": "porescope", "svg.fonttype": "none"})
    figure, axes = pyplot.subplots(figsize=(6.4, 3.8), layout="constrained")
    for shift, modality in enumerate(MODALITIES):
        points = []
        these = pores[pores.modality == modality]
        for low, high in zip(STEPS, STEPS[1:], strict=False):
            found = these.found[(these.snr >= low) & (these.snr < high)]
            if len(found) >= 8:
                interval = wilson_interval(int(found.sum()), len(found))
                points.append(((low + high) / 2 + 0.08 * (shift - 1), found.mean(), *interval))
        x, share, least, most = np.array(points).T
        bars = np.clip([share - least, most - share], 0, 1)
        axes.errorbar(x, share, bars, marker="o", markersize=4, capsize=2, label=modality.upper())
    axes.set(
        xlabel="ideal signal-to-noise ratio of a pore",
        ylabel="share found",
        xlim=(0, STEPS[-1]),
        ylim=(0, 1.02),
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def draw_sheet(crops: list[NDArray[np.uint8]], path: Path) -> None:
    """Write the crops as one picture, three side by side."""
    blank = np.full_like(crops[0], 255)
    rows = [np.hstack([*crops[i : i + 3], *[blank] * (i + 3 - len(crops))]) for i in range(0, len(crops), 3)]
    cv2.imwrite(str(path), np.vstack(rows))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--out", type=Path, help="folder for limit.csv, limit.svg and missed.png")
    parser.add_argument("--method", default="network")
    parser.add_argument("--model", type=Path, help="the network's file; default: the shipped one")
    parser.add_argument("--least-confidence", type=float)
    parser.add_argument("--purpose", default="benchmark", choices=("benchmark", "validation"))
    parser.add_argument("--quick", type=int, default=1, help="use an n-th of the images only; default 1")
    parser.add_argument("--edges", action="store_true", help="with adatoms, and carbon at the pores' edges")
    given = parser.parse_args()
    own = {"model": given.model, "least_confidence": given.least_confidence}
    table, wrong, missed = run(given.method, given.purpose, given.quick, given.edges, **own)
    print_table(table)
    print(f"\n{wrong} false regions in {N_IMAGES // given.quick} images; ", end="")
    print(f"{(~table.found[table.snr >= VISIBLE]).sum()} pores missed at a ratio of {VISIBLE:g} or more")
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        table.to_csv(given.out / "limit.csv", index=False)
        draw_plot(table, given.out / "limit.svg")
        if missed:
            draw_sheet(missed, given.out / "missed.png")
