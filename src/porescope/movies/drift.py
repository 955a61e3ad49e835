"""Drift: where each frame of a movie lies in the sheet.

A lattice looks the same after each of its vectors. Band-passed frames, which hardly show it, and its strength
from place to place, which is low in pores whatever their contrast, tell the place within half of one; raw
frames then tell it precisely. Each frame is compared with several, so that errors do not add up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from porescope.registration import blur, compare, measure_strength, refine_peak

#: Standard deviations of the two Gaussians whose difference is the band in which frames are compared [nm]:
#: one of the two bands without a hop in 12 fast movies (docs/movies.md).
BAND_NM = (0.15, 1.5)
#: Pixel size of band-passed frames [nm].
_COARSE_NM = 0.09
#: With which of the frames before it a frame is compared, counted backwards; also with the oldest one that is
#: kept.
_BACK = (1, 2, 4, 8)
#: Share of the frame that it must have in common with a reference.
_LEAST_COMMON = 0.3
#: Most groups of frames that a frame is compared with.
_MOST_GROUPS = 3
#: Share of the area in common at the predicted place that another place must leave.
_LEAST_SHARE = 0.25
#: Factor of the log-likelihood, as neither noise nor the frames between pixels are known (see `mosaic`).
_TRUST = 0.7
#: Least correlation with one reference at least, in standard deviations of that of noise: band-passed noise
#: reached 2.0, frames of one sheet 5.6; their strengths were not measured.
_LEAST_FIT = 3.5
#: Least spread of the places that are predicted [nm].
_LEAST_SPREAD_NM = 0.3
#: Share of the shorter side by which a frame may lie off its predicted place.
REACH = 0.33


class View(NamedTuple):
    """A frame as it is compared."""

    image: NDArray[np.float32]  # (M, N): without slow changes of brightness, 0 where nothing is known
    known: NDArray[np.bool_]  # (M, N): where there is data
    bands: tuple[NDArray[np.float32], ...]  # (M // step, N // step): of the frame, of its lattice's strength
    clear: NDArray[np.bool_]  # of the same shape: where the bands are not disturbed by borders
    step: int  # pixels of the frame for one of a band


class Drift(NamedTuple):
    """Where the frames of a movie lie."""

    places_nm: NDArray[np.float64]  # (K, 2): first pixel of each frame in frame 0's coordinates; NaN: unknown
    n_references: NDArray[np.int64]  # (K,): frames with which it was compared; 0: it fits to none
    residual_nm: NDArray[np.float64]  # (K,): rms of the offsets to them
    margin: NDArray[np.float64]  # (K,): log-likelihood ratio against places a lattice vector off and farther


#: Number of a frame → its image, and where it has data (None: everywhere); None if it cannot be used.
Load = Callable[[int], "tuple[NDArray[np.float32], NDArray[np.bool_] | None] | None"]


class _Pair(NamedTuple):
    one: int
    two: int
    offset_px: NDArray[np.float64]  # (2,): place of the second's first pixel in the first
    weight: float


class _Group:
    """Frames that fit together, with their places in the first one's pixels."""

    def __init__(self, frame: int, view: View) -> None:
        self.places: dict[int, NDArray[np.float64]] = {frame: np.zeros(2)}
        self.margins: dict[int, float] = {}
        self.pairs: list[_Pair] = []
        self.kept: dict[int, View] = {frame: view}

    def expect(self, frame: int, least: float, reach: float) -> tuple[NDArray[np.float64], float]:
        """Where a frame should lie if the drift goes on, and the spread of such places [px]."""
        numbers = np.array(list(self.places)[-7:])
        places = np.array([self.places[k] for k in numbers.tolist()])
        gap = frame - int(numbers[-1])
        if len(numbers) == 1:
            return places[-1], reach / 2
        steps = np.diff(places, axis=0) / np.diff(numbers)[:, None]
        speed = np.median(steps, axis=0)
        apart = np.hypot(*(steps - speed).T)
        usual = float(np.median(apart)) if len(steps) > 2 else float(np.hypot(*steps.T).max())
        spread = float(np.clip(4 * usual * np.sqrt(gap), least, reach / 2))
        return places[-1] + gap * speed, spread

    def choose_references(self, expected: NDArray[np.float64], shape: NDArray[np.int64]) -> list[int]:
        """Frames that a frame at a place is compared with."""
        numbers = list(self.kept)
        chosen = {numbers[0], *(numbers[-n] for n in _BACK if n <= len(numbers))}
        common = {
            k: np.clip(1 - np.abs(expected - self.places[k]) / shape, 0, None).prod() for k in sorted(chosen)
        }
        return [k for k in common if common[k] >= _LEAST_COMMON] or numbers[-1:]

    def add(self, frame: int, view: View, place: NDArray[np.float64], margin: float) -> None:
        """Add a frame, and forget those that are not compared any more."""
        self.places[frame], self.margins[frame], self.kept[frame] = place, margin, view
        numbers = list(self.kept)
        apart = np.abs(place - self.places[numbers[0]]) / np.array(view.image.shape)
        first = numbers[:1] if np.clip(1 - apart, 0, None).prod() >= _LEAST_COMMON else []
        self.kept = {k: self.kept[k] for k in (*first, *numbers[-_BACK[-1] :])}


def find_drift(
    load: Load,
    n_frames: int,
    pixel_nm: float,
    *,
    constant_nm: float = 0.28,
    reach_nm: float | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Drift:
    """Find where the frames of a movie lie.

    Parameters
    ----------
    load : callable
        Number of a frame → its image, and where it has data. It is called once for each, in order.
    n_frames : int
    pixel_nm : float
        Pixel size of all frames.
    constant_nm : float
        Lattice constant.
    reach_nm : float, optional
        How far a frame may lie from where those before it let it expect; default: a third of its shorter
        side.
    on_progress : callable
        Called with the numbers of frames that are done and that there are.

    Returns
    -------
    Drift
        The largest group of frames that fit together; its first one lies at (0, 0).
    """
    groups: list[_Group] = []
    for frame in range(n_frames):
        on_progress(frame, n_frames)
        loaded = load(frame)
        if loaded is None:
            continue
        view = prepare_view(*loaded, pixel_nm)
        reach = REACH * min(view.image.shape) if reach_nm is None else reach_nm / pixel_nm
        groups.sort(key=lambda group: len(group.places))
        # The largest group first, then those that began last.
        tried = [*groups[-1:], *sorted(groups[:-1], key=lambda g: -max(g.places))][:_MOST_GROUPS]
        if not any(_place(frame, view, group, reach, pixel_nm, constant_nm) for group in tried):
            groups.append(_Group(frame, view))
        for group in groups:
            if group not in tried:
                group.kept = dict(list(group.kept.items())[-1:])
    on_progress(n_frames, n_frames)
    return _solve(max(groups, key=lambda g: len(g.places), default=None), n_frames, pixel_nm)


def prepare_view(image: NDArray[np.float32], known: NDArray[np.bool_] | None, pixel_nm: float) -> View:
    """Prepare a frame to be compared.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    known : ndarray of bool, shape (M, N), or None
        Where there is data; None: everywhere.
    pixel_nm : float

    Returns
    -------
    View
    """
    if known is None:
        known = np.ones(image.shape, bool)
    fine, broad = (max(nm / pixel_nm, 1.0) for nm in BAND_NM)
    broad = max(broad, 3 * fine)
    filled = np.where(known, image, image[known].mean()).astype(np.float32)
    slow, smooth = (blur(filled, sigma) for sigma in (broad, fine))
    strength = measure_strength(filled, pixel_nm, fine)
    step = max(1, int(_COARSE_NM / pixel_nm))
    reach = 2 * round(2 * fine) + 1
    inside = cv2.erode(
        known.astype(np.uint8),
        np.ones((reach, reach), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    coarse = slice(step // 2, None, step), slice(step // 2, None, step)
    raw = np.where(known, filled - slow, 0).astype(np.float32)
    bands = (smooth - slow, strength - blur(strength, broad))
    return View(raw, known, tuple(np.ascontiguousarray(b[coarse]) for b in bands), inside[coarse] > 0, step)


def _place(frame: int, view: View, group: _Group, reach: float, pixel_nm: float, constant_nm: float) -> bool:
    """Add a frame to a group if it fits."""
    expected, spread = group.expect(frame, max(_LEAST_SPREAD_NM / pixel_nm, 1.0), reach)
    references = group.choose_references(expected, np.array(view.image.shape))
    at = [(group.kept[k], group.places[k]) for k in references]
    found = _place_roughly(view, at, expected, spread, reach, pixel_nm, 0.75 * constant_nm / pixel_nm)
    if found is None:
        return False
    rough, margin = found
    places = []
    for k, (reference, place) in zip(references, at, strict=True):
        offset, weight = _refine(reference, view, rough - place, constant_nm / 2 / pixel_nm)
        group.pairs.append(_Pair(k, frame, offset, weight))
        places.append(place + offset)
    group.add(frame, view, np.median(places, axis=0), margin)
    return True


def _place_roughly(
    view: View,
    references: Sequence[tuple[View, NDArray[np.float64]]],
    expected: NDArray[np.float64],
    spread: float,
    reach: float,
    pixel_nm: float,
    apart_px: float,
) -> tuple[NDArray[np.float64], float] | None:
    """The likeliest place of a frame by its bands, and its margin; None if it fits nowhere."""
    n, step = int(np.ceil(reach / view.step)) + 2, view.step
    y, x = np.mgrid[-n : n + 1, -n : n + 1] * float(step)
    away = np.hypot(y, x)
    cell_px = 4 * np.pi * (max(BAND_NM[0], pixel_nm) / pixel_nm / step) ** 2
    scores, fits = [], []
    for reference, place in references:
        middle = (expected - place) / step + np.array(view.clear.shape) - 1
        of_bands = []
        for before, now in zip(reference.bands, view.bands, strict=True):
            found = compare(before, reference.clear, now, view.clear)
            correlation, difference, common = (
                cv2.getRectSubPix(values, (2 * n + 1, 2 * n + 1), middle[::-1].tolist()) for values in found
            )
            valid = (away <= reach) & (common >= max(_LEAST_SHARE * common[n, n], 16))
            full = valid & (common >= 0.5 * common[n, n])
            if not full.any():
                break
            noise = max(float(difference[full].min()), 1e-30)
            score = -_TRUST * common / cell_px / 2 * (difference / noise - 1)
            of_bands.append(np.where(valid, score, -np.inf))
            fits.append(np.arctanh(np.minimum(correlation, 0.999)) * np.sqrt(np.maximum(common, 0) / cell_px))
        if of_bands:
            scores.append(np.sum(of_bands, axis=0))
    # Frames drift on as before; a place farther off is unlikely, but never out of the question.
    total = np.mean([*scores], axis=0) - 1.5 * np.log1p((away / spread) ** 2) if scores else away - np.inf
    best = np.array(np.unravel_index(int(total.argmax()), total.shape))
    if not np.isfinite(total[tuple(best)]) or max(fit[tuple(best)] for fit in fits) < _LEAST_FIT:
        return None
    others = np.hypot(y - y[tuple(best)], x - x[tuple(best)]) >= apart_px
    margin = float(total[tuple(best)] - total[others].max(initial=-np.inf))
    around = total[tuple(slice(max(k - 1, 0), k + 2) for k in best)]
    top = refine_peak(total, best) if around.shape == (3, 3) and np.isfinite(around).all() else best
    return expected + (top - n) * step, margin


def _refine(
    one: View, two: View, offset: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.float64], float]:
    """The offset at which raw frames agree best within a distance, and their correlation there."""
    shift = np.rint(offset).astype(int)
    low, high = np.maximum(shift, 0), np.minimum(np.add(two.image.shape, shift), one.image.shape)
    here = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    there = tuple(slice(a, b) for a, b in zip(low - shift, high - shift, strict=True))
    known = one.known[here] & two.known[there]
    a, b = (np.where(known, image, 0) for image in (one.image[here], two.image[there]))
    n = int(np.ceil(reach)) + 2
    size = [fft.next_fast_len(k + 2 * n, real=True) for k in known.shape]
    products = fft.irfft2(fft.rfft2(a, size) * fft.rfft2(b, size).conj(), size)
    products = np.roll(products, (n, n), (0, 1))[: 2 * n + 1, : 2 * n + 1]
    y, x = np.mgrid[-n : n + 1, -n : n + 1]
    share = (1 - np.abs(y) / known.shape[0]) * (1 - np.abs(x) / known.shape[1])
    scale = np.sqrt(float(np.square(a).sum()) * float(np.square(b).sum()))
    values = (products / np.maximum(share, 0.1) / max(scale, 1e-30)).astype(np.float32)
    away = offset - shift
    near = np.hypot(y - away[0], x - away[1]) <= reach
    near[[0, -1]] = near[:, [0, -1]] = False
    best = np.array(np.unravel_index(int(np.where(near, values, -np.inf).argmax()), values.shape))
    return shift + refine_peak(values, best) - n, max(float(values[tuple(best)]), 0.0)


def _solve(group: _Group | None, n_frames: int, pixel_nm: float) -> Drift:
    """Solve for the places that fit all pairs best."""
    places = np.full((n_frames, 2), np.nan)
    count, residual, margin = np.zeros(n_frames, int), np.full(n_frames, np.nan), np.full(n_frames, np.nan)
    if group is not None and (group.pairs or n_frames == 1):
        frames = np.array(sorted(group.places))
        places[frames] = 0.0
        for k, value in group.margins.items():
            margin[k] = value
    if group is not None and group.pairs:
        one, two = np.array([(p.one, p.two) for p in group.pairs]).T
        offsets = np.array([p.offset_px for p in group.pairs])
        weights = np.array([p.weight for p in group.pairs]) + 1e-6
        i, j = np.searchsorted(frames, one), np.searchsorted(frames, two)
        solved = _balance(len(frames), i, j, offsets, weights)
        places[frames] = solved * pixel_nm
        squares = np.square((solved[j] - solved[i] - offsets) * pixel_nm).sum(axis=1)
        for ends in (one, two):
            count += np.bincount(ends, minlength=n_frames)
        sums = np.bincount(one, squares, n_frames) + np.bincount(two, squares, n_frames)
        residual[count > 0] = np.sqrt(sums[count > 0] / count[count > 0])
    return Drift(places, count, residual, margin)


def _balance(
    n: int,
    i: NDArray[np.int64],
    j: NDArray[np.int64],
    offsets: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Places (n, 2) with the least squares of what the offsets of pairs are missed by; the first at 0."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    values = np.concatenate([weights, weights, -weights, -weights])
    matrix = coo_array((values, (np.r_[i, j, i, j], np.r_[i, j, j, i])), shape=(n, n)).tocsc()
    pull = np.zeros((n, 2))
    np.add.at(pull, j, weights[:, None] * offsets)
    np.add.at(pull, i, -weights[:, None] * offsets)
    places = np.zeros((n, 2))
    places[1:] = np.reshape(spsolve(matrix[1:, 1:], pull[1:]), (n - 1, 2))
    return places
