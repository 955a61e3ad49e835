"""The true pores of a sheet whose atoms are known: outline, area, missing atoms.

Definition: remove from the plane the discs of the remaining atoms and the bonds between them, and open
the rest by a small disc. A pore is a connected component that contains the site of a missing metal atom
(or C, B, N).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from porescope.atoms import cover, find_pieces
from porescope.materials import ATOMIC_NUMBER, RADIUS, Material
from porescope.simulation.sheets import Atoms

#: Step of the fine grid on which pores are drawn before averaging to pixels [nm].
_TRUTH_STEP = 0.005

_RADII = np.zeros(max(ATOMIC_NUMBER.values()) + 1)
for _element, _radius in RADIUS.items():
    _RADII[ATOMIC_NUMBER[_element]] = _radius


class Truth(NamedTuple):
    """The true pores of a frame."""

    labels: NDArray[np.int32]  # (M, N), label image: pixels that a pore covers by half or more
    cover: NDArray[np.float32]  # (M, N), fraction of each pixel that is pore
    area_nm2: NDArray[np.float64]  # (n,), area inside the frame
    missing_atoms: NDArray[np.int64]  # (n,), missing metal atoms, or C, B and N


def find_truth(
    material: Material,
    layers: Sequence[Atoms],
    shape: tuple[int, int],
    pixel_size: float,
    *,
    step: float = _TRUTH_STEP,
) -> Truth:
    """Find the true pores of a sheet by their definition.

    Parameters
    ----------
    material : Material
    layers : sequence of Atoms
        A pore goes through all layers; its missing atoms are counted in the first.
    shape : tuple of int
    pixel_size : float
        [nm]
    step : float
        Step of the fine grid on which areas are measured [nm].

    Returns
    -------
    Truth
    """
    fine = max(1, round(pixel_size / step))
    step = pixel_size / fine
    labels, share_of_pixel = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    areas: list[float] = []
    counts: list[int] = []
    atoms = layers[0]
    gone = atoms.positions[(atoms.occupancy == 0) & (material.both_count | ~atoms.second)]
    for members in _group(gone, 2.2 * material.constant):
        low = np.floor(np.maximum(members.min(axis=0) - 0.6, 0) / pixel_size).astype(int)
        high = np.ceil((members.max(axis=0) + 0.6) / pixel_size).astype(int)
        high = np.minimum(high, shape)
        if (high <= low).any():
            continue
        origin = low * pixel_size - pixel_size / 2 + step / 2
        free = np.ones(tuple((high - low) * fine), np.uint8)
        for layer in layers:
            _cover(free, material, layer, origin, step)
        n, pieces = find_pieces(free, step)
        at = np.rint((members - origin) / step).astype(int)
        inside = ((at >= 0) & (at < free.shape)).all(axis=1)
        hit = pieces[at[inside, 0], at[inside, 1]]
        here = (slice(low[0], high[0]), slice(low[1], high[1]))
        for piece in range(1, n):
            if (hit == piece).any():
                mask = (pieces == piece).reshape(high[0] - low[0], fine, high[1] - low[1], fine)
                share = mask.mean(axis=(1, 3), dtype=np.float32)
                if (share >= 0.5).any():
                    areas.append(float(mask.sum() * step**2))
                    counts.append(int((hit == piece).sum()))
                    labels[here][share >= 0.5] = len(areas)
                    share_of_pixel[here] += share
    return Truth(labels, np.minimum(share_of_pixel, 1), np.array(areas), np.array(counts, int))


def _group(points: NDArray[np.float64], reach: float) -> list[NDArray[np.float64]]:
    """Split points into groups linked by distances of at most ``reach``."""
    if len(points) == 0:
        return []
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    i, j = cKDTree(points).query_pairs(reach, output_type="ndarray").T
    graph = coo_array((np.ones(len(i), np.int8), (i, j)), shape=(len(points), len(points)))
    n, group = connected_components(graph, directed=False)
    return [points[group == g] for g in range(n)]


def _cover(
    free: NDArray[np.uint8], material: Material, atoms: Atoms, origin: NDArray[np.float64], step: float
) -> None:
    """Set a fine grid to 0, in place, where atoms and bonds cover it."""
    far = origin + np.array(free.shape) * step
    near = ((atoms.positions > origin - 0.4) & (atoms.positions < far + 0.4)).all(axis=1)
    near &= atoms.occupancy > 0
    cover(free, atoms.positions[near], _RADII[atoms.number[near]], material.constant, origin, step)
