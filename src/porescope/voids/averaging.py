"""Images of fine pixels averaged until their atoms do not show."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.lattice import Lattice
from porescope.micrograph import Micrograph
from porescope.network import choose_scale

#: Smallest lattice constant that an image resolves [px].
COARSEST = 3.5
#: Pixel at which atoms are averaged out [lattice constants].
AVERAGED = 0.5


def choose_step(micrograph: Micrograph, lattice: Lattice | None, material: str | None) -> float:
    """Choose over how many pixels an image is averaged so that its atoms do not show.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice or None
        Used if its constant is plausible.
    material : str or None
        One of `MATERIALS`.

    Returns
    -------
    float
        [px]; 1 where the pixels are too coarse for a lattice.

    Examples
    --------
    >>> [round(choose_step(Micrograph(np.ones((4, 6)), pixel), None, "WS2"), 2) for pixel in (0.03, 1.0)]
    [5.26, 1.0]
    """
    cell = choose_scale(micrograph, lattice, material).cell_px
    return 1.0 if cell < COARSEST else AVERAGED * cell


def average(
    image: NDArray[np.float32], inside: NDArray[np.bool_] | None, step: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Average an image over square areas.

    Parameters
    ----------
    image : ndarray of float32, shape (M, N)
    inside : ndarray of bool, shape (M, N), or None
        Where there is data; None: everywhere.
    step : float
        Side of the areas [px].

    Returns
    -------
    image : ndarray of float32, shape (K, L)
    inside : ndarray of bool, shape (K, L), or None
    """
    if step == 1:
        return image, inside
    shape = (max(round(image.shape[1] / step), 8), max(round(image.shape[0] / step), 8))
    image = np.asarray(cv2.resize(image, shape, interpolation=cv2.INTER_AREA), np.float32)
    if inside is None:
        return image, None
    return image, cv2.resize(inside.view(np.uint8), shape, interpolation=cv2.INTER_NEAREST).view(bool)
