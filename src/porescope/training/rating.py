"""Calibrate a network's confidence on simulated micrographs with known pores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.lattice import find_lattice
from porescope.network import MODES, UNRATED, Network, find_mode, gather_evidence
from porescope.simulation import Simulation, draw, draw_pores, draw_scene, make_generator

#: Numbers of the simulated images of a rating: none is in the trainer's validation set.
INDICES = range(20_000, 21_500)
#: Side of these images [px].
_SIDE = 384
#: Lowest IoU at which a region matches a pore.
_MIN_IOU = 0.3
#: Distance of the centroids below which a region matches a single vacancy [nm].
_NEAR = 0.15
#: Strength of the ridge penalty, which keeps weights near `UNRATED` if there are few regions.
_RIDGE = 0.01


def rate_network(path: Path, seed: int = 0) -> dict[str, Any]:
    """Fit the weights of the evidence behind ``confidence`` on simulated images.

    Parameters
    ----------
    path : Path
        The ONNX file.
    seed : int
        Of the simulated images.

    Returns
    -------
    dict
        For the network's card. ``evidence``: mode (of `MODES`) → weights of the evidence that
        `confidence.gather_evidence` gathers; ``rated_on``: number of images and of regions.

    Raises
    ------
    ValueError
        If the file is no network of porescope's.

    Notes
    -----
    Every second image has no pore; the others have one to a dozen.
    """
    evidence: dict[str, list[NDArray[np.float64]]] = {mode: [] for mode in MODES}
    real: dict[str, list[NDArray[np.bool_]]] = {mode: [] for mode in MODES}
    detector = Network(path, least_confidence=0)  # which keeps every region
    for index in INDICES:
        rng = make_generator("validation", index, seed)
        cell_px = float(rng.uniform(6, 12))
        scene = draw_scene(rng, (_SIDE, _SIDE), cell_px)
        pores = draw_pores(rng, np.array(scene.shape) * scene.pixel_size)
        count = 0 if index % 2 else int(rng.integers(1, len(pores) + 1))
        drawn = draw(replace(scene, pores=pores[:count]), rng)
        found = detector.find(drawn.micrograph, find_lattice(drawn.micrograph))
        assert found.probability is not None
        mode = find_mode(scene.modality)
        evidence[mode].append(gather_evidence(found.labels, found.probability, cell_px))
        real[mode].append(find_real(drawn, found.labels))
    weights = {
        mode: _fit_weights(np.concatenate(evidence[mode]), np.concatenate(real[mode]))
        for mode in MODES
        if real[mode]
    }
    return {
        "evidence": weights,
        "rated_on": [len(INDICES), sum(len(r) for part in real.values() for r in part)],
    }


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


def _fit_weights(evidence: NDArray[np.float64], real: NDArray[np.bool_]) -> list[float]:
    """Weights of the evidence, shape (n, 4), by logistic regression on whether regions are real, shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> log_odds = np.linspace(0, 4, 400)
    >>> nothing = np.zeros(400)
    >>> evidence = np.column_stack([np.ones(400), log_odds, nothing, nothing])
    >>> weights = _fit_weights(evidence, log_odds > 2)
    >>> bool(weights[0] + 1.5 * weights[1] < 0 < weights[0] + 2.5 * weights[1])
    True
    """
    from scipy.optimize import minimize

    default = np.array(UNRATED)

    def measure_misfit(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_odds, offset = evidence @ weights, weights - default
        misfit = (np.logaddexp(0, log_odds) - real * log_odds).sum() + _RIDGE * offset @ offset
        return misfit, (1 / (1 + np.exp(-log_odds)) - real) @ evidence + 2 * _RIDGE * offset

    fitted = minimize(measure_misfit, default, jac=True).x
    return [round(float(weight), 3) for weight in fitted]
