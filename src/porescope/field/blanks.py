"""Areas of one grey level that hold no data, told from clipped pores by their edges."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

#: Most areas of one value that are looked at.
_MOST_AREAS = 40
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


def find_blank(
    image: NDArray[np.float32], flat: NDArray[np.bool_], value: float, outside: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Find the areas of one value that hold no data.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    flat : ndarray of bool, shape (M, N)
        Pixels in runs of equal ones that are longer than chance allows.
    value : float
        The grey level.
    outside : ndarray of bool, shape (M, N)
        What is known to have no data.

    Returns
    -------
    ndarray of bool, shape (M, N)
        Without ``outside``.

    Examples
    --------
    >>> image = np.random.default_rng(0).poisson(90, (60, 80)).astype(np.float32)
    >>> image[50:] = 0
    >>> find_blank(image, image == 0, 0.0, np.zeros(image.shape, bool)).sum(axis=0).tolist() == [10] * 80
    True
    """
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
