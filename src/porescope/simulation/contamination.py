"""Contamination: amorphous carbon on a sheet as films, as patches and as rims of pores."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.materials import HAADF_CROSS_SECTION, PHASE, Material
from porescope.simulation.optics import CARBON_DENSITY


def mean_signal(material: Material, table: Mapping[str, float] = HAADF_CROSS_SECTION) -> float:
    """Calculate a whole sheet's mean signal.

    Parameters
    ----------
    material : Material
    table : mapping of str to float
        Signal of one atom by element: `HAADF_CROSS_SECTION` [nm²] or `PHASE` [rad nm²].

    Returns
    -------
    float
        Fraction of the electrons scattered onto the HAADF detector, or phase [rad].
    """
    cell = material.constant**2 * np.sqrt(3) / 2
    return float((table[material.first] + material.stack * table[material.second]) / cell)


def thick_carbon(modality: str, material: Material) -> float:
    """Calculate the thickness of carbon that hides a sheet.

    Parameters
    ----------
    modality : {"haadf", "bf", "abf", "hrtem"}
    material : Material

    Returns
    -------
    float
        Thickness [nm] with the sheet's own HAADF signal (HAADF, ABF) or half the sheet's phase.
    """
    table, part = (HAADF_CROSS_SECTION, 1.0) if modality in ("haadf", "abf") else (PHASE, 0.5)
    return part * mean_signal(material, table) / (CARBON_DENSITY * table["C"])


def draw_film(
    shape: tuple[int, int], thickness: float, sigma: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw a film of smoothly varying thickness.

    Parameters
    ----------
    shape : tuple of int
    thickness : float
        Mean thickness [nm].
    sigma : float
        Correlation length [px]: standard deviation of a Gaussian.
    rng : Generator

    Returns
    -------
    ndarray of float32, shape (M, N)
        Thickness [nm].
    """
    return np.asarray(thickness * np.clip(1 + _smooth_noise(shape, sigma, rng), 0, None), np.float32)


def draw_patches(
    shape: tuple[int, int], cover: float, sigma: float, pixel_size: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw rough patches with soft or sharp edges.

    Parameters
    ----------
    shape : tuple of int
    cover : float
        Fraction of the frame under patches.
    sigma : float
        Correlation length of their outlines [px]: standard deviation of a Gaussian.
    pixel_size : float
        [nm]
    rng : Generator

    Returns
    -------
    ndarray of float32, shape (M, N)
        Relative thickness: 0 outside, 1 on average inside.
    """
    inside = choose_area(shape, cover, sigma, rng).astype(np.float32)
    soft = cv2.GaussianBlur(inside, (0, 0), max(0.15 * sigma * float(rng.uniform(0.3, 3)), 0.5))
    rough = np.clip(1 + 0.4 * _smooth_noise(shape, max(0.2 / pixel_size, 0.5), rng), 0, None)
    return np.asarray(soft * rough, np.float32)


def choose_area(
    shape: tuple[int, int], cover: float, sigma: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose a random area with smooth outlines.

    Parameters
    ----------
    shape : tuple of int
    cover : float
        Fraction of the frame.
    sigma : float
        Correlation length of the outlines [px]: standard deviation of a Gaussian.
    rng : Generator

    Returns
    -------
    ndarray of bool, shape (M, N)
    """
    if cover <= 0:
        return np.zeros(shape, np.bool_)
    noise = _smooth_noise(shape, sigma, rng)
    return np.asarray(noise >= np.quantile(noise, 1 - min(cover, 1.0)))


def _smooth_noise(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw Gaussian noise of mean 0, standard deviation 1 and correlation length ``sigma`` [px]."""
    # A coarse grid saves time: a Gaussian as wide as the frame would be slow.
    step = max(1, int(sigma / 3))
    small = [n // step + 3 for n in shape]
    noise = cv2.GaussianBlur(rng.normal(size=small).astype(np.float32), (0, 0), sigma / step)
    large = cv2.resize(noise, (small[1] * step, small[0] * step), interpolation=cv2.INTER_CUBIC)
    large = large[step : step + shape[0], step : step + shape[1]]
    return np.asarray((large - large.mean()) / max(float(large.std()), 1e-9))


def draw_rims(presence: NDArray[np.float32], pixel_size: float) -> NDArray[np.float32]:
    """Draw contamination along the edges of pores.

    Parameters
    ----------
    presence : ndarray, shape (M, N)
        1 where there is a sheet, 0 inside pores.
    pixel_size : float
        [nm]

    Returns
    -------
    ndarray of float32, shape (M, N)
        Relative thickness: 1 at an edge, 1/e at 0.35 nm from it.
    """
    held = (presence > 0.5).astype(np.uint8)
    if held.all():
        return np.zeros(presence.shape, np.float32)
    distance = cv2.distanceTransform(held, cv2.DIST_L2, 3) * pixel_size
    return np.asarray(np.exp(-((distance / 0.35) ** 2)) * presence, np.float32)
