"""How sure a region is to be a pore."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from porescope.labels import keep_regions
from porescope.network.model import Model, find_mode

#: What the evidence of a region weighs where a network was not rated: its probability stands.
UNRATED = (0.0, 1.0, 0.0, 0.0)


#: What is less sure to be a pore is left out, unless a user says otherwise.
LEAST_CONFIDENCE = 0.5


def keep_pores(
    labels: NDArray[np.int32], confidence: NDArray[np.float64], least: float
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Leave out the regions that are less sure to be pores, and number the others anew."""
    kept = confidence >= least
    return keep_regions(labels, kept), confidence[kept]


def measure_regions(labels: NDArray[np.int32], probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean probability over the likelier half of each region's pixels: shape (n,).

    At its edge that of any pore falls off, the more so in blurred images.

    Examples
    --------
    >>> labels = np.array([[1, 1, 1, 1, 0, 2]], np.int32)
    >>> measure_regions(labels, np.array([[0.5, 0.9, 0.7, 0.6, 0, 0.75]], np.float32)).round(3).tolist()
    [0.8, 0.75]
    """
    inside = labels > 0
    owner, values = labels[inside], probability[inside]
    sums = np.append(0.0, np.cumsum(values[np.lexsort((values, owner))], dtype=float))
    count = np.bincount(owner)[1:]
    end = np.cumsum(count)
    begin = end - count + count // 2
    return np.asarray((sums[end] - sums[begin]) / (end - begin))


def gather_evidence(
    labels: NDArray[np.int32], probability: NDArray[np.float32], cell_px: float
) -> NDArray[np.float64]:
    """What speaks for each region of a label image: shape (n, 4).

    1; its probability, as `measure_regions` has it, in log odds; how small it is (logarithm of its area
    in 1.5 lattice constants², at most 0); the mean of the image's other regions, weighted by their
    diameters, in log odds: doubtful regions come in crowds, beside certain pores they are often pores.

    Examples
    --------
    >>> from porescope.labels import label_regions
    >>> probability = np.zeros((30, 40), np.float32)
    >>> probability[5:15, 5:15], probability[20:25, 20:25] = 0.9, 0.6
    >>> labels = label_regions(probability > 0.5)
    >>> gather_evidence(labels, probability, 8.0).round(1).tolist()
    [[1.0, 2.2, 0.0, 1.3], [1.0, 0.4, -1.3, 2.2]]
    """
    mean = measure_regions(labels, probability)
    area = np.bincount(labels.ravel())[1:] / cell_px**2
    weight = np.sqrt(area)
    # Alone, a region is judged as beside one of a cell and 0.9.
    others = ((mean @ weight + 0.9) - mean * weight) / ((weight.sum() + 1) - weight)
    small = np.minimum(np.log(area / 1.5), 0)
    return np.column_stack([np.ones_like(mean), _find_log_odds(mean), small, _find_log_odds(others)])


def _find_log_odds(p: NDArray[np.float64]) -> NDArray[np.float64]:
    p = p.clip(1e-4, 1 - 1e-4)
    return np.asarray(np.log(p / (1 - p)))


def rate_regions(evidence: NDArray[np.float64], modality: str, model: Model) -> NDArray[np.float64]:
    """Confidence of regions: the share of such that were real.

    The network's card says how much each piece of evidence weighs, from simulated images; without,
    the probability stands.
    """
    weights = model.card.get("evidence", {}).get(find_mode(modality), UNRATED)
    return np.asarray(1 / (1 + np.exp(-evidence @ np.array(weights))))
