"""Check the pixel size against the lattice: the error, the likely mistake, the correction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from porescope.lattice.finding import Lattice
from porescope.materials import MATERIALS, find_material
from porescope.micrograph import ANISOTROPY_LIMIT, Micrograph

#: Common mistakes in a pixel size: factor by which it comes out too large → sentence.
_MISTAKES = {
    2 / np.sqrt(3): "d10 had been taken for a (2/√3)",
    np.sqrt(3) / 2: "a had been taken for d10 (√3/2)",
    np.sqrt(3): "the second-order spots had been taken for the first (√3)",
    1 / np.sqrt(3): "the first-order spots had been taken for the second (1/√3)",
    2.0: "the magnification or binning were off by 2",
    0.5: "the magnification or binning were off by 2",
    10.0: "Å had been taken for nm",
    0.1: "nm had been taken for Å",
}
#: Relative deviation from which a pixel size counts as wrong, and within which a mistake is recognised.
_TOLERANCE = 0.03


def check_calibration(lattice: Lattice, material: str | None = None) -> tuple[float, str]:
    """Compare the lattice with a material's constant.

    Parameters
    ----------
    lattice : Lattice
    material : str, optional
        One of `materials.MATERIALS`.

    Returns
    -------
    factor : float
        Factor by which the pixel size is too large; NaN without a material.
    sentence : str
        The result in words.

    Raises
    ------
    ValueError
        If the material is unknown.
    """
    measured = f"lattice constant {lattice.constant_nm:.4f} ± {lattice.constant_std_nm:.4f} nm"
    if lattice.grains > 1:
        measured += f", {lattice.grains} orientations (grains or moiré)"
    if material is None:
        near = [
            m for m, known in MATERIALS.items() if abs(lattice.constant_nm / known.constant - 1) < _TOLERANCE
        ]
        return np.nan, measured + (f" (fits {', '.join(near)})" if near else " (fits none of the materials)")
    constant = find_material(material).constant
    factor = lattice.constant_nm / constant
    if abs(factor - 1) <= _TOLERANCE:
        return factor, f"{measured}, {material} has {constant:.4f} nm: the pixel size is right"
    size = "large" if factor > 1 else "small"
    off = abs(factor - 1)
    sentence = f"{measured}, {material} has {constant:.4f} nm: pixel size {off:.1%} too {size}"
    mistake = min(_MISTAKES, key=lambda m: abs(np.log(factor / m)))
    if abs(factor / mistake - 1) < _TOLERANCE:
        sentence += f"; looks as if {_MISTAKES[mistake]}"
    return factor, sentence


def calibrate(micrograph: Micrograph, lattice: Lattice, material: str) -> Micrograph:
    """Correct the pixel size of a micrograph by its lattice.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice
    material : str
        One of `materials.MATERIALS`.

    Returns
    -------
    Micrograph

    Raises
    ------
    ValueError
        If the material is unknown.

    Notes
    -----
    Rows and columns are scaled separately if that makes the hexagon regular, stays within the limit for
    square pixels, and the image has one grain. A recipe keeps the pixel size that it was tuned on.
    """
    row, column = micrograph.pixel_size
    factor = check_calibration(lattice, material)[0]
    rows, columns = _square_up(lattice)
    if max(rows, columns) / min(rows, columns) - 1 > ANISOTROPY_LIMIT or lattice.grains > 1:
        rows = columns = 1.0
    known = micrograph.acquisition
    rate = known.dose_rate_e_nm2_s
    acquisition = replace(
        known,
        pixel_size_source="lattice",
        pixel_size_recipe=known.pixel_size_recipe or micrograph.pixel_size,
        # The same electrons fall on the corrected area.
        dose_rate_e_nm2_s=None if rate is None else rate * factor**2 / (rows * columns),
    )
    size = (row / factor * rows, column / factor * columns)
    return replace(micrograph, pixel_size=size, acquisition=acquisition)


def _square_up(lattice: Lattice) -> tuple[float, float]:
    """Factors for row and column, of product 1, that make the three cell edges as equal as possible."""
    one, two = lattice.vectors
    edges = np.array([one, two, one + two])
    # |edge|² = s y² + x²/s is to be the same for all three: linear in (s, 1/s) for s near 1.
    y2, x2 = edges.T**2
    d = y2 - x2
    total = y2 + x2
    log_s = -np.sum((d - d.mean()) * (total - total.mean())) / np.sum((d - d.mean()) ** 2)
    return float(np.exp(log_s / 2)), float(np.exp(-log_s / 2))
