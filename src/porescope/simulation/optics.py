"""Image formation: noise-free HAADF, BF, ABF and HRTEM images of atoms at 80 kV.

A pixel value is the fraction of the beam's electrons that the pixel counts. Contamination is made of
carbon atoms at random positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from porescope.materials import ATOMIC_NUMBER, HAADF_CROSS_SECTION, PHASE, PHASE_WIDTH

#: Electron wavelength at 80 kV [nm].
WAVELENGTH = 0.0041757
#: Number density of amorphous carbon of 2 g/cm³ [atoms/nm³].
CARBON_DENSITY = 100.0
#: Absorption per rad of phase in ABF. Chosen, not calculated: it gives the usual contrast of a few per cent.
_ABF_PER_PHASE = 0.5


@dataclass(frozen=True)
class Optics:
    """The lens that forms a probe (HAADF, BF, ABF) or an image (HRTEM). Lengths are in nm."""

    semiangle_mrad: float = 30.0  # of the probe, or of the objective aperture
    defocus: float = 0.0  # positive: bright atoms in HRTEM images
    astigmatism: float = 0.0  # two-fold, C12
    astigmatism_angle: float = 0.0  # rad
    spherical: float = 0.0  # C3
    source: float = 0.035  # effective source size, instabilities included: standard deviation
    tail: float = 0.2  # fraction of the probe's intensity in its tails
    tail_width: float = 0.3  # standard deviation of the tails


def _table(values: Mapping[str, float]) -> NDArray[np.float64]:
    table = np.zeros(max(ATOMIC_NUMBER.values()) + 1)
    for element, value in values.items():
        table[ATOMIC_NUMBER[element]] = value
    return table


_SECTIONS, _PHASES = _table(HAADF_CROSS_SECTION), _table(PHASE)


def _shift_phase(ky: NDArray[np.float64], kx: NDArray[np.float64], optics: Optics) -> NDArray[np.float64]:
    """Calculate the phase shift [rad] by the lens's aberrations at spatial frequencies [1/nm].

    Kirkland 2010, chapter 2 (doi:10.1007/978-1-4419-6533-2).
    """
    k2 = ky**2 + kx**2
    twofold = np.cos(2 * optics.astigmatism_angle) * (kx**2 - ky**2) + 2 * np.sin(
        2 * optics.astigmatism_angle
    ) * (kx * ky)
    defocus = optics.defocus * k2 + optics.astigmatism * twofold
    return np.asarray(np.pi * WAVELENGTH * (defocus + 0.5 * optics.spherical * WAVELENGTH**2 * k2**2))


def draw_probe(pixel_size: float, optics: Optics) -> NDArray[np.float32]:
    """Calculate the intensity of a probe.

    Parameters
    ----------
    pixel_size : float
        [nm]
    optics : Optics

    Returns
    -------
    ndarray of float32, shape (K, K)
        Sum 1, centred; K is odd.
    """
    fine = int(np.ceil(pixel_size / 0.03)) // 2 * 2 + 1  # odd: the centre is a pixel
    half = int(np.ceil((0.5 + 2.0 * optics.tail_width * (optics.tail > 0)) / pixel_size))
    n = (2 * half + 1) * fine
    k = np.asarray(np.fft.fftfreq(n, pixel_size / fine), np.float64)
    ky, kx = k[:, None], k[None]
    aperture = np.hypot(ky, kx) * WAVELENGTH <= optics.semiangle_mrad * 1e-3
    wave = np.fft.ifft2(aperture * np.exp(-1j * _shift_phase(ky, kx, optics)))
    core = np.fft.fftshift(np.abs(wave) ** 2)
    core = cv2.GaussianBlur(core / core.sum(), (0, 0), max(optics.source * fine / pixel_size, 0.1))
    binned = core.reshape(2 * half + 1, fine, 2 * half + 1, fine).sum(axis=(1, 3))
    r = (np.arange(-half, half + 1) * pixel_size) ** 2
    tail = np.exp(-(r[:, None] + r[None]) / 2 / optics.tail_width**2)
    probe = (1 - optics.tail) * binned / binned.sum() + optics.tail * tail / tail.sum()
    return np.asarray(probe, np.float32)


def splat(
    points: NDArray[np.float64], weight: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Add up weights at sub-pixel positions by bilinear interpolation.

    Parameters
    ----------
    points : ndarray, shape (K, 2)
        Positions (row, column) [px]; weights outside the image are dropped.
    weight : ndarray, shape (K,)
    shape : tuple of int

    Returns
    -------
    ndarray of float32, shape (M, N)
        Each weight is shared by the four nearest pixels.
    """
    corner = np.floor(points).astype(np.int64)
    part = points - corner
    flat, shares = [], []
    for dy in (0, 1):
        for dx in (0, 1):
            y, x = corner[:, 0] + dy, corner[:, 1] + dx
            ok = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
            share = np.abs(1 - dy - part[:, 0]) * np.abs(1 - dx - part[:, 1]) * weight
            flat.append((y * shape[1] + x)[ok])
            shares.append(share[ok])
    total = np.bincount(np.concatenate(flat), np.concatenate(shares), shape[0] * shape[1])
    return np.asarray(total.reshape(shape), np.float32)


def image_atoms(
    points: NDArray[np.float64],
    number: NDArray[np.int64],
    carbon: NDArray[np.float32],
    pixel_size: float,
    modality: str,
    optics: Optics,
) -> NDArray[np.float32]:
    """Calculate the noise-free image of atoms and contamination.

    Parameters
    ----------
    points : ndarray, shape (K, 2)
        Positions of atoms (row, column) [nm] in the frame of ``carbon``.
    number : ndarray of int, shape (K,)
        Atomic numbers.
    carbon : ndarray, shape (M, N)
        Number of contamination's carbon atoms in each pixel.
    pixel_size : float
        [nm]
    modality : {"haadf", "bf", "abf", "hrtem"}
    optics : Optics

    Returns
    -------
    ndarray of float32, shape (M, N)
        Fraction of the electrons counted.

    Notes
    -----
    HAADF convolves the atoms' cross-sections with the probe's intensity. BF and HRTEM image a phase
    object coherently. By reciprocity both have one formula, with the probe's aperture in BF
    (Kirkland 2010, doi:10.1007/978-1-4419-6533-2). ABF is approximated as incoherent.
    """
    if modality in ("haadf", "abf"):
        table = _SECTIONS if modality == "haadf" else _PHASES * _ABF_PER_PHASE
        weights = splat(points / pixel_size, table[number], carbon.shape)
        weights += np.float32(table[ATOMIC_NUMBER["C"]]) * carbon
        signal = cv2.filter2D(
            weights / pixel_size**2, -1, draw_probe(pixel_size, optics), borderType=cv2.BORDER_REFLECT
        )
        return np.maximum(signal, 0) if modality == "haadf" else np.exp(-signal)
    phase = splat(points / pixel_size, _PHASES[number], carbon.shape)
    phase += np.float32(_PHASES[ATOMIC_NUMBER["C"]]) * carbon
    return _image_wave(phase / pixel_size**2, pixel_size, modality, optics)


def _image_wave(
    phase: NDArray[np.float32], pixel_size: float, modality: str, optics: Optics
) -> NDArray[np.float32]:
    """Calculate the intensity behind the lens of a wave with an object's phase [rad]."""
    shape = phase.shape
    size = [fft.next_fast_len(n) for n in shape]
    pads = [(0, s - n) for s, n in zip(size, shape, strict=True)]
    smooth = cv2.GaussianBlur(phase, (0, 0), max(PHASE_WIDTH / pixel_size, 0.1))
    padded = np.pad(smooth, pads, mode="reflect")
    down, along = (np.asarray(np.fft.fftfreq(n, pixel_size), np.float64) for n in size)
    ky, kx = down[:, None], along[None]
    limit = optics.semiangle_mrad * 1e-3 / WAVELENGTH
    k = np.hypot(ky, kx) / limit
    # HRTEM: damping towards the information limit. BF: the edge of the aperture.
    envelope = np.exp(-2 * k**4) if modality == "hrtem" else 1 / (1 + np.exp(np.minimum((k - 1) / 0.02, 700)))
    transfer = (envelope * np.exp(-1j * _shift_phase(ky, kx, optics))).astype(np.complex64)
    wave = fft.ifft2(fft.fft2(np.exp(1j * padded).astype(np.complex64)) * transfer)
    intensity = (wave.real**2 + wave.imag**2)[: shape[0], : shape[1]]
    if modality == "bf":
        intensity = cv2.GaussianBlur(intensity, (0, 0), max(optics.source / pixel_size, 0.1))
    return np.asarray(intensity, np.float32)
