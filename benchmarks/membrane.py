"""What the commands on membranes reach: prints the tables of docs/membrane.md.

python benchmarks/membrane.py conductance    # the formulas, the interaction, their time
python benchmarks/membrane.py statistics     # how often random patterns stay in their envelope
python benchmarks/membrane.py isomers        # names of pores in simulated images
python benchmarks/membrane.py shapes         # the confusion of the classes of shape
python benchmarks/membrane.py map            # places of tiles, pores of overlaps; ten minutes
python benchmarks/membrane.py many           # the places of 1,024 tiles: time and memory; minutes
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from porescope import census, measure
from porescope.labels import label_regions
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
from porescope.mosaic import Layout, merge_pores, solve_mosaic
from porescope.shapes import SHAPES, classify_shape, describe_outline, trace_outline
from porescope.simulation import Scene, Simulation, draw_tiles, simulate

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


def try_map() -> None:
    """Print how well the tiles of simulated sheets are placed, and their pores counted."""
    heads = ("sheet", "rms [nm]", "off by a lattice vector", "of these told", "told in all")
    print(f"| {' | '.join((*heads, 's a tile'))} | labels: pores that tiles found, rows, twice, lost |")
    print("|---|---|---|---|---|---|---|")
    usual = Scene(pores=320, max_missing=40)
    for name, scene, overlap, seed in (
        *((f"5 pores a tile, seed {seed}", usual, 0.1, seed) for seed in range(5)),
        ("10 pores a tile", replace(usual, pores=640), 0.1, 0),
        ("20 % overlap", usual, 0.2, 0),
        ("5 % overlap", usual, 0.05, 0),
        ("a quarter of the dose", replace(usual, dose=usual.dose / 4), 0.1, 0),
        ("MoS2", replace(usual, material="MoS2"), 0.1, 0),
        ("graphene", replace(usual, material="graphene"), 0.1, 0),
        ("BF", replace(usual, modality="bf"), 0.1, 0),
    ):
        rng = np.random.default_rng([FIRST_SEED, seed])
        tiles = draw_tiles(scene, (8, 8), rng, overlap=overlap, error=0.3)
        both = name in ("5 pores a tile, seed 0", "10 pores a tile")
        for off in (False, True) if both else (False,):
            print(
                f"| {name}{', a tile 20 nm off' if off else ''} | {_solve_sheet(tiles, off, both)} |",
                flush=True,
            )


def _solve_sheet(tiles: list, off: bool, detected: bool) -> str:
    """Cells of the table: places of the tiles, pores with the true and the detected labels."""
    stage, true = (np.array([getattr(t, name) for t in tiles]) for name in ("stage_nm", "true_nm"))
    images = [t.simulation.micrograph.image for t in tiles]
    shapes, pixel = [i.shape for i in images], 0.04 * 1.004  # a scan scale of 0.4 %
    stage[27] += (12.0, 16.0) if off else 0.0
    start = time.process_time()
    found = solve_mosaic(lambda i: (images[i], None), shapes, pixel, stage)
    seconds = (time.process_time() - start) / len(tiles)
    apart = found.sheet_nm - true
    rms = np.sqrt(((apart - apart.mean(axis=0)) ** 2).sum(axis=1).mean())
    hopped = np.hypot(*(apart - np.median(apart, axis=0)).T) > 0.15
    unsure = ~(found.margin >= 5)  # or unknown: the stage alone places them
    layout = Layout(found.sheet_nm, np.array(shapes), pixel, found.affine)
    off = np.array([0.9 if status == "stage" else 0.0 for status in found.status])
    counted = (_count_merged(tiles, layout, true, off, k) for k in ("true", "detected")[: 1 + detected])
    cells = f"{rms:.3f}", f"{hopped.sum()} of 64", f"{(unsure & hopped).sum()}", f"{unsure.sum()}"
    return " | ".join((*cells, f"{seconds:.2f}", "; ".join(counted)))


def _count_merged(tiles: list, layout: Layout, true_nm: np.ndarray, off: np.ndarray, kind: str) -> str:
    """Count the pores that a tile found, rows, pores with two rows and pores without."""
    sheet = _draw_truth(tiles, true_nm)
    labels, tables = [], []
    for tile in tiles:
        micrograph = tile.simulation.micrograph
        result = None if kind == "true" else census(micrograph, lattice=False)
        labels.append(tile.simulation.labels if result is None else result.labels)
        tables.append(measure(micrograph, labels[-1]) if result is None else result.pores)
    owner = np.repeat(np.arange(len(tiles)), [len(t) for t in tables])
    pores, _ = merge_pores(pd.concat(tables), owner, labels.__getitem__, layout, off)
    origin = np.rint(true_nm / 0.04).astype(int)
    seen, rows = set(), []
    names = {tile.simulation.micrograph.name: k for k, tile in enumerate(tiles)}
    for k, part in enumerate(labels):
        y, x = np.nonzero(part)
        seen |= set(sheet[y + origin[k][0], x + origin[k][1]].tolist()) - {0}
    for pore in pores.itertuples():
        k = names[pore.image]
        y, x = np.nonzero(labels[k] == pore.label)
        under = sheet[y + origin[k][0], x + origin[k][1]]
        rows.append(int(np.bincount(under[under > 0]).argmax()) if under.any() else 0)
    # Two rows of one tile are two pores that touch in the truth of another one.
    first: dict[int, str] = {}
    twice = sum(first.setdefault(r, image) != image for r, image in zip(rows, pores.image, strict=True) if r)
    lost = len(seen - set(rows))
    return f"{kind}: {len(seen)}, {len(rows)}, {twice}, {lost}"


def _draw_truth(tiles: list, true_nm: np.ndarray) -> np.ndarray:
    """The numbers of the true pores of a sheet, at the tiles' true places."""
    origin = np.rint(true_nm / 0.04).astype(int)
    sheet = np.zeros(origin.max(axis=0) + tiles[0].simulation.labels.shape, np.uint8)
    for (y, x), tile in zip(origin, tiles, strict=True):
        part = tile.simulation.labels > 0
        sheet[y : y + part.shape[0], x : x + part.shape[1]] |= part
    return label_regions(sheet)


def try_many(side: int = 32) -> None:
    """Print the time and the memory that the places of 1,024 tiles of 512² take; tiles are drawn before."""
    rng = np.random.default_rng(FIRST_SEED)
    pixel, n = 0.04, 512
    stage = np.indices((side, side)).reshape(2, -1).T * n * pixel * 0.9
    true = np.rint((stage + rng.normal(0, 0.3, stage.shape)) / pixel).astype(int)
    holes = rng.uniform(0, stage.max() + n * pixel, (int(0.02 * (stage.max() + n * pixel) ** 2), 2))
    waves = rng.normal(0, 0.5, (12, 2)), rng.uniform(0, 6.3, 12)
    with tempfile.TemporaryDirectory() as folder:
        for k, place in enumerate(true):
            np.save(f"{folder}/{k}.npy", _draw_tile(place * pixel, pixel, n, holes, *waves, rng))
        start = time.perf_counter()
        found = solve_mosaic(
            lambda i: (np.load(f"{folder}/{i}.npy").astype(np.float32), None),
            [(n, n)] * side**2,
            pixel,
            stage,
        )
        seconds = time.perf_counter() - start
    apart = found.sheet_nm - true * pixel
    apart -= np.median(apart, axis=0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    distance = np.hypot(*apart.T)
    rms, hopped = np.sqrt((distance**2).mean()), int((distance > 0.15).sum())
    print(f"{side**2} tiles: {seconds / side**2:.2f} s a tile, {memory:.2f} GB at most")
    print(
        f"{rms:.3f} nm rms, {hopped} tiles more than 0.15 nm off, {(found.margin < 3).sum()} margins below 3"
    )


def _draw_tile(place, pixel, n, holes, frequency, phase, rng) -> np.ndarray:
    """A tile of a lattice with holes under a varying film, with noise; fast."""
    y, x = (place[axis] + np.arange(n) * pixel for axis in (0, 1))
    sheet = np.full((n, n), 6.0)
    for turn in (0.3, 0.3 + np.pi / 3, 0.3 + 2 * np.pi / 3):
        k = 2 * np.pi / 0.273 * np.array([np.cos(turn), np.sin(turn)])
        sheet += np.cos(k[0] * y)[:, None] * np.cos(k[1] * x) - np.sin(k[0] * y)[:, None] * np.sin(k[1] * x)
    for k, start in zip(frequency, phase, strict=True):
        sheet += 0.15 * (np.cos(k[0] * y + start)[:, None] * np.cos(k[1] * x))
    near = holes[((holes > place - 1) & (holes < place + n * pixel + 1)).all(axis=1)]
    for hole in near:
        sheet *= 1 - np.exp(-((y - hole[0])[:, None] ** 2 + (x - hole[1]) ** 2) / 0.1)
    return (100 * (sheet + rng.normal(0, 1, (n, n)))).astype(np.int16)


if __name__ == "__main__":
    parts = {
        "conductance": try_conductance,
        "statistics": try_statistics,
        "isomers": try_isomers,
        "shapes": try_shapes,
        "map": try_map,
        "many": try_many,
    }
    for part in sys.argv[1:] or parts:
        print(f"\n{part}")
        parts[part]()
