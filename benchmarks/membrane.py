"""What the commands on membranes reach: prints the tables of docs/membrane.md.

python benchmarks/membrane.py conductance    # the formulas, the interaction, their time
python benchmarks/membrane.py statistics     # how often random patterns stay in their envelope
python benchmarks/membrane.py isomers        # names of pores in simulated images
python benchmarks/membrane.py shapes         # the confusion of the classes of shape
"""

from __future__ import annotations

import sys
import time

import cv2
import numpy as np
from scipy.spatial import cKDTree

from porescope import census
from porescope.materials import MATERIALS
from porescope.membrane import (
    Pattern,
    Window,
    cap_conductance,
    compare_with_random,
    conduct_circle,
    draw_random,
    index_sites,
    name_isomer,
    place_randomly,
    split_sizes,
    sum_interacting,
)
from porescope.shapes import SHAPES, classify_shape, describe_outline, trace_outline
from porescope.simulation import Scene, Simulation, simulate

FIRST_SEED = 1_600_000  # tests use small seeds


def try_conductance() -> None:
    """Print the interaction of many pores, and its time."""
    print("| pores of 1 nm | window [nm] | sum [nS] | interacting [nS] | cap [nS] | time [s] |")
    print("|---|---|---|---|---|---|")
    rng = np.random.default_rng(FIRST_SEED)
    for n, window in ((100, 150), (1000, 150), (1000, 1500), (10_000, 1500)):
        diameter = np.ones(n)
        g = conduct_circle(diameter, 0.7, 11.18)
        places = place_randomly(diameter, window, rng)
        start = time.perf_counter()
        together = sum_interacting(g, places, 11.18, diameter)
        seconds = time.perf_counter() - start
        cap = cap_conductance(window, 11.18)
        print(f"| {n:,} | {window:,} | {g.sum():,.0f} | {together:,.0f} | {cap:,.0f} | {seconds:.1f} |")


def try_statistics(n_patterns: int = 200) -> None:
    """Print how often patterns leave the 95 % envelope, each with random patterns of its own."""
    noise = np.random.default_rng(FIRST_SEED).normal(size=(512, 512))
    windows = {
        "rectangle": Window(np.ones((400, 600), bool), 0.05),
        "ragged mask": Window(cv2.GaussianBlur(noise, (0, 0), 30) > -0.002, 0.05),
    }
    print("| window | pores | random, inside | clustered, inside | regular, inside | time of one [s] |")
    print("|---|---|---|---|---|---|")
    for name, window in windows.items():
        for n in (25, 60):
            start = Pattern(np.zeros((n, 2)), np.full(n, 0.6), window)
            inside: dict[str, list[bool]] = {"random": [], "clustered": [], "regular": []}
            began = time.perf_counter()
            for i in range(n_patterns):
                pattern = draw_random(start, np.random.default_rng([FIRST_SEED, i]))
                inside["random"].append(compare_with_random([pattern], seed=i).l_nm.is_random)
            seconds = (time.perf_counter() - began) / n_patterns
            for i in range(n_patterns // 10):
                rng = np.random.default_rng([FIRST_SEED, 1, i])
                inside["clustered"].append(compare_with_random([cluster(start, rng)]).l_nm.is_random)
                inside["regular"].append(compare_with_random([spread(start, rng)]).l_nm.is_random)
            shares = " | ".join(f"{np.mean(values):.1%}" for values in inside.values())
            print(f"| {name} | {n} | {shares} | {seconds:.2f} |")
    tries = [split_sizes(np.exp(np.random.default_rng(i).normal(0, 0.3, 60)), seed=i).p for i in range(100)]
    print(
        f"\none log-normal population of 60 pores called two: {np.mean(np.array(tries) <= 0.05):.0%} of 100"
    )


def cluster(start: Pattern, rng: np.random.Generator) -> Pattern:
    """Clusters of five pores within 1 nm (standard deviation)."""
    n = len(start.positions_nm)
    parents = draw_random(start, rng).positions_nm[: n // 5]
    places = np.repeat(parents, 5, axis=0) + rng.normal(0, 1.0, (n // 5 * 5, 2))
    return keep_inside(start, places)


def spread(start: Pattern, rng: np.random.Generator) -> Pattern:
    """Pores that keep a distance of 0.7 of the mean spacing."""
    distance = 0.7 * np.sqrt(start.window.area_nm2 / len(start.positions_nm))
    wide = start._replace(diameter_nm=np.full(len(start.positions_nm), distance))
    return draw_random(wide, rng)._replace(diameter_nm=start.diameter_nm)


def keep_inside(start: Pattern, places: np.ndarray) -> Pattern:
    """The places that lie in the window."""
    at = np.rint(places / start.window.pixel_nm).astype(int)
    inside = ((at >= 0) & (at < start.window.mask.shape)).all(axis=1)
    inside[inside] = start.window.mask[tuple(at[inside].T)]
    return Pattern(places[inside], np.full(inside.sum(), 0.01), start.window)


def try_isomers(n_images: int = 12) -> None:
    """Print how many pores of one to six missing atoms have the right isomer, in HAADF at the usual dose."""
    print("| material | pores | found | named | right isomer | of those found |")
    print("|---|---|---|---|---|---|")
    for name in ("WS2", "MoS2", "graphene", "hBN"):
        light = MATERIALS[name].both_count
        counts = np.zeros(4, int)
        for i in range(n_images):
            scene = Scene(name, pores=8, max_missing=6, dose=5e5 * (30 if light else 1), pixel_size=0.04)
            counts += judge_isomers(simulate(scene, seed=FIRST_SEED + i), name)
        total, found, named, right = counts
        print(f"| {name} | {total} | {found} | {named} | {right} | {right / found:.0%} |")


def judge_isomers(drawn: Simulation, material: str) -> np.ndarray:
    """Count the true pores of one to six atoms with all sites in the frame: all, found, named, right."""
    result = census(drawn.micrograph, material=material)
    pores, sheet = result.pores, MATERIALS[material]
    counts = np.zeros(4, int)
    if result.crystal is None:
        return counts
    pixel = drawn.micrograph.pixel_size[0]
    atoms = drawn.atoms
    gone = (atoms.occupancy == 0) & (sheet.both_count | ~atoms.second)
    places = atoms.positions[gone] / pixel
    sites = result.crystal.sites
    numbers = index_sites(sites)
    tree = cKDTree(sites.positions)
    extent = np.array(drawn.labels.shape)
    for label in range(1, drawn.labels.max() + 1):
        inside = np.argwhere(drawn.labels == label)
        near = cKDTree(inside).query(places)[0] < 0.4 * sheet.constant / np.sqrt(3) / pixel
        mine = places[near]
        if not 1 <= len(mine) <= 6 or ((mine < 8) | (mine > extent - 9)).any():
            continue
        counts[0] += 1
        hit = result.labels[tuple(inside.T)]
        if not hit.any():
            continue
        counts[1] += 1
        row = pores[pores.label == np.bincount(hit[hit > 0]).argmax()].iloc[0]
        if row.isomer != row.isomer:
            continue
        counts[2] += 1
        distance, nearest = tree.query(mine)
        own = numbers[nearest]
        is_known = distance.max() < 0.5 * sheet.constant / np.sqrt(3) / pixel
        is_known &= (sheet.both_count | (own[:, 2] == 0)).all() and len(np.unique(own, axis=0)) == len(own)
        counts[3] += (
            bool(is_known) and name_isomer(own, sheet, not row.isomer.endswith("?")).name == row.isomer
        )
    return counts


def draw_shape(kind: str, diameter: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a shape as a detector's probability: pixels of 0.04 nm, edge rough by 0.03, blurred by 0.07 nm."""
    pixel, t = 0.04, np.linspace(0, 2 * np.pi, 720, endpoint=False)
    radius = np.ones_like(t)
    if kind == "elongated":
        ratio = rng.uniform(1.8, 3)
        radius = 1 / np.sqrt(np.cos(t) ** 2 / ratio + np.sin(t) ** 2 * ratio)
    elif kind in ("triangular", "hexagonal"):
        corners = 3 if kind == "triangular" else 6
        radius = 1 / np.cos(t % (2 * np.pi / corners) - np.pi / corners)
    elif kind == "ragged":
        waves = [rng.normal(0, 0.1) * np.cos(k * t + rng.uniform(0, 2 * np.pi)) for k in range(3, 10)]
        radius = np.maximum(1 + np.sum(waves, axis=0), 0.2)
    turn = rng.uniform(0, 2 * np.pi)
    points = np.column_stack([radius * np.sin(t + turn), radius * np.cos(t + turn)])
    area = cv2.contourArea(points.astype(np.float32))
    points *= np.sqrt(np.pi / 4 * diameter**2 / abs(area))
    rough = np.fft.rfft(rng.normal(size=len(t))) * np.exp(-2 * (np.arange(361) * 0.12 / diameter) ** 2)
    waves = np.fft.irfft(rough)
    points *= 1 + 0.03 * (waves / waves.std() / np.hypot(*points.T))[:, None]
    middle = int(np.abs(points).max() / pixel + 12)
    at = points / pixel + middle + rng.random(2)
    picture = np.zeros((2 * middle + 2,) * 2, np.uint8)
    cv2.fillPoly(picture, [np.round(16 * at[:, ::-1]).astype(np.int32)], 255, shift=4)
    soft = cv2.GaussianBlur(picture.astype(np.float32) / 255, (0, 0), 0.07 / pixel)
    return 1 / (1 + np.exp(-10 * (soft - 0.5)))


def try_shapes(n: int = 100) -> None:
    """Print the confusion of the classes of shape."""
    print("| diameter [nm] | true | " + " | ".join(SHAPES[1:]) + " |")
    print("|---|---" + "|---" * len(SHAPES[1:]) + "|")
    for diameter in (0.8, 1.5, 3.0):
        for kind in SHAPES[1:]:
            rng = np.random.default_rng([FIRST_SEED, int(10 * diameter), SHAPES.index(kind)])
            found = []
            for _ in range(n):
                probability = draw_shape(kind, diameter, rng)
                regions = cv2.connectedComponents((probability > 0.5).astype(np.uint8))[1]
                largest = 1 + np.bincount(regions.ravel())[1:].argmax()
                outline = trace_outline(regions == largest, probability)
                found.append(classify_shape(describe_outline(outline), diameter))
            print(
                f"| {diameter:g} | {kind} | "
                + " | ".join(f"{found.count(c) / n:.0%}" for c in SHAPES[1:])
                + " |"
            )


if __name__ == "__main__":
    parts = {
        "conductance": try_conductance,
        "statistics": try_statistics,
        "isomers": try_isomers,
        "shapes": try_shapes,
    }
    for part in sys.argv[1:] or parts:
        print(f"\n{part}")
        parts[part]()
