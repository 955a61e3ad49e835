"""How well each pore of a simulated micrograph can be seen at best: its ideal signal-to-noise ratio."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.materials import Material
from porescope.simulation.sheets import Atoms
from porescope.simulation.specimen import Specimen

#: Largest distance of a pore's empty sites from its outline [nm].
_REACH = 0.1


def fill_pores(
    material: Material, specimen: Specimen, labels: NDArray[np.int32], pixel_size: float
) -> Specimen:
    """Put the missing atoms of the pores back.

    Parameters
    ----------
    material : Material
    specimen : Specimen
    labels : ndarray of int32, shape (M, N)
        Label image of the pores.
    pixel_size : float
        [nm]

    Returns
    -------
    Specimen
        All else is as it was: contamination, adatoms, and vacancies that are no pores.
    """
    distance = cv2.distanceTransform((labels == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside = distance * pixel_size <= _REACH
    return specimen._replace(
        layers=tuple(_fill(material, layer, inside, pixel_size) for layer in specimen.layers)
    )


def _fill(material: Material, atoms: Atoms, inside: NDArray[np.bool_], pixel_size: float) -> Atoms:
    """Occupy the empty sites in a mask; those beyond the frame take its nearest pixel."""
    y, x = np.rint(atoms.positions / pixel_size).astype(int).T
    held = inside[np.clip(y, 0, inside.shape[0] - 1), np.clip(x, 0, inside.shape[1] - 1)]
    whole = np.where(atoms.second, material.stack, 1)
    return atoms._replace(occupancy=np.where(held & (atoms.occupancy == 0), whole, atoms.occupancy))


def measure_snr(
    expected: NDArray[np.floating],
    filled: NDArray[np.floating],
    labels: NDArray[np.int32],
    readout: float = 0.0,
) -> NDArray[np.float64]:
    """Signal-to-noise ratio of each pore to an observer who knows all else of the image.

    Parameters
    ----------
    expected : ndarray, shape (M, N)
        Mean number of electrons in each pixel.
    filled : ndarray, shape (M, N)
        The same with the pores filled.
    labels : ndarray of int32, shape (M, N)
        Label image of the pores. What is nearest to a pore belongs to it.
    readout : float
        Standard deviation of the readout noise [electrons].

    Returns
    -------
    ndarray, shape (n,)

    Notes
    -----
    A filter matched to the difference Δ of the two images has SNR² = Σ Δ²/V, where V is the noise's variance
    (Barrett et al. 1993, doi:10.1073/pnas.90.21.9758). It is Poisson's, averaged over both images, and the
    readout's.

    Examples
    --------
    >>> labels = np.zeros((20, 20), np.int32)
    >>> labels[8:12, 8:12] = 1  # 16 px, in which 20 of 110 electrons are missing
    >>> measure_snr(np.where(labels, 90, 110), np.full((20, 20), 110), labels)
    array([8.])
    """
    n = int(labels.max())
    if n == 0:
        return np.zeros(0)
    difference = np.asarray(filled, np.float64) - expected
    variance = (np.asarray(filled, np.float64) + expected) / 2 + readout**2
    share = difference**2 / np.maximum(variance, 1e-12)
    total = np.bincount(_find_nearest(labels).ravel(), share.ravel(), minlength=n + 1)
    return np.asarray(np.sqrt(total[1:]), np.float64)


def _find_nearest(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Label of the region nearest to each pixel."""
    inside = labels > 0
    _, pixel = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label = np.zeros(int(pixel.max()) + 1, np.int32)
    label[pixel[inside]] = labels[inside]
    return np.asarray(label[pixel], np.int32)
