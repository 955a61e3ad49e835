"""Accuracy of the lattice's methods on simulated images: prints the tables of docs/lattice.md.

python benchmarks/lattice.py          # everything
python benchmarks/lattice.py quick    # without the constants
python benchmarks/lattice.py ruler    # only: is a lattice constant ever wrong?
python benchmarks/lattice.py grains   # only: pores of the lattice detector in two grains
python benchmarks/lattice.py scans    # only: distorted scans, and images without a lattice
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from scipy.interpolate import CubicSpline

from porescope import Micrograph, score
from porescope.lattice import LatticeGaps, find_lattice, plan_straightening
from porescope.materials import MATERIALS
from porescope.network import Network
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


class Scan(NamedTuple):
    """A simulated scan whose lattice is known."""

    micrograph: Micrograph
    labels: np.ndarray
    px: float  # lattice constant
    jitter_nm: float  # root mean square
    distortion: float


def draw_scan(i: int) -> Scan:
    """Draw a scan: 5 to 60 px per constant, distorted by 0 to 20 %, with jitter and a drift that bends.

    The distortion is a stretch of determinant 1 along any direction. Jitter is up to 0.05 nm rms. Drift bends
    by up to 1 % of the frame, at most 0.1 nm rms. The dose is usual, and at least 200 electrons per pixel.
    """
    rng = np.random.default_rng([FIRST_SEED, 1, i])
    name, modality = list(MATERIALS)[i % 6], str(rng.choice(["haadf", "bf"], p=[0.7, 0.3]))
    px = 5 * 12 ** float(rng.random())
    size, jitter, distortion = MATERIALS[name].constant / px, rng.uniform(0, 0.05), rng.uniform(0, 0.2)
    around, half = rng.uniform(0, np.pi), np.log(1 + distortion) / 2
    turn = np.array([[np.cos(around), -np.sin(around)], [np.sin(around), np.cos(around)]])
    strain = turn @ np.diag(np.exp([half, -half])) @ turn.T - np.eye(2)
    haadf = modality == "haadf"
    scene = Scene(
        name,
        pixel_size=size,
        modality=modality,
        pores=int(rng.integers(0, 6)),
        dose=max(5e5 if haadf else 1e6, 200 / size**2) * (more(name) if haadf else 1),
        strain=tuple(strain.ravel().tolist()),
        # The simulator adds slow jitter of 1.5 times the size.
        recording=Recording(jitter=jitter / size / np.sqrt(1 + 1.5**2)),
    )
    drawn = simulate(scene, seed=FIRST_SEED + i)
    rows = len(drawn.labels)
    bent = CubicSpline(np.arange(4), rng.normal(size=(4, 2)))(np.linspace(0, 3, rows))
    line = np.vander(np.arange(rows), 2)
    bent -= line @ np.linalg.lstsq(line, bent)[0]
    bent *= rng.uniform(0, min(0.1 / size, 0.01 * rows)) / bent.std(axis=0)
    y, x = np.indices(drawn.labels.shape, np.float32) + bent.T[:, :, None].astype(np.float32)
    image = cv2.remap(drawn.micrograph.image, x, y, cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT)
    labels = cv2.remap(drawn.labels.astype(np.float32), x, y, cv2.INTER_NEAREST).astype(np.int32)
    return Scan(replace(drawn.micrograph, image=image), labels, px, jitter, distortion)


def draw_empty(i: int) -> np.ndarray:
    """Draw an image without a lattice: coloured noise, film, contamination, interference, 8 bit, JPEG."""
    rng = np.random.default_rng([FIRST_SEED, 2, i])
    shape = ((512, 512), (384, 512), (512, 400))[i % 3]
    kind, noise = i % 8, rng.normal(size=shape)
    if kind in (0, 1, 7):
        image = _colour(rng, shape) + (rng.uniform(0, 1) * noise if kind == 1 else 0)
    elif kind == 2:  # amorphous: a broad ring in the spectrum
        sigma = rng.uniform(1.2, 6)
        image = cv2.GaussianBlur(noise, (0, 0), sigma) - cv2.GaussianBlur(noise, (0, 0), 1.3 * sigma)
        image = image / image.std() + rng.uniform(0, 1) * rng.normal(size=shape)
    elif kind == 3:  # contamination
        film = cv2.GaussianBlur(noise, (0, 0), rng.uniform(3, 25))
        image = rng.uniform(1, 8) * np.maximum(film / film.std() - rng.uniform(-1, 1), 0)
        image += rng.normal(size=shape)
    elif kind == 4:  # interference and its overtones, running on from row to row; flicker of rows
        time = np.arange(shape[0])[:, None] + np.linspace(0, rng.uniform(0.7, 0.95), shape[1])
        frequency = rng.uniform(0.2, 40)
        waves = [np.sin(2 * np.pi * (frequency * k * time + rng.random())) / k for k in range(1, 6)]
        image = noise + np.tensordot(rng.uniform(0, 1.5, 5), waves, 1) + rng.normal(size=(shape[0], 1))
    elif kind == 5:  # a slow detector's scan lines, clipped, a bright blob
        image = cv2.GaussianBlur(noise, (0, 0), sigmaX=rng.uniform(0.5, 4), sigmaY=0.3)
        image = np.clip(image / image.std() + rng.uniform(0, 2) * rng.normal(size=(shape[0], 1)), -1.5, 2.5)
        cv2.circle(image, (300, 100), 60, 6.0, -1)
    else:  # film with voids, few electrons
        film = cv2.GaussianBlur(noise, (0, 0), rng.uniform(1, 8))
        image = rng.poisson(rng.uniform(1, 30) * np.exp(0.3 * film / film.std())).astype(float)
        for _ in range(6):
            middle = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
            cv2.circle(image, middle, int(rng.integers(5, 60)), 0.0, -1)
    if kind >= 6 or i % 16 > 7:
        image = np.rint(128 + rng.uniform(10, 60) * image / image.std()).clip(0, 255).astype(np.uint8)
    if kind == 7 or i % 32 > 23:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 95))]
        image = cv2.imdecode(cv2.imencode(".jpg", image.astype(np.uint8), quality)[1], 0)
    return np.asarray(image, np.float32)


def _colour(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Noise whose power falls with the frequency, in one direction faster than in the other."""
    y, x = np.fft.fftfreq(shape[0])[:, None] * rng.uniform(0.3, 3), np.fft.fftfreq(shape[1])[None]
    spectrum = np.fft.fft2(rng.normal(size=shape)) * (np.hypot(y, x) + 1 / max(shape)) ** -rng.uniform(0, 2)
    image = np.fft.ifft2(spectrum).real
    return image / image.std()


def judge_constant(micrograph: Micrograph, px: float) -> str:
    """Find the lattice, and say whether its constant is right (within 0.5 %), wrong or none."""
    lattice = find_lattice(micrograph)
    if lattice is None:
        return "none"
    error = abs(lattice.constant_px / px - 1)
    if not lattice.calibrates:
        # A lattice that is there, but by which nothing is corrected.
        return "none" if error < 0.03 else "wrong"
    return "right" if error <= 0.005 else "wrong"


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


def try_scans(images: range = range(200)) -> None:
    """Print how often a distorted scan shows its lattice, how exact it is, and how often noise shows one."""
    classes = ((5, 10), (10, 20), (20, 40), (40, 60))
    told = {limits: defaultdict(list) for limits in classes}
    times = []
    for i in images:
        scan = draw_scan(i)
        find_lattice(scan.micrograph)
        start = time.process_time()
        lattice = find_lattice(scan.micrograph)
        times.append(time.process_time() - start)
        counts = told[next(limits for limits in classes if scan.px <= limits[1])]
        counts["found"].append(lattice is not None)
        if lattice is not None:
            error = abs(lattice.constant_px / scan.px - 1)
            counts["error"].append(error)
            counts["harmonic"].append(error > 0.1)
            counts["wrong"].append(lattice.calibrates and error > 0.005)
            counts["calibrates"].append(lattice.calibrates)
            counts["distortion"].append(abs(lattice.distortion - scan.distortion))
            counts["jitter"].append(abs(lattice.row_jitter_nm - scan.jitter_nm))
    told["all"] = defaultdict(list)
    for counts in list(told.values())[:-1]:
        for key, values in counts.items():
            told["all"][key] += values
    print(
        "\n| px per constant | found | calibrates | of these wrong | harmonic | error, median | 95 % |",
        end="",
    )
    print(" error of distortion | of jitter [nm] |\n|---|---|---|---|---|---|---|---|---|")
    for limits, c in told.items():
        name = limits if limits == "all" else f"{limits[0]}–{limits[1]}"
        found = f"{sum(c['found'])} of {len(c['found'])}"
        print(
            f"| {name} | {found} | {sum(c['calibrates'])} | {sum(c['wrong'])} |"
            f" {sum(c['harmonic'])} | {np.median(c['error']):.2%} | {np.percentile(c['error'], 95):.2%} |"
            f" {np.median(c['distortion']):.2%} | {np.median(c['jitter']):.4f} |"
        )
    print(f"\nfind_lattice, 512 × 512 px scans: {np.median(times) * 1e3:.0f} ms of one core")
    false = [find_lattice(Micrograph(draw_empty(i), 0.04)) is not None for i in images]
    print(f"lattices in {len(false)} images without one: {sum(false)}")


def try_straightening(images: range = range(100)) -> None:
    """Print what the network finds in distorted scans as they were recorded, and straightened."""
    told = {"as recorded": [0, 0], "straightened": [0, 0]}
    pores = 0
    for i in images:
        scan = draw_scan(i)
        lattice = find_lattice(scan.micrograph)
        if plan_straightening(lattice) is None:
            continue
        pores += int(scan.labels.max())
        # A lattice that tells of no distortion asks for no straightening.
        plain = replace(lattice, distortion=0.0, rows=lattice.rows._replace(jitter=0.0))
        for counts, known in zip(told.values(), (plain, lattice), strict=True):
            found = score(scan.labels, Network().find(scan.micrograph, known).labels, min_iou=0.3)
            counts[0] += found.found
            counts[1] += found.false
    print()
    for name, (found, false) in told.items():
        print(f"network, distorted scans {name}: {found} of {pores} pores, {false} false")


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


def find_pores_in_two_grains() -> None:
    """Print what the lattice detector finds in sheets of two grains, and its largest region."""
    print("\n| modality | pores found | false | images with a false region above 1 % of the image |")
    print("|---|---|---|---|")
    for modality in ("haadf", "bf", "hrtem"):
        found = missed = false = large = 0
        for i in range(24):
            name = list(MATERIALS)[i % 6]
            dose = 1e6 * (more(name) if modality == "haadf" else 1)
            rng = np.random.default_rng([FIRST_SEED, i])
            scene = Scene(
                name,
                modality=modality,
                dose=dose,
                pores=4,
                max_missing=40,
                grain_angle=rng.uniform(0.1, 0.95),
            )
            drawn = simulate(scene, seed=FIRST_SEED + i)
            lattice = find_lattice(drawn.micrograph)
            labels = LatticeGaps().find(drawn.micrograph, lattice).labels
            result = score(drawn.labels, labels, min_iou=0.3)
            found, missed = found + result.found, missed + result.missed
            false += result.false
            outside = np.bincount(labels[drawn.labels == 0])[1:]
            large += bool(outside.max(initial=0) > 0.01 * labels.size)
        print(f"| {modality} | {found} of {found + missed} | {false} | {large} of 24 |", flush=True)


if __name__ == "__main__":
    import sys

    if "grains" in sys.argv:
        find_pores_in_two_grains()
        sys.exit()
    if "scans" in sys.argv:
        try_scans()
        try_straightening()
        sys.exit()
    if "quick" not in sys.argv:
        try_the_ruler()
        try_the_ruler(range(400, 1000))
    if "ruler" in sys.argv:
        sys.exit()
    if "quick" not in sys.argv:
        try_scans()
        find_constants()
    print("\n| modality | dose [e/nm²] | method | " + " | ".join(n for n, _, _ in SIZES) + " | false |")
    print("|---|---|---|---|---|---|---|---|")
    for modality, dose in (("haadf", 5e5), ("bf", 1e6), ("hrtem", 1e6), ("hrtem", 1e5)):
        detect_pores(modality, dose)
