"""Tracks: the life of each pore from one merge or split to the next, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.movies.linking import Graph

if TYPE_CHECKING:
    import pandas as pd

#: Columns of ``tracks.csv``, in order.
TRACK_COLUMNS = {
    "track": "int64", "frame": "int64", "time_s": "float64", "dose_e_nm2": "float64", "label": "int64",
    "y_nm": "float64", "x_nm": "float64", "area_nm2": "float64", "equivalent_diameter_nm": "float64",
    "event": "str",
}  # fmt: skip


class Track(NamedTuple):
    """One pore between merges and splits."""

    regions: list[int]  # of the graph, in order
    parents: list[int]  # numbers of tracks
    children: list[int]
    begins: str  # birth, border, merge or split
    ends: str  # death, border, merge, split, or end, of the movie
    gone: int  # first frame that shows its place without it; -1: none


def find_tracks(graph: Graph) -> list[Track]:
    """Cut the links of a movie into tracks.

    Parameters
    ----------
    graph : Graph

    Returns
    -------
    list of Track
        In the order in which they begin. A piece that is seen once does not end the track of the pore that
        it parts from or joins.
    """
    before, after = _drop_short_pieces(graph)
    chains = _list_chains(before, after)
    owner = {number: track for track, chain in enumerate(chains) for number in chain}
    tracks = []
    for chain in chains:
        first, last = chain[0], chain[-1]
        # A piece that is seen once knows the track that it parts from or joins, but not the other way round.
        parents, children = before[first] or graph.before[first], after[last] or graph.after[last]
        begins = "border" if graph.regions[first].entered else "birth"
        if parents:
            begins = "merge" if len(before[first]) > 1 else "split"
        gone = graph.left.get(last, -1)
        ends = "end"
        if children:
            ends = "split" if len(after[last]) > 1 else "merge"
        elif last in graph.left:
            ends = "death" if gone >= 0 else "border"
        tracks.append(Track(chain, _number(parents, owner), _number(children, owner), begins, ends, gone))
    return tracks


def _number(regions: list[int], owner: dict[int, int]) -> list[int]:
    return sorted({owner[number] for number in regions})


def _drop_short_pieces(graph: Graph) -> tuple[list[list[int]], list[list[int]]]:
    """What each region comes from and what comes from it, without pieces that are seen once."""
    before, after = [list(b) for b in graph.before], [list(a) for a in graph.after]

    def is_short(number: int) -> bool:
        ones, twos = graph.before[number], graph.after[number]
        starts = len(ones) != 1 or len(graph.after[ones[0]]) > 1
        stops = len(twos) != 1 or len(graph.before[twos[0]]) > 1
        return starts and stops

    for number in range(len(before)):
        for links, back in ((before[number], after), (after[number], before)):
            if len(links) < 2:
                continue
            kept = [other for other in links if not is_short(other)] or links[:1]
            for other in [other for other in links if other not in kept]:
                links.remove(other)
                back[other].remove(number)
    return before, after


def _list_chains(before: list[list[int]], after: list[list[int]]) -> list[list[int]]:
    """Regions that follow each other without merge or split."""
    chains = []
    for number in range(len(before)):
        if len(before[number]) == 1 and len(after[before[number][0]]) == 1:
            continue
        chain = [number]
        while len(after[chain[-1]]) == 1 and len(before[after[chain[-1]][0]]) == 1:
            chain.append(after[chain[-1]][0])
        chains.append(chain)
    return chains


def list_rows(
    tracks: list[Track],
    graph: Graph,
    measured: pd.DataFrame,
    time_s: NDArray[np.float64],
    dose_e_nm2: NDArray[np.float64],
) -> pd.DataFrame:
    """List each pore in each frame.

    Parameters
    ----------
    tracks : list of Track
    graph : Graph
    measured : DataFrame
        One row for each region, indexed by frame and label, with ``y_nm``, ``x_nm`` (in the sheet),
        ``area_nm2``, ``equivalent_diameter_nm`` and ``touches_border``.
    time_s, dose_e_nm2 : ndarray, shape (K,)
        Of each frame; NaN: unknown.

    Returns
    -------
    DataFrame
        The columns of `TRACK_COLUMNS`. Where a pore is missed or gone the label is 0 and what is measured
        NaN.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    cut = measured.touches_border.to_dict()
    sizes = measured[["y_nm", "x_nm", "area_nm2", "equivalent_diameter_nm"]].to_dict("index")
    for number, track in enumerate(tracks):
        earlier = None
        for k in track.regions:
            region = graph.regions[k]
            key = region.frame, region.label
            event = "growth" if earlier is not None else track.begins
            if cut[key]:
                event = "border"
            if earlier is not None:
                missed = [f for f in range(earlier + 1, region.frame)]
                rows += [{"track": number, "frame": f, "label": 0, "event": "gap"} for f in missed]
            rows.append({"track": number, "frame": region.frame, "label": region.label, "event": event})
            rows[-1] |= {str(name): value for name, value in sizes[key].items()}
            earlier = region.frame
        if track.gone >= 0:
            rows.append({"track": number, "frame": track.gone, "label": 0, "event": "death"})
    table = pd.DataFrame(rows, columns=list(TRACK_COLUMNS))
    frames = table.frame.to_numpy(int)
    table["time_s"], table["dose_e_nm2"] = time_s[frames], dose_e_nm2[frames]
    return table.astype({name: kind for name, kind in TRACK_COLUMNS.items() if kind != "str"})
