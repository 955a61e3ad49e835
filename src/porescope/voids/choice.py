"""Which method fits an image: what it shows, a lattice or grey levels."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from porescope.lattice import Lattice
from porescope.micrograph import Micrograph
from porescope.network import Network
from porescope.voids.averaging import AVERAGED, average, choose_step
from porescope.voids.detector import Voids
from porescope.voids.ground import find_ground, turn_dark

#: Range of a crystal's lattice constants [nm], which allows for pixel sizes a third wrong; and constant
#: below which a lattice is one of atoms whatever its pixel size says [px].
_CRYSTAL, _ATOMS = (0.16, 0.46), 16.0
#: Contrast over noise, and width of the largest void [lattice constants], from which grey levels alone show
#: that an image is one of voids though its pixels could resolve a lattice.
_CLEAR, _WIDE = 15.0, 8.0


class Choice(NamedTuple):
    """The method that fits an image, and why."""

    method: str
    reason: str


def choose_method(micrograph: Micrograph, lattice: Lattice | None, material: str | None = None) -> Choice:
    """Choose the method by what an image shows.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice or None
        As `find_lattice` returns it.
    material : str, optional
        One of `MATERIALS`; its constant says whether the pixels could resolve a lattice.

    Returns
    -------
    Choice
        ``network`` where a crystal's lattice was found, or could have been but for noise or disorder;
        ``voids`` where the pixels are too coarse for one, or clear grey levels show instead.

    Examples
    --------
    >>> choose_method(Micrograph(np.ones((40, 50)), 2.0), None).method
    'voids'
    """
    if lattice is not None:
        constant = lattice.constant_nm
        if _CRYSTAL[0] <= constant <= _CRYSTAL[1] or lattice.constant_px < _ATOMS:
            return Choice(Network.method, f"the image shows a lattice of {constant:.3g} nm")
    # Without the lattice found, so that an array of pores is not taken for one.
    step = choose_step(micrograph, None, material)
    if step == 1:
        size = f"pixels of {np.sqrt(micrograph.pixel_area):.3g} nm"
        return Choice(Voids.method, f"{size} are too coarse for a lattice")
    if _show_voids(micrograph, step):
        return Choice(Voids.method, "no lattice found; vacuum and sheet show as clear levels")
    return Choice(Network.method, "no lattice found, and no clear levels of vacuum and sheet")


def _show_voids(micrograph: Micrograph, step: float) -> bool:
    """Whether an image of fine pixels, averaged over ``step`` of them, shows clear levels and a wide void."""
    image, inside = average(*turn_dark(micrograph), step)
    ground = find_ground(image, inside, micrograph.pixel_area * step**2)
    if not ground.contrast >= _CLEAR * ground.noise:  # NaN is not
        return False
    dark = image < ground.threshold
    if inside is not None:
        dark &= inside
    distance = cv2.distanceTransform(dark.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    return 2 * float(distance.max()) * AVERAGED >= _WIDE
