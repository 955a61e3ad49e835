"""Score label images against standards: precision, recall, F1, IoU, Hamming distance, pores found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from porescope.labels import label_regions


@dataclass(frozen=True)
class Score:
    """Counts from the comparison of a label image with a standard; adding scores pools their counts.

    Attributes
    ----------
    tp, fp, fn : int
        True positive, false positive and false negative pixels: in both images, only in the labels, only
        in the standard.
    found, missed, false : int
        Pores of the standard that match a region, and that match none; regions that match no pore.
    diameter_ratios : tuple of float
        For each found pore: equivalent diameter of the region / that of the pore.
    """

    tp: int
    fp: int
    fn: int
    found: int
    missed: int
    false: int
    diameter_ratios: tuple[float, ...] = ()

    def __add__(self, other: Score) -> Score:
        return Score(
            self.tp + other.tp, self.fp + other.fp, self.fn + other.fn,
            self.found + other.found, self.missed + other.missed, self.false + other.false,
            self.diameter_ratios + other.diameter_ratios,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"Score({', '.join(f'{name} {value}' for name, value in self._figures().items())})"

    def _repr_html_(self) -> str:
        """Show the figures as a table in a notebook."""
        heads, cells = (
            "".join(f"<{tag}>{text}</{tag}>" for text in texts)
            for tag, texts in (("th", self._figures()), ("td", self._figures().values()))
        )
        return f"<table><thead><tr>{heads}</tr></thead><tbody><tr>{cells}</tr></tbody></table>"

    def _figures(self) -> dict[str, str]:
        shares = {name: f"{getattr(self, name.lower()):.3f}" for name in ("precision", "recall", "F1", "IoU")}
        counts = {name: str(getattr(self, name)) for name in ("found", "missed", "false")}
        sizes = {"diameter bias": f"{self.diameter_bias:+.1%}", "error": f"{self.diameter_error:.1%}"}
        counts = {"Hamming [px]": str(self.hamming), **counts}
        return {**shares, **counts, **(sizes if self.diameter_ratios else {})}

    @property
    def counts(self) -> NDArray[np.int64]:
        """The counts as the metrics take them, shape (6,): tp, fp, fn, found, missed, false."""
        return np.array([self.tp, self.fp, self.fn, self.found, self.missed, self.false])

    @property
    def precision(self) -> float:
        """Pixel precision: tp / (tp + fp); with empty labels 1 if the standard is empty too, else 0."""
        return float(precision(self.counts))

    @property
    def recall(self) -> float:
        """Pixel recall: tp / (tp + fn); with an empty standard 1 if the labels are empty too, else 0."""
        return float(recall(self.counts))

    @property
    def f1(self) -> float:
        """Harmonic mean of pixel precision and recall."""
        return float(f1(self.counts))

    @property
    def iou(self) -> float:
        """Intersection over union of the pixels: tp / (tp + fp + fn)."""
        return float(iou(self.counts))

    @property
    def hamming(self) -> int:
        """Hamming distance: number of pixels that differ [px]."""
        return self.fp + self.fn

    @property
    def pore_f1(self) -> float:
        """Harmonic mean of pore precision and pore recall."""
        return float(pore_f1(self.counts))

    @property
    def diameter_bias(self) -> float:
        """Median of the diameter ratios, minus 1; NaN if no pore was found."""
        return float(np.median(self.diameter_ratios)) - 1 if self.diameter_ratios else math.nan

    @property
    def diameter_error(self) -> float:
        """Median of |diameter ratio - 1|; NaN if no pore was found."""
        ratios = np.abs(np.array(self.diameter_ratios) - 1)
        return float(np.median(ratios)) if len(ratios) else math.nan


_Counts = NDArray[np.integer]


def _divide(part: _Counts, whole: _Counts, empty: _Counts) -> NDArray[np.float64]:
    """``part / whole``; where ``whole`` is 0, 1 if ``empty`` is true (nothing was to be found), else 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), empty)


def precision(counts: _Counts) -> NDArray[np.float64]:
    """Pixel precision.

    Parameters
    ----------
    counts : ndarray of int, shape (…, 6)
        tp, fp, fn, found, missed, false, as `Score.counts` gives them.

    Returns
    -------
    ndarray of float, shape (…)
        From 0 to 1.
    """
    tp, fp, fn = (counts[..., i] for i in range(3))
    return _divide(tp, tp + fp, fn == 0)


def recall(counts: _Counts) -> NDArray[np.float64]:
    """Pixel recall.

    Parameters
    ----------
    counts : ndarray of int, shape (…, 6)
        tp, fp, fn, found, missed, false, as `Score.counts` gives them.

    Returns
    -------
    ndarray of float, shape (…)
        From 0 to 1.
    """
    tp, fp, fn = (counts[..., i] for i in range(3))
    return _divide(tp, tp + fn, fp == 0)


def f1(counts: _Counts) -> NDArray[np.float64]:
    """Harmonic mean of pixel precision and recall.

    Parameters
    ----------
    counts : ndarray of int, shape (…, 6)
        tp, fp, fn, found, missed, false, as `Score.counts` gives them.

    Returns
    -------
    ndarray of float, shape (…)
        From 0 to 1.
    """
    tp, fp, fn = (counts[..., i] for i in range(3))
    return _divide(2 * tp, 2 * tp + fp + fn, tp == 0)


def iou(counts: _Counts) -> NDArray[np.float64]:
    """Intersection over union of the pixels.

    Parameters
    ----------
    counts : ndarray of int, shape (…, 6)
        tp, fp, fn, found, missed, false, as `Score.counts` gives them.

    Returns
    -------
    ndarray of float, shape (…)
        From 0 to 1.
    """
    tp, fp, fn = (counts[..., i] for i in range(3))
    return _divide(tp, tp + fp + fn, tp == 0)


def _negative_hamming(counts: _Counts) -> NDArray[np.float64]:
    """Negative Hamming distance [px], so that higher is better, as with the other metrics."""
    return -(counts[..., 1] + counts[..., 2]).astype(float)


def pore_f1(counts: _Counts) -> NDArray[np.float64]:
    """Harmonic mean of pore precision and pore recall.

    Parameters
    ----------
    counts : ndarray of int, shape (…, 6)
        tp, fp, fn, found, missed, false, as `Score.counts` gives them.

    Returns
    -------
    ndarray of float, shape (…)
        From 0 to 1.
    """
    found, missed, false = (counts[..., i] for i in range(3, 6))
    return _divide(2 * found, 2 * found + missed + false, found == 0)


#: Metrics that a recipe can be tuned for, by name; higher is better for each.
METRICS = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "iou": iou,
    "hamming": _negative_hamming,
    "pore_f1": pore_f1,
}


def wilson_interval(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson confidence interval of a proportion, which holds for small samples too (Wilson 1927).

    Parameters
    ----------
    hits, n : int
        Successes, and trials.
    z : float
        Quantile of the normal distribution: 1.96 for 95 %.

    Returns
    -------
    low, high : float
        From 0 to 1; (0, 1) without trials.

    References
    ----------
    doi:10.1080/01621459.1927.10502953

    Examples
    --------
    >>> [round(limit, 2) for limit in wilson_interval(17, 17)]
    [0.82, 1.0]
    """
    if n == 0:
        return 0.0, 1.0
    share = hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def score(
    standard: NDArray[Any],
    labels: NDArray[Any],
    pixel_size: tuple[float, float] | float = 1.0,
    *,
    min_iou: float = 0.0,
) -> Score:
    """Compare a label image with a standard.

    Parameters
    ----------
    standard, labels : ndarray, shape (M, N)
        Label images, or boolean masks, whose 8-connected regions are labelled.
    pixel_size : tuple of float or float
        Ignored: diameters are compared as ratios, which do not depend on it.
    min_iou : float
        Lowest IoU at which a region matches a pore. With 0 one common pixel is enough, and a region
        counts as false only if it overlaps no pore at all.

    Returns
    -------
    Score

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Pores and regions are matched one to one, so that the number of matches is largest and, among such
    matchings, the sum of their IoUs.

    Examples
    --------
    >>> import numpy as np
    >>> both = np.zeros((5, 6), bool); both[1:3, 1:3] = True
    >>> score(both, both).found
    1
    """
    standard, labels = (
        label_regions(a) if np.asarray(a).dtype == bool else np.asarray(a) for a in (standard, labels)
    )
    if standard.shape != labels.shape:
        raise ValueError(f"standard has shape {standard.shape}, labels have {labels.shape}; they must match")
    true, got = standard > 0, labels > 0
    both = true & got
    areas_true, areas_got = np.bincount(standard.ravel()), np.bincount(labels.ravel())
    keys = standard[both].astype(np.int64) * len(areas_got) + labels[both]
    keys, overlap = np.unique(keys, return_counts=True)
    pairs = np.array(np.divmod(keys, len(areas_got)))
    iou = overlap / (areas_true[pairs[0]] + areas_got[pairs[1]] - overlap)
    allowed = pairs[:, iou >= min_iou]
    matched = _match(allowed, iou[iou >= min_iou])
    n_true, n_got = (int(np.count_nonzero(areas[1:])) for areas in (areas_true, areas_got))
    false = n_got - (matched.shape[1] if min_iou > 0 else len(np.unique(allowed[1])))
    ratios = np.sqrt(areas_got[matched[1]] / areas_true[matched[0]])
    return Score(
        tp=int(both.sum()),
        fp=int(got.sum() - both.sum()),
        fn=int(true.sum() - both.sum()),
        found=matched.shape[1],
        missed=n_true - matched.shape[1],
        false=false,
        diameter_ratios=tuple(float(r) for r in ratios),
    )


def _match(pairs: NDArray[np.int64], iou: NDArray[np.float64]) -> NDArray[np.int64]:
    """Match pores and regions one to one, each connected component of overlaps by itself.

    Parameters
    ----------
    pairs : ndarray of int, shape (2, n)
        Labels of a pore and of a region that overlap, sorted.
    iou : ndarray of float, shape (n,)

    Returns
    -------
    ndarray of int, shape (2, m)
        The pairs that are matched, sorted.
    """
    (pores, rows), (regions, columns) = (np.unique(numbers, return_inverse=True) for numbers in pairs)
    n = len(pores) + len(regions)
    graph = coo_array((np.ones(len(rows)), (rows, len(pores) + columns)), shape=(n, n))
    component = connected_components(graph, directed=False)[1][rows]
    kept = np.zeros(len(rows), bool)
    order = np.argsort(component, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(component[order])) + 1):
        if len(members) < 2:
            kept[members] = True
            continue
        (_, y), (_, x) = (np.unique(side[members], return_inverse=True) for side in (rows, columns))
        gain, member = np.zeros((y.max() + 1, x.max() + 1)), np.full((y.max() + 1, x.max() + 1), -1)
        # All IoUs of a component together add less than one more match would.
        gain[y, x], member[y, x] = 1 + iou[members] / (len(members) + 1), members
        best = member[linear_sum_assignment(gain, maximize=True)]
        kept[best[best >= 0]] = True
    return np.asarray(pairs[:, kept])
