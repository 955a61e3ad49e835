"""The amplitude of the lattice at each pixel, and the detector that finds pores where it is low."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import regionprops

from porescope.labels import Detection, label_regions
from porescope.lattice.finding import Lattice
from porescope.lattice.grains import find_grain, turn_between
from porescope.lattice.hexagon import list_spots
from porescope.lattice.waves import mix
from porescope.marks import leave_out_marks
from porescope.micrograph import Micrograph
from porescope.modalities import HOLE_SIGN
from porescope.strips import cut_strips

#: Resolution of the amplitude map, and coarser ones for noisy images: standard deviation of the Gaussian
#: average [lattice constants].
RESOLUTION = 0.6
_RESOLUTIONS = (RESOLUTION, 0.85, 1.2)
#: Threshold below the sheet's amplitude, in standard deviations of the amplitude.
_CLEAR_OF = 5.0
#: Minimum area of a pore [constants²]: where the modality gives a hole's sign, and where it gives none
#: (HRTEM). There contamination can mask the lattice of a light sheet. The latter also holds for several
#: grains, at whose boundary the lattice is weak.
_SMALLEST, _SMALLEST_UNSIGNED = 0.35, 1.25
#: Minimum contrast of a pore [standard deviations of the smoothed image].
_FAINTEST = 2.0
#: Distance from which on a pixel has no part in an average [standard deviations of its Gaussian].
_REACH = 5.0
#: Smallest share of an average's weight that is inside the field.
_LEAST_WEIGHT = 0.25
#: Amplitude below which another grain is looked for, relative to the sheet's; and most grains.
_ELSEWHERE, _MOST_GRAINS = 0.5, 4


class AmplitudeMap(NamedTuple):
    """Amplitude of the lattice at each pixel of a micrograph of shape (M, N)."""

    amplitude: NDArray[np.float32]  # (M, N), 1 over an intact sheet
    floor: float  # amplitude of noise alone
    spread: float  # standard deviation over the sheet


def map_amplitude(
    lattice: Lattice,
    cells: float = RESOLUTION,
    field: NDArray[np.bool_] | None = None,
    grains: NDArray[np.float64] | None = None,
) -> AmplitudeMap:
    """Map the amplitude of the lattice.

    Parameters
    ----------
    lattice : Lattice
    cells : float
        Resolution: standard deviation of the Gaussian average [lattice constants].
    field : ndarray of bool, shape (M, N), optional
        Where there is data; default: everywhere. Averages at its edge are those of the pixels inside.
    grains : ndarray, shape (G, 2, 2), optional
        Reciprocal vectors of each grain, as `find_grains` returns them; default: those of the lattice alone.

    Returns
    -------
    AmplitudeMap
        Root mean square of the three first-order waves, 1 where the sheet is intact. That of several grains
        is added up, because at their boundary each has half.
    """
    if grains is None:
        grains = lattice.frequencies[None]
    sigma = cells * lattice.constant_px
    flat = lattice.flat if field is None else lattice.flat * field
    amplitude = measure_amplitude(flat, list_spots(grains[0]), sigma)
    for grain in grains[1:]:
        amplitude += measure_amplitude(flat, list_spots(grain), sigma)
    inside = np.s_[:] if field is None else field[::4, ::4]
    if field is not None:
        weight = cv2.GaussianBlur(field.astype(np.float32), (0, 0), sigma)
        amplitude /= np.maximum(weight, _LEAST_WEIGHT)
    # Between the first-order spots, at their radius, the spectrum holds only noise.
    noise = measure_amplitude(flat, turn_between(grains), sigma) * np.float32(len(grains))
    floor = float(np.median(noise if field is None else noise[field]))
    # Half of the frame may be void, so the upper quartile stands for the sheet.
    sheet, high = np.percentile(amplitude[::4, ::4][inside], (75, 95))
    scale = max(float(sheet), 1e-30)
    return AmplitudeMap(amplitude / np.float32(scale), floor / scale, float(high - sheet) / scale)


def find_grains(lattice: Lattice, field: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Find the grains of a sheet: areas of the same lattice, turned.

    Parameters
    ----------
    lattice : Lattice
    field : ndarray of bool, shape (M, N), optional
        As for `map_amplitude`.

    Returns
    -------
    ndarray, shape (G, 2, 2)
        Two reciprocal vectors of each grain, those of the lattice first [cycles/px].
    """
    grains = lattice.frequencies[None]
    flat = lattice.flat if field is None else lattice.flat * field
    amplitude: float | NDArray[np.float32] = 0.0
    while len(grains) < _MOST_GRAINS:
        newest = _measure_coarsely(flat, list_spots(grains[-1]), lattice.constant_px)
        amplitude = np.maximum(amplitude, newest)
        # The sheet may be a small part of the image.
        low = (amplitude < _ELSEWHERE * np.percentile(amplitude, 95)).astype(np.uint8)
        inside = cv2.resize(low, flat.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        found = find_grain(flat, inside if field is None else inside & field, grains)
        if found is None:
            break
        grains = np.concatenate([grains, found[None]])
    return grains


def _measure_coarsely(
    flat: NDArray[np.float32], spots: NDArray[np.float64], cell: float
) -> NDArray[np.float32]:
    """`measure_amplitude` averaged over a lattice constant [px], in steps of half of it."""
    size = tuple(max(round(2 * n / cell), 1) for n in flat.shape[::-1])
    waves = [cv2.resize(mix(flat, spot), size, interpolation=cv2.INTER_AREA) for spot in spots]
    total = sum((cv2.GaussianBlur(wave, (0, 0), 2.0) ** 2).sum(axis=2) for wave in waves)
    return np.asarray(np.sqrt(total), np.float32)


def measure_amplitude(
    flat: NDArray[np.float32], spots: NDArray[np.float64], sigma: float
) -> NDArray[np.float32]:
    """Root mean square amplitude of waves at each pixel.

    Parameters
    ----------
    flat : ndarray of float32, shape (M, N)
        As `flatten` returns it.
    spots : ndarray, shape (K, 2)
        Frequencies of the waves [cycles/px].
    sigma : float
        Standard deviation of the Gaussian average [px].

    Returns
    -------
    ndarray of float32, shape (M, N)
    """
    amplitude = np.empty(flat.shape, np.float32)
    for rows, waves in _demodulate_strips(flat, spots, sigma):
        amplitude[rows] = np.sqrt((waves.real**2 + waves.imag**2).mean(axis=0))
    return amplitude


def demodulate(flat: NDArray[np.float32], spots: NDArray[np.float64], sigma: float) -> NDArray[np.complex64]:
    """Local amplitude and phase of waves, averaged over a Gaussian.

    Parameters
    ----------
    flat, spots, sigma
        As for `measure_amplitude`.

    Returns
    -------
    ndarray of complex64, shape (K, M, N)
    """
    out = np.empty((len(spots), *flat.shape), np.complex64)
    for rows, waves in _demodulate_strips(flat, spots, sigma):
        out[:, rows] = waves
    return out


def _demodulate_strips(
    flat: NDArray[np.float32], spots: NDArray[np.float64], sigma: float
) -> Iterator[tuple[slice, NDArray[np.complex64]]]:
    """Rows of each strip of an image, and its waves as `demodulate` returns them."""
    margin = math.ceil(_REACH * sigma)
    for rows in cut_strips(flat.shape):
        top = max(rows.start - margin, 0)
        part = flat[top : rows.stop + margin]
        pairs = [cv2.GaussianBlur(mix(part, spot, top), (0, 0), sigma) for spot in spots]
        inner = slice(rows.start - top, rows.stop - top)
        yield rows, np.stack([pair[inner].view(np.complex64)[..., 0] for pair in pairs])


@dataclass(frozen=True)
class LatticeGaps:
    """Detector: pores are areas without lattice.

    Notes
    -----
    A pore is where the amplitude is below the mean of sheet and noise, and 5 standard deviations below
    the sheet. If noise leaves no room for this threshold, the map is made coarser. Where the modality
    gives the sign of a hole (HAADF dark, BF and ABF bright), the region must show it: contamination also
    lacks a lattice, but has the opposite sign. The edge is then put at half the step of the intensity. The
    lattice may have several orientations (`find_grains`). Burnt-in scale bars are left out.

    Examples
    --------
    >>> from porescope.lattice import find_lattice
    >>> from porescope.simulation import Scene, simulate
    >>> micrograph = simulate(Scene(pores=3, max_missing=40), seed=3).micrograph
    >>> int(LatticeGaps().find(micrograph, find_lattice(micrograph)).labels.max())
    3
    """

    method: ClassVar[str] = "lattice"
    needs_lattice: ClassVar[bool] = True

    def describe(self) -> dict[str, Any]:
        """Describe the detector for ``run.json``.

        Returns
        -------
        dict
        """
        return {"method": self.method}

    def find(
        self, micrograph: Micrograph, lattice: Lattice | None = None, material: str | None = None
    ) -> Detection:
        """Find pores.

        Parameters
        ----------
        micrograph : Micrograph
        lattice : Lattice or None
            As `find_lattice` returns it; without one nothing is found.
        material : str, optional
            Not used.

        Returns
        -------
        Detection
        """
        nothing = Detection(np.zeros(micrograph.image.shape, np.int32))
        micrograph = leave_out_marks(micrograph)
        if lattice is None:
            return nothing
        grains = find_grains(lattice, micrograph.field)
        mask = _threshold_amplitude(lattice, grains, micrograph.field)
        if mask is None:
            return nothing
        if micrograph.field is not None:
            mask &= micrograph.field
        labels = label_regions(mask)
        sign = HOLE_SIGN[micrograph.modality]
        cell = lattice.constant_px
        # With the sign applied, holes are bright.
        signed = micrograph.filled * np.float32(sign or 1)
        smooth = np.asarray(cv2.GaussianBlur(signed, (0, 0), 0.4 * cell), np.float32)
        even = cv2.GaussianBlur(lattice.flat, (0, 0), 0.4 * cell)
        faintest = _FAINTEST * 1.4826 * float(np.median(np.abs(even - np.median(even))))
        margin = round(2 * cell)
        least = _SMALLEST if sign != 0 and len(grains) == 1 else _SMALLEST_UNSIGNED
        out = np.zeros(labels.shape, bool)
        for region in regionprops(labels):
            if region.area < least * cell**2:
                continue
            top, left, bottom, right = region.bbox
            box = np.s_[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]
            pore = labels[box] == region.label
            if sign != 0:
                pore = _trim(pore, smooth[box], round(0.6 * cell), faintest)
            out[box] |= pore
        if micrograph.field is not None:
            out &= micrograph.field
        return Detection(label_regions(out))


def _threshold_amplitude(
    lattice: Lattice, grains: NDArray[np.float64], field: NDArray[np.bool_] | None
) -> NDArray[np.bool_] | None:
    """Pixels of low amplitude, in the finest map in which the sheet is clear of noise; None if in none."""
    for cells in _RESOLUTIONS:
        amplitude, floor, spread = map_amplitude(lattice, cells, field, grains)
        level = min((1 + floor) / 2, 1 - _CLEAR_OF * spread)
        if level > 1.2 * floor:
            return np.asarray(amplitude < level)
    return None


def _trim(
    mask: NDArray[np.bool_], smooth: NDArray[np.float32], reach: int, faintest: float
) -> NDArray[np.bool_]:
    """Move the edge of a region to half the step of the intensity, by at most ``reach`` [px].

    The result is empty if the region is not brighter than its surroundings by ``faintest``.
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
