"""Linking: which regions of successive frames are the same pore, by what their label images have in common.

Frames lie in the sheet as their drift says. Each region takes the region of the frame before with which it
shares most; a region that is left over has parted from, or joined, the one with which it shares most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.labels import find_boxes

#: Share of the smaller of two regions that both must have in common to be one pore.
_LEAST_SHARED = 0.3
#: Distance of two centres up to which they are one pore whatever they have in common [nm].
_SAME_CENTRE_NM = 0.15
#: Share of a region that a frame must show to say that it is not there.
_SHOWN = 0.5

#: Number of a frame → its label image; None if it was not processed.
LoadLabels = Callable[[int], "NDArray[np.integer] | None"]


class Region(NamedTuple):
    """One pore in one frame."""

    frame: int
    label: int
    origin: NDArray[np.int64]  # (2,): first pixel of its mask in the sheet
    mask: NDArray[np.bool_]
    entered: bool  # whether the frame before did not show its place


@dataclass
class Graph:
    """The regions of a movie, and which of them follow each other.

    Attributes
    ----------
    regions : list of Region
        In the order of the frames.
    before, after : list of list of int
        For each region the numbers of those that it comes from and that come from it, the main one first.
    left : dict
        Region without follower → the first frame that shows its place without it, or -1 if the frames after
        it do not show its place.
    """

    regions: list[Region] = field(default_factory=list)
    before: list[list[int]] = field(default_factory=list)
    after: list[list[int]] = field(default_factory=list)
    left: dict[int, int] = field(default_factory=dict)

    def add(self, region: Region) -> int:
        """Add a region.

        Parameters
        ----------
        region : Region

        Returns
        -------
        int
            Its number.
        """
        self.regions.append(region)
        self.before.append([])
        self.after.append([])
        return len(self.regions) - 1

    def link(self, one: int, two: int) -> None:
        """Say that one region follows another.

        Parameters
        ----------
        one, two : int
            The earlier and the later one.
        """
        self.after[one].append(two)
        self.before[two].append(one)

    def unlink(self, one: int, two: int) -> None:
        """Take a link back.

        Parameters
        ----------
        one, two : int
        """
        self.after[one].remove(two)
        self.before[two].remove(one)


def link_regions(load: LoadLabels, places_px: NDArray[np.float64], pixel_nm: float, *, gap: int = 2) -> Graph:
    """Link the regions of all frames.

    Parameters
    ----------
    load : callable
        Number of a frame → its label image. It is called once for each frame that has a place, in order.
    places_px : ndarray, shape (K, 2)
        First pixel of each frame in the sheet; NaN: unknown, the frame is left out.
    pixel_nm : float
    gap : int
        Number of frames in a row that may show a pore's place without it.

    Returns
    -------
    Graph
    """
    graph, ends = Graph(), dict[int, list[int]]()  # region → frames that miss it
    earlier: tuple[NDArray[np.int64], tuple[int, ...]] | None = None
    for frame in np.flatnonzero(np.isfinite(places_px).all(axis=1)).tolist():
        labels = load(frame)
        if labels is None:
            continue
        place = np.rint(places_px[frame]).astype(int)
        first = len(graph.regions)
        for label, (top, left, bottom, right) in find_boxes(np.asarray(labels, np.int32)).items():
            mask, origin = labels[top:bottom, left:right] == label, place + (top, left)
            entered = earlier is not None and _share_shown(origin, mask, *earlier) < _SHOWN
            graph.add(Region(frame, label, origin, mask, entered))
        here = range(first, len(graph.regions))
        for one, two in _match(graph, list(ends), here, pixel_nm):
            graph.link(one, two)
        for end in list(ends):
            region = graph.regions[end]
            if graph.after[end]:
                del ends[end]
            elif _share_shown(region.origin, region.mask, place, labels.shape) >= _SHOWN:
                ends[end].append(frame)
                if len(ends[end]) > gap:
                    graph.left[end] = ends.pop(end)[0]
        ends |= {number: [] for number in here}
        earlier = place, labels.shape
    if earlier is not None:
        for end in ends:
            region = graph.regions[end]
            if _share_shown(region.origin, region.mask, *earlier) < _SHOWN:
                graph.left[end] = -1
    undo_short_merges(graph, gap, pixel_nm)
    return graph


def _share_shown(
    origin: NDArray[np.int64], mask: NDArray[np.bool_], place: NDArray[np.int64], shape: tuple[int, ...]
) -> float:
    """Share of a region that a frame shows."""
    low = np.clip(place - origin, 0, mask.shape)
    high = np.clip(place + shape - origin, 0, mask.shape)
    return float(np.count_nonzero(mask[low[0] : high[0], low[1] : high[1]]) / np.count_nonzero(mask))


def _count_common(one: Region, two: Region) -> int:
    """Pixels that two regions have in common in the sheet."""
    low = np.maximum(one.origin, two.origin)
    high = np.minimum(one.origin + one.mask.shape, two.origin + two.mask.shape)
    if (high <= low).any():
        return 0
    parts = [
        region.mask[low[0] - y : high[0] - y, low[1] - x : high[1] - x]
        for region in (one, two)
        for y, x in [region.origin]
    ]
    return int(np.count_nonzero(parts[0] & parts[1]))


def _find_centre(region: Region) -> NDArray[np.float64]:
    return np.asarray(region.origin + np.argwhere(region.mask).mean(axis=0))


def _rate(one: Region, two: Region, pixel_nm: float) -> float:
    """How well two regions agree, from 0 to 1; 0 if they are not one pore."""
    sizes = np.count_nonzero(one.mask), np.count_nonzero(two.mask)
    common = _count_common(one, two)
    if common < _LEAST_SHARED * min(sizes):
        apart = np.hypot(*(_find_centre(one) - _find_centre(two))) * pixel_nm
        if apart > _SAME_CENTRE_NM:
            return 0.0
    return max(common, 0.5) / (sum(sizes) - common)


def _list_near(graph: Graph, ones: list[int], twos: list[int], reach_px: float) -> list[tuple[int, int]]:
    """Pairs of regions whose boxes overlap or nearly do."""
    if not (ones and twos):
        return []
    boxes = [
        np.array([(r.origin, r.origin + r.mask.shape) for r in (graph.regions[k] for k in its)])
        for its in (ones, twos)
    ]
    one, two = boxes[0][:, None], boxes[1][None]
    near = (one[:, :, 0] - two[:, :, 1] <= reach_px) & (two[:, :, 0] - one[:, :, 1] <= reach_px)
    return [(ones[i], twos[j]) for i, j in np.argwhere(near.all(axis=2)).tolist()]


def _match(graph: Graph, ends: list[int], here: range, pixel_nm: float) -> list[tuple[int, int]]:
    """Links from the pores that are known to the regions of a frame, the main ones first."""
    rated = sorted(
        (
            (rating, end, number)
            for end, number in _list_near(graph, ends, list(here), _SAME_CENTRE_NM / pixel_nm)
            if (rating := _rate(graph.regions[end], graph.regions[number], pixel_nm)) > 0
        ),
        key=lambda link: (-link[0], link[1], link[2]),
    )
    links: list[tuple[int, int]] = []
    used_ends, used_here = set[int](), set[int]()
    for _, end, number in rated:
        if end not in used_ends and number not in used_here:
            links.append((end, number))
            used_ends.add(end)
            used_here.add(number)
    for _, end, number in rated:  # what is left over has joined another, or parted from it
        if end not in used_ends or number not in used_here:
            links.append((end, number))
            used_ends.add(end)
            used_here.add(number)
    return links


def undo_short_merges(graph: Graph, gap: int, pixel_nm: float) -> None:
    """Link pores past a merge that undoes itself within a few frames: noise had joined their outlines.

    Parameters
    ----------
    graph : Graph
        Is changed.
    gap : int
        Most frames of such a merge.
    pixel_nm : float
    """
    for number in range(len(graph.regions)):
        if len(graph.before[number]) < 2:
            continue
        chain = [number]
        while len(graph.after[chain[-1]]) == 1 and len(chain) <= gap:
            chain.append(graph.after[chain[-1]][0])
        ones, twos = list(graph.before[number]), list(graph.after[chain[-1]])
        if len(chain) > gap or len(twos) != len(ones):
            continue
        if any(len(graph.before[k]) > 1 for k in chain[1:]):
            continue
        pairs = [
            (one, two)
            for one in ones
            for two in twos
            if _rate(graph.regions[one], graph.regions[two], pixel_nm) > 0
        ]
        if sorted(p[0] for p in pairs) != sorted(ones) or sorted(p[1] for p in pairs) != sorted(twos):
            continue
        for one in ones:
            graph.unlink(one, number)
        for two in twos:
            graph.unlink(chain[-1], two)
        for one, two in pairs:
            graph.link(one, two)
