"""How much a network's pores are to be trusted: measured on simulated micrographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.lattice.finding import find_lattice
from porescope.network.confidence import UNRATED, gather_evidence
from porescope.network.detector import find_pores
from porescope.network.model import MODES, find_mode, load_model
from porescope.simulation.drawing import Simulation, draw
from porescope.simulation.random_scenes import draw_pores, draw_scene, make_generator

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
        ``evidence``: for each of `MODES` the weights of what `network.gather_evidence` gathers, for
        the network's card; ``rated_on``: how many images and regions.

    Notes
    -----
    Every other image has no pore, the others have one to a dozen.
    """
    evidence: dict[str, list[NDArray[np.float64]]] = {mode: [] for mode in MODES}
    real: dict[str, list[NDArray[np.bool_]]] = {mode: [] for mode in MODES}
    model = load_model(path)._replace(card={})  # which leaves every region in
    for index in range(IMAGES):
        rng = make_generator("validation", FIRST + index, seed)
        cell_px = float(rng.uniform(6, 12))
        scene = draw_scene(rng, (SIDE, SIDE), cell_px)
        pores = draw_pores(rng, np.array(scene.shape) * scene.pixel_size)
        some = 0 if index % 2 else int(rng.integers(1, len(pores) + 1))
        drawn = draw(replace(scene, pores=pores[:some]), rng)
        found = find_pores(drawn.micrograph, lattice=find_lattice(drawn.micrograph), model=model)
        mode = find_mode(scene.modality)
        evidence[mode].append(gather_evidence(found.labels, found.probability, cell_px))
        real[mode].append(find_real(drawn, found.labels))
    weights = {
        mode: fit_weights(np.concatenate(evidence[mode]), np.concatenate(real[mode]))
        for mode in MODES
        if real[mode]
    }
    return {"evidence": weights, "rated_on": [IMAGES, sum(len(r) for part in real.values() for r in part)]}


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


def fit_weights(evidence: NDArray[np.float64], real: NDArray[np.bool_]) -> list[float]:
    """Fit how much each piece of evidence weighs: logistic regression.

    Where there is little to learn from, the probability goes on speaking for itself.

    Examples
    --------
    >>> import numpy as np
    >>> log_odds = np.linspace(0, 4, 400)
    >>> nothing = np.zeros(400)
    >>> evidence = np.column_stack([np.ones(400), log_odds, nothing, nothing])
    >>> weights = fit_weights(evidence, log_odds > 2)
    >>> bool(weights[0] + 1.5 * weights[1] < 0 < weights[0] + 2.5 * weights[1])
    True
    """
    from scipy.optimize import minimize

    usual = np.array(UNRATED)

    def measure_misfit(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds, away = evidence @ weights, weights - usual
        misfit = (np.logaddexp(0, odds) - real * odds).sum() + 0.01 * away @ away
        return misfit, (1 / (1 + np.exp(-odds)) - real) @ evidence + 0.02 * away

    fitted = minimize(measure_misfit, usual, jac=True).x
    return [round(float(weight), 3) for weight in fitted]
