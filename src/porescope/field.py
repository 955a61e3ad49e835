"""The field of view: where an image has data, and where alignment, a stopped scan or a frame left none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

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
#: Most values that are looked at, and most areas of each.
_MOST_VALUES, _MOST_AREAS = 6, 40
#: Side of the blocks of a compressed image [px], and the mean deviation below which a pixel beside a
#: constant belongs to it, relative to the image's.
_BLOCK, _COMPRESSED = 8, 0.4
#: Largest share of an area's edge that lies within the hull of the data.
_ROUGHEST = 0.25
#: Shortest edge of an area [px] for each pixel of imprecision: a small arc looks straight.
_SHORTEST_EDGE = 20
#: Smallest share of its box that a rectangle fills, and its smallest side [px].
_RECTANGULAR, _SMALLEST_SIDE = 0.97, 24
#: Largest island in an area that is no data whatever it shows, relative to the image; and the share of a
#: larger one that must have one grey level (text and its ground).
_SMALL_ISLAND, _WRITTEN = 0.01, 0.4
#: Most layers that are blurred into the data by interpolation or compression [px], and the contrast to the
#: constant below which a layer is, relative to the faintest of the layers behind.
_MOST_BLURRED, _BLURRED = 8, 0.85
#: Quantile of a layer's deviations that is compared, and the factor by which interpolation overshoots.
_OUTLYING, _OVERSHOT = 0.95, 1.5
#: Largest surplus of the constant's value right beside an area: more makes a ragged edge, as clipping does.
_RAGGED = 0.35

_SQUARE = np.ones((3, 3), np.uint8)
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


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
            outside |= _find_blank(image, flat & ~outside, float(value), outside)
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


def _find_blank(
    image: NDArray[np.float32], flat: NDArray[np.bool_], value: float, outside: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Areas of one value that hold no data."""
    blank = np.zeros(image.shape, np.bool_)
    seeds = flat & (image == np.float32(value))
    for spread, slack in _SPREADS:
        left = seeds & ~blank
        if not left.any():
            break
        like = spread(image, left, value) & ~(outside | blank)
        for area, reaches in _list_areas(like, left, outside | blank):
            taken = _take(image, area, value, outside if reaches else None, slack)
            if taken is not None:
                blank |= taken
    return blank


def _spread_equal(image: NDArray[np.float32], seeds: NDArray[np.bool_], value: float) -> NDArray[np.bool_]:
    return np.asarray(image == np.float32(value))


def _spread_solid(image: NDArray[np.float32], seeds: NDArray[np.bool_], value: float) -> NDArray[np.bool_]:
    """For sharp interpolation, which leaves thin lines of the value beside an edge."""
    equal = (image == np.float32(value)).view(np.uint8)
    return cv2.morphologyEx(equal, cv2.MORPH_OPEN, _SQUARE) > 0


def _spread_nowhere(image: NDArray[np.float32], seeds: NDArray[np.bool_], value: float) -> NDArray[np.bool_]:
    """For images of few counts, where the value is everywhere."""
    return seeds


def _spread_compressed(
    image: NDArray[np.float32], seeds: NDArray[np.bool_], value: float
) -> NDArray[np.bool_]:
    """For compressed images, whose blocks at the edge of an area oscillate."""
    low, high = (float(v) for v in cv2.minMaxLoc(image)[:2])
    if low < 0 or high > 255:
        return np.zeros_like(seeds)
    deviation = cv2.blur(np.abs(image - np.float32(value)), (3, 3))
    near = cv2.dilate(seeds.view(np.uint8), np.ones((4 * _BLOCK + 1,) * 2, np.uint8)) > 0
    usual = float(np.median(deviation[~seeds]))
    return np.asarray((near & (deviation < _COMPRESSED * usual)) | seeds)


def _spread_written(image: NDArray[np.float32], seeds: NDArray[np.bool_], value: float) -> NDArray[np.bool_]:
    """For compressed bars, whose blocks join the text with the data: lines from a side, as far as flat."""
    like = _spread_compressed(image, seeds, value)
    bars = np.zeros_like(like)
    for turns in range(4):
        share = np.rot90(like, turns).mean(axis=1)
        end = int(np.argmin(np.r_[share >= _WRITTEN, False]))
        beyond = share[end + _BLOCK : end + 2 * _BLOCK]
        if end >= _BLOCK and share[:end].max() == 1 and beyond.max(initial=0) < 0.5 * _WRITTEN:
            np.rot90(bars, turns)[:end] = True
    return bars


#: The readings of what belongs to an area of one value, and their precision [px].
_SPREADS = (
    (_spread_equal, 1),
    (_spread_solid, 1),
    (_spread_nowhere, 1),
    (_spread_compressed, _BLOCK // 2),
    (_spread_written, _BLOCK // 2),
)


def _list_areas(
    like: NDArray[np.bool_], seeds: NDArray[np.bool_], outside: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.bool_], bool]]:
    """Connected areas that hold a seed, the largest first, and whether each reaches the border.

    Those that can be neither at the border nor a rectangle are left out.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(like.view(np.uint8), connectivity=4)
    seeded = np.unique(labels[seeds & like])
    seeded = seeded[stats[seeded, cv2.CC_STAT_AREA] >= _SHORTEST_EDGE]
    x, y, width, height, sizes = stats[seeded].T
    rows, columns = like.shape
    reach = (x == 0) | (y == 0) | (x + width == columns) | (y + height == rows)
    if outside.any():
        reach |= np.isin(seeded, labels[cv2.dilate(outside.view(np.uint8), _CROSS) > 0])
    boxy = (np.minimum(width, height) >= _SMALLEST_SIDE) & (2 * sizes >= width * height)
    order = np.argsort(-sizes, kind="stable")
    for i in order[(reach | boxy)[order]][:_MOST_AREAS]:
        yield labels == seeded[i], bool(reach[i])


def _take(
    image: NDArray[np.float32],
    area: NDArray[np.bool_],
    value: float,
    outside: NDArray[np.bool_] | None,
    slack: int,
) -> NDArray[np.bool_] | None:
    """The part of an area that holds no data, with what is written in it; None if it is a clipped pore.

    ``outside`` is what is known to have no data; None for an area that does not reach the border.
    """
    whole = area if outside is None else area | outside
    filled, islands = _fill_writing(image, whole, value)
    if not islands:
        return None
    taken = None if outside is None else _cut_hull(filled, islands, slack)
    if taken is None and slack > 1:
        return None
    if taken is None:
        rows, columns = (np.flatnonzero(area.any(axis=axis)) for axis in (1, 0))
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        inside = filled[box]
        blocks = not any(n % _BLOCK for side in box for n in (side.start, side.stop))
        if min(inside.shape) < _SMALLEST_SIDE or inside.mean() < _RECTANGULAR or blocks:
            return None  # blocks are what compression makes of the floor of a pore
        taken = np.zeros_like(area)
        taken[box] = inside
    return _take_blurred(image, taken, value)


def _fill_writing(
    image: NDArray[np.float32], area: NDArray[np.bool_], value: float
) -> tuple[NDArray[np.bool_], list[NDArray[np.int32]]]:
    """Fill the islands of an area that hold text, not data; the outlines of the others."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~area).view(np.uint8), connectivity=8)
    sizes = stats[1:, cv2.CC_STAT_AREA]
    if len(sizes) == 0:
        return area, []
    filled = area.copy()
    outlines: list[NDArray[np.int32]] = []
    tolerance = 0.05 * float(np.ptp(image))
    for label in np.argsort(-sizes, kind="stable") + 1:
        x, y, width, height, size = stats[label].tolist()
        box = np.s_[y : y + height, x : x + width]
        island = labels[box] == label
        if outlines:
            small = size <= _SMALL_ISLAND * image.size
            if small or _is_written(image[box][island], value, tolerance):
                filled[box] |= island
                continue
        points = cv2.findContours(
            island.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=(x, y)
        )[0]
        outlines.append(np.asarray(cv2.convexHull(np.concatenate(points)), np.int32))
    return filled, outlines


def _is_written(pixels: NDArray[np.float32], value: float, tolerance: float) -> bool:
    """Whether pixels are text: many have the grey level of the ground, or one of their own."""
    ink = np.float32(np.median(pixels))
    grounds = (np.abs(pixels - np.float32(value)) <= tolerance).mean()
    return bool(grounds >= _WRITTEN or (pixels == ink).mean() >= _WRITTEN)


def _cut_hull(
    area: NDArray[np.bool_], outlines: list[NDArray[np.int32]], slack: int
) -> NDArray[np.bool_] | None:
    """The part of an area outside the convex hulls of the islands; None if much of its edge is within."""
    hull = np.zeros(area.shape, np.uint8)
    for outline in outlines:
        cv2.fillConvexPoly(hull, outline, 1)
    edge = area & (cv2.dilate((~area).view(np.uint8), _CROSS) > 0)
    deep = cv2.erode(hull, _SQUARE, iterations=slack) > 0
    length, rough = int(edge.sum()), int((edge & deep).sum())
    # A long straight edge may be cut by a clipped pore.
    long = length - rough > 0.5 * min(area.shape) and rough < 0.5 * length
    if length < _SHORTEST_EDGE * slack or not (rough <= _ROUGHEST * length or long):
        return None
    # The hull of pixels cuts off less than a pixel of a slanted edge, but of its wedge at the frame more;
    # what is deeper is a clipped pore.
    wedge = cv2.erode(hull, _SQUARE, iterations=slack, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(area & (wedge == 0))


def _take_blurred(
    image: NDArray[np.float32], taken: NDArray[np.bool_], value: float
) -> NDArray[np.bool_] | None:
    """Add the layers that interpolation mixed with the constant; None if the edge is ragged."""
    reach = 2 * _MOST_BLURRED + 4
    layers = cv2.distanceTransform((~taken).view(np.uint8), cv2.DIST_C, 3)
    near = (layers > 0) & (layers <= reach)
    layer, pixels = layers[near].astype(np.int64), image[near]
    contrast = np.abs(pixels - np.float32(value))
    behind = layer > _MOST_BLURRED
    if not behind.any():
        return taken
    level = np.float32(np.median(pixels[behind]))
    rows = [layer == k for k in range(1, reach + 1)]
    kept = [k for k in range(reach) if rows[k].any()]
    faint = {k: float(np.median(contrast[rows[k]])) for k in kept}
    outlying = {k: float(np.quantile(np.abs(pixels[rows[k]] - level), _OUTLYING)) for k in kept}
    faintest, farthest = (
        f(d[k] for k in kept if k >= _MOST_BLURRED) for f, d in ((min, faint), (max, outlying))
    )
    blurred = 0
    for k in kept:
        if k >= _MOST_BLURRED:
            break
        sure = 1 - 3 / np.sqrt(rows[k].sum())
        if faint[k] < faintest * min(_BLURRED, sure) or (sure > 0.5 and outlying[k] > _OVERSHOT * farthest):
            blurred = k + 1
    beside, rest = ((layer > blurred + a) & (layer <= blurred + b) for a, b in ((1, 4), (8, reach)))
    same = contrast == 0
    if beside.any() and rest.any() and same[beside].mean() > same[rest].mean() + _RAGGED:
        return None
    # Along a slanted edge the layers are uneven by a pixel.
    return taken | ((layers > 0) & (layers <= blurred + (blurred > 0)))
