"""Pores of overlapping tiles merged, so that each is counted once; those that borders cut are joined."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.measurement import PORE_COLUMNS, measure_columns
from porescope.micrograph import Micrograph
from porescope.mosaic.layout import Layout, list_pairs, remember

if TYPE_CHECKING:
    import pandas as pd

#: Width by which the outlines of one pore may lie apart in two tiles [nm].
_APART_NM = 0.1
#: Share of the smaller of two outlines, as far as both tiles show them, that belongs to both.
_LEAST_SHARED = 0.3
#: Distance by which any tile may be off [nm]: a lattice vector is 0.25 to 0.33 nm.
_HOP_NM = 0.4
#: Columns that follow from the outline, and are measured again where outlines are joined.
_OF_OUTLINE = (
    "y_nm", "x_nm", "y_px", "x_px", "area_nm2", "area_px", "equivalent_diameter_nm",
    "equivalent_diameter_std_nm", "feret_diameter_max_nm", "feret_diameter_min_nm", "perimeter_nm",
    "circularity", "solidity", "eccentricity", "orientation_deg", "touches_border", "size_method", "shape",
)  # fmt: skip
#: Number of a tile → its label image.
LoadLabels = Callable[[int], NDArray[np.integer]]


def merge_pores(
    pores: pd.DataFrame,
    tiles: NDArray[np.int64],
    load: LoadLabels,
    layout: Layout,
    error_nm: NDArray[np.float64] | None = None,
) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """Merge the pores that several tiles show.

    Parameters
    ----------
    pores : DataFrame
        One row for each pore of each tile, with the columns of `PORE_COLUMNS`.
    tiles : ndarray of int, shape (len(pores),)
        Tile of each row.
    load : callable
        Number of a tile → its label image. It may be called more than once.
    layout : Layout
    error_nm : ndarray, shape (N,), optional
        How far each tile may be off; default, and least: a lattice vector. A pore that only one of two tiles
        shows is the one that only the other shows, if it is no farther away.

    Returns
    -------
    merged : DataFrame
        One row for each pore, from the tile that shows it farthest from its border, with its number and place
        in the sheet and the number of tiles that found it. A pore that every tile cuts is measured again from
        the outlines of all; what the outline does not tell is NaN then.
    shown : ndarray of int32, shape (len(pores),)
        Number in the sheet of the pore whose outline is that of the row, or a part of it; 0: a row that
        another one stands for.
    """
    import pandas as pd

    pores = pores.reset_index(drop=True)
    index = {(int(t), int(n)): k for k, (t, n) in enumerate(zip(tiles, pores.label, strict=True))}
    linked: dict[int, set[int]] = {k: set() for k in range(len(pores))}
    places = layout.places_px
    labels = remember(load, layout.shapes.tolist(), 4)
    off = np.maximum(np.zeros(len(places)) if error_nm is None else error_nm, _HOP_NM) / layout.pixel_nm
    for i, j in list_pairs(places, layout.shapes.astype(float)):
        shift = np.rint(places[j] - places[i]).astype(int)
        for a, b in _match_labels(labels(i), labels(j), shift, layout.pixel_nm, float(max(off[i], off[j]))):
            if (i, a) in index and (j, b) in index:
                linked[index[i, a]].add(index[j, b])
                linked[index[j, b]].add(index[i, a])
    rows, sheet, counts, shown = [], [], [], np.zeros(len(pores), np.int32)
    records = pores.to_dict("records")
    for number, group in enumerate(_choose(pores, tiles, layout, linked), 1):
        best, is_joined = group[0], len(group) > 1 and bool(records[group[0]]["touches_border"])
        row: dict[str, Any] = {str(name): value for name, value in records[best].items()}
        if is_joined:
            row |= _join_outlines(group, tiles, pores.label.to_numpy(int), labels, layout)
        shown[group if is_joined else best] = number
        rows.append(row)
        sheet.append(layout.place(int(tiles[best]), np.array([row["y_px"], row["x_px"]])))
        counts.append(len({int(tiles[k]) for k in group}))
    merged = pd.DataFrame(rows, columns=list(pores.columns)).astype(pores.dtypes.to_dict())
    at = np.array(sheet).reshape(-1, 2)
    numbers = np.arange(1, len(rows) + 1)
    merged = merged.assign(
        sheet_label=numbers, sheet_y_nm=at[:, 0], sheet_x_nm=at[:, 1], n_tiles=np.array(counts, int)
    )
    return merged, shown


def _match_labels(
    one: NDArray[np.integer],
    two: NDArray[np.integer],
    shift: NDArray[np.int64],
    pixel_nm: float,
    off_px: float,
) -> list[tuple[int, int]]:
    """Labels of two tiles that are one pore; the second's first pixel is at ``shift`` in the first."""
    # Where the tiles are off, one may show a little more.
    one, two = (np.pad(image, round(off_px)) for image in (one, two))
    low = np.maximum(shift, 0)
    high = np.minimum(shift + two.shape, one.shape)
    if (high <= low).any():
        return []
    a = one[low[0] : high[0], low[1] : high[1]]
    low, high = low - shift, high - shift
    b = two[low[0] : high[0], low[1] : high[1]]
    if not (a.any() and b.any()):
        return []
    reach = round(_APART_NM / pixel_nm)
    wide = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    # Label by label: where two lie closer than the reach, neither hides the other.
    matched = []
    theirs = {other: b == other for other in np.unique(b[b > 0]).tolist()}
    its = {label: a == label for label in np.unique(a[a > 0]).tolist()}
    for label, mask in its.items():
        grown = cv2.dilate(mask.astype(np.uint8), wide) > 0
        for other in np.unique(b[grown & (b > 0)]).tolist():
            shared = np.count_nonzero(theirs[other] & grown)
            own = np.count_nonzero(mask & (cv2.dilate(theirs[other].astype(np.uint8), wide) > 0))
            if shared >= _LEAST_SHARED * theirs[other].sum() or own >= _LEAST_SHARED * mask.sum():
                matched.append((label, other))
    one_left = {k: np.argwhere(m).mean(axis=0) for k, m in its.items() if k not in {p for p, _ in matched}}
    two_left = {k: np.argwhere(m).mean(axis=0) for k, m in theirs.items() if k not in {q for _, q in matched}}
    return matched + _match_centres(one_left, two_left, off_px)


def _match_centres(
    one: dict[int, NDArray[np.float64]], two: dict[int, NDArray[np.float64]], reach_px: float
) -> list[tuple[int, int]]:
    """Pairs of centres (label → place) that are each other's nearest, and near."""
    if not (one and two):
        return []
    apart = np.hypot(
        *(np.array([*one.values()])[:, None] - np.array([*two.values()])[None]).transpose(2, 0, 1)
    )
    nearest = apart.argmin(axis=1), apart.argmin(axis=0)
    labels = [*one], [*two]
    return [
        (labels[0][m], labels[1][n])
        for m, n in enumerate(nearest[0].tolist())
        if nearest[1][n] == m and apart[m, n] <= reach_px
    ]


def _choose(
    pores: pd.DataFrame, tiles: NDArray[np.int64], layout: Layout, linked: dict[int, set[int]]
) -> Iterable[list[int]]:
    """Rows of each pore, the one that shows it best first.

    Whole pores take the others that they are linked with; what is then left is cut everywhere, and what is
    linked belongs together.
    """
    at = pores[["y_px", "x_px"]].to_numpy(float)
    margin = np.minimum(at, layout.shapes[tiles] - 1 - at).min(axis=1, initial=np.inf)
    whole = ~pores.touches_border.to_numpy(bool)
    order = np.lexsort((-margin, ~whole))
    taken: dict[int, int] = {}
    groups: dict[int, list[int]] = {}
    for k in filter(whole.__getitem__, order.tolist()):
        if k in taken:
            continue
        taken[k], groups[k] = k, [k]
        for other in sorted(linked[k]):
            if other not in taken:
                taken[other] = k
                groups[k].append(other)
    for k in order.tolist():
        if k in taken:
            continue
        group, stack = [], [k]
        while stack:
            here = stack.pop()
            if here not in taken:
                taken[here] = k
                group.append(here)
                stack += [other for other in linked[here] if other not in taken]
        area = pores.area_nm2.to_numpy(float)
        groups[k] = sorted(group, key=lambda n: -area[n])
    return [groups[k] for k in sorted(groups)]


def _join_outlines(
    group: list[int], tiles: NDArray[np.int64], numbers: NDArray[np.int64], labels: LoadLabels, layout: Layout
) -> dict[str, Any]:
    """Measure the pore that several tiles cut from what they show together."""
    places = np.rint(layout.places_px).astype(int)
    first = places[tiles[group[0]]]
    parts = []
    for k in group:
        rows, columns = np.nonzero(labels(int(tiles[k])) == numbers[k])
        parts.append(np.stack([rows, columns], axis=1) + places[tiles[k]] - first)
    pixels = np.concatenate(parts)
    low, high = pixels.min(axis=0) - 2, pixels.max(axis=0) + 3
    mask, field = np.zeros(high - low, np.int32), np.zeros(high - low, bool)
    mask[tuple((pixels - low).T)] = 1
    for place, shape in zip(places - first, layout.shapes, strict=True):
        a, b = np.maximum(place - low, 0), np.minimum(place + shape - low, high - low)
        if (b > a).all():
            field[a[0] : b[0], a[1] : b[1]] = True
    micrograph = Micrograph(np.zeros(mask.shape, np.float32), (layout.pixel_nm, layout.pixel_nm), field=field)
    measured = measure_columns(micrograph, mask)
    joined: dict[str, Any] = {name: measured[name][0] for name in _OF_OUTLINE}
    for axis, name in enumerate(("y", "x")):
        joined[f"{name}_px"] += low[axis]
        joined[f"{name}_nm"] = joined[f"{name}_px"] * layout.pixel_nm
    unknown = {name: np.nan for name in PORE_COLUMNS if name.startswith(("missing_", "edge_"))}
    return joined | unknown | {"isomer": None, "symmetry": None}
