"""Compare label images with standards: precision, recall, F1, IoU, Hamming distance, pores found."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from porescope.files.names import ENDINGS, FILES
from porescope.labels import label_regions
from porescope.standards import find_standards, read_standard


@dataclass(frozen=True)
class Score:
    """How a label image compares with a standard; sums of several are pooled over pixels.

    Attributes
    ----------
    tp, fp, fn : int
        Pixels in both, only in the labels, only in the standard.
    found, missed, false : int
        Pores of the standard with and without a region of their own; regions without a pore.
    diameter_ratios : tuple of float
        Equivalent diameter of each found pore over that of the standard.
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

    @property
    def counts(self) -> NDArray[np.int64]:
        """The six counts, as the metrics take them: tp, fp, fn, found, missed, false."""
        return np.array([self.tp, self.fp, self.fn, self.found, self.missed, self.false])

    @property
    def precision(self) -> float:
        """Share of the labels' pixels that are right; 0 if there are none but should be."""
        return float(precision(self.counts))

    @property
    def recall(self) -> float:
        """Share of the standard's pixels that are found."""
        return float(recall(self.counts))

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of pixels."""
        return float(f1(self.counts))

    @property
    def iou(self) -> float:
        """Pixels in both over pixels in either."""
        return float(iou(self.counts))

    @property
    def hamming(self) -> int:
        """Number of pixels that differ."""
        return self.fp + self.fn

    @property
    def pore_f1(self) -> float:
        """Harmonic mean of precision and recall of pores."""
        return float(pore_f1(self.counts))

    @property
    def diameter_bias(self) -> float:
        """Median of diameter over the standard's, minus 1; NaN if none was found."""
        return float(np.median(self.diameter_ratios)) - 1 if self.diameter_ratios else math.nan

    @property
    def diameter_error(self) -> float:
        """Median deviation of the diameter from the standard's, as a share; NaN if none."""
        ratios = np.abs(np.array(self.diameter_ratios) - 1)
        return float(np.median(ratios)) if len(ratios) else math.nan


Counts = NDArray[np.integer]


def _share(part: Counts, whole: Counts, empty: Counts) -> NDArray[np.float64]:
    """Part of the whole; where there is no whole, 1 if it is rightly ``empty`` and else 0."""
    return np.where(whole > 0, part / np.maximum(whole, 1), empty)


def precision(counts: Counts) -> NDArray[np.float64]:
    """Pixel precision of counts of shape (…, 6) as `Score.counts` gives them."""
    tp, fp, fn = (counts[..., i] for i in range(3))
    return _share(tp, tp + fp, fn == 0)


def recall(counts: Counts) -> NDArray[np.float64]:
    """Pixel recall of counts of shape (…, 6)."""
    tp, fp, fn = (counts[..., i] for i in range(3))
    return _share(tp, tp + fn, fp == 0)


def f1(counts: Counts) -> NDArray[np.float64]:
    """Harmonic mean of pixel precision and recall of counts of shape (…, 6)."""
    tp, fp, fn = (counts[..., i] for i in range(3))
    return _share(2 * tp, 2 * tp + fp + fn, tp == 0)


def iou(counts: Counts) -> NDArray[np.float64]:
    """Intersection over union of pixels of counts of shape (…, 6)."""
    tp, fp, fn = (counts[..., i] for i in range(3))
    return _share(tp, tp + fp + fn, tp == 0)


def agreement(counts: Counts) -> NDArray[np.float64]:
    """Hamming distance of counts of shape (…, 6) [px], negative, so that more is better."""
    return -(counts[..., 1] + counts[..., 2]).astype(float)


def pore_f1(counts: Counts) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall of pores of counts of shape (…, 6)."""
    found, missed, false = (counts[..., i] for i in range(3, 6))
    return _share(2 * found, 2 * found + missed + false, found == 0)


#: What can be tuned for; of each more is better.
METRICS = {
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "iou": iou,
    "hamming": agreement,
    "pore_f1": pore_f1,
}


def wilson_interval(hits: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Confidence interval of a share, sound for few cases (Wilson 1927).

    Parameters
    ----------
    hits, n : int
    z : float
        1.96 for 95 %.

    Returns
    -------
    tuple of float

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
        Label images; of a boolean mask the 8-connected regions are taken.
    pixel_size : tuple of float or float
        [nm]; diameters are compared as ratios, so that square pixels need none.
    min_iou : float
        A region is a pore's own if their IoU is at least this; with 0 any common pixel does,
        and then only a region that overlaps no pore at all is false.

    Returns
    -------
    Score

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Pores and regions are matched one to one, as many as can be and then with the largest IoU.

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
    tp = int((true & got).sum())
    areas_true, areas_got = np.bincount(standard.ravel()), np.bincount(labels.ravel())
    numbers_true, numbers_got = (np.flatnonzero(a[1:]) + 1 for a in (areas_true, areas_got))
    overlap = np.zeros((len(areas_true), len(areas_got)), np.int64)
    np.add.at(overlap, (standard[true & got], labels[true & got]), 1)
    overlap = overlap[np.ix_(numbers_true, numbers_got)]
    union = areas_true[numbers_true][:, None] + areas_got[numbers_got][None] - overlap
    iou = overlap / union
    allowed = (overlap > 0) & (iou >= min_iou)
    # The IoUs together weigh less than one more match.
    gain = np.where(allowed, 1 + iou / (len(iou) + 1), 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    matched = allowed[rows, columns]
    rows, columns = rows[matched], columns[matched]
    if min_iou > 0:
        false = len(numbers_got) - len(rows)
    else:
        false = int((~allowed.any(axis=0)).sum()) if len(numbers_got) else 0
    ratios = np.sqrt(areas_got[numbers_got][columns] / areas_true[numbers_true][rows])
    return Score(
        tp=tp,
        fp=int(got.sum()) - tp,
        fn=int(true.sum()) - tp,
        found=len(rows),
        missed=len(numbers_true) - len(rows),
        false=false,
        diameter_ratios=tuple(float(r) for r in ratios),
    )


def score_results(out: Path, folder: Path) -> dict[str, Score]:
    """Score the label images that ``porescope detect`` wrote, each against its standard.

    Parameters
    ----------
    out : Path
        The folder of the results.
    folder : Path
        Where the standards are.

    Returns
    -------
    dict
        Name of the image → `Score`, for the images that have a standard.

    Raises
    ------
    ValueError
        If the folder holds no results, or no image has a standard.
    """
    import pandas as pd
    import tifffile

    if not (out / FILES["images"]).is_file():
        raise ValueError(f"{out} holds no images.csv; give the folder of a porescope detect run")
    if not folder.is_dir():
        raise ValueError(f"--standards {folder} is not a folder")
    images = pd.read_csv(out / FILES["images"], dtype=str, keep_default_na=False)
    if not {"image", "file", "status"} <= set(images):
        raise ValueError(f"{out / FILES['images']} is not porescope's: it lacks image, file or status")
    ok = images[images.status == "ok"]
    done = ok.drop_duplicates("file", keep=False)
    if len(done) < len(ok):
        warnings.warn(
            f"{ok.file.nunique() - len(done)} stacks are not scored, only single images", stacklevel=2
        )
    files = {Path(f): str(n) for f, n in zip(done["file"], done["image"], strict=True)}
    scores = {}
    for file, standard in find_standards(files, folder).items():
        labels = np.asarray(tifffile.imread(out / f"{files[file]}{ENDINGS['labels']}"), np.int32)
        scores[files[file]] = score(read_standard(standard, labels.shape), labels)
    if not scores:
        raise ValueError(
            f"{folder} holds no standard of an image in {out}; name it like A_standard.png for A.dm3"
        )
    return scores
