"""The scale at which the network sees an image: from the lattice, else from the pixel size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from porescope.lattice import Lattice
from porescope.materials import MATERIALS, find_material
from porescope.micrograph import Micrograph

#: Lattice constant at the network's scale [px].
CELL_PX = 8.0
#: Range of plausible measured lattice constants [nm], which allows for pixel sizes a third wrong.
_PLAUSIBLE = (0.16, 0.46)
#: Lattice constant assumed where neither lattice nor material is known [nm]: between graphene's and the
#: dichalcogenides'.
USUAL_CONSTANT = 0.29
#: Smallest resolved lattice constant [px]; coarser images are not rescaled.
_COARSEST = 3.5
#: Largest relative deviation from a known material's lattice constant.
_TOLERANCE = 0.04


class Scale(NamedTuple):
    """The network's scale for one micrograph."""

    factor: float  # network pixels per image pixel
    cell_px: float  # lattice constant in the image [px]
    constant_nm: float | None  # lattice constant that the network is told [nm]; None if unknown
    message: str  # why, where the scale does not come from the lattice


def choose_scale(micrograph: Micrograph, lattice: Lattice | None, material: str | None) -> Scale:
    """Choose the scale of a micrograph.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice or None
        Used if its constant is plausible.
    material : str or None
        One of `MATERIALS`; otherwise the pixel size and this material's constant give the scale.

    Returns
    -------
    Scale

    Examples
    --------
    >>> round(choose_scale(Micrograph(np.ones((40, 50)), 0.03), None, "graphene").factor, 3)
    0.975
    """
    constant = _find_constant(lattice, material)
    if lattice is not None and _PLAUSIBLE[0] <= lattice.constant_nm <= _PLAUSIBLE[1]:
        cell = lattice.constant_px
        return Scale(CELL_PX / cell, cell, constant, "")
    usual = MATERIALS[material].constant if material else USUAL_CONSTANT
    cell = usual / float(np.sqrt(micrograph.pixel_area))
    if cell < _COARSEST:
        message = "pixels too coarse for a lattice: pores found by brightness alone, at the image's own scale"
        return Scale(1.0, cell, constant, message)
    return Scale(CELL_PX / cell, cell, constant, "no lattice to scale by: scaled by the pixel size")


def _find_constant(lattice: Lattice | None, material: str | None) -> float | None:
    """Lattice constant [nm] that is an input of the network; None is the input for an unknown sheet.

    Where no lattice was found, and in graphene and hBN, it is the named material's. Otherwise a measured
    constant must fit: the named material, whose constant is returned, or any known one if none is named. A
    constant that does not fit means a wrong pixel size, and so wrong sizes. The network takes an unknown
    sheet for a heavy one, and finds more pores in a heavy sheet if its constant is unknown.
    """
    named = find_material(material) if material else None
    if lattice is None or (named and named.both_count):
        return named.constant if named else None
    known = np.array([m.constant for m in ([named] if named else MATERIALS.values())])
    fits = np.abs(lattice.constant_nm / known - 1) < _TOLERANCE
    if not fits.any():
        return None
    return named.constant if named else lattice.constant_nm
