"""Which sites at the pores of an image have lost their atoms, judged by the image of each site."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array, csr_array
from scipy.spatial import cKDTree

from porescope.atoms.response import Response, fit_response, interpolate, look_up
from porescope.atoms.sites import Crystal, Sites
from porescope.lattice import Lattice
from porescope.materials import Material
from porescope.micrograph import Micrograph
from porescope.modalities import HOLE_SIGN

#: Distance from a region up to which sites are judged [lattice constants], and that from which they count as
#: occupied ones to compare with.
_NEAR, _FAR = 1.0, 2.0
#: Distance over which the images of two atoms are taken to overlap [lattice constants].
_OVERLAPPING = 1.6
#: Longest distance of neighbours on the two sublattices [lattice constants]; the bond is 0.58.
_NEIGHBOURS = 0.8
#: Range of the prior probability that a site has no atom; the detector's probability there, within it.
_PRIOR = (0.01, 0.4)
#: Prior probability that a chalcogen site is empty, or has lost one of two atoms, by the number of metal
#: atoms beside it (0 to 3). What holds by one bond only is gone.
_CHALCOGEN = ((0.98, 0.005), (0.98, 0.005), (0.3, 0.02), (0.003, 0.02))
#: Prior weight of an atom of graphene or hBN with fewer than two neighbours, against one with two or more.
_DANGLING = 0.02
#: What stands for never in a prior probability.
_NEVER = 1e-5
#: Share of a site's atoms in each of its states: empty, one of two, full.
_STATES = np.array([0.0, 0.5, 1.0], np.float32)
#: Number of random arrangements that are followed, of sweeps until they count, and of sweeps in all.
_DRAWS, _SETTLED, _SWEEPS = 16, 12, 24
#: Range of the fitted contrast of the sublattices over the expected one, and what may be added: in the
#: published images of WS2 the sulphur is brighter than its cross-section says. Else the sites are wrong.
_PLAUSIBLE, _BRIGHTER = (0.6, 1.6), 0.3
#: Largest noise of a site of the first sublattice, relative to an atom.
_NOISIEST = 0.3
#: Factor on the power of the noise at a pore's edge, where atoms are displaced and contamination gathers.
_CAUTION = 2.0
#: Distance from a region up to which its surroundings are compared with the fit [lattice constants], and the
#: share of the fitted lattice that they may lack.
_SURROUNDINGS, _STRANGE = 3.0, 0.35
#: Fewest sites that tell the image of an atom, and the noise.
_FEWEST = 60
#: Side of the blocks in which a large image is judged, and their overlap [px].
_BLOCK, _MARGIN = 1024, 96


class Occupancy(NamedTuple):
    """The K sites of an image, and whether they hold atoms."""

    sites: Sites  # moved to where they fit the image best
    owner: NDArray[np.int64]  # (K,), label of the region at which a site was judged; 0: none
    held: NDArray[np.bool_]  # (K,), whether it probably holds an atom
    draws: NDArray[np.bool_]  # (K, C), the same in C random arrangements that may have given the image
    trusted: NDArray[np.bool_]  # (K,), whether the image tells which sites hold atoms
    placed: NDArray[np.bool_]  # (K,), whether the sites around lie on the atoms of the image


class _Task(NamedTuple):
    """The sites at the regions of one image: N of K."""

    chosen: NDArray[np.int64]  # (N,), their numbers among all sites
    groups: list[NDArray[np.int64]]  # of sites whose images do not overlap
    neighbours: NDArray[np.int64]  # (N, 3), on the other sublattice; N for one that is not judged
    prior: NDArray[np.float32]  # (N + 1, 3), log probability of each state
    bonds: NDArray[np.float32]  # (N + 1, 4, 3), the same given the number of neighbours that hold atoms


def judge_crystal(
    micrograph: Micrograph,
    crystal: Crystal | None,
    labels: NDArray[np.integer],
    probability: NDArray[np.floating] | None = None,
) -> Occupancy | None:
    """Judge the sites of a crystal as `judge_sites` does, if they are known and there is a region.

    Parameters
    ----------
    micrograph : Micrograph
    crystal : Crystal or None
    labels, probability
        As for `judge_sites`.

    Returns
    -------
    Occupancy or None
        None without a lattice, a material or a region.
    """
    if crystal is None or crystal.material is None or crystal.sites is None or not labels.any():
        return None
    return judge_sites(micrograph, crystal.lattice, crystal.sites, crystal.material, labels, probability)


def judge_sites(
    micrograph: Micrograph,
    lattice: Lattice,
    sites: Sites,
    material: Material,
    labels: NDArray[np.integer],
    probability: NDArray[np.floating] | None = None,
) -> Occupancy:
    """Judge which sites in and around the regions of a label image have lost their atoms.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice
    sites : Sites
        As `find_sites` returns them.
    material : Material
    labels : ndarray of int, shape (M, N)
    probability : ndarray of float, shape (M, N), optional
        The detector's probability of a pore at each pixel.

    Returns
    -------
    Occupancy
        Where the image does not tell, a site counts as empty if it lies inside a region: in HRTEM, in BF and
        ABF of graphene and hBN, where the noise is as strong as an atom, and where the sites do not lie on
        atoms.

    Notes
    -----
    The image of an atom is fitted to the whole image (`fit_response`). The noise is that of the sites far
    from all regions. Arrangements of atoms at the regions are then drawn by their posterior probability
    (Gibbs sampling; Geman and Geman 1984, doi:10.1109/TPAMI.1984.4767596): images of neighbouring sites
    overlap, so that they are judged together. A site is empty if it is so in most of them.

    Examples
    --------
    >>> from porescope.atoms import find_sites
    >>> from porescope.lattice import find_lattice
    >>> from porescope.materials import MATERIALS
    >>> from porescope.simulation import Scene, simulate
    >>> drawn = simulate(Scene("WS2", shape=(200, 260), pores=1, max_missing=1), seed=1)
    >>> sheet = MATERIALS["WS2"]
    >>> lattice = find_lattice(drawn.micrograph)
    >>> sites = find_sites(drawn.micrograph, lattice, sheet)
    >>> found = judge_sites(drawn.micrograph, lattice, sites, sheet, drawn.labels)
    >>> int((~found.held & ~sites.second).sum())
    1
    """
    count = len(sites.positions)
    positions, owner, held = sites.positions.copy(), np.zeros(count, np.int64), np.ones(count, bool)
    draws, (trusted, placed) = np.ones((count, _DRAWS), bool), np.zeros((2, count), bool)
    for core, wide in _cut_blocks(labels.shape):
        if not labels[wide].any():
            continue
        here, inner = (_lie_in(sites.positions, block) for block in (wide, core))
        part = Sites(
            sites.positions[here] - [axis.start for axis in wide],
            sites.places[here],
            sites.second[here],
            sites.empty[here],
        )
        cut = replace(
            micrograph,
            image=micrograph.image[wide],
            field=None if micrograph.field is None else micrograph.field[wide],
        )
        likely = None if probability is None else probability[wide]
        found = _judge(cut, lattice.constant_px, part, material, labels[wide], likely)
        kept, kept_here = here & inner, inner[here]
        positions[kept] = found.sites.positions[kept_here] + [axis.start for axis in wide]
        owner[kept], held[kept] = found.owner[kept_here], found.held[kept_here]
        draws[kept], trusted[kept] = found.draws[kept_here], found.trusted[kept_here]
        placed[kept] = found.placed[kept_here]
    return Occupancy(sites._replace(positions=positions), owner, held, draws, trusted, placed)


def _cut_blocks(shape: tuple[int, ...]) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Cores that tile an image, each with its margin."""
    axes = []
    for n in shape:
        edges = np.linspace(0, n, max(1, -(-n // _BLOCK)) + 1).astype(int).tolist()
        axes.append(
            [(slice(a, b), slice(max(a - _MARGIN, 0), min(b + _MARGIN, n))) for a, b in pairwise(edges)]
        )
    return [((y[0], x[0]), (y[1], x[1])) for y, x in product(*axes)]


def _lie_in(positions: NDArray[np.float64], block: tuple[slice, ...]) -> NDArray[np.bool_]:
    """Whether positions lie in a block of an image; what lies between its last pixel and the next does."""
    low, high = (np.array([getattr(axis, end) for axis in block]) for end in ("start", "stop"))
    return np.asarray(((positions >= low) & (positions < high)).all(axis=1))


def _judge(
    micrograph: Micrograph,
    cell: float,
    sites: Sites,
    material: Material,
    labels: NDArray[np.integer],
    probability: NDArray[np.floating] | None,
) -> Occupancy:
    """Judge the sites of one image or block."""
    y, x = np.clip(np.rint(sites.positions).astype(int), 0, np.array(labels.shape) - 1).T
    away, nearest = distance_transform_edt(labels == 0, return_indices=True)
    distance = away[y, x]
    near = distance <= _NEAR * cell
    owner = np.where(near, labels[nearest[0][y, x], nearest[1][y, x]], 0).astype(np.int64)
    outside = distance > 0
    draws = np.repeat(outside[:, None], _DRAWS, axis=1)
    yes = np.ones(len(owner), bool)
    unknown = Occupancy(sites, owner, outside, draws, ~yes, yes)
    coherent = micrograph.modality != "haadf" and material.both_count
    if HOLE_SIGN[micrograph.modality] == 0 or coherent or len(sites.positions) < _FEWEST:
        return unknown
    task = _prepare(sites, cell, material, near, _guess(distance, labels, probability, y, x))
    held = outside.astype(np.float64)
    for _ in range(2):
        response = fit_response(micrograph, cell, sites.positions, sites.second, held)
        sites = sites._replace(positions=response.positions)
        fitted, wanted = response.contrast, material.contrast(micrograph.modality)
        response = response._replace(contrast=1.0 if material.first == material.second else response.contrast)
        compared = (distance > _FAR * cell) & (response.window[y, x] > 0.9)
        terms = _weigh(response, sites, compared, task, cell, held)
        if not _PLAUSIBLE[0] * wanted < fitted < _PLAUSIBLE[1] * wanted + _BRIGHTER:
            return unknown._replace(placed=~yes)
        if terms is None:
            return unknown
        states, shares = _arrange(terms, task, held[task.chosen])
        held[task.chosen] = np.rint(2 * shares @ _STATES) / 2
    strange = _find_strange(response, away, labels[nearest[0], nearest[1]], cell)
    draws[task.chosen] = states > 0
    found = outside.copy()
    found[task.chosen] = shares[:, 0] < 0.5
    known = ~np.isin(owner, strange)
    return Occupancy(sites, owner, found, draws, known, known)


def _find_strange(
    response: Response, away: NDArray[np.float64], owner: NDArray[np.integer], cell: float
) -> NDArray[np.int64]:
    """Labels of regions around which the image lacks the lattice that is fitted, as in another grain.

    ``away`` is the distance of each pixel from the regions, ``owner`` the nearest region's label.
    """
    around = (away > _NEAR * cell) & (away < _SURROUNDINGS * cell)
    expected, labels = response.expected[around], owner[around]
    matched = np.bincount(labels, response.evidence[around] * expected)
    power = np.bincount(labels, expected**2)
    return np.flatnonzero(matched < -_STRANGE * power)


def _guess(
    distance: NDArray[np.float64],
    labels: NDArray[np.integer],
    probability: NDArray[np.floating] | None,
    y: NDArray[np.int64],
    x: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Prior probability that a site at a region is empty."""
    seen = (distance == 0).astype(np.float64) if probability is None else probability[y, x].astype(np.float64)
    return np.asarray(np.clip(seen, *_PRIOR), np.float64)


def _prepare(
    sites: Sites, cell: float, material: Material, near: NDArray[np.bool_], guess: NDArray[np.float64]
) -> _Task:
    """Prior probabilities and neighbours of the sites near the regions."""
    chosen = np.flatnonzero(near)
    n, second = len(chosen), sites.second[chosen]
    # Sites of one sublattice whose cells are even or odd alike lie two constants apart.
    kind = np.floor(sites.places[chosen]).astype(np.int64) % 2 @ [1, 2] + 4 * second
    groups = [group for k in range(8) if len(group := np.flatnonzero(kind == k))]
    numbers = np.full(len(near) + 1, n)
    numbers[chosen] = np.arange(n)
    neighbours = np.full((n, 3), n)
    for side in (False, True):
        others, mine = np.flatnonzero(sites.second != side), second == side
        if len(others) and mine.any():
            tree = cKDTree(sites.positions[others])
            found = tree.query(
                sites.positions[chosen[mine]], k=[1, 2, 3], distance_upper_bound=_NEIGHBOURS * cell
            )[1]
            neighbours[mine] = numbers[np.append(others, len(near))[found]]
    prior, bonds = np.zeros((n + 1, 3), np.float32), np.zeros((n + 1, 4, 3), np.float32)
    counted = np.flatnonzero(material.both_count | ~second)
    empty = guess[chosen[counted]]
    prior[counted] = np.log(np.stack([empty, np.full(len(empty), _NEVER), 1 - empty], axis=1))
    if material.both_count:
        bonds[:n, :2, 2] = np.log(_DANGLING)
    else:
        table = np.array([(empty, half, 1 - empty - half) for empty, half in _CHALCOGEN])
        bonds[:n][second] = np.log(table)
    return _Task(chosen, groups, neighbours, prior, bonds)


class _Terms(NamedTuple):
    """The log-likelihood of an arrangement, quadratic in the differences from the one that was fitted."""

    linear: NDArray[np.float32]  # (N,)
    square: NDArray[np.float32]  # (N,)
    pairs: csr_array  # (N, N), without the diagonal


def _weigh(
    response: Response,
    sites: Sites,
    compared: NDArray[np.bool_],
    task: _Task,
    cell: float,
    held: NDArray[np.float64],
) -> _Terms | None:
    """Measure the evidence of the sites in units of its noise; None if that is as strong as an atom."""
    strength = np.where(sites.second, response.contrast, 1.0)
    evidence = strength * (interpolate(sites.positions, response.evidence.shape) @ response.evidence.ravel())
    own = float(response.overlap.max())
    # Sites far from the pores tell the noise, with all that is not in the fit.
    spread = [
        1.4826 * float(np.median(np.abs(values - np.median(values)))) / response_of
        for side, response_of in ((False, 1.0), (True, response.contrast))
        if len(values := evidence[compared & (sites.second == side)]) >= _FEWEST
    ]
    if not spread or not own > 0 or spread[0] / own > _NOISIEST:
        return None
    power = _CAUTION * max(spread) ** 2 / own
    at, weight = sites.positions[task.chosen], strength[task.chosen]
    i, j = cKDTree(at).query_pairs(_OVERLAPPING * cell, output_type="ndarray").T
    pairs = look_up(response.overlap, at[i] - at[j]) * weight[i] * weight[j] / power
    size = (len(at), len(at))
    matrix = coo_array((np.r_[pairs, pairs], (np.r_[i, j], np.r_[j, i])), shape=size)
    linear, square = evidence[task.chosen] / power, own * weight**2 / power
    return _Terms(linear.astype(np.float32), square.astype(np.float32), csr_array(matrix).astype(np.float32))


def _arrange(
    terms: _Terms, task: _Task, fitted: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw arrangements of atoms: states of the last sweep, (N, C), and shares of each state, (N, 3)."""
    n, rng = len(fitted), np.random.default_rng(0)
    start = fitted.astype(np.float32)[:, None]
    states = np.full((n + 1, _DRAWS), 2)
    states[:n] = np.where(start < 0.5, 0, 2)
    shares = np.zeros((n, 3))
    rows = [terms.pairs[group] for group in task.groups]
    change = _STATES[states[:n]] - start
    for sweep in range(_SWEEPS):
        # At first a high temperature, so that the start is forgotten.
        cold = min(1.0, 0.15 + 0.85 * sweep / (0.7 * _SETTLED))
        for group, row in zip(task.groups, rows, strict=True):
            field = terms.linear[group, None] - row @ change
            step = _STATES - start[group]
            log = step[:, None] * field[..., None] - 0.5 * (step**2 * terms.square[group, None])[:, None]
            log = cold * (log + _add_bonds(states, group, task))
            chance = np.cumsum(np.exp(log - log.max(axis=2, keepdims=True)), axis=2)
            drawn = rng.random(chance.shape[:2]) * chance[..., 2]
            states[group] = (drawn[..., None] > chance[..., :2]).sum(axis=2)
            change[group] = _STATES[states[group]] - start[group]
        if sweep >= _SETTLED:
            shares += (states[:n, :, None] == np.arange(3)).mean(axis=1)
    return states[:n], shares / shares.sum(axis=1, keepdims=True)


def _add_bonds(states: NDArray[np.int64], group: NDArray[np.int64], task: _Task) -> NDArray[np.float32]:
    """Log prior of each state of a group's sites, given the others' states, shape (G, C, 3)."""
    atoms = states > 0
    near = task.neighbours[group]
    log = task.prior[group, None] + task.bonds[group[:, None], atoms[near].sum(axis=1)]
    last = len(task.neighbours) - 1
    for other in near.T:
        # Neighbours of the neighbour, without the site itself.
        around = atoms[task.neighbours[np.minimum(other, last)]].sum(axis=1) - atoms[group]
        around = np.clip(around, 0, 2)
        without = task.bonds[other[:, None], around, states[other]]
        with_it = task.bonds[other[:, None], around + 1, states[other]]
        log = log + np.stack([without, with_it, with_it], axis=2)
    return np.asarray(log, np.float32)
