"""Amorphous carbon on a sheet: films, patches, rims around pores."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.materials import HAADF_CROSS_SECTION, PHASE, Material
from porescope.simulation.optics import CARBON_DENSITY


def mean_signal(material: Material, table: Mapping[str, float] = HAADF_CROSS_SECTION) -> float:
    """Share of the electrons that a whole sheet scatters onto the HAADF detector, or its mean phase."""
    cell = material.constant**2 * np.sqrt(3) / 2
    return float((table[material.first] + material.stack * table[material.second]) / cell)


def thick_carbon(modality: str, material: Material) -> float:
    """Thickness of carbon [nm] that scatters as much as a sheet, or half its phase."""
    table, part = (HAADF_CROSS_SECTION, 1.0) if modality in ("haadf", "abf") else (PHASE, 0.5)
    return part * mean_signal(material, table) / (CARBON_DENSITY * table["C"])


def draw_film(
    shape: tuple[int, int], thickness: float, sigma: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A film of this mean thickness that varies smoothly over ``sigma`` [px]."""
    return np.asarray(thickness * np.clip(1 + smooth_noise(shape, sigma, rng), 0, None), np.float32)


def draw_patches(
    shape: tuple[int, int], cover: float, sigma: float, pixel_size: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Patches with an edge, soft or sharp, over a share of the frame: about 1 inside, rough, and 0."""
    inside = choose_area(shape, cover, sigma, rng).astype(np.float32)
    soft = cv2.GaussianBlur(inside, (0, 0), max(0.15 * sigma * float(rng.uniform(0.3, 3)), 0.5))
    rough = np.clip(1 + 0.4 * smooth_noise(shape, max(0.2 / pixel_size, 0.5), rng), 0, None)
    return np.asarray(soft * rough, np.float32)


def choose_area(
    shape: tuple[int, int], cover: float, sigma: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Where smooth noise is highest, over this share of the frame."""
    if cover <= 0:
        return np.zeros(shape, np.bool_)
    noise = smooth_noise(shape, sigma, rng)
    return np.asarray(noise >= np.quantile(noise, 1 - min(cover, 1.0)))


def smooth_noise(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of mean 0 and deviation 1, smooth over ``sigma`` [px]."""
    # Drawn on a coarse grid: a Gaussian as wide as the frame would be slow.
    step = max(1, int(sigma / 3))
    small = [n // step + 3 for n in shape]
    noise = cv2.GaussianBlur(rng.normal(size=small).astype(np.float32), (0, 0), sigma / step)
    large = cv2.resize(noise, (small[1] * step, small[0] * step), interpolation=cv2.INTER_CUBIC)
    large = large[step : step + shape[0], step : step + shape[1]]
    return np.asarray((large - large.mean()) / max(float(large.std()), 1e-9))


def draw_rims(presence: NDArray[np.float32], pixel_size: float) -> NDArray[np.float32]:
    """Contamination along the edges of pores: 1 there, falling off over half a nm."""
    held = (presence > 0.5).astype(np.uint8)
    if held.all():
        return np.zeros(presence.shape, np.float32)
    distance = cv2.distanceTransform(held, cv2.DIST_L2, 3) * pixel_size
    return np.asarray(np.exp(-((distance / 0.35) ** 2)) * presence, np.float32)
