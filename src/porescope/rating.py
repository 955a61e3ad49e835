"""How much a network's pores are to be trusted: measured on simulated micrographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.lattice import find_lattice
from porescope.network import MODES, find_mode, find_pores, find_regions, load_model, measure_regions
from porescope.scenes import draw_scene, make_generator
from porescope.simulation import Simulation, draw

#: Images that a rating takes, their side [px], and the first of their indices.
IMAGES, SIDE, FIRST = 1500, 384, 20_000
#: A region is a pore if their IoU is this, a single vacancy if their centres are as near [nm].
MIN_IOU, NEAR = 0.3, 0.15


def rate_network(path: Path, seed: int = 0) -> dict[str, Any]:
    """Run a network over simulated images of its own, and see which of its regions are real.

    Parameters
    ----------
    path : Path
        The ONNX file.
    seed : int

    Returns
    -------
    dict
        ``confidence``: for each of `MODES` pairs (mean probability, share of such regions that are
        real) that rise together, for the network's card; ``rated_on``: how many images and regions.

    Notes
    -----
    Two images of three have no pore, as in a folder where pores are rare: what is called
    likely there is likely anywhere.
    """
    raw: dict[str, list[float]] = {mode: [] for mode in MODES}
    real: dict[str, list[bool]] = {mode: [] for mode in MODES}
    model = load_model(path)
    for index in range(IMAGES):
        rng = make_generator("validation", FIRST + index, seed)
        cell_px = float(rng.uniform(6, 12))
        scene = draw_scene(rng, (SIDE, SIDE), cell_px)
        drawn = draw(replace(scene, pores=()) if index % 2 else scene, rng)
        found = find_pores(drawn.micrograph, lattice=find_lattice(drawn.micrograph), model=model)
        labels = find_regions(found.probability, drawn.micrograph.image, cell_px)
        mode = find_mode(scene.modality)
        raw[mode] += measure_regions(labels, found.probability).tolist()
        real[mode] += find_real(drawn, labels).tolist()
    tables = {mode: fit_confidence(np.array(raw[mode]), np.array(real[mode])) for mode in MODES}
    return {"confidence": tables, "rated_on": [IMAGES, sum(map(len, raw.values()))]}


def find_real(drawn: Simulation, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which regions of a label image are pores of a simulation: shape (n,).

    Each pore makes one region real, that of the largest IoU.
    """
    n = int(labels.max())
    real = np.zeros(n + 1, np.bool_)
    area = np.bincount(labels.ravel(), minlength=n + 1)
    for pore, missing in enumerate(drawn.missing_atoms, start=1):
        mask = drawn.labels == pore
        met = np.bincount(labels[mask], minlength=n + 1)
        met[0] = 0
        iou = met / (area + mask.sum() - met)
        best = int(iou.argmax())
        if met[best] == 0:
            continue
        if iou[best] >= MIN_IOU:
            real[best] = True
        elif missing == 1:
            apart = np.argwhere(mask).mean(axis=0) - np.argwhere(labels == best).mean(axis=0)
            real[best] |= np.hypot(*apart) * drawn.micrograph.pixel_size[0] < NEAR
    return real[1:]


def fit_confidence(raw: NDArray[np.float64], real: NDArray[np.bool_]) -> list[list[float]]:
    """Fit the share of real regions as a function that rises with their mean probability.

    Examples
    --------
    >>> import numpy as np
    >>> raw = np.linspace(0.5, 1, 400)
    >>> table = fit_confidence(raw, raw > 0.8)
    >>> bool(np.interp(0.95, *np.transpose(table)) > 0.9)
    True
    """
    from scipy.optimize import isotonic_regression

    if len(raw) < 20:
        return [[0.0, 0.0], [1.0, 1.0]]
    order = np.argsort(raw)
    steps = np.asarray(isotonic_regression(real[order].astype(float)).x)
    knots = np.linspace(0.5, 1.0, 21)
    # Of a handful of regions nothing is certain: a Gaussian over a fiftieth smooths the steps.
    weights = np.exp(-(((knots[:, None] - raw[order][None]) / 0.02) ** 2) / 2) + 1e-9
    shares = (weights @ steps) / weights.sum(axis=1)
    shares = np.maximum.accumulate(shares.clip(0.01, 0.99))
    return [[round(float(k), 3), round(float(s), 3)] for k, s in zip(knots, shares, strict=True)]
