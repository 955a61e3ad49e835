"""What the network sees: the image standardized, with its lattice and without, and the vacancy map."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import distance_transform_edt

from porescope.lattice import find_median
from porescope.modalities import has_bright_holes

#: A spectral peak counts as lattice if it exceeds _STANDS_OUT × the local mean (window: _AROUND × the
#: spectrum's side) and its frequency is above _LOWEST [1/px].
_STANDS_OUT, _AROUND, _LOWEST = 3.0, 0.06, 0.09


def rescale(image: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resample an image: by area average to a smaller shape, by cubic interpolation to a larger one.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    shape : tuple of int
        (K, L)

    Returns
    -------
    ndarray of float32, shape (K, L)
    """
    if image.shape == shape:
        return image
    shrinks = shape[0] <= image.shape[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=way), np.float32)


class Levels(NamedTuple):
    """Grey levels by which an image is standardized."""

    median: np.float32
    deviation: float  # standard deviation, estimated so that a bright patch hardly changes it


def measure_levels(image: NDArray[np.float32]) -> Levels:
    """Median and standard deviation of an image, the latter from the median absolute deviation.

    Parameters
    ----------
    image : ndarray of float32, any shape

    Returns
    -------
    Levels
    """
    level = find_median(image)
    deviation = 1.4826 * float(find_median(np.abs(image - level)))
    if deviation <= 1e-6 * max(abs(float(level)), 1e-30):
        deviation = float(image.std()) or 1.0
    return Levels(level, deviation)


def standardize(
    image: NDArray[np.float32], modality: str, levels: Levels | None = None
) -> NDArray[np.float32]:
    """Scale an image to median 0 and standard deviation 1, holes dark, extremes compressed.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    modality : {"haadf", "bf", "abf", "hrtem"}
    levels : Levels, optional
        Default: the image's own.

    Returns
    -------
    ndarray of float32, shape (M, N)
    """
    level, deviation = levels or measure_levels(image)
    sign = -1 if has_bright_holes(modality) else 1
    return np.asarray(2 * np.arcsinh(sign * (image - level) / np.float32(2 * deviation)), np.float32)


def remove_lattice(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Remove the lattice from an image: its defects, shading and noise remain.

    Peaks of the Fourier transform are lowered to the amplitude around them.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
        At the network's scale, where the frequencies of a lattice are above those of pores.

    Returns
    -------
    ndarray of float32, shape (M, N)

    Examples
    --------
    >>> y, x = np.mgrid[:160, :160].astype(np.float32)
    >>> image = np.cos(0.9 * x) + np.cos(0.8 * y)
    >>> image[70:90, 70:90] = 0
    >>> rest = remove_lattice(image)
    >>> bool(rest[20:50].std() < 0.3 * rest[70:90, 70:90].std())
    True
    """
    size = [fft.next_fast_len(n, real=True) for n in image.shape]
    pads = [(0, s - n) for s, n in zip(size, image.shape, strict=True)]
    spectrum = fft.rfft2(np.pad(image, pads, mode="symmetric"))
    log = np.log(np.sqrt(spectrum.real**2 + spectrum.imag**2) + np.float32(1e-6))
    around = (max(round(_AROUND * size[1]), 1), max(round(_AROUND * size[0]), 1))
    level = cv2.blur(log, around, borderType=cv2.BORDER_REFLECT)
    fine = fft.fftfreq(size[0])[:, None] ** 2 + fft.rfftfreq(size[1])[None] ** 2 > _LOWEST**2
    level -= log
    repeats = fine & (level < np.float32(-np.log(_STANDS_OUT)))
    spectrum[repeats] *= np.exp(level[repeats])
    rest = fft.irfft2(spectrum, size)[: image.shape[0], : image.shape[1]]
    return np.asarray(rest, np.float32)


def present(
    image: NDArray[np.float32],
    modality: str,
    levels: Levels | None = None,
    z: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Make the network's input: the standardized image, the same without its lattice, and the vacancy map.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
        At the network's scale.
    modality : {"haadf", "bf", "abf", "hrtem"}
    levels : Levels, optional
        As for `standardize`.
    z : ndarray of float, shape (M, N), optional
        Of the vacancy map, as `map_vacancies` returns it; 0 everywhere where no lattice was found.

    Returns
    -------
    ndarray of float32, shape (3, M, N)
    """
    standard = standardize(image, modality, levels)
    vacancies = np.zeros_like(standard) if z is None else np.arcsinh(z.astype(np.float32) / 2)
    return np.stack([standard, remove_lattice(standard), vacancies])


def reflect_outside(image: NDArray[np.float32], field: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Continue an image beyond its field, mirrored at the field's edge.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
        With the level that is kept where the mirror image ends.
    field : ndarray of bool, shape (M, N), or None
        None: there is data everywhere.

    Returns
    -------
    ndarray of float32, shape (M, N)
        The same array where the field is everywhere or nowhere.

    Examples
    --------
    >>> image = np.float32([[0, 0, 3, 4, 5]])
    >>> reflect_outside(image, image > 0)
    array([[5., 4., 3., 4., 5.]], dtype=float32)
    """
    if field is None or field.all() or not field.any():
        return image
    nearest = distance_transform_edt(~field, return_distances=False, return_indices=True)
    y, x = (
        np.clip(2 * at - here, 0, len(here.ravel()) - 1)
        for at, here in zip(nearest, np.ogrid[: image.shape[0], : image.shape[1]], strict=True)
    )
    return np.where(~field & field[y, x], image[y, x], image)
