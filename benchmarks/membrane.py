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

from porescope.membrane import (
    Pattern,
    Window,
    cap_conductance,
    compare_with_random,
    conduct_circle,
    draw_random,
    place_randomly,
    split_sizes,
    sum_interacting,
)

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


if __name__ == "__main__":
    parts = {"conductance": try_conductance, "statistics": try_statistics}
    for part in sys.argv[1:] or parts:
        print(f"\n{part}")
        parts[part]()
