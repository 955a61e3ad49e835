"""The scale at which the network sees an image."""

from __future__ import annotations

import numpy as np

from porescope.lattice.finding import Lattice
from porescope.materials import MATERIALS
from porescope.micrograph import Micrograph

#: Lattice constant that the network sees [px].
CELL_PX = 8.0


#: Lattice constants [nm] that may be true, pixel sizes a third wrong included.
PLAUSIBLE = (0.16, 0.46)


#: Between graphene's and the dichalcogenides' [nm]: where neither lattice nor material is known.
USUAL_CONSTANT = 0.29


#: With fewer pixels a lattice constant the lattice is not seen, and the image not enlarged.
COARSEST = 3.5


def choose_scale(micrograph: Micrograph, lattice: Lattice | None, material: str | None) -> tuple[float, str]:
    """Choose the network's pixels per pixel of the image, and say by what."""
    cell = measure_cell(micrograph, lattice, material)
    if _trust(lattice) is not None:
        return CELL_PX / cell, ""
    if cell < COARSEST:
        return (
            1.0,
            "pixels too coarse for a lattice: pores found by brightness alone, at the image's own scale",
        )
    return CELL_PX / cell, "no lattice to scale by: scaled by the pixel size"


def measure_cell(micrograph: Micrograph, lattice: Lattice | None, material: str | None) -> float:
    """Lattice constant [px]: the lattice's own if it may be true, else by the pixel size."""
    trusted = _trust(lattice)
    if trusted is not None:
        return trusted.constant_px
    constant = MATERIALS[material].constant if material else USUAL_CONSTANT
    return constant / float(np.sqrt(micrograph.pixel_area))


def _trust(lattice: Lattice | None) -> Lattice | None:
    """The lattice, if its constant may be true."""
    known = lattice is not None and PLAUSIBLE[0] <= lattice.constant_nm <= PLAUSIBLE[1]
    return lattice if known else None


def find_constant(lattice: Lattice | None, material: str | None) -> float | None:
    """Lattice constant [nm]: the material's if it is known, else the one measured.

    None where that is no known sheet's within 4 %: rather the pixel size is wrong.
    """
    if material:
        return MATERIALS[material].constant
    if lattice is None:
        return None
    known = np.array([m.constant for m in MATERIALS.values()])
    return lattice.constant_nm if (np.abs(lattice.constant_nm / known - 1) < 0.04).any() else None
