"""Tiles joined into clusters, the clearest first: which of the offsets that a lattice allows is the right one.

Two clusters may lie as any of the offsets of the tiles that link them says. Each link votes with its
likelihood, the stage with its error; the more links, the clearer the closed loops tell the right offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Standard deviation between the offsets of two links that say the same [nm].
_AGREE_NM = 0.03
#: Distance up to which two offsets are the same [nm]; lattice planes are 0.2 nm apart.
SAME_NM = 0.1
#: Log-likelihood of a link of which no offset is right.
_LEAST_VOTE = -12.0
#: Log-likelihood ratios of the best offset against the next: above the first, all clusters are joined at
#: once, below the second none are.
_CLEAR, _UNCLEAR = 6.0, 0.7
#: Relative standard deviation of the scan's scale and angle after they have been fitted.
_SCAN = 0.002
#: Relative standard deviation of the scan's scale and angle before.
_SCAN_BEFORE = 0.01


class Link(NamedTuple):
    """Two tiles and where the second may lie against the first."""

    one: int
    two: int
    places_nm: NDArray[np.float64]  # (K, 2), along the pixels of the scan
    scores: NDArray[np.float64]  # (K,)


class Joined(NamedTuple):
    """Tiles in clusters."""

    cluster: NDArray[np.int64]  # (N,): number of the cluster of each tile
    places_nm: NDArray[np.float64]  # (N, 2): in the frame of its cluster, along the pixels of the scan


class _Proposal(NamedTuple):
    margin: float
    one: int
    two: int
    shift_nm: NDArray[np.float64]


def join_tiles(stage_nm: NDArray[np.float64], links: Sequence[Link], error_nm: float) -> Joined:
    """Join tiles to clusters, the clearest first.

    Parameters
    ----------
    stage_nm : ndarray, shape (N, 2)
        Recorded positions.
    links : sequence of Link
    error_nm : float
        Standard deviation of the stage's error, in each direction.

    Returns
    -------
    Joined
        Tiles that no link places are clusters of their own.
    """
    cluster, places = np.arange(len(stage_nm)), stage_nm.astype(float).copy()
    links = [link for link in links if len(link.scores)]
    while True:
        scan = _fit_scan(stage_nm, cluster, places, error_nm)
        proposals = _propose(stage_nm @ scan.T, cluster, places, links, error_nm)
        proposals.sort(key=lambda p: -p.margin)
        if not proposals or proposals[0].margin < _UNCLEAR:
            return Joined(np.unique(cluster, return_inverse=True)[1], places)
        taken: set[int] = set()
        for n, proposal in enumerate(proposals):
            if n and proposal.margin < _CLEAR:
                break
            if taken & {proposal.one, proposal.two}:
                continue
            taken |= {proposal.one, proposal.two}
            its = cluster == proposal.two
            places[its] += proposal.shift_nm
            cluster[its] = proposal.one


def _fit_scan(
    stage_nm: NDArray[np.float64], cluster: NDArray[np.int64], places: NDArray[np.float64], error_nm: float
) -> NDArray[np.float64]:
    """The affine of the scan, (2, 2), from the shapes of the clusters against the stage's."""
    from scipy.optimize import least_squares

    own, n = np.unique(cluster, return_inverse=True, return_counts=True)[1:]
    if n.max() < 3:
        return np.eye(2)

    def centre(values: NDArray[np.float64]) -> NDArray[np.float64]:
        means = np.stack([np.bincount(own, column) / n for column in values.T], axis=1)
        return np.asarray(values - means[own])

    s, p = centre(stage_nm), centre(places)

    def misfit(change: NDArray[np.float64]) -> NDArray[np.float64]:
        left = (p - s @ (np.eye(2) + change.reshape(2, 2)).T) / error_nm
        return np.concatenate([left.ravel(), change / _SCAN_BEFORE])

    return np.eye(2) + least_squares(misfit, np.zeros(4), loss="soft_l1", f_scale=2.0).x.reshape(2, 2)


def _propose(
    predicted: NDArray[np.float64],
    cluster: NDArray[np.int64],
    places: NDArray[np.float64],
    links: Sequence[Link],
    error_nm: float,
) -> list[_Proposal]:
    """How each two clusters with links between them could be joined."""
    between: dict[tuple[int, int], list[Link]] = {}
    for link in links:
        key = int(cluster[link.one]), int(cluster[link.two])
        if key[0] == key[1]:
            continue
        if key[0] > key[1]:
            key = key[::-1]
            link = Link(link.two, link.one, -link.places_nm, link.scores)
        between.setdefault(key, []).append(link)
    members: dict[int, NDArray[np.int64]] = {
        int(c): np.flatnonzero(cluster == c) for key in between for c in key
    }
    means = {c: (predicted[m] - places[m]) for c, m in members.items()}
    proposals = []
    for (one, two), its in between.items():
        # The median holds where one tile's stage position is wrong.
        shift = _middle(means[two]) - _middle(means[one])
        distance = np.hypot(*(predicted[members[two]].mean(axis=0) - predicted[members[one]].mean(axis=0)))
        variance = error_nm**2 * (1 / len(members[one]) + 1 / len(members[two])) + (_SCAN * distance) ** 2
        proposals.append(_vote(one, two, its, places, shift, variance))
    return [p for p in proposals if np.isfinite(p.margin)]


def _middle(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean without what is far from the median."""
    middle = np.median(values, axis=0)
    away = np.hypot(*(values - middle).T)
    near = away <= max(4 * float(np.median(away)), 1e-9)
    return np.asarray(values[near].mean(axis=0))


def _vote(
    one: int,
    two: int,
    links: Sequence[Link],
    places: NDArray[np.float64],
    predicted: NDArray[np.float64],
    variance: float,
) -> _Proposal:
    """Let the links between two clusters, and the stage, vote for the second's shift."""
    shifts = [link.places_nm - (places[link.two] - places[link.one]) for link in links]
    proposed = np.concatenate(shifts)
    away = ((proposed - predicted) ** 2).sum(axis=1) / variance
    # The stage may be wrong altogether.
    total = -np.minimum(away / 2, -2 * _LEAST_VOTE)
    for shift, link in zip(shifts, links, strict=True):
        apart = ((proposed[:, None] - shift[None]) ** 2).sum(axis=2) / _AGREE_NM**2
        total += np.maximum((link.scores[None] - apart / 2).max(axis=1), _LEAST_VOTE)
    best = int(total.argmax())
    others = np.hypot(*(proposed - proposed[best]).T) > SAME_NM
    # Against none: each link wrong, and the stage's own place.
    rivals = [total[others].max(initial=-np.inf), len(links) * _LEAST_VOTE]
    agree = [
        shift[k]
        for shift in shifts
        if (apart := np.hypot(*(shift - proposed[best]).T))[k := int(apart.argmin())] <= SAME_NM
    ]
    return _Proposal(float(total[best] - max(rivals)), one, two, np.mean(agree, axis=0))
