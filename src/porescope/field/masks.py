"""The field of view as a mask: where an image has data."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.field.blanks import find_blank
from porescope.micrograph import Micrograph

#: Significance level: largest probability that chance makes a run of equal pixels in an image.
_CHANCE = 1e-6
#: Shortest run of equal pixels that may be no data [px].
_SHORTEST_RUN = 8
#: Side of the tiles in which equal neighbours are counted [px], and the quantile of the tiles that stands
#: for data: a twentieth of the image must hold some.
_TILE, _BUSIEST = 16, 0.05
#: Step to which computed grey values are rounded, relative to what 98 % of them span; and most pixels from
#: which that is measured.
_STEP, _MOST_SAMPLED = 2.0**-12, 2**20
#: Share of equal neighbours from which what is left is a drawing, or too few counts to tell.
_DRAWN = 0.5
#: Most values that are looked at.
_MOST_VALUES = 6


def find_field(
    image: NDArray[np.float32], known: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_] | None:
    """Find where an image has data.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
        Finite.
    known : ndarray of bool, shape (M, N), optional
        Where there is data as far as is known; default: everywhere.

    Returns
    -------
    ndarray of bool, shape (M, N), or None
        ``known`` without what is found to have no data; None stands for data everywhere.

    Notes
    -----
    An area without data has one value, over runs of pixels longer than chance allows. In data each pixel
    has the commonest value with a probability of at most √q, where q is the share of equal neighbours.
    A run of n pixels then has a probability of at most q^(n/2) at each place.

    A clipped pore may be flat too. Its edge bulges into the data; the edge of an area without data is
    straight or surrounds the data (a rotated image, a round aperture). So such an area counts if it
    reaches the border and lies outside the convex hull of what it leaves, or if it is a rectangle.

    Examples
    --------
    >>> image = np.random.default_rng(0).poisson(90, (60, 80)).astype(np.float32)
    >>> find_field(image) is None
    True
    >>> image[50:] = 0
    >>> find_field(image).sum(axis=0).tolist() == [50] * 80
    True
    """
    if min(image.shape) < _SHORTEST_RUN:
        return known
    image = _round_computed(image)
    equal = [_find_equal(image, axis) for axis in (0, 1)]
    kernels = [np.ones((_SHORTEST_RUN - 1, 1), np.uint8), np.ones((1, _SHORTEST_RUN - 1), np.uint8)]
    if not any(cv2.erode(pairs, kernel).any() for pairs, kernel in zip(equal, kernels, strict=True)):
        return known
    least = _find_least_run(equal)
    flat = _find_runs(equal, least)
    del equal
    if not flat.any():
        return known
    outside = np.zeros(image.shape, np.bool_) if known is None else ~known
    values, counts = np.unique(image[flat], return_counts=True)
    values = values[np.argsort(-counts, kind="stable")[:_MOST_VALUES]]
    before = -1
    # What lies behind a line around a bar reaches the border once the line is taken.
    while (after := int(outside.sum())) != before:
        before = after
        for value in values:
            outside |= find_blank(image, flat & ~outside, float(value), outside)
    field = ~outside
    if field.all() or not _is_data(image, field):
        return known
    return field


def look_for_field(micrograph: Micrograph) -> Micrograph:
    """Leave out of a micrograph's field what has no data.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    Micrograph
        The same object where nothing is left out.

    Examples
    --------
    >>> image = np.random.default_rng(0).poisson(90, (60, 80)).astype(np.float32)
    >>> image[:, :20] = 0
    >>> look_for_field(Micrograph(image, 0.04)).field.mean()
    np.float64(0.75)
    """
    field = find_field(micrograph.image, micrograph.field)
    return micrograph if field is micrograph.field else replace(micrograph, field=field)


def _round_computed(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round grey values that are no integers to steps around the commonest one.

    Interpolation of floats leaves a constant that differs in its last digits.
    """
    sample = image.ravel()[:: -(-image.size // _MOST_SAMPLED)]
    if np.array_equal(sample, np.rint(sample)):
        return image
    values, counts = np.unique(sample, return_counts=True)
    usual, step = values[counts.argmax()], np.float32(_STEP * np.ptp(np.quantile(sample, (0.01, 0.99))))
    if step == 0:
        return image
    with np.errstate(over="ignore", invalid="ignore"):
        rounded: NDArray[np.float32] = image - usual
        rounded /= step
        np.rint(rounded, out=rounded)
        rounded *= step
        rounded += usual
    return rounded


def _find_equal(image: NDArray[np.float32], axis: int) -> NDArray[np.uint8]:
    """1 where a pixel equals the next one along an axis, between two rows or columns of 0."""
    rows, columns = image.shape
    if axis == 0:
        equal = np.zeros((rows + 1, columns), np.uint8)
        np.equal(image[1:], image[:-1], out=equal[1:-1].view(np.bool_))
    else:
        equal = np.zeros((rows, columns + 1), np.uint8)
        np.equal(image[:, 1:], image[:, :-1], out=equal[:, 1:-1].view(np.bool_))
    return equal


def _find_least_run(equal: list[NDArray[np.uint8]]) -> int:
    """Length of a run of equal pixels that chance does not make [px]."""
    shares = []
    for pairs in equal:
        size = tuple(max(n // _TILE, 1) for n in pairs.shape)
        tiles = cv2.resize(pairs * np.uint8(255), size[::-1], interpolation=cv2.INTER_AREA)
        shares.append(float(np.quantile(tiles, _BUSIEST)) / 255)
    share = float(np.clip(np.mean(shares), 1e-6, 1 - 1e-6))
    places = np.log(equal[0].size) - np.log(_CHANCE)
    return max(int(np.ceil(2 * places / -np.log(share))), _SHORTEST_RUN)


def _find_runs(equal: list[NDArray[np.uint8]], least: int) -> NDArray[np.bool_]:
    """Pixels in runs of ``least`` equal ones, along rows or columns."""
    down, along = equal
    rows, columns = down.shape[0] - 1, along.shape[1] - 1
    runs = np.zeros((rows, columns), np.bool_)
    for axis, pairs in enumerate(equal):
        length = (least - 1, 1) if axis == 0 else (1, least - 1)
        if pairs.shape[axis] < least:
            continue
        kernel = np.ones(length, np.uint8)
        cores = cv2.erode(pairs, kernel)
        if not cores.any():
            continue
        # A kernel of even length is not its own mirror image: dilating by the other half undoes the shift.
        anchor = tuple(n - 1 - n // 2 for n in length[::-1])
        pairs = cv2.dilate(cores, kernel, anchor=anchor).view(np.bool_)
        runs |= (pairs[:-1] | pairs[1:]) if axis == 0 else (pairs[:, :-1] | pairs[:, 1:])
    return runs


def _is_data(image: NDArray[np.float32], field: NDArray[np.bool_]) -> bool:
    """Whether what is left is a micrograph, not a drawing."""
    pairs = field[:, 1:] & field[:, :-1]
    equal = (image[:, 1:] == image[:, :-1]) & pairs
    return bool(equal.sum() < _DRAWN * pairs.sum())
