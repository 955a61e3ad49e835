"""Pores as voids: areas at the level of vacuum in a membrane."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.labels import EDGE, Detection, keep_regions, label_regions, number_consecutively
from porescope.lattice import Lattice
from porescope.micrograph import Micrograph
from porescope.voids.averaging import average, choose_step
from porescope.voids.ground import Ground, find_edges, find_ground, turn_dark
from porescope.voids.levels import SMOOTHING, smooth
from porescope.voids.regions import find_regions
from porescope.voids.splitting import split_touching

#: Contrast over noise to which the image is smoothed, and limits of the Gaussian [px].
_CLEAR, _SHARP, _SMOOTHEST = 8.0, 0.8, 4.0
#: Ranges over which the levels around and inside a pore are averaged: standard deviation of a Gaussian,
#: the finest that has pixels enough [px].
_RANGES = (2.0, 5.0, 12.0, 40.0)
#: Least weight of an average.
_LEAST_WEIGHT = 0.02
#: Largest speck of noise within a pore [px].
_SPECK = 12
#: Softest edges of pores, and most blur of the image that is undone: standard deviation of a Gaussian [px].
_SOFTEST, _MOST_BLURRED = 6.0, 1.5
#: Most that the level half-way is raised, relative to the contrast.
_MOST_RAISED = 0.2
#: Smallest blur of an edge by which its probability is told, relative to the contrast.
_SOFT = 0.06
#: Logistic scale of a standard deviation: the probability there is 0.84.
_LOGIT = 1.66
#: Highest level half-way between vacuum and what is thicker than the sheet, relative to the contrast of both.
_HIGHEST = 0.8
#: Brightness from which the sheet counts as hidden, in contrasts of sheet and vacuum above the sheet.
_HIDDEN = 1.5


@dataclass(frozen=True)
class Voids:
    """Detector: pores are areas at the grey level of vacuum, for images in which no lattice shows.

    Parameters
    ----------
    split : bool
        Whether touching pores are split: where the neck between two parts is narrower than 0.8 times the
        narrower part.
    least_confidence : float
        Pores whose confidence is below this are dropped.

    Raises
    ------
    ValueError
        If ``least_confidence`` is not from 0 to 1.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(100, 5, (200, 220))
    >>> image[40:70, 50:80] -= 60
    >>> int(Voids().find(Micrograph(image, 1.0)).labels.max())
    1
    """

    split: bool = True
    least_confidence: float = 0.5

    method: ClassVar[str] = "voids"
    needs_lattice: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.least_confidence <= 1:
            raise ValueError(f"least_confidence must be from 0 to 1, not {self.least_confidence:g}")

    def describe(self) -> dict[str, Any]:
        """Describe the detector for ``run.json``.

        Returns
        -------
        dict
        """
        return {"method": self.method, "split": self.split, "least_confidence": self.least_confidence}

    def find(
        self, micrograph: Micrograph, lattice: Lattice | None = None, material: str | None = None
    ) -> Detection:
        """Find pores.

        Parameters
        ----------
        micrograph : Micrograph
        lattice : Lattice, optional
        material : str, optional
            They give the scale at which atoms are averaged out, where the pixels resolve them.

        Returns
        -------
        Detection
            ``unusable``: where the sheet is hidden by a support film or by carbon.
        """
        image, inside = turn_dark(micrograph)
        step = choose_step(micrograph, lattice, material)
        image, inside = average(image, inside, step)
        found = self._find(image, inside, micrograph.pixel_area * step**2)
        return found if step == 1 else _refine(found, micrograph)

    def _find(
        self, image: NDArray[np.float32], inside: NDArray[np.bool_] | None, pixel_area: float
    ) -> Detection:
        """Find the voids of an image whose vacuum is dark and that shows no atoms."""
        ground = find_ground(image, inside, pixel_area)
        if np.isnan(ground.vacuum):
            nothing = np.zeros(image.shape, np.int32)
            return Detection(nothing, None, np.zeros(0), _find_hidden(image, ground), ground.message)
        sigma, noise = _choose_smoothing(ground)
        smoothed = smooth(image, sigma)
        half, height = _map_levels(smoothed, ground, sigma, noise, inside)
        blur = _measure_blur(smoothed, half, height, ground)
        _undo_blur(half, height, smoothed, sigma, blur)
        _fill_specks(half, height, smoothed)
        labels, measured = find_regions(smoothed, half, height, ground, blur, noise, inside)
        kept = measured >= self.least_confidence
        labels = keep_regions(labels, kept, out=labels)
        probability = _map_probability(smoothed, half, labels, max(noise, _SOFT * ground.contrast))
        confidence = measured[kept]
        if self.split:
            labels, parents = split_touching(labels, half - smoothed)
            confidence = confidence[parents - 1]
        return Detection(labels, probability, confidence, _find_hidden(smoothed, ground), ground.message)


def _refine(found: Detection, micrograph: Micrograph) -> Detection:
    """Bring what was found in an averaged image to the pixels of a micrograph."""
    shape = micrograph.image.shape
    width, height = shape[::-1]
    hidden = cv2.resize(
        np.asarray(found.unusable, np.uint8), (width, height), interpolation=cv2.INTER_NEAREST
    )
    if found.probability is None:
        return replace(found, labels=np.zeros(shape, np.int32), unusable=hidden > 0)
    fine = cv2.resize(np.asarray(found.probability), (width, height), interpolation=cv2.INTER_LINEAR)
    probability = np.asarray(fine, np.float32)
    if micrograph.field is not None:
        probability[~micrograph.field] = 0
    # The edge moves by less than an averaged pixel.
    grown = cv2.dilate(found.labels.astype(np.float32), np.ones((3, 3), np.uint8))
    grown = np.where(found.labels > 0, found.labels, grown).astype(np.float32)
    labels = cv2.resize(grown, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int32)
    labels[probability < EDGE] = 0
    numbers = np.unique(labels)
    assert found.confidence is not None
    confidence = found.confidence[numbers[numbers > 0] - 1]
    return replace(
        found, labels=number_consecutively(labels), probability=probability, confidence=confidence,
        unusable=hidden > 0,
    )  # fmt: skip


def _choose_smoothing(ground: Ground) -> tuple[float, float]:
    """Standard deviation of the Gaussian [px] that leaves the contrast clear of noise, and that noise."""
    # White noise after `smooth`: the root of the integral of its squared transfer function.
    noise = ground.noise * SMOOTHING * np.sqrt(2.5)
    sigma = float(np.clip(_CLEAR * noise / ground.contrast, _SHARP, _SMOOTHEST))
    return sigma, max(noise / sigma, 1e-30)


def _undo_blur(
    half: NDArray[np.float32],
    step: NDArray[np.float32],
    smoothed: NDArray[np.float32],
    sigma: float,
    blur: float,
) -> None:
    """Raise the half-way level, in place, so that the image's blur takes nothing off a region's area.

    A blur moves an edge of curvature κ inwards by κ·blur²/2, which is π·blur² along a closed edge, whatever
    its form.
    """
    blur = min(blur, _MOST_BLURRED)
    labels = label_regions(smoothed < half)
    edge = find_edges(labels > 0)
    outline = np.bincount(labels[edge], minlength=int(labels.max()) + 1)
    total = np.hypot(sigma, blur)
    slope = (1 + (sigma / total) ** 2 / 2) / np.sqrt(2 * np.pi) / total
    raised = (np.pi * blur**2 / np.maximum(outline, 8) * slope).astype(np.float32).clip(0, _MOST_RAISED)
    raised[0] = 0
    half += step * cv2.dilate(raised[labels], np.ones((7, 7), np.uint8))


def _fill_specks(
    half: NDArray[np.float32], height: NDArray[np.float32], smoothed: NDArray[np.float32]
) -> None:
    """Raise the half-way level, in place, in specks of noise within pores."""
    _, parts, boxes, _ = cv2.connectedComponentsWithStats((smoothed >= half).view(np.uint8), connectivity=4)
    specks = boxes[:, cv2.CC_STAT_AREA] <= _SPECK
    here = specks[parts]
    half[here] = smoothed[here] + height[here] / 2


def _measure_blur(
    smoothed: NDArray[np.float32], half: NDArray[np.float32], step: NDArray[np.float32], ground: Ground
) -> float:
    """Standard deviation of the Gaussian by which the image is blurred [px], from its sharper edges."""
    edge = find_edges(smoothed < half)
    if not edge.any():
        return 0.0
    steepest = float(np.percentile(ground.slope[edge] / step[edge], 75))
    total = 1 / np.sqrt(2 * np.pi) / max(steepest, 1e-30)
    return float(np.sqrt(np.clip(total**2 - SMOOTHING**2, 0, _SOFTEST**2)))


def _find_hidden(image: NDArray[np.float32], ground: Ground) -> NDArray[np.bool_]:
    contrast = np.inf if np.isnan(ground.vacuum) else ground.contrast
    return np.asarray(image > ground.sheet + _HIDDEN * contrast)


def _map_levels(
    smoothed: NDArray[np.float32],
    ground: Ground,
    sigma: float,
    noise: float,
    inside: NDArray[np.bool_] | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Level half-way between the inside of pores and their surroundings, and the distance of both."""
    reach = int(np.ceil(2 * sigma))
    contrast = ground.contrast
    highest = ground.sheet - max((1 - _HIGHEST) * contrast, 3 * noise)
    dark = smoothed < ground.threshold
    if inside is not None:
        dark &= inside
    near = cv2.dilate(dark.view(np.uint8), _disc(reach)).view(bool)
    # In a thick sheet small pores are not as dark.
    around = _average(smoothed, ~near if inside is None else ~near & inside, ground.sheet)
    dark = smoothed < np.minimum((around + ground.vacuum) / 2, highest)
    if inside is not None:
        dark &= inside
    near = cv2.dilate(dark.view(np.uint8), _disc(reach)).view(bool)
    around = _average(smoothed, ~near if inside is None else ~near & inside, ground.sheet)
    core = cv2.erode(dark.view(np.uint8), _disc(reach)).view(bool)
    inner = _average(smoothed, core, ground.vacuum)
    half = np.minimum((around + inner) / 2, ground.sheet - np.float32(2 * noise))
    # Far from what is dark nothing is looked for.
    half[~near] = -np.inf
    return half, np.maximum(around - inner, np.float32(1e-30))


def _disc(radius: int) -> NDArray[np.uint8]:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)).astype(np.uint8)


def _average(image: NDArray[np.float32], where: NDArray[np.bool_], default: float) -> NDArray[np.float32]:
    """Average an image over nearby pixels of a mask: over the smallest range that has enough of them."""
    out = np.full(image.shape, np.float32(default))
    weights = where.astype(np.float32)
    values = image * weights
    for sigma in _RANGES[::-1]:
        # A coarse average is the same on a coarse grid.
        step = max(1, int(sigma / 4))
        shape = (max(image.shape[1] // step, 1), max(image.shape[0] // step, 1))
        parts = [cv2.resize(part, shape, interpolation=cv2.INTER_AREA) for part in (values, weights)]
        value, weight = (cv2.GaussianBlur(part, (0, 0), sigma / step) for part in parts)
        mean = np.asarray(value / np.maximum(weight, 1e-6), np.float32)
        if step > 1:
            fine = [cv2.resize(part, image.shape[::-1]) for part in (mean, weight)]
            mean, weight = np.asarray(fine[0], np.float32), fine[1]
        np.copyto(out, mean, where=weight > _LEAST_WEIGHT)
    return out


def _map_probability(
    smoothed: NDArray[np.float32], half: NDArray[np.float32], labels: NDArray[np.int32], scale: float
) -> NDArray[np.float32]:
    """Probability of a pore at each pixel: 0.5 half-way between the levels, 0 far from the pores."""
    odds = (half - smoothed) * np.float32(_LOGIT / scale)
    probability = 1 / (1 + np.exp(-odds.clip(-20, 20)))
    near = cv2.dilate((labels > 0).astype(np.uint8), _disc(3)).view(bool)
    probability[~near] = 0
    return np.asarray(probability, np.float32)
