"""Accuracy of the lattice's methods on simulated images: prints the tables of docs/lattice.md.

python benchmarks/lattice.py          # everything
python benchmarks/lattice.py quick    # without the constants
python benchmarks/lattice.py ruler    # only: is a lattice constant ever wrong?
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import replace

import cv2
import numpy as np

from porescope import Micrograph, score
from porescope.lattice import LatticeGaps, find_lattice
from porescope.materials import MATERIALS
from porescope.recipes import load_recipe, segment
from porescope.simulation import Recording, Scene, simulate

FIRST_SEED = 900_000  # tests use small seeds


def more(material: str) -> float:
    """Factor of the dose in HAADF: 30 for graphene and hBN, whose light atoms scatter little."""
    return 30.0 if MATERIALS[material].both_count else 1.0


def draw_nothing(i: int) -> np.ndarray:
    """Draw an image without a lattice: noise, smooth background, amorphous film or scan lines."""
    rng = np.random.default_rng(FIRST_SEED + i)
    image = rng.normal(size=(384, 512))
    kind = i % 5
    if kind == 1:
        image = image + 8 * cv2.GaussianBlur(rng.normal(size=image.shape), (0, 0), 20)
    elif kind == 2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 4))
    elif kind == 3:  # amorphous: a broad ring in the spectrum
        sigma = rng.uniform(1.5, 6)
        image = cv2.GaussianBlur(image, (0, 0), sigma) - cv2.GaussianBlur(image, (0, 0), 1.3 * sigma)
        image = image / image.std() + 0.5 * rng.normal(size=image.shape)
    elif kind == 4:  # scan lines, a bright blob, clipped
        image = np.clip(image + 2 * rng.normal(size=(384, 1)), -2, 2)
        cv2.circle(image, (300, 100), 60, 6.0, -1)
    return image


def draw_crystal(i: int) -> tuple[Micrograph, float]:
    """Draw an image of a crystal, and its lattice constant in px: 4 to 200, sharp or blurred, any dose."""
    rng = np.random.default_rng([FIRST_SEED, i])
    name = list(MATERIALS)[i % 6]
    px = 4 * 50 ** float(rng.random())
    modality = str(rng.choice(["haadf", "bf"], p=[0.6, 0.4]))
    dose = 10 ** rng.uniform(4, 8.5) * (more(name) if modality == "haadf" else 1)
    source = rng.uniform(0.01, 0.03) if rng.random() < 0.5 else rng.uniform(0.04, 0.09)
    lens = Scene(modality=modality).lens
    scene = Scene(
        name,
        shape=((512, 512), (400, 460), (256, 300))[rng.choice(3, p=[0.4, 0.4, 0.2])],
        pixel_size=MATERIALS[name].constant / px,
        modality=modality,
        pores=int(rng.choice([0, 0, 2, 5])),
        dose=dose,
        optics=replace(lens, source=float(source), tail=float(rng.choice([0, 0.2, 0.4]))),
        recording=Recording(jitter=0.3 if rng.random() < 0.3 else 0.0),
        contamination=0.0 if rng.random() < 0.4 else None,
    )
    return simulate(scene, seed=FIRST_SEED + i).micrograph, px


def judge_constant(micrograph: Micrograph, px: float) -> str:
    """Find the lattice, and say whether its constant is right (within 0.5 %), wrong or none."""
    lattice = find_lattice(micrograph)
    if lattice is None:
        return "none"
    return "right" if abs(lattice.constant_px / px - 1) <= 0.005 else "wrong"


def try_the_ruler(images: range = range(200)) -> None:
    """Print how often the lattice constant of a crystal is right, none or wrong.

    The limits of `find_lattice` were chosen on images 0 to 399; only later ones judge them.
    """
    limits = (4, 8, 16, 32, 64, 200)
    told = {limit: Counter() for limit in limits[1:]}
    for i in images:
        micrograph, px = draw_crystal(i)
        told[next(limit for limit in limits[1:] if px <= limit)][judge_constant(micrograph, px)] += 1
    print("\n| px per constant | right (within 0.5 %) | none | wrong |")
    print("|---|---|---|---|")
    for low, (high, counts) in zip(limits, told.items(), strict=False):
        print(f"| {low}–{high} | {counts['right']} | {counts['none']} | {counts['wrong']} |")
    total = sum(told.values(), Counter())
    print(f"| all | {total['right']} | {total['none']} | {total['wrong']} |")


def find_constants() -> None:
    """Print the rate of false lattices and the accuracy of lattice constants."""
    print("\nfalse lattices in 200 images without one:", end=" ")
    print(sum(find_lattice(Micrograph(draw_nothing(i), 0.04)) is not None for i in range(200)))
    print("\n| px per constant | dose [e/nm²] | found | within 0.5 % | median error | worst |")
    print("|---|---|---|---|---|---|")
    times = []
    for px in (4, 6, 10, 20, 40):
        for dose in (1e6, 1e5, 1e4):
            errors = []
            for i, (name, material) in enumerate(MATERIALS.items()):
                size = material.constant / px
                drawn = simulate(
                    Scene(name, pixel_size=size, pores=2, dose=dose * more(name)), seed=FIRST_SEED + i
                )
                start = time.perf_counter()
                lattice = find_lattice(drawn.micrograph)
                times.append(time.perf_counter() - start)
                if lattice:
                    errors.append(abs(lattice.constant_nm / material.constant - 1))
            right = sum(e <= 0.005 for e in errors)
            spread = f"{np.median(errors):.2%} | {max(errors):.2%}" if errors else "– | –"
            print(f"| {px} | {dose:.0e} | {len(errors)} of 6 | {right} of {len(errors)} | {spread} |")
    print(f"\nfind_lattice, 512 × 512 px: {np.median(times) * 1e3:.0f} ms on one core")


SIZES = (("1 atom", 1, 1), ("2–4 atoms", 2, 4), ("5–20 atoms", 5, 20), ("21 or more", 21, 10_000))


def detect_pores(modality: str, dose: float) -> None:
    """Print a table row for each detector."""
    rows = {method: defaultdict(lambda: [0, 0]) for method in ("lattice", "threshold")}
    false = dict.fromkeys(rows, 0)
    for i in range(24):
        material = list(MATERIALS)[i % 6]
        drawn = simulate(
            Scene(
                material,
                pores=8,
                max_missing=80,
                dose=dose * (more(material) if modality == "haadf" else 1),
                modality=modality,
                pixel_size=0.03,
            ),
            seed=FIRST_SEED + i,
        )
        lattice = find_lattice(drawn.micrograph)
        found = {
            "lattice": LatticeGaps().find(drawn.micrograph, lattice).labels,
            "threshold": segment(drawn.micrograph, load_recipe("ws2")),
        }
        for method, labels in found.items():
            false[method] += score(drawn.labels, labels, min_iou=0.3).false
            for label, missing in enumerate(drawn.missing_atoms, start=1):
                one = score((drawn.labels == label).astype(int), labels, min_iou=0.3)
                size = next(name for name, low, high in SIZES if low <= missing <= high)
                rows[method][size][0] += one.found
                rows[method][size][1] += 1
    for method, sizes in rows.items():
        cells = [f"{sizes[name][0]} of {sizes[name][1]}" for name, _, _ in SIZES]
        print(f"| {modality} | {dose:.0e} | {method} | {' | '.join(cells)} | {false[method]} |")


if __name__ == "__main__":
    import sys

    if "quick" not in sys.argv:
        try_the_ruler()
        try_the_ruler(range(400, 1000))
    if "ruler" in sys.argv:
        sys.exit()
    if "quick" not in sys.argv:
        find_constants()
    print("\n| modality | dose [e/nm²] | method | " + " | ".join(n for n, _, _ in SIZES) + " | false |")
    print("|---|---|---|---|---|---|---|---|")
    for modality, dose in (("haadf", 5e5), ("bf", 1e6), ("hrtem", 1e6), ("hrtem", 1e5)):
        detect_pores(modality, dose)
