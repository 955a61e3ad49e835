"""What the vacancy map as a third view, distorted scenes and scenes of lone small pores bring to the network.

python benchmarks/views.py -o views                                   (half an hour on two cores; extra train)
python benchmarks/views.py -o views --steps 0 --model mine.onnx       (compares networks that are there)

The shipped network is trained on by the same number of steps four times: with the scenes that it was trained
on, then with one novelty more each time. All networks look at the same validation images, of which half have
no pore. `confidence` is fitted for each on one half of the images and taken on the other. The regions above a
limit are counted. It is chosen for each network and modality so that one image in ten has a false region.
"""

from __future__ import annotations

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from porescope.lattice import find_lattice
from porescope.network import (
    MODES,
    SHIPPED,
    choose_scale,
    find_mode,
    load_model,
    propose_regions,
    rate_regions,
)
from porescope.training import Plan, Trainer, export_model, read_weights, samples, trainer
from porescope.training.rating import draw_rated, find_real, fit_layers

#: Share of the images with a false region, at which the networks are compared. The number of regions is no
#: measure: in one noisy image they may be a crowd.
FALSE = 0.1
#: Numbers of the first image, and of the images; those before serve to fit `confidence`.
FIRST, N_IMAGES = 40_000, 1000
#: Share of distorted scenes, of scenes of lone small pores, and whether the map is seen, in each training.
TRAININGS = {
    "trained on, nothing new": (0.0, 0.0, False),
    "+ vacancy map": (0.0, 0.0, True),
    "+ distortion": (0.2, 0.0, True),
    "+ lone small pores": (0.2, 0.25, True),
}
#: Samples simulated for each round of a training.
NEW = 150
#: Sets of pores, or of images: every third image is distorted.
SETS = ("2 atoms or more", "1 atom", "distorted, all pores")


class Found(NamedTuple):
    """What one network finds in one image."""

    mode: str
    index: int
    evidence: np.ndarray  # for each region, shape (n, K)
    real: np.ndarray  # whether it is a pore, shape (n,)
    single: np.ndarray  # whether that lacks one atom, shape (n,)
    pores: tuple[int, int]  # number of pores of two atoms or more, and of one


def train_variant(task: tuple[str, Path, int]) -> None:
    """Train the shipped network on, with some of the novelties."""
    name, folder, steps = task
    torch.set_num_threads(1)
    samples._DISTORTED, samples._ONLY_SMALL, sees = TRAININGS[name]
    plan = Plan(steps=steps, seed=3, rate=4e-4)
    weights = read_weights(SHIPPED)
    if not sees:  # each view is four channels; without an input their weights stay 0
        for half in range(2):
            weights[f"halves.{half}.down.0.0.weight"][:, 8:12] = 0
    learner = Trainer(plan, weights)
    kept: list[Any] = []
    while learner.progress < 1:
        number = learner.step // trainer.ROUND
        drawn = samples.make_samples("training", plan.seed, range(NEW * number, NEW * (number + 1)))
        kept = [*kept, [s if sees else _blind(s) for s in drawn]][-10:]
        halves = trainer._split_by_half([s for part in kept for s in part])
        for _ in range(min(trainer.ROUND, steps - learner.step)):
            learner.learn(trainer._draw_batch(halves, [[], []], plan, learner.step))
    export_model(learner, folder / f"{name}.onnx", {})


def _blind(sample: samples.Sample) -> samples.Sample:
    """The sample without the vacancy map."""
    sample.image[2] = 0
    return sample


def look(task: tuple[int, list[Path]]) -> list[Found]:
    """What each network finds in one image."""
    index, paths = task
    cv2.setNumThreads(1)
    drawn = draw_rated(index)
    micrograph = drawn.micrograph
    lattice = find_lattice(micrograph)
    scale = choose_scale(micrograph, lattice, None)
    missing = np.asarray(drawn.missing_atoms)
    pores = (int((missing > 1).sum()), int((missing == 1).sum()))
    found = []
    for path in paths:
        labels, evidence, _, _ = propose_regions(micrograph, lattice, scale, load_model(path))
        real = find_real(drawn, labels)
        # The pore on which most of each region lies.
        owners = [
            np.bincount(drawn.labels[labels == n], minlength=2)[1:].argmax() for n in range(1, len(real) + 1)
        ]
        single = np.array([len(missing) > 0 and missing[o] == 1 for o in owners], bool)
        mode = find_mode(micrograph.modality)
        found.append(Found(mode, index, evidence, real, single, pores))
    return found


def rate(found: list[Found]) -> list[np.ndarray]:
    """Confidence of each region, shape (n,), by a fit on those images of which its own is none."""
    halves = [f.index // 12 % 2 for f in found]  # of both, as many are distorted and have no pore
    layers = []
    for half in range(2):
        others = [f for f, own in zip(found, halves, strict=True) if own != half]
        layers.append(fit_layers([f.evidence for f in others], [f.real for f in others]))
    return [rate_regions(f.evidence, layers[half]) for f, half in zip(found, halves, strict=True)]


def count(found: list[Found]) -> list[str]:
    """Pores of each of `SETS` that are found where `FALSE` of the images have a false region, of all."""
    confidence = rate(found)
    highest = sorted(
        (float(c[~f.real].max(initial=0)) for c, f in zip(confidence, found, strict=True)), reverse=True
    )
    limit = highest[round(FALSE * len(found))]
    hits, pores = np.zeros(3, int), np.zeros(3, int)
    for c, f in zip(confidence, found, strict=True):
        kept, stretched = f.real & (c > limit), f.index % 3 == 0
        hits += [(kept & ~f.single).sum(), (kept & f.single).sum(), stretched * kept.sum()]
        pores += [*f.pores, stretched * sum(f.pores)]
    return [f"{n} of {of}" for n, of in zip(hits, pores, strict=True)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder for the networks")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--images", type=int, default=N_IMAGES)
    parser.add_argument("--model", type=Path, action="append", default=[], help="a further network")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    networks = {"shipped": SHIPPED}
    torch.set_num_threads(1)  # several are slower with layers as small as those of confidence
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        if given.steps:
            list(pool.map(train_variant, [(name, given.out, given.steps) for name in TRAININGS]))
            networks |= {name: given.out / f"{name}.onnx" for name in TRAININGS}
        for path in given.model:
            networks[f"{path.parent.name}/{path.stem}"] = path
        tasks = [(i, [*networks.values()]) for i in range(FIRST, FIRST + given.images)]
        results = list(pool.map(look, tasks, chunksize=10))
    print(f"| modality | network | {' | '.join(SETS)} |\n|---|---|" + "---|" * len(SETS))
    for mode in MODES:
        for name, column in zip(networks, zip(*results, strict=True), strict=True):
            print(f"| {mode} | {name} | {' | '.join(count([f for f in column if f.mode == mode]))} |")
