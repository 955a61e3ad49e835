"""Accuracy of every method on simulated images and on the published ones: the tables of docs/accuracy.md.

make bench-accuracy                                    (prints the tables)
python benchmarks/accuracy.py --purpose validation     (for choices; the benchmark is only for reporting)
python benchmarks/accuracy.py --methods network,network-bf16
python benchmarks/accuracy.py --methods maskrcnn --model mrcnn/maskrcnn.pt --quick 4
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope import read, read_standard, score
from porescope.labels import keep_regions
from porescope.lattice import Lattice, LatticeGaps, find_lattice
from porescope.materials import MATERIALS
from porescope.micrograph import Micrograph
from porescope.network import Network
from porescope.recipes import load_recipe, segment
from porescope.simulation import Pore, Scene, Simulation, draw, draw_scene, make_generator, thick_carbon
from porescope.simulation.random_scenes import draw_recording

MODALITIES = ("haadf", "bf", "hrtem")
SIZES = {"1–4 atoms": (10, 1, 4), "5–40 atoms": (8, 5, 40), "1–5 nm radius": (2, 1.0, 5.0)}
#: Contrast of the lattice / noise of a unit cell in each condition. Only "dirty" images have the patches,
#: disorder, dopants and second grains or layers of the training images.
CONDITIONS = {"usual": 20.0, "low dose": 8.0, "dirty": 20.0}
GRID = list(itertools.product(MATERIALS, MODALITIES, SIZES, CONDITIONS))
#: Number of images with nothing but single vacancies, in usual conditions.
N_LONE = 120
EMPTY_KINDS = ("clean", "contaminated", "amorphous", "clipped", "8 bit", "very noisy")
N_EMPTY = 300
#: Values of --least-confidence in the tables.
CUTS = (0.3, 0.5, 0.7, 0.9)
#: Area below which a true pore counts as neither missed nor found, because the frame cut it [nm²].
SMALLEST = 0.03


def draw_image(index: int, purpose: str, seed: int = 0) -> Simulation:
    """Draw the benchmark's image of one combination of material, modality, size class and condition."""
    material, modality, size, condition = GRID[index]
    rng = make_generator(purpose, index, seed)
    scene = draw_scene(rng, (512, 512), rng.uniform(6, 12), material=material, modality=modality)
    film = 0.1 * thick_carbon(modality, MATERIALS[material])
    scene = replace(
        scene,
        pores=draw_class(rng, scene, size),
        amorphous=min(scene.amorphous, 0.5),
        contamination=min(scene.contamination, film),
        clarity=CONDITIONS[condition],
    )
    if condition != "dirty":
        scene = make_usual(scene, CONDITIONS[condition])
    return draw(scene, rng, f"{index}")


def draw_class(rng: np.random.Generator, scene: Scene, size: str) -> tuple[Pore, ...]:
    """Draw pores of one size class that do not overlap."""
    n, low, high = SIZES[size]
    extent = np.array(scene.shape) * scene.pixel_size
    pores: list[Pore] = []
    for _ in range(200):
        centre = rng.uniform(0.06 * extent, 0.94 * extent)
        most = np.exp(rng.uniform(np.log(low), np.log(high + (isinstance(high, int)))))
        apart = 1.2 + (2 * high if isinstance(high, float) else 0.08 * high)
        if len(pores) < n and all(np.hypot(*(centre - p.centre)) > apart for p in pores):
            here = (float(centre[0]), float(centre[1]))
            small = isinstance(high, int)
            waves = tuple(rng.normal(0, 0.1, 3).clip(-0.15, 0.15).tolist())
            pores.append(
                Pore(here, int(most) if small else None, 0.0 if small else float(most), ripple=waves)
            )
    return tuple(pores)


def draw_empty(index: int, purpose: str) -> Simulation:
    """Draw an image without a pore: clean, contaminated, amorphous, clipped, 8 bit or very noisy."""
    rng = make_generator(purpose, 10_000 + index)
    kind = EMPTY_KINDS[index % len(EMPTY_KINDS)]
    modality = MODALITIES[index // len(EMPTY_KINDS) % 3]
    scene = replace(draw_scene(rng, (512, 512), rng.uniform(6, 12), modality=modality), pores=())
    recording = draw_recording(rng, modality)
    changes: dict[str, dict[str, object]] = {
        "clean": {"patches": 0.0, "contamination": 0.0, "amorphous": 0.0},
        "contaminated": {"patches": max(scene.patches, 3.0), "patch_cover": rng.uniform(0.2, 0.8)},
        "amorphous": {"amorphous": rng.choice([0.5, 1.0])},
        "clipped": {"recording": replace(recording, clip=(rng.uniform(0.05, 0.4), rng.uniform(0.01, 0.2)))},
        "8 bit": {"recording": replace(recording, bits=8, jpeg=int(rng.integers(50, 95)))},
        "very noisy": {"clarity": rng.uniform(1, 4)},
    }
    return draw(replace(scene, **changes[kind]), rng, f"empty {index} {kind}")


def draw_lone(index: int, purpose: str) -> Simulation:
    """Draw an image with nothing but two single vacancies: HAADF and BF, all materials, usual conditions."""
    rng = make_generator(purpose, 30_000 + index)
    modality = MODALITIES[index % 2]
    material = list(MATERIALS)[index // 2 % len(MATERIALS)]
    scene = draw_scene(rng, (512, 512), rng.uniform(6, 12), material=material, modality=modality)
    film = 0.1 * thick_carbon(modality, MATERIALS[material])
    extent = np.array(scene.shape) * scene.pixel_size
    places = rng.uniform([[0.1, 0.1], [0.1, 0.55]], [[0.9, 0.45], [0.9, 0.9]]) * extent
    pores = tuple(Pore((float(y), float(x)), missing=1) for y, x in places)
    scene = replace(scene, pores=pores, contamination=min(scene.contamination, film))
    return draw(make_usual(scene), rng, f"lone {index}")


def make_usual(scene: Scene, clarity: float = CONDITIONS["usual"]) -> Scene:
    """A scene without disorder, dopants, further grains and layers; 20 is the usual clarity."""
    return replace(
        scene,
        amorphous=0.0,
        patches=0.0,
        dopants=0.0,
        alloyed=0.0,
        twist=None,
        grain_angle=None,
        chalcogen_vacancies=min(scene.chalcogen_vacancies, 0.01),
        clarity=clarity,
    )


def detect(
    method: str, micrograph: Micrograph, lattice: Lattice | None, path: Path | None
) -> NDArray[np.int32]:
    if method in ("network", "network-bf16"):
        precision = "bf16" if method.endswith("bf16") else "float32"
        return Network(path, precision=precision).find(micrograph, lattice).labels
    if method == "maskrcnn":
        from porescope.training import MaskRCNN

        return MaskRCNN(path).find(micrograph, lattice).labels
    if method == "lattice":
        return LatticeGaps().find(micrograph, lattice).labels
    return segment(micrograph, load_recipe("ws2"))


@dataclass
class Tally:
    """Counts of one method, pooled over images."""

    found: int = 0
    missed: int = 0
    false: int = 0
    single_found: int = 0
    single: int = 0
    ratios: list[float] = field(default_factory=list)
    pixel_f1: list[float] = field(default_factory=list)

    def add(self, drawn: Simulation, labels: NDArray[np.int32]) -> list[bool]:
        """Add the counts of an image; return for each region whether it is a real pore."""
        small = drawn.area_nm2 < SMALLEST
        counted = np.r_[False, (drawn.missing_atoms >= 2) & ~small]
        alone = np.flatnonzero((drawn.missing_atoms == 1) & ~small) + 1
        truth = np.where(counted[drawn.labels], drawn.labels, 0)
        whole = score(truth, labels, min_iou=0.3)
        n = int(labels.max())
        real = np.zeros(n + 1, bool)
        for label in range(1, n + 1):
            region = labels == label
            met = np.unique(drawn.labels[region])
            for other in met[met > 0]:
                pore = drawn.labels == other
                if not counted[other]:
                    near = np.hypot(*(np.argwhere(pore).mean(0) - np.argwhere(region).mean(0)))
                    if near * drawn.micrograph.pixel_size[0] < 0.15 or small[other - 1]:
                        real[label] = True
                        self.single_found += other in alone
                elif (region & pore).sum() / (region | pore).sum() >= 0.3:
                    real[label] = True
        self.single += len(alone)
        self.found += whole.found
        self.missed += whole.missed
        self.false += int((~real[1:]).sum())
        self.ratios += list(whole.diameter_ratios)
        self.pixel_f1.append(score(drawn.labels, labels).f1)
        return real[1:].tolist()

    def row(self) -> str:
        f1 = 2 * self.found / max(2 * self.found + self.missed + self.false, 1)
        spread = np.abs(np.array(self.ratios or [np.nan]) - 1)
        found, all_pores = self.found + self.single_found, self.found + self.missed + self.single
        with_singles = 2 * found / max(found + all_pores + self.false, 1)
        return (
            f"{f1:.3f} | {with_singles:.3f} | {self.found} of {self.found + self.missed} | {self.false} | "
            f"{self.single_found} of {self.single} | {np.median(spread):.1%} | "
            f"{np.median(self.ratios or [np.nan]) - 1:+.1%} | {np.mean(self.pixel_f1):.2f}"
        )


def run_image(task: tuple[str, int, str, tuple[str, ...], Path | None]) -> dict[str, object]:
    """Draw one image and run the methods on it."""
    cv2.setNumThreads(1)
    kind, index, purpose, methods, path = task
    drawn = {"pores": draw_image, "empty": draw_empty, "lone": draw_lone}[kind](index, purpose)
    lattice = find_lattice(drawn.micrograph)
    out: dict[str, object] = {"kind": kind, "index": index, "drawn": drawn}
    for method in methods:
        start = time.perf_counter()
        if method == "network":
            found = Network(path, least_confidence=min(CUTS)).find(drawn.micrograph, lattice)
            out["doubtful too"] = found.labels, found.confidence
            kept = found.confidence >= Network.least_confidence
            labels, out["confidence"] = keep_regions(found.labels, kept), found.confidence[kept]
        else:
            labels = detect(method, drawn.micrograph, lattice, path)
        out[method] = labels
        out[f"{method} ms"] = (time.perf_counter() - start) * 1e3
    return out


def run(purpose: str, methods: tuple[str, ...], path: Path | None, quick: int = 1) -> list[dict[str, object]]:
    tasks = [("pores", i, purpose, methods, path) for i in range(0, len(GRID), quick)]
    tasks += [("empty", i, purpose, methods, path) for i in range(0, N_EMPTY, quick)]
    tasks += [("lone", i, purpose, methods, path) for i in range(0, N_LONE, quick)]
    with ProcessPoolExecutor(os.cpu_count(), get_context("forkserver")) as pool:
        return list(pool.map(run_image, tasks, chunksize=4))


def print_tables(results: list[dict[str, object]], methods: tuple[str, ...]) -> None:
    head = "F1, ≥ 2 atoms | F1, all | found | false | single vacancies | diameter error | bias | pixel F1"
    print(f"\n| modality | condition | method | {head} |")
    print("|---" * 11 + "|")
    pores = [r for r in results if r["kind"] == "pores"]
    for modality, condition in itertools.product(MODALITIES, CONDITIONS):
        for method in methods:
            tally = Tally()
            for r in pores:
                if GRID[r["index"]][1] == modality and GRID[r["index"]][3] == condition:
                    tally.add(r["drawn"], r[method])
            print(f"| {modality} | {condition} | {method} | {tally.row()} |")
    for method in methods:
        tally = Tally()
        for r in pores:
            tally.add(r["drawn"], r[method])
        print(f"| all | all | {method} | {tally.row()} |")
    for name, column in (("material", 0), ("size", 2)):
        print(f"\n| {name} (usual) | method | {head} |")
        print("|---" * 10 + "|")
        for value in dict.fromkeys(g[column] for g in GRID):
            for method in methods:
                tally = Tally()
                for r in pores:
                    if GRID[r["index"]][column] == value and GRID[r["index"]][3] == "usual":
                        tally.add(r["drawn"], r[method])
                print(f"| {value} | {method} | {tally.row()} |")
    print("\n| pore-free images | method | false pores in 1000 images | images with any |")
    print("|---" * 4 + "|")
    for kind in (*EMPTY_KINDS, "all"):
        for method in methods:
            counts = [
                int(r[method].max())
                for r in results
                if r["kind"] == "empty" and kind in ("all", EMPTY_KINDS[r["index"] % len(EMPTY_KINDS)])
            ]
            print(
                f"| {kind} | {method} | {1000 * np.mean(counts):.0f} | {np.mean(np.array(counts) > 0):.1%} |"
            )
    print("\n| images with two single vacancies | method | found | false |")
    print("|---" * 4 + "|")
    for modality, light in itertools.product(MODALITIES[:2], (False, True)):
        for method in methods:
            tally = Tally()
            for r in results:
                own = r["kind"] == "lone" and r["drawn"].micrograph.modality == modality
                if own and r["drawn"].material.both_count == light:
                    tally.add(r["drawn"], r[method])
            sheet = "graphene, hBN" if light else "dichalcogenides"
            print(
                f"| {modality}, {sheet} | {method} | {tally.single_found} of {tally.single} | {tally.false} |"
            )
    times = {m: np.median([r[f"{m} ms"] for r in results]) for m in methods}
    print("\nms an image (the search for a lattice not included):", {m: round(t) for m, t in times.items()})


def print_cuts(results: list[dict[str, object]]) -> None:
    """Print the effect of --least-confidence on the network's pores."""
    heads = " | ".join(f"F1, {modality}" for modality in MODALITIES)
    print(f"\n| `--least-confidence` | {heads} | false pores in 1000 pore-free images | images with any |")
    print("|---" * 6 + "|")
    for least in CUTS:
        tallies, counts = {modality: Tally() for modality in MODALITIES}, []
        for r in results:
            found, confidence = r["doubtful too"]
            labels = keep_regions(found, confidence >= least)
            if r["kind"] == "empty":
                counts.append(int(labels.max()))
            elif r["kind"] == "pores" and GRID[r["index"]][3] == "usual":
                tallies[GRID[r["index"]][1]].add(r["drawn"], labels)
        scores = " | ".join(tally.row().split(" | ")[0] for tally in tallies.values())
        print(f"| {least} | {scores} | {1000 * np.mean(counts):.0f} | {np.mean(np.array(counts) > 0):.1%} |")


def print_confidence(results: list[dict[str, object]]) -> None:
    """Print the share of real pores for each range of confidence."""
    pairs = defaultdict(list)
    for r in results:
        real = Tally().add(r["drawn"], r["network"])
        for confidence, is_real in zip(r["confidence"], real, strict=True):
            pairs[min(int(confidence * 10), 9)].append((confidence, is_real))
    print("\n| confidence | pores | mean | real |\n|---|---|---|---|")
    for part, values in sorted(pairs.items()):
        c, real = np.array(values, float).T
        print(f"| {part / 10:.1f}–{part / 10 + 0.1:.1f} | {len(c)} | {c.mean():.2f} | {real.mean():.2f} |")


def print_published(methods: tuple[str, ...], path: Path | None) -> None:
    """Print the scores on the published WS2 images; their labels were not used for training."""
    from porescope.cli.demo import find_data

    folder = find_data()
    if folder is None:
        print("\nThe published images are not at $PORESCOPE_DATA.")
        return
    print(
        "\n| method | image | found | false | pixel precision | recall | F1 |\n|---|---|---|---|---|---|---|"
    )
    for method in methods:
        rows = []
        for name in "ABCDE":
            micrograph = read(folder / f"{name}.dm3")
            lattice = find_lattice(micrograph)
            labels = detect(method, micrograph, lattice, path)
            s = score(read_standard(folder / f"{name}_standard.png", labels.shape), labels)
            rows.append((s.found, s.found + s.missed, s.false, s.precision, s.recall, s.f1))
            found = f"{s.found} of {s.found + s.missed}"
            scores = f"{s.precision:.2f} | {s.recall:.2f} | {s.f1:.2f}"
            print(f"| {method} | {name} | {found} | {s.false} | {scores} |")
        found, of, false, *means = np.array(rows).T
        text = " | ".join(f"{m.mean():.3f}" for m in means)
        print(f"| {method} | **all** | {found.sum():.0f} of {of.sum():.0f} | {false.sum():.0f} | {text} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--purpose", default="benchmark", choices=("benchmark", "validation"))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--methods", default="network,lattice,threshold")
    parser.add_argument("--quick", type=int, default=1, help="use every n-th image only; default 1")
    given = parser.parse_args()
    chosen = tuple(given.methods.split(","))
    done = run(given.purpose, chosen, given.model, given.quick)
    print_tables(done, chosen)
    if "network" in chosen:
        print_cuts(done)
        print_confidence(done)
    if given.purpose == "benchmark":
        print_published(chosen, given.model)
