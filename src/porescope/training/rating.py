"""Calibrate a network's confidence on simulated micrographs with known pores."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from porescope.lattice import find_lattice
from porescope.network import (
    EVIDENCE,
    MODES,
    choose_scale,
    find_mode,
    load_model,
    propose_regions,
)
from porescope.simulation import Pore, Scene, Simulation, draw, draw_pores, draw_scene, make_generator

#: Numbers of the simulated images of a rating: none is in the trainer's validation set.
INDICES = range(20_000, 26_000)
#: Side of these images [px].
_SIDE = 384
#: Lowest IoU at which a region matches a pore.
_MIN_IOU = 0.3
#: Distance of the centroids below which a region matches a single vacancy [nm].
_NEAR = 0.15
#: Number of units of the hidden layer that weighs the evidence, and the strength of the penalty on weights.
_HIDDEN, _DECAY = 24, 0.3
#: Number of fits, each without another fifth of the images, and of the steps of each.
_FITS, _STEPS = 5, 1500


def rate_network(path: Path, seed: int = 0, processes: int = 1) -> dict[str, Any]:
    """Fit the layers that weigh the evidence behind ``confidence`` on simulated images.

    Parameters
    ----------
    path : Path
        The ONNX file.
    seed : int
        Of the simulated images and of the fit.
    processes : int
        Number of processes that draw images and look for pores in them.

    Returns
    -------
    dict
        For the network's card. ``evidence``: mode (of `MODES`) → layers as `network.rate_regions` takes them;
        ``rated_on``: number of images and of regions.

    Raises
    ------
    ValueError
        If the file is no network of porescope's.
    """
    load_model(path)
    tasks = [(path, index, seed) for index in INDICES]
    if processes == 1:
        gathered = [_gather(task) for task in tasks]
    else:
        with ProcessPoolExecutor(processes, get_context("forkserver")) as pool:
            gathered = list(pool.map(_gather, tasks, chunksize=20))
    layers = {}
    for mode in MODES:
        own = [(evidence, real) for m, evidence, real in gathered if m == mode]
        if any(real.any() for _, real in own):
            layers[mode] = fit_layers([e for e, _ in own], [real for _, real in own], seed)
    return {"evidence": layers, "rated_on": [len(tasks), sum(len(real) for _, _, real in gathered)]}


def draw_rated(index: int, seed: int = 0, purpose: str = "validation") -> Simulation:
    """Draw one image of a rating.

    Images of an even number have no pore. Every second of the others has one to a dozen, the rest nothing but
    up to four lone vacancies. Every third image is stretched and sheared, as by drift, by up to 20 %.

    Parameters
    ----------
    index : int
    seed : int
    purpose : str
        As for `make_generator`.

    Returns
    -------
    Simulation
    """
    rng = make_generator(purpose, index, seed)
    scene = draw_scene(rng, (_SIDE, _SIDE), float(rng.uniform(6, 12)))
    extent = np.array(scene.shape) * scene.pixel_size
    pores: tuple[Pore, ...] = ()
    if index % 4 == 1:
        pores = draw_pores(rng, extent)
        pores = pores[: int(rng.integers(1, len(pores) + 1))]
    elif index % 4 == 3:
        pores = _place_vacancies(rng, extent)
        scene = replace(scene, amorphous=min(scene.amorphous, 0.5))
        if rng.random() < 0.5:
            scene = _calm(scene)
    if index % 3 == 0:
        scene = replace(scene, strain=tuple(rng.uniform(-0.1, 0.1, 4).tolist()))
    return draw(replace(scene, pores=pores), rng)


def _place_vacancies(rng: np.random.Generator, extent: NDArray[np.float64]) -> tuple[Pore, ...]:
    """Place one to four vacancies that keep a distance from each other and from the border."""
    centres: list[NDArray[np.float64]] = []
    for centre in rng.uniform(0.07 * extent, 0.93 * extent, (int(rng.integers(1, 5)), 2)):
        if all(np.hypot(*(centre - other)) > 1.2 for other in centres):
            centres.append(centre)
    return tuple(Pore((float(y), float(x)), missing=1, through=bool(rng.random() < 0.5)) for y, x in centres)


def _calm(scene: Scene) -> Scene:
    """The scene without what looks like vacancies: dopants, alloys, patches, further layers and grains."""
    return replace(
        scene,
        amorphous=0.0,
        patches=0.0,
        dopants=0.0,
        alloyed=0.0,
        twist=None,
        grain_angle=None,
        chalcogen_vacancies=min(scene.chalcogen_vacancies, 0.02),
    )


def _gather(task: tuple[Path, int, int]) -> tuple[str, NDArray[np.float64], NDArray[np.bool_]]:
    """Mode of one image; the evidence for its regions, shape (n, K); which of them are real, shape (n,)."""
    path, index, seed = task
    drawn = draw_rated(index, seed)
    micrograph = drawn.micrograph
    lattice = find_lattice(micrograph)
    scale = choose_scale(micrograph, lattice, None)
    labels, evidence, _, _ = propose_regions(micrograph, lattice, scale, load_model(path))
    return find_mode(micrograph.modality), evidence, find_real(drawn, labels)


def find_real(drawn: Simulation, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Tell which regions of a label image are pores of a simulation.

    Each pore matches at most one region, that of the largest IoU.

    Parameters
    ----------
    drawn : Simulation
    labels : ndarray of int32, shape (M, N)
        Label image with n regions, numbered from 1.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    n = int(labels.max())
    real = np.zeros(n + 1, np.bool_)
    area = np.bincount(labels.ravel(), minlength=n + 1)
    for pore, missing in enumerate(drawn.missing_atoms, start=1):
        mask = drawn.labels == pore
        overlap = np.bincount(labels[mask], minlength=n + 1)
        overlap[0] = 0
        iou = overlap / (area + mask.sum() - overlap)
        best = int(iou.argmax())
        if overlap[best] == 0:
            continue
        if iou[best] >= _MIN_IOU:
            real[best] = True
        elif missing == 1:
            distance = np.argwhere(mask).mean(axis=0) - np.argwhere(labels == best).mean(axis=0)
            real[best] |= np.hypot(*distance) * drawn.micrograph.pixel_size[0] < _NEAR
    return real[1:]


def fit_layers(
    evidence: Sequence[NDArray[np.float64]], real: Sequence[NDArray[np.bool_]], seed: int = 0
) -> list[tuple[list[list[float]], list[float]]]:
    """Fit the layers of a small network that tells from the evidence whether a region is real.

    Parameters
    ----------
    evidence : sequence of ndarray, shape (n, K)
        Of each image.
    real : sequence of ndarray of bool, shape (n,)
    seed : int

    Returns
    -------
    list
        Layers as `network.rate_regions` takes them: the mean of `_FITS` fits.
    """
    image = np.repeat(np.arange(len(real)), [len(r) for r in real])
    values, truth = np.concatenate(evidence), np.concatenate(real)
    middle, spread = values.mean(axis=0), values.std(axis=0) + 1e-3
    standard = (values - middle) / spread
    fits = [_fit_once(standard, truth, image % _FITS == k, seed + k) for k in range(_FITS)]
    # Their hidden units side by side; the first layer takes the evidence as it is.
    hidden = np.concatenate([fit[0] for fit in fits]).T
    offsets = np.concatenate([fit[1] for fit in fits]) - (middle / spread) @ hidden
    out = np.concatenate([fit[2] for fit in fits], axis=1).T / _FITS
    last = np.mean([fit[3] for fit in fits], axis=0)
    layers = ((hidden / spread[:, None], offsets), (out, last))
    return [(weights.round(5).tolist(), bias.round(5).tolist()) for weights, bias in layers]


def _fit_once(
    standard: NDArray[np.float64], truth: NDArray[np.bool_], left_out: NDArray[np.bool_], seed: int
) -> list[NDArray[np.float64]]:
    """Weights and offsets of the hidden and the last layer, fitted to the regions that are not left out.

    They are those of the step with the lowest error on the regions left out, if there are any.
    """
    torch.manual_seed(seed)
    x, y = torch.tensor(standard, dtype=torch.float32), torch.tensor(truth, dtype=torch.float32)
    aside = torch.tensor(left_out)
    net = nn.Sequential(nn.Linear(len(EVIDENCE), _HIDDEN), nn.Tanh(), nn.Linear(_HIDDEN, 1))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _STEPS)
    measure = nn.BCEWithLogitsLoss()
    best, kept = np.inf, None
    for step in range(_STEPS):
        optimizer.zero_grad()
        measure(net(x[~aside])[:, 0], y[~aside]).backward()
        optimizer.step()
        schedule.step()
        if step % 10 == 9 and aside.any():
            with torch.no_grad():
                error = float(measure(net(x[aside])[:, 0], y[aside]))
            if error < best:
                best, kept = error, [w.detach().double().numpy().copy() for w in net.parameters()]
    return kept or [w.detach().double().numpy() for w in net.parameters()]
