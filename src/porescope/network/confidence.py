"""Confidence: the probability that a region is a pore, from the evidence for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Names of the evidence, in the order of its columns (`evidence.gather_evidence`).
EVIDENCE = (
    "probability", "highest_probability", "area",
    "z", "log_z", "share", "places_as_high", "places_that_stand_out", "z_around",
    "depth", "mean_depth", "amplitude", "hidden_inside", "hidden_around",
    "site", "second_site", "regions", "at_border", "no_lattice", "constant", "unknown",
)  # fmt: skip
#: Weights and offsets of the layers of a small network, as a model's card holds them: each layer's weights as
#: rows, one for each of its inputs.
Layers = Sequence[tuple[Sequence[Sequence[float]], Sequence[float]]]
#: Confidence is the region's mean probability, for a network without fitted layers.
UNRATED: Layers = [([[float(name == "probability")] for name in EVIDENCE], [0.0])]


def rate_regions(evidence: NDArray[np.float64], layers: Layers = UNRATED) -> NDArray[np.float64]:
    """Confidence of regions: the share of such regions that were real pores in simulated micrographs.

    Parameters
    ----------
    evidence : ndarray of float, shape (n, K)
        The columns of `EVIDENCE`.
    layers : Layers
        Fitted by `training.rate_network`; hyperbolic tangents stand between them.

    Returns
    -------
    ndarray of float, shape (n,)

    Examples
    --------
    >>> evidence = np.zeros((2, len(EVIDENCE)))
    >>> evidence[:, EVIDENCE.index("probability")] = 0, 2.2
    >>> rate_regions(evidence).round(1).tolist()
    [0.5, 0.9]
    """
    values = evidence
    for i, (weights, offsets) in enumerate(layers):
        values = (np.tanh(values) if i else values) @ np.asarray(weights, float) + np.asarray(offsets, float)
    return np.asarray(1 / (1 + np.exp(-values[:, 0])))


def are_layers(layers: Any) -> bool:
    """Say whether an object from a file is what `rate_regions` can use.

    Parameters
    ----------
    layers : object

    Returns
    -------
    bool

    Examples
    --------
    >>> are_layers(UNRATED), are_layers([[[1.0], [0.0]]])
    (True, False)
    """
    inputs = len(EVIDENCE)
    try:
        for weights, offsets in layers:
            shape = np.asarray(weights, float).shape
            numbers = np.append(np.asarray(weights, float).ravel(), np.asarray(offsets, float))
            if shape != (inputs, len(offsets)) or not (np.abs(numbers) < 1e6).all():
                return False
            inputs = shape[1]
    except (TypeError, ValueError):
        return False
    return inputs == 1
