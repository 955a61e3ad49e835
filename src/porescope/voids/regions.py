"""Regions at the level of vacuum, and the confidence that each is a pore."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.labels import find_boxes, label_regions
from porescope.voids.ground import Ground, find_edges, find_film, measure_depth, measure_near
from porescope.voids.levels import SMOOTHING

#: Smallest pore [px].
_SMALLEST = 12
#: Grey level that a pore must reach, in contrasts of sheet and vacuum above vacuum.
_HIGHEST = 0.55
#: Share of a region's outline from which the support film surrounds it: it is a hole of the film. And its
#: area, relative to its largest disc's squared radius, from which half of that is enough.
_MOST_FILM, _THIN = 0.5, 16.0
#: Area of a slender region, relative to its largest disc's squared radius, and solidity of a bent one.
_SLENDER, _BENT = 40.0, 0.6
#: Weights of the evidence for a pore, as `gather_evidence` returns it: the sharpness's fitted on simulated
#: membranes (seeds for validation), the contrast's chosen.
_WEIGHTS = (-8.2, 1.0, 13.2)


def find_regions(
    smoothed: NDArray[np.float32],
    half: NDArray[np.float32],
    step: NDArray[np.float32],
    ground: Ground,
    blur: float,
    noise: float,
    inside: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Find the regions below the level half-way between vacuum and sheet.

    Parameters
    ----------
    smoothed : ndarray of float32, shape (M, N)
        Vacuum is dark.
    half, step : ndarray of float32, shape (M, N)
        Level half-way between the inside of pores and their surroundings, and the distance of these two.
    ground : Ground
    blur : float
        Standard deviation of the image's blur [px].
    noise : float
        Standard deviation of the noise of ``smoothed``.
    inside : ndarray of bool, shape (M, N), or None
        Where there is data; None: everywhere.

    Returns
    -------
    labels : ndarray of int32, shape (M, N)
    confidence : ndarray of float, shape (n,)
        Probability that a region is a pore; 0 for what is a hole of the support film or a fringe at its edge.
    """
    dark = smoothed < half
    if inside is not None:
        dark &= inside
    labels = label_regions(dark)
    evidence = gather_evidence(step, labels, ground, blur, noise)
    confidence = 1 / (1 + np.exp(-(evidence @ np.array(_WEIGHTS)).clip(-50, 50)))
    areas = np.bincount(labels.ravel())
    depth = measure_depth(dark, labels, len(areas))
    lowest = np.full(len(areas), np.inf)
    np.minimum.at(lowest, labels[dark], smoothed[dark])
    kept = (areas >= _SMALLEST) & (lowest < ground.vacuum + _HIGHEST * ground.contrast)
    kept &= 2 * depth < ground.widest
    kept &= ~_find_rings(labels, kept & (areas > _SLENDER * depth**2), areas)
    if ground.film is not None:
        film = find_film(smoothed, ground.sheet, ground.film)
        share = measure_near(film, labels, find_edges(dark), len(areas))
        # A fringe along the film's edge is thin.
        kept &= share < np.where(areas > _THIN * depth**2, _MOST_FILM / 2, _MOST_FILM)
    return labels, np.where(kept, confidence, 0.0)[1:]


def _find_rings(
    labels: NDArray[np.int32], slender: NDArray[np.bool_], areas: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Which of the slender regions are bent: Fresnel fringes around pores and carbon, not slits."""
    rings = np.zeros(len(areas), np.bool_)
    boxes = find_boxes(labels) if slender[1:].any() else {}
    for label in np.flatnonzero(slender[1:]) + 1:
        top, left, bottom, right = boxes[int(label)]
        points = np.argwhere(labels[top:bottom, left:right] == label)[:, ::-1].astype(np.int32)
        hull = cv2.convexHull(points)
        rings[label] = areas[label] < _BENT * (cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1)
    return rings


def gather_evidence(
    step: NDArray[np.float32],
    labels: NDArray[np.int32],
    ground: Ground,
    blur: float,
    noise: float,
) -> NDArray[np.float64]:
    """Gather the evidence that regions are pores.

    Parameters
    ----------
    step : ndarray of float32, shape (M, N)
        As for `find_regions`.
    labels : ndarray of int32, shape (M, N)
    ground, blur, noise
        As for `find_regions`.

    Returns
    -------
    ndarray of float, shape (n + 1, 3)
        For each label, the background included: 1; logarithm of contrast over noise; sharpness of the edge
        (1: as sharp as the image's blur lets it be).
    """
    dark = labels > 0
    count = int(labels.max()) + 1
    height = np.bincount(labels[dark], step[dark], count) / np.maximum(
        np.bincount(labels[dark], minlength=count), 1
    )
    edge = find_edges(dark)
    owner = labels[edge]
    # What noise adds to the absolute gradient is taken away.
    square = np.maximum(ground.slope[edge] ** 2 - ground.slope_noise**2, 0) / step[edge] ** 2
    slope = np.sqrt(np.bincount(owner, square, count) / np.maximum(np.bincount(owner, minlength=count), 1))
    sharpness = slope * np.sqrt(2 * np.pi) * np.hypot(SMOOTHING, blur)
    strength = np.log(np.maximum(height / noise, 1e-3))
    return np.column_stack([np.ones(count), strength, sharpness.clip(0, 1)]).astype(float)
