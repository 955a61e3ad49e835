"""Which of the offsets that a lattice allows is the right one: all pairs of tiles are weighed together.

A pair alone seldom tells, and greedy choices close their loops at wrong places. Expectation propagation
(Minka 2001, arXiv:1301.2294) keeps a Gaussian for the offset of each pair, which the closed loops, the stage
and the scan's affine narrow down until one offset of the pair is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Distance up to which two offsets are the same [nm]; lattice planes are 0.2 nm apart.
SAME_NM = 0.1
#: Standard deviation of an offset that the images allow [nm].
_OFFSET_NM = 0.02
#: Log-likelihood of a pair of which no offset is right.
LEAST_SCORE = -8.0
#: Number of sweeps over all pairs at first and after some were decided; share of the new estimate in each.
_SWEEPS, _SWEEPS_BETWEEN, _NEW = 12, 2, 0.5
#: Most steps by which groups of tiles are moved; offsets that are tried as a step; offsets that are counted.
_MOST_HOPS, _TRIED_HOPS, _MOST_COUNTED = 12, 200, 20_000
#: Log-likelihood by which a group's other place must be likelier for the group to move.
_CLEAR_GAIN = 1.0
#: Probability from which on a pair is decided at once; share of all pairs that is decided in any case.
_DECIDED, _DECIDED_AT_ONCE = 0.9999, 0.03
#: Prior standard deviation of each deformation of the scan.
_DEFORMATION = 0.01
#: What the scan may do to the sheet, each as a matrix: magnify, turn, stretch along the rows against the
#: columns, and along the diagonals.
DEFORMATIONS = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[1, 0], [0, -1]], [[0, 1], [1, 0]]], float)


class Link(NamedTuple):
    """Two tiles and where the second may lie against the first."""

    one: int
    two: int
    places_nm: NDArray[np.float64]  # (K, 2), along the pixels of the scan
    scores: NDArray[np.float64]  # (K,): log-likelihoods


class Closure(NamedTuple):
    """What all pairs together say."""

    places_nm: NDArray[np.float64]  # (N, 2), along the pixels of the scan
    margin: NDArray[
        np.float64
    ]  # (N,): log-likelihood ratio against each tile's next best place; NaN: no links


def close_loops(stage_nm: NDArray[np.float64], links: Sequence[Link], error_nm: float) -> Closure:
    """Choose where each tile lies of the places that a lattice allows.

    The time goes with the third power of the number of tiles: seconds for 500, minutes for 1,500.

    Parameters
    ----------
    stage_nm : ndarray, shape (N, 2)
        Recorded positions.
    links : sequence of Link
    error_nm : float
        Standard deviation of the stage's error, in each direction.

    Returns
    -------
    Closure
    """
    its = [link for link in links if link.scores.max(initial=-np.inf) > LEAST_SCORE]
    ends = np.array([(link.one, link.two) for link in its], int).reshape(-1, 2)
    stage = _prepare_stage(stage_nm, error_nm)
    prior, pull = _make_prior(stage)
    sites = _Sites(
        np.full(len(its), -1), np.ones(len(its)), np.zeros((len(its), 2, 2)), np.zeros((len(its), 2))
    )
    open_ = np.ones(len(its), bool)
    for _ in range(_SWEEPS):
        _sweep(its, prior, pull, ends, sites, open_)
    at_once = max(1, round(_DECIDED_AT_ONCE * len(its)))
    while open_.any():
        # The clearest pairs are decided; the others see the consequences before they are.
        share = np.where(open_, sites.share, -1.0)
        least = min(_DECIDED, np.sort(share)[-at_once])
        for k in np.flatnonzero(share >= least).tolist():
            _decide(its[k], k, sites)
        open_[share >= least] = False
        for _ in range(_SWEEPS_BETWEEN):
            _sweep(its, prior, pull, ends, sites, open_)
    total, h = _add_sites(prior, pull, ends, sites.precision, sites.shift)
    places = np.asarray(np.linalg.solve(total, h)[: 2 * len(stage_nm)].reshape(-1, 2), float)
    for _ in range(_SWEEPS):
        places, margin = _move_single(places, stage.predict(places), its, error_nm)
        step, others = _move_groups(places, stage, its)
        if not step.any():
            break
        places = places + step
    return Closure(places, np.fmin(margin, np.where(np.isnan(margin), np.nan, others)))


def _move_single(
    places: NDArray[np.float64], predicted: NDArray[np.float64], links: Sequence[Link], error_nm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move single tiles to where their neighbours like them better, until all stay."""
    places, margin = places.copy(), np.full(len(places), np.nan)
    around: dict[int, list[tuple[int, NDArray[np.float64], NDArray[np.float64]]]] = {}
    for link in links:
        around.setdefault(link.two, []).append((link.one, link.places_nm, link.scores))
        around.setdefault(link.one, []).append((link.two, -link.places_nm, link.scores))
    for _ in range(_SWEEPS):
        moved = False
        for tile, its in around.items():
            wished = [places[neighbour] + offsets for neighbour, offsets, _ in its]
            tried = np.concatenate([places[tile][None], *wished])
            total = -((tried - predicted[tile]) ** 2).sum(axis=1) / 2 / error_nm**2
            total = np.maximum(total, 2 * LEAST_SCORE)
            for wish, (_, _, scores) in zip(wished, its, strict=True):
                same = ((tried[:, None] - wish[None]) ** 2).sum(axis=2) <= SAME_NM**2
                total += np.where(same, scores[None], LEAST_SCORE).max(axis=1)
            best = int(total.argmax())
            other = np.hypot(*(tried - tried[best]).T) > SAME_NM
            margin[tile] = total[best] - total[other].max(initial=len(its) * LEAST_SCORE)
            if total[best] > total[0] + 1e-6 and np.hypot(*(tried[best] - places[tile])) > SAME_NM:
                places[tile], moved = tried[best], True
        if not moved:
            break
    return places, margin


def _move_groups(
    places: NDArray[np.float64], stage: _Stage, links: Sequence[Link]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Try to move groups of tiles that hang together by a hop which their links to others allow.

    Returns the step of each tile (N, 2) to the likeliest place of its group, 0 where none is likelier, and
    how much less likely the best of all steps of a group with the tile is.
    """
    n, steps, margin = len(places), np.zeros_like(places), np.full(len(places), np.inf)
    ends = np.array([(link.one, link.two) for link in links], int).reshape(-1, 2)
    apart = places[ends[:, 1]] - places[ends[:, 0]]
    now = _score_links(links, apart)
    away = (places - stage.predict(places)) / stage.error_nm**2
    inverse, least = stage.inverse, -_CLEAR_GAIN
    for hop in _list_hops(links, apart):
        # Cost of a link of which the second tile takes the hop, and the first does not; and of the opposite.
        cost = np.stack([now - _score_links(links, apart + hop), now - _score_links(links, apart - hop)])
        own = away @ hop + hop @ hop / 2 / stage.error_nm**2
        pull = np.einsum("nak,a->nk", stage.basis.reshape(n, 2, 6), hop) / stage.error_nm**2
        for group in _grow_groups(ends, cost.min(axis=0), n):
            inside, pulled = group[ends], pull[group].sum(axis=0)
            # The deformations and the origin follow the group.
            total = own[group].sum() - pulled @ inverse @ pulled / 2
            total += cost[0][inside[:, 1] & ~inside[:, 0]].sum()
            total += cost[1][inside[:, 0] & ~inside[:, 1]].sum()
            margin[group] = np.minimum(margin[group], total)
            if total < least:
                least, steps = total, np.where(group[:, None], hop, 0.0)
    return steps, margin


def _score_links(links: Sequence[Link], apart: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-likelihood of each link if its tiles lie so far apart (L, 2)."""
    scores = np.full(len(links), LEAST_SCORE)
    for k, (link, here) in enumerate(zip(links, apart, strict=True)):
        same = ((link.places_nm - here) ** 2).sum(axis=1) <= SAME_NM**2
        scores[k] = link.scores[same].max(initial=LEAST_SCORE)
    return scores


def _list_hops(links: Sequence[Link], apart: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The steps by which offsets lie beside those that were chosen, those of most links first."""
    others = [link.places_nm - here for link, here in zip(links, apart, strict=True)]
    every = np.concatenate([*others, *(-steps for steps in others), np.zeros((0, 2))])
    every = every[np.hypot(*every.T) > SAME_NM]
    every = every[:: 1 + len(every) // _MOST_COUNTED]
    hops: list[NDArray[np.float64]] = []
    while len(every) and len(hops) < _MOST_HOPS:
        near = ((every[:, None] - every[None, :_TRIED_HOPS]) ** 2).sum(axis=2) <= SAME_NM**2
        chosen = near[:, near.sum(axis=0).argmax()]
        hops.append(np.asarray(every[chosen].mean(axis=0)))
        every = every[~chosen]
    return hops


def _grow_groups(
    ends: NDArray[np.int64], cost: NDArray[np.float64], n_tiles: int
) -> Iterator[NDArray[np.bool_]]:
    """Groups of up to half of the tiles that the dearest links hold together: single linkage."""
    groups = np.eye(n_tiles, dtype=bool)
    group_of = np.arange(n_tiles)
    for k in np.argsort(-cost, kind="stable").tolist():
        one, two = group_of[ends[k]]
        if one == two:
            continue
        groups[one] |= groups[two]
        group_of[groups[two]] = one
        if groups[one].sum() <= n_tiles / 2:
            yield groups[one]


class _Sites(NamedTuple):
    """What each pair says; the arrays are changed in place."""

    best: NDArray[np.int64]  # (L,): number of its best offset; −1: none
    share: NDArray[np.float64]  # (L,): probability of that
    precision: NDArray[np.float64]  # (L, 2, 2): of the Gaussian that stands for the pair
    shift: NDArray[np.float64]  # (L, 2): precision · mean


def _sweep(
    links: Sequence[Link],
    prior: NDArray[np.float64],
    pull: NDArray[np.float64],
    ends: NDArray[np.int64],
    sites: _Sites,
    open_: NDArray[np.bool_],
) -> None:
    """Renew what the pairs say that are still open."""
    mean, spread = _marginalise(prior, pull, ends, sites.precision, sites.shift)
    inverse = np.linalg.inv(spread)
    cavity = inverse - sites.precision
    cavity_shift = np.einsum("lij,lj->li", inverse, mean) - sites.shift
    for n in np.flatnonzero(open_).tolist():
        sites.best[n], sites.share[n], own, own_shift = _tilt(links[n], cavity[n], cavity_shift[n])
        sites.precision[n] += _NEW * (own - sites.precision[n])
        sites.shift[n] += _NEW * (own_shift - sites.shift[n])


def _decide(link: Link, n: int, sites: _Sites) -> None:
    """Let a pair say its best offset only."""
    best = sites.best[n]
    sites.precision[n] = 0 if best < 0 else np.eye(2) / _OFFSET_NM**2
    sites.shift[n] = 0 if best < 0 else link.places_nm[best] / _OFFSET_NM**2


class _Stage(NamedTuple):
    """What the stage says of the places, up to deformations of the scan and an origin."""

    recorded: NDArray[np.float64]  # (N, 2): from their middle
    basis: NDArray[np.float64]  # (2 N, 6): what each deformation and the origin do to the places
    extra: NDArray[np.float64]  # (6,): prior precision of these
    error_nm: float

    @property
    def inverse(self) -> NDArray[np.float64]:
        """Covariance (6, 6) of deformations and origin, given all places."""
        precision = self.basis.T @ self.basis / self.error_nm**2 + np.diag(self.extra)
        return np.asarray(np.linalg.inv(precision), float)

    def predict(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where the tiles should lie, with the deformations that suit their places best."""
        pull = self.basis.T @ (places - self.recorded).ravel() / self.error_nm**2
        return self.recorded + (self.basis @ self.inverse @ pull).reshape(-1, 2)


def _prepare_stage(stage_nm: NDArray[np.float64], error_nm: float) -> _Stage:
    s = stage_nm - stage_nm.mean(axis=0)
    n = len(s)
    basis = np.hstack(
        [np.einsum("kab,nb->nak", DEFORMATIONS, s).reshape(2 * n, 4), np.tile(np.eye(2), (n, 1))]
    )
    # The origin is the middle of the stage's positions within an error, since nothing else holds the sheet.
    return _Stage(s, basis, np.r_[np.full(4, _DEFORMATION**-2), np.full(2, error_nm**-2)], error_nm)


def _make_prior(stage: _Stage) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision matrix, and its product with the mean, of the places, the deformations and the origin."""
    design = np.hstack([np.eye(len(stage.basis)), -stage.basis])
    precision = design.T @ design / stage.error_nm**2
    precision[np.diag_indices_from(precision)] += np.r_[np.zeros(len(stage.basis)), stage.extra]
    return precision, design.T @ stage.recorded.ravel() / stage.error_nm**2


def _add_sites(
    prior: NDArray[np.float64],
    pull: NDArray[np.float64],
    ends: NDArray[np.int64],
    precision: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add what each pair says of its offset."""
    total, h = prior.copy(), pull.copy()
    for axis in (0, 1):
        one, two = 2 * ends[:, 0] + axis, 2 * ends[:, 1] + axis
        np.add.at(h, two, shift[:, axis])
        np.add.at(h, one, -shift[:, axis])
        for other in (0, 1):
            first, second = 2 * ends[:, 0] + other, 2 * ends[:, 1] + other
            value = precision[:, axis, other]
            np.add.at(total, (one, first), value)
            np.add.at(total, (two, second), value)
            np.add.at(total, (one, second), -value)
            np.add.at(total, (two, first), -value)
    return total, h


def _marginalise(
    prior: NDArray[np.float64],
    pull: NDArray[np.float64],
    ends: NDArray[np.int64],
    precision: NDArray[np.float64],
    shift: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (L, 2) and covariance (L, 2, 2) of the offset of each pair."""
    total, h = _add_sites(prior, pull, ends, precision, shift)
    covariance = _invert(total)
    places = covariance @ h
    one, two = (2 * ends[:, e, None] + np.arange(2) for e in (0, 1))

    def block(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(covariance[a[:, :, None], b[:, None, :]])

    spread = block(two, two) + block(one, one) - block(one, two) - block(two, one)
    return places[two] - places[one], spread


def _invert(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert a positive definite matrix, in half the time of `numpy.linalg.inv`."""
    from scipy.linalg import lapack

    factor, failed = lapack.dpotrf(matrix, lower=1)
    inverse, unsolved = lapack.dpotri(factor, lower=1)
    if failed or unsolved:
        return np.asarray(np.linalg.inv(matrix), float)
    lower = np.tril(inverse)
    return np.asarray(lower + np.tril(inverse, -1).T, float)


def _tilt(
    link: Link, cavity: NDArray[np.float64], cavity_shift: NDArray[np.float64]
) -> tuple[int, float, NDArray[np.float64], NDArray[np.float64]]:
    """What one pair says, given all others: its best offset, the probability of that, and its Gaussian."""
    cavity = (cavity + cavity.T) / 2
    if np.linalg.eigvalsh(cavity)[0] <= 1e-6:
        return -1, 0.0, np.zeros((2, 2)), np.zeros(2)
    spread = np.linalg.inv(cavity)
    mean = spread @ cavity_shift
    away = link.places_nm - mean
    wide = np.linalg.inv(spread + _OFFSET_NM**2 * np.eye(2))
    logs = np.append(link.scores - 0.5 * np.einsum("ki,ij,kj->k", away, wide, away), LEAST_SCORE)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    best = int(logs.argmax())
    if best == len(link.scores):
        return -1, float(weights[-1]), np.zeros((2, 2)), np.zeros(2)
    same = np.hypot(*(link.places_nm - link.places_nm[best]).T) <= SAME_NM
    share = float(weights[:-1][same].sum())
    own = weights[:-1] / weights[:-1].sum()
    centre = own @ link.places_nm
    apart = link.places_nm - centre
    covariance = np.einsum("k,ki,kj->ij", own, apart, apart) + _OFFSET_NM**2 * np.eye(2)
    values, vectors = np.linalg.eigh(np.linalg.inv(covariance) - cavity)
    site = (vectors * np.maximum(values, 0)) @ vectors.T
    # The Gaussian's mean is such that it and the others together have the right one.
    return best, share, site, (site + cavity) @ centre - cavity_shift
