"""How strong a lattice is, from place to place: low in pores, whatever their contrast."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Standard deviations of the two Gaussians whose difference keeps the periods of lattices, about 0.3 nm [nm].
_PERIODS_NM = (0.04, 0.10)


def measure_strength(image: NDArray[np.float32], pixel_nm: float, sigma_px: float) -> NDArray[np.float32]:
    """Measure how strong a lattice is: the root mean square of the image at the periods of lattices.

    It does not repeat with the lattice. It shows pores also in BF and HRTEM, where their mean hardly differs.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    pixel_nm : float
    sigma_px : float
        Standard deviation of the Gaussian over which the mean is taken [px].

    Returns
    -------
    ndarray of float32, shape (M, N)

    Examples
    --------
    >>> image = np.tile(np.sin(2 * np.pi * np.arange(100) * 0.04 / 0.28).astype(np.float32), (100, 1))
    >>> image[:, :50] = 0
    >>> strength = measure_strength(image, 0.04, 4)
    >>> bool(strength[50, 20] < 0.01 * strength[50, 80])
    True
    """
    narrow, wide = (blur(image, max(nm / pixel_nm, 0.5)) for nm in _PERIODS_NM)
    return np.sqrt(blur(np.square(narrow - wide), sigma_px))


def blur(image: NDArray[np.float32], sigma_px: float) -> NDArray[np.float32]:
    """Blur an image with a Gaussian, mirrored at its borders.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    sigma_px : float

    Returns
    -------
    ndarray of float32, shape (M, N)
    """
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT), np.float32)
