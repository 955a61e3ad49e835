"""The evidence for each region that may be a pore: of the network, of the vacancy map, of the image."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.labels import find_bordered, find_boxes, measure_areas
from porescope.lattice import Lattice, VacancyMap, measure_amplitude
from porescope.micrograph import Micrograph
from porescope.modalities import has_bright_holes
from porescope.network.confidence import EVIDENCE
from porescope.network.maps import Maps
from porescope.network.scale import USUAL_CONSTANT, Scale
from porescope.strips import cut_strips

#: z from which a place counts as one that stands out [standard deviations].
_STANDS_OUT = 4.5
#: Largest values of z, of the missing share, and of depths [standard deviations].
_MOST_Z, _MOST_SHARE, _DEEPEST = 15.0, 3.0, 20.0
#: Inner and outer distance of a region's surroundings from its edge [lattice constants].
_INNER, _OUTER = 0.5, 2.0
#: Number of unit cells to which numbers of places and regions refer.
_CELLS = 1000


class Places(NamedTuple):
    """Local maxima of a vacancy map, the highest first."""

    position: NDArray[np.int64]  # (K, 2), row and column
    z: NDArray[np.float64]  # (K,)


def list_places(z: NDArray[np.floating], cell_px: float, least: float) -> Places:
    """List the local maxima of a vacancy map.

    Parameters
    ----------
    z : ndarray of float, shape (M, N)
    cell_px : float
        Lattice constant [px]; maxima nearer than 0.4 of it are one.
    least : float
        Smallest z of a maximum.

    Returns
    -------
    Places

    Examples
    --------
    >>> z = np.zeros((20, 30), np.float32)
    >>> z[4, 5], z[4, 6], z[12, 20] = 6, 5, 7
    >>> list_places(z, 8.0, 4.5).position.tolist()
    [[12, 20], [4, 5]]
    """
    reach = max(int(0.4 * cell_px), 1)
    window = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    found = []
    for rows in cut_strips(z.shape):
        top = max(rows.start - reach, 0)
        part = np.asarray(z[top : rows.stop + reach], np.float32)
        highest = (part >= cv2.dilate(part, window)) & (part >= least)
        y, x = np.nonzero(highest[rows.start - top :][: rows.stop - rows.start])
        found.append(np.stack([y + rows.start, x], axis=1))
    position = np.concatenate(found)
    height = np.asarray(z[position[:, 0], position[:, 1]], np.float64)
    order = np.argsort(-height, kind="stable")
    return Places(position[order], height[order])


def gather_evidence(
    labels: NDArray[np.int32],
    maps: Maps,
    vacancies: VacancyMap | None,
    micrograph: Micrograph,
    lattice: Lattice | None,
    scale: Scale,
) -> NDArray[np.float64]:
    """Gather the evidence for each region of a label image.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
        Numbered without gaps.
    maps : Maps
        What the network says of each pixel.
    vacancies : VacancyMap or None
    micrograph : Micrograph
    lattice : Lattice or None
    scale : Scale

    Returns
    -------
    ndarray of float, shape (n, K)
        The columns of `EVIDENCE`. Those that need a lattice are 0 without one.

    Notes
    -----
    A region is judged by itself and its surroundings. The rest of the image counts by the number of its
    doubtful places only, which come in crowds in noise and in alloys.
    """
    n = int(labels.max())
    out = np.zeros((n, len(EVIDENCE)))
    column = dict(zip(EVIDENCE, out.T, strict=True))
    if not n:
        return out
    cell = scale.cell_px
    thousands = micrograph.image.size / (cell**2 * np.sqrt(3) / 2) / _CELLS
    column["probability"][:] = _log_odds(measure_regions(labels, maps.probability))
    column["area"][:] = np.log(measure_areas(labels)[1:] / cell**2)
    column["regions"][:] = np.log1p((n - 1) / thousands)
    column["at_border"][find_bordered(labels, micrograph.field) - 1] = 1
    column["no_lattice"][:] = vacancies is None
    column["unknown"][:] = scale.constant_nm is None
    column["constant"][:] = ((scale.constant_nm or USUAL_CONSTANT) - USUAL_CONSTANT) / 0.04
    sign = np.float32(1 if has_bright_holes(micrograph.modality) else -1)
    darkest = np.zeros((n, 2))
    for label, box in find_boxes(labels).items():
        near, region, around = _look_around(labels, label, box, cell)
        row: dict[str, Any] = {}
        probability = np.asarray(maps.probability[near], np.float64)
        row["highest_probability"] = _log_odds(probability[region].max())
        hidden = np.asarray(maps.unusable[near], np.float64)
        row["hidden_inside"], row["hidden_around"] = hidden[region].mean(), hidden[around].mean()
        image = sign * micrograph.image[near]
        row["depth"], row["mean_depth"], where = _measure_depth(image, region, around, cell)
        darkest[label - 1] = where + np.array([near[0].start, near[1].start])
        if vacancies is not None:
            z = np.asarray(vacancies.z[near], np.float64)
            edge = cv2.dilate(region.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            row["z"], row["z_around"] = z[edge].max().clip(0, _MOST_Z), z[around].std()
        if lattice is not None:
            amplitude = measure_amplitude(image - np.median(image), lattice.spots, _INNER * cell)
            row["amplitude"] = amplitude[region].min() / (np.median(amplitude[around]) + 1e-30)
        for name, value in row.items():
            column[name][label - 1] = value
    if lattice is not None:
        column["site"][:], column["second_site"][:] = measure_sites(lattice, darkest, -float(sign))
    if vacancies is not None:
        z = column["z"]
        column["log_z"][:] = np.log1p(z)
        column["share"][:] = np.minimum(z / max(vacancies.whole, 1e-6), _MOST_SHARE)
        heights = np.sort(list_places(vacancies.z, cell, 2.0).z)
        as_high = len(heights) - np.searchsorted(heights, z)
        column["places_as_high"][:] = np.log1p(as_high / thousands)
        stand_out = len(heights) - np.searchsorted(heights, _STANDS_OUT)
        column["places_that_stand_out"][:] = np.log1p(stand_out / thousands)
    return out


def _look_around(
    labels: NDArray[np.int32], label: int, box: tuple[int, int, int, int], cell: float
) -> tuple[tuple[slice, slice], NDArray[np.bool_], NDArray[np.bool_]]:
    """The part of an image around a region; the region's pixels in it, and those of its surroundings."""
    margin = int(_OUTER * cell) + 2
    near = (slice(max(box[0] - margin, 0), box[2] + margin), slice(max(box[1] - margin, 0), box[3] + margin))
    part = labels[near]
    region = part == label
    # The distance of each pixel from the region.
    distance = cv2.distanceTransform((~region).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    around = (distance > _INNER * cell) & (distance <= _OUTER * cell) & (part == 0)
    return near, region, around if around.any() else ~region


def _measure_depth(
    image: NDArray[np.float32], region: NDArray[np.bool_], around: NDArray[np.bool_], cell: float
) -> tuple[float, float, NDArray[np.float64]]:
    """Depth of a region's darkest place and of its mean, in standard deviations of its surroundings.

    With it comes where that place is [px].
    """
    smooth = cv2.GaussianBlur(image, (0, 0), 0.25 * cell)
    outside = smooth[around]
    level = float(np.median(outside))
    deviation = 1.4826 * float(np.median(np.abs(outside - level))) + 1e-30
    inside = np.where(region, smooth, -np.inf)
    at = np.unravel_index(int(inside.argmax()), inside.shape)
    depth, mean = (
        np.clip((v - level) / deviation, -5, _DEEPEST) for v in (inside[at], smooth[region].mean())
    )
    return float(depth), float(mean), np.array(at, float)


def measure_sites(
    lattice: Lattice, places: NDArray[np.float64], sign: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure what stands at places of the average cell around them.

    Parameters
    ----------
    lattice : Lattice
    places : ndarray, shape (n, 2)
        Row and column [px].
    sign : float
        -1 where atoms are dark, else 1.

    Returns
    -------
    here : ndarray, shape (n,)
        1 at the cell's brightest site, 0 at its darkest.
    second : ndarray, shape (n,)
        The same of the cell's second site.

    Notes
    -----
    Both are told from the waves of first order: at the three symmetric places of the cell their sum is six
    amplitudes times cos((Φ + 2πj) / 3), where Φ is the sum of the phases of two waves less that of the third.
    """
    averaged = lattice.waves
    shape, size = np.array(lattice.image.shape), np.array(averaged[0].shape[:2])
    near = np.clip((places + 0.5) * size / shape, 0, size - 1).astype(int)
    waves = np.array([sign * (w[..., 0] + 1j * w[..., 1])[near[:, 0], near[:, 1]] for w in averaged])
    phase = np.angle(waves[0] * waves[2] * waves[1].conj())
    levels = np.sort(np.cos((phase[:, None] + 2 * np.pi * np.arange(3)) / 3), axis=1)
    span = levels[:, 2] - levels[:, 0]
    turned = waves / (np.abs(waves) + 1e-30) * np.exp(2j * np.pi * lattice.spots @ places.T)
    here = turned.real.mean(axis=0)
    return (here - levels[:, 0]) / span, (levels[:, 1] - levels[:, 0]) / span


def measure_regions(labels: NDArray[np.int32], probability: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean probability of the more probable half of each region's pixels.

    The probability falls off at the edge of every pore, more so in blurred images.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
        Numbered without gaps.
    probability : ndarray of float, shape (M, N)
        Probability of a pore at each pixel.

    Returns
    -------
    ndarray of float, shape (n,)
        In the order of the labels.

    Examples
    --------
    >>> labels = np.array([[1, 1, 1, 1, 0, 2]], np.int32)
    >>> measure_regions(labels, np.array([[0.5, 0.9, 0.7, 0.6, 0, 0.75]], np.float32)).round(3).tolist()
    [0.8, 0.75]
    """
    parts = [(labels[rows], probability[rows]) for rows in cut_strips(labels.shape)]
    owner = np.concatenate([part[part > 0] for part, _ in parts])
    values = np.concatenate([values[part > 0] for part, values in parts])
    sums = np.append(0.0, np.cumsum(values[np.lexsort((values, owner))], dtype=float))
    count = np.bincount(owner)[1:]
    end = np.cumsum(count)
    begin = end - count + count // 2
    return np.asarray((sums[end] - sums[begin]) / (end - begin))


def _log_odds(p: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.clip(p, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(p / (1 - p)))
