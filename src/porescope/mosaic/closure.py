"""Which of the offsets that a lattice allows is the right one: all pairs of tiles are weighed together.

A pair alone seldom tells, and greedy choices close their loops at wrong places. Expectation propagation
(Minka 2001, arXiv:1301.2294) keeps a Gaussian for the offset of each pair, which the closed loops, the stage
and the scan's affine narrow down until one offset of the pair is left.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    prior, pull = _make_prior(stage_nm, error_nm)
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
    solved = np.linalg.solve(total, h)
    n = 2 * len(stage_nm)
    places = np.asarray(solved[:n].reshape(-1, 2), float)
    scan = np.eye(2) + np.tensordot(solved[n : n + 4], DEFORMATIONS, 1)
    predicted = (stage_nm - stage_nm.mean(axis=0)) @ scan.T + solved[n + 4 :]
    return _move_single(places, predicted, its, error_nm)


def _move_single(
    places: NDArray[np.float64], predicted: NDArray[np.float64], links: Sequence[Link], error_nm: float
) -> Closure:
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
    return Closure(places, margin)


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


def _make_prior(
    stage_nm: NDArray[np.float64], error_nm: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision matrix, and its product with the mean, of the places, the deformations and the origin."""
    n, middle = len(stage_nm), stage_nm.mean(axis=0)
    s = stage_nm - middle
    design = np.zeros((2 * n, 2 * n + 6))
    design[:, : 2 * n] = np.eye(2 * n)
    design[:, 2 * n : 2 * n + 4] = -np.einsum("kab,nb->nak", DEFORMATIONS, s).reshape(2 * n, 4)
    design[:, 2 * n + 4 :] = -np.tile(np.eye(2), (n, 1))
    precision = design.T @ design / error_nm**2
    # The origin is the middle of the stage's positions within an error, since nothing else holds the sheet.
    extra = np.r_[np.zeros(2 * n), np.full(4, _DEFORMATION**-2), np.full(2, error_nm**-2)]
    precision[np.diag_indices_from(precision)] += extra
    pull = design.T @ s.ravel() / error_nm**2
    return precision, pull


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
