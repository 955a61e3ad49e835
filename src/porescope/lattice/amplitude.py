"""The strength of the lattice at each pixel, and pores as the areas without it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import regionprops

from porescope.labels import label_regions
from porescope.lattice.finding import Lattice, find_lattice, flatten, mix, rotate
from porescope.micrograph import Micrograph
from porescope.modalities import HOLE_SIGN

#: Resolutions of the amplitude map that are tried, finest first [lattice constants].
RESOLUTIONS = (0.6, 0.85, 1.2)


#: A pore's amplitude is this many standard deviations below the sheet's.
CLEAR_OF = 5.0


#: The smallest area without lattice [constants²]: where its intensity speaks for a hole, and where it
#: tells nothing, as in HRTEM, where carbon on a light sheet outdoes the lattice here and there.
SMALLEST, SMALLEST_UNSIGNED = 0.35, 1.25


#: The faintest intensity of a hole [deviations].
FAINTEST = 2.0


def demodulate(flat: NDArray[np.float32], spots: NDArray[np.float64], sigma: float) -> NDArray[np.complex64]:
    """Local amplitude and phase of waves, averaged over a Gaussian [px]; shape (spots, M, N)."""
    out = np.empty((len(spots), *flat.shape), np.complex64)
    for wave, spot in zip(out, spots, strict=True):
        wave[:] = cv2.GaussianBlur(mix(flat, spot), (0, 0), sigma).view(np.complex64)[..., 0]
    return out


class AmplitudeMap(NamedTuple):
    """How strong the lattice is at each pixel."""

    amplitude: NDArray[np.float32]  # 1 is the sheet
    floor: float  # what noise alone gives
    spread: float  # standard deviation over the sheet


def map_amplitude(micrograph: Micrograph, lattice: Lattice, cells: float = 0.6) -> AmplitudeMap:
    """Map the strength of the lattice.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice
    cells : float
        Resolution: standard deviation of the Gaussian average [lattice constants].

    Returns
    -------
    AmplitudeMap
        The three first-order waves together, 1 where the sheet is whole.
    """
    flat = flatten(micrograph.image)
    sigma = cells * lattice.constant_px
    amplitude = _strength(flat, lattice.spots, sigma)
    # Between the spots of the first order, and no farther out, there is nothing but noise.
    between = np.array([rotate(spot, 30.0) for spot in lattice.spots])
    floor = float(np.median(_strength(flat, between, sigma)))
    # Half the frame may be void: the sheet is what the upper part shows.
    sheet, high = np.percentile(amplitude[::4, ::4], (75, 95))
    scale = max(float(sheet), 1e-30)
    return AmplitudeMap(amplitude / np.float32(scale), floor / scale, float(high - sheet) / scale)


def _strength(flat: NDArray[np.float32], spots: NDArray[np.float64], sigma: float) -> NDArray[np.float32]:
    waves = demodulate(flat, spots, sigma)
    return np.asarray(np.sqrt((waves.real**2 + waves.imag**2).mean(axis=0)), np.float32)


def detect_by_lattice(micrograph: Micrograph, lattice: Lattice | None = None) -> NDArray[np.int32]:
    """Find pores as areas without lattice.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice, optional
        As `find_lattice` gives it.

    Returns
    -------
    ndarray of int32, shape (M, N)
        Label image; empty where the image shows no lattice.

    Notes
    -----
    A pore is where the amplitude falls below the middle between sheet and noise, and 5 standard
    deviations below the sheet; where noise leaves no room for that, the map is made coarser. Where
    the modality tells a hole's sign (HAADF dark, BF and ABF bright) it must also have it, which
    contamination, without lattice too, has not; and the edge is then put at half the step of the
    intensity.

    Examples
    --------
    >>> from porescope.simulation.drawing import simulate
    >>> int(detect_by_lattice(simulate(pores=3, max_missing=40, seed=3).micrograph).max())
    3
    """
    lattice = lattice or find_lattice(micrograph)
    if lattice is None:
        return np.zeros(micrograph.image.shape, np.int32)
    # The finest map in which the sheet stays clear of the noise.
    for cells in RESOLUTIONS:
        amplitude, floor, spread = map_amplitude(micrograph, lattice, cells)
        level = min((1 + floor) / 2, 1 - CLEAR_OF * spread)
        if level > 1.2 * floor:
            break
    else:
        return np.zeros(micrograph.image.shape, np.int32)
    labels = label_regions(amplitude < level)
    sign = HOLE_SIGN[micrograph.modality]
    cell = lattice.constant_px
    # Holes are bright from here on, where the modality tells a sign at all.
    signed = micrograph.image * np.float32(sign or 1)
    smooth = np.asarray(cv2.GaussianBlur(signed, (0, 0), 0.4 * cell), np.float32)
    even = cv2.GaussianBlur(flatten(micrograph.image), (0, 0), 0.4 * cell)
    faintest = FAINTEST * 1.4826 * float(np.median(np.abs(even - np.median(even))))
    margin = round(2 * cell)
    out = np.zeros(labels.shape, bool)
    for region in regionprops(labels):
        if region.area < (SMALLEST if sign else SMALLEST_UNSIGNED) * cell**2:
            continue
        top, left, bottom, right = region.bbox
        box = np.s_[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]
        mask = labels[box] == region.label
        if sign:
            mask = _trim(mask, smooth[box], round(0.6 * cell), faintest)
        out[box] |= mask
    return label_regions(out)


def _trim(
    mask: NDArray[np.bool_], smooth: NDArray[np.float32], reach: int, faintest: float
) -> NDArray[np.bool_]:
    """Put a region's edge at half the step of the intensity, within reach of where it was.

    What is not brighter than its surroundings by ``faintest`` is no hole: nothing is left of it.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    wide = cv2.dilate(mask.astype(np.uint8), disc)
    around = (cv2.dilate(wide, disc) > 0) & (wide == 0)
    outside = float(np.median(smooth[around])) if around.any() else float(np.median(smooth))
    if float(np.median(smooth[mask])) < outside + faintest:
        return np.zeros_like(mask)
    inside = float(np.percentile(smooth[mask], 90))
    trimmed = (wide > 0) & (smooth > (inside + outside) / 2)
    joined = label_regions(trimmed)
    touching = np.unique(joined[mask & trimmed])
    return np.isin(joined, touching[touching > 0])
