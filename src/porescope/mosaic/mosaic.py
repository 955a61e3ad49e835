"""The mosaic: tiles with rough stage positions put together to one sheet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.mosaic.closure import LEAST_SCORE, SAME_NM, Link, close_loops
from porescope.mosaic.layout import list_pairs, remember
from porescope.mosaic.positions import Pair, solve_positions
from porescope.mosaic.registration import (
    Offsets,
    View,
    list_offsets,
    locate_tile,
    prepare_view,
    score_offsets,
)
from porescope.mosaic.stage import check_stage

#: Standard deviation of a stage's position, in each direction [nm].
STAGE_ERROR_NM = 0.3
#: How far an offset may be from what the stage says, in standard deviations of a tile's position.
_REACH = 6.0
#: Least area that two tiles have in common to be compared, as a share of the smaller one.
_LEAST_OVERLAP = 0.03
#: Memory of a `View` for each pixel of its tile [bytes].
_BYTES_A_PIXEL = 8
#: Range of the noise of a pair of tiles against the median of all.
_NOISE_RANGE = (0.7, 1.6)
#: How far from where the stage says a tile is looked for whose neighbours are others [nm], or half as much
#: again as its side.
_SEARCH_NM = 30.0
#: Log-likelihood ratio against any other place from which on a tile that was looked for counts as found;
#: noise reaches 6.
_CLEAR_PLACE = 8.0

#: Image of a tile, and where it has data (None: everywhere).
Load = Callable[[int], tuple[NDArray[np.float32], "NDArray[np.bool_] | None"]]


class Mosaic(NamedTuple):
    """Where the tiles of a sheet lie."""

    sheet_nm: NDArray[np.float64]  # (N, 2): first pixel of each tile, in the stage's frame
    residual_nm: NDArray[np.float64]  # (N,): rms of the offsets to its neighbours; NaN without any
    n_pairs: NDArray[np.int64]  # (N,): neighbours that agree
    margin: NDArray[np.float64]  # (N,): log-likelihood ratio against the next place that its neighbours allow
    status: list[
        str
    ]  # placed (by its neighbours), moved (so, far from where the stage says), stage (by it alone)
    affine: NDArray[np.float64]  # (2, 2): from lengths along the scan's pixels to lengths in the sheet
    stage_error_nm: float  # standard deviation of the stage as found, in each direction


def solve_mosaic(
    load: Load,
    shapes: Sequence[tuple[int, int]],
    pixel_nm: float,
    stage_nm: NDArray[np.float64],
    *,
    error_nm: float = STAGE_ERROR_NM,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Mosaic:
    """Find where the tiles of a sheet lie.

    Parameters
    ----------
    load : callable
        Number of a tile → its image, and where it has data or None. It is called more than once for a tile,
        so that few are in memory.
    shapes : sequence of tuple
        Rows and columns of each tile.
    pixel_nm : float
        Pixel size of all tiles.
    stage_nm : ndarray, shape (N, 2)
        Recorded positions (row, column) of the first pixels.
    error_nm : float
        Standard deviation of the recorded positions, in each direction.
    on_progress : callable
        Called with the numbers of pairs of tiles that are compared and that there are.

    Returns
    -------
    Mosaic
        The recorded positions' own frame. A tile without neighbours stays where the stage says.

    Raises
    ------
    ValueError
        If a position is unknown or two are the same.
    """
    stage_nm = np.asarray(stage_nm, float)
    check_stage(stage_nm, [f"tile {k}" for k in range(len(shapes))])
    views = remember(lambda tile: prepare_view(*load(tile), pixel_nm), shapes, _BYTES_A_PIXEL)
    sides = np.array(shapes, float) * pixel_nm
    compared = _compare_tiles(
        views, list_pairs(stage_nm, sides, _LEAST_OVERLAP), stage_nm, pixel_nm, error_nm, on_progress
    )
    noise = _find_noise([found for _, _, found in compared])
    links = [_make_link(i, j, found, noise, pixel_nm) for i, j, found in compared]
    closure = close_loops(stage_nm, links, error_nm)
    stage, moved = stage_nm.copy(), np.zeros(len(stage_nm), bool)
    strays = _list_strays(_choose_offsets(closure.places_nm, links), links, len(stage))
    for tile in np.flatnonzero(strays).tolist():
        place = _find_stray(tile, views, closure.places_nm, ~strays, stage, sides, noise, pixel_nm)
        if place is None or np.hypot(*(place - stage_nm[tile])) < _REACH * error_nm:
            continue
        stage[tile], moved[tile] = place, True
        around = [pair for pair in list_pairs(stage, sides, _LEAST_OVERLAP) if tile in pair]
        compared = _compare_tiles(views, around, stage, pixel_nm, error_nm, lambda done, total: None)
        links = [link for link in links if tile not in (link.one, link.two)]
        links += [_make_link(i, j, found, noise, pixel_nm) for i, j, found in compared]
    if moved.any():
        closure = close_loops(stage, links, error_nm)
    pairs = _choose_offsets(closure.places_nm, links)
    strays = _list_strays(pairs, links, len(stage))
    lost = moved & strays  # its neighbours there do not agree
    stage[lost], moved[lost] = stage_nm[lost], False
    pairs = [pair for pair in pairs if not strays[[pair.one, pair.two]].any()]
    return _finish(stage, pairs, closure.margin, moved, error_nm)


def _compare_tiles(
    views: Callable[[int], View],
    pairs: Sequence[tuple[int, int]],
    stage_nm: NDArray[np.float64],
    pixel_nm: float,
    error_nm: float,
    on_progress: Callable[[int, int], None],
) -> list[tuple[int, int, Offsets]]:
    compared = []
    for done, (i, j) in enumerate(pairs):
        predicted = (stage_nm[j] - stage_nm[i]) / pixel_nm
        compared.append(
            (i, j, list_offsets(views(i), views(j), predicted, _REACH * error_nm / pixel_nm, pixel_nm))
        )
        on_progress(done + 1, len(pairs))
    return compared


def _find_noise(found: Sequence[Offsets]) -> float:
    least = np.array([offsets.least for offsets in found])
    least = least[np.isfinite(least)]
    return float(np.median(least)) if len(least) else 1.0


def _make_link(one: int, two: int, found: Offsets, noise: float, pixel_nm: float) -> Link:
    """The offsets with their likelihoods; the noise of a pair is its own within limits."""
    low, high = _NOISE_RANGE
    own = float(np.clip(np.nan_to_num(found.least, nan=noise), low * noise, high * noise))
    return Link(one, two, found.places_px * pixel_nm, score_offsets(found, own))


def _list_strays(pairs: Sequence[Pair], links: Sequence[Link], n_tiles: int) -> NDArray[np.bool_]:
    """Tiles that fit to none of their neighbours, or of three and more to one, which chance may do."""
    agree, tried = (
        np.bincount([tile for pair in its for tile in pair[:2]], minlength=n_tiles) for its in (pairs, links)
    )
    return np.asarray((tried > 0) & ((agree == 0) | (agree == 1) & (tried >= 3)))


def _find_stray(
    tile: int,
    views: Callable[[int], View],
    places_nm: NDArray[np.float64],
    known: NDArray[np.bool_],
    stage_nm: NDArray[np.float64],
    sides_nm: NDArray[np.float64],
    noise: float,
    pixel_nm: float,
) -> NDArray[np.float64] | None:
    """Where a tile lies that does not fit to its neighbours by the stage, or None."""
    reach = _SEARCH_NM + 1.5 * sides_nm[tile].max()
    near = np.hypot(*(stage_nm - stage_nm[tile]).T) <= reach
    others = np.flatnonzero(near & known).tolist()
    if not others:
        return None
    places = [(views(i), places_nm[i] / pixel_nm) for i in others]
    place, margin = locate_tile(views(tile), places, noise, pixel_nm)
    if margin < _CLEAR_PLACE:
        return None
    away = place * pixel_nm - places_nm[others]
    nearest = int(np.hypot(*away.T).argmin())
    return np.asarray(stage_nm[others[nearest]] + away[nearest])


def _choose_offsets(places_nm: NDArray[np.float64], links: Sequence[Link]) -> list[Pair]:
    """The offset of each pair that agrees with where all others put its tiles."""
    pairs = []
    for link in links:
        apart = np.hypot(*(link.places_nm - (places_nm[link.two] - places_nm[link.one])).T)
        if len(apart) and apart.min() <= SAME_NM and link.scores[apart.argmin()] > LEAST_SCORE:
            pairs.append(Pair(link.one, link.two, link.places_nm[apart.argmin()]))
    return pairs


def _finish(
    stage_nm: NDArray[np.float64],
    pairs: list[Pair],
    margin: NDArray[np.float64],
    moved: NDArray[np.bool_],
    error_nm: float,
) -> Mosaic:
    """Solve for the places, and say how well each tile fits."""
    n_tiles = len(stage_nm)
    solution = solve_positions(stage_nm, pairs, error_nm, ~moved)
    n_pairs, squares = np.zeros(n_tiles, int), np.zeros(n_tiles)
    for pair, residual in zip(pairs, solution.pair_residual_nm, strict=True):
        n_pairs[[pair.one, pair.two]] += 1
        squares[[pair.one, pair.two]] += residual**2
    held = n_pairs > 0
    residuals = np.sqrt(np.divide(squares, n_pairs, out=np.full(n_tiles, np.nan), where=held))
    status = ["moved" if m else "placed" if n else "stage" for m, n in zip(moved, held, strict=True)]
    return Mosaic(
        solution.sheet_nm,
        residuals,
        n_pairs,
        np.where(held, margin, np.nan),
        status,
        solution.affine,
        solution.stage_error_nm,
    )
