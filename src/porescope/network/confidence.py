"""Confidence: the probability that a region is a pore, from the evidence of the network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from porescope.labels import measure_areas
from porescope.network.model import Model, find_mode
from porescope.strips import cut_strips

#: Default weights of the evidence, for a network without fitted ones: confidence = probability.
UNRATED = (0.0, 1.0, 0.0, 0.0)
#: Area below which size counts as evidence against a region [lattice constants²].
_SMALL = 1.5
#: Prior of a region's company: one neighbour of 1 cell² with this probability.
_COMPANY = 0.9


def measure_regions(labels: NDArray[np.int32], probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean probability of the more probable half of each region's pixels.

    The probability falls off at the edge of every pore, more so in blurred images.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
        Numbered without gaps.
    probability : ndarray of float, shape (M, N)
        Probability of a pore at each pixel.

    Returns
    -------
    ndarray of float, shape (n,)
        In the order of the labels.

    Examples
    --------
    >>> labels = np.array([[1, 1, 1, 1, 0, 2]], np.int32)
    >>> measure_regions(labels, np.array([[0.5, 0.9, 0.7, 0.6, 0, 0.75]], np.float32)).round(3).tolist()
    [0.8, 0.75]
    """
    parts = [(labels[rows], probability[rows]) for rows in cut_strips(labels.shape)]
    owner = np.concatenate([part[part > 0] for part, _ in parts])
    values = np.concatenate([values[part > 0] for part, values in parts])
    sums = np.append(0.0, np.cumsum(values[np.lexsort((values, owner))], dtype=float))
    count = np.bincount(owner)[1:]
    end = np.cumsum(count)
    begin = end - count + count // 2
    return np.asarray((sums[end] - sums[begin]) / (end - begin))


def gather_evidence(
    labels: NDArray[np.int32], probability: NDArray[np.floating], cell_px: float
) -> NDArray[np.float64]:
    """Gather the evidence for each region of a label image.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
        Numbered without gaps.
    probability : ndarray of float, shape (M, N)
        Probability of a pore at each pixel.
    cell_px : float
        Lattice constant [px].

    Returns
    -------
    ndarray of float, shape (n, 4)
        Columns: 1; log odds of the region's probability (`measure_regions`); size (logarithm of the area
        in units of 1.5 lattice constants², at most 0); log odds of the mean probability of the other
        regions in the image, weighted by their diameters.

    Notes
    -----
    Doubtful regions come in crowds; regions near certain pores are often pores.

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
    area = measure_areas(labels)[1:] / cell_px**2
    weight = np.sqrt(area)
    others = ((mean @ weight + _COMPANY) - mean * weight) / ((weight.sum() + 1) - weight)
    small = np.minimum(np.log(area / _SMALL), 0)
    return np.column_stack([np.ones_like(mean), _log_odds(mean), small, _log_odds(others)])


def _log_odds(p: NDArray[np.float64]) -> NDArray[np.float64]:
    p = p.clip(1e-4, 1 - 1e-4)
    return np.asarray(np.log(p / (1 - p)))


def rate_regions(evidence: NDArray[np.float64], modality: str, model: Model) -> NDArray[np.float64]:
    """Confidence of regions: the share of such regions that were real pores in simulated micrographs.

    Parameters
    ----------
    evidence : ndarray of float, shape (n, 4)
        As `gather_evidence` returns it.
    modality : {"haadf", "bf", "abf", "hrtem"}
    model : Model
        Its card holds the fitted weights of the evidence; without them confidence is the probability.

    Returns
    -------
    ndarray of float, shape (n,)
    """
    weights = model.card.get("evidence", {}).get(find_mode(modality), UNRATED)
    return np.asarray(1 / (1 + np.exp(-evidence @ np.array(weights))))
