"""Check the pixel size against the lattice: the error, the likely mistake, the correction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from porescope.lattice.finding import MOST_DISTORTED, VAGUEST, Lattice
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
#: Largest factor by which a pixel size is corrected where no mistake explains it.
_LARGEST_FACTOR = 1.5


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
        Factor by which the pixel size is too large; NaN without a material, or if the lattice is too
        distorted or too vague to calibrate by.
    sentence : str
        The result in words.

    Raises
    ------
    ValueError
        If the material is unknown.
    """
    measured = f"lattice constant {_write_value(lattice.constant_nm, lattice.constant_std_nm)} nm"
    if lattice.grains > 1:
        measured += f", {lattice.grains} orientations (grains or moiré)"
    known = None if material is None else find_material(material)
    if not lattice.calibrates:
        return np.nan, f"{measured}, {_describe_fault(lattice)} to check the pixel size by"
    if known is None:
        mistake, fitting = _explain(lattice.constant_nm)
        if mistake == 1:
            return np.nan, f"{measured} (fits {', '.join(fitting)})"
        guess = f", but {' or '.join(fitting)} if {_MISTAKES[mistake]}" if mistake else ""
        return np.nan, f"{measured} (fits none of the materials{guess})"
    constant = known.constant
    factor = lattice.constant_nm / constant
    compared = f"{measured}, {material} has {constant:.4f} nm"
    if abs(factor - 1) <= _TOLERANCE:
        return factor, f"{compared}: the pixel size is right"
    size = "large" if factor > 1 else "small"
    reason = _name_mistake(_find_mistake(factor))
    return factor, f"{compared}: pixel size {abs(factor - 1):.1%} too {size}; {reason}"


def warn_of_pixel_sizes(
    constants_nm: NDArray[np.float64],
    corrected: NDArray[np.bool_],
    material: str | None = None,
    distortions: NDArray[np.float64] | None = None,
) -> list[str]:
    """Say which pixel sizes the crystal contradicts, and how to correct them; a line for each mistake.

    Parameters
    ----------
    constants_nm : ndarray, shape (N,)
        Measured lattice constant of each image by its recorded pixel size; NaN where no lattice was found.
    corrected : ndarray of bool, shape (N,)
        Whether its pixel size was corrected by the lattice.
    material : str, optional
        One of `MATERIALS`. Without it, only those images count whose constant fits no material as it is,
        and some material with exactly one known mistake.
    distortions : ndarray, shape (N,), optional
        `Lattice.distortion` of each image: those too distorted to calibrate by do not count.

    Returns
    -------
    list of str
        Empty if there is nothing to warn of.

    Raises
    ------
    ValueError
        If the material is unknown.

    Examples
    --------
    >>> warn_of_pixel_sizes(np.array([0.363, 0.366, 0.315]), np.zeros(3, bool))[0][:62]
    '2 of 3 images: lattice constant 0.363–0.366 nm, which fits WS2'
    """
    found = ~np.isnan(constants_nm)
    if distortions is not None:
        # NaN in runs of earlier versions, which found no other lattices.
        found &= ~(distortions > MOST_DISTORTED)
    groups: dict[tuple[float | None, str], list[float]] = {}
    for constant, done in zip(constants_nm[found].tolist(), corrected[found].tolist(), strict=True):
        if material is None:
            mistake, remedy = _explain(constant)[0], ""
            told = mistake not in (1, None)
        else:
            factor = constant / find_material(material).constant
            mistake, remedy = _find_mistake(factor), _choose_remedy(factor, done, material)
            told = mistake != 1
        if told:
            groups.setdefault((mistake, remedy), []).append(constant)
    return [
        f"{len(group)} of {len(constants_nm)} images: {_describe(group, mistake, material)}{remedy}"
        for (mistake, remedy), group in groups.items()
    ]


def _describe_fault(lattice: Lattice) -> str:
    """Why a lattice does not calibrate."""
    if lattice.distortion > MOST_DISTORTED:
        return f"too distorted ({lattice.distortion:.1%}, at most {MOST_DISTORTED:.0%})"
    return f"too vague (at most ±{VAGUEST:.2%} by noise)"


def _describe(constants_nm: list[float], mistake: float | None, material: str | None) -> str:
    """What lattice constants that share a mistake say of the pixel size."""
    if material is None and mistake is not None:
        fitting = _explain(float(np.median(constants_nm)))[1]
        return (
            f"lattice constant {_write_range(constants_nm)} nm, which fits {' or '.join(fitting)} if "
            f"{_MISTAKES[mistake]}. If so, --material {fitting[0]} --calibrate lattice corrects it"
        )
    known = find_material(str(material)).constant
    times = _write_range([constant / known for constant in constants_nm])
    return (
        f"the recorded pixel size is {times} times what the lattice of {material} gives; "
        f"{_name_mistake(mistake)}"
    )


def _choose_remedy(factor: float, corrected: bool, material: str) -> str:
    """A sentence on how to correct a pixel size that is too large by a factor."""
    if corrected:
        return ". It was corrected"
    if _is_plausible(factor):
        return f". --material {material} --calibrate lattice corrects it"
    return ". It is not corrected by so much: check the material and the pixel size"


def _find_mistake(factor: float) -> float | None:
    """Known mistake whose factor is nearest; 1 if the pixel size is right, None if no mistake explains it."""
    nearest = min((1.0, *_MISTAKES), key=lambda mistake: abs(np.log(factor / mistake)))
    return nearest if abs(factor / nearest - 1) <= _TOLERANCE else None


def _explain(constant_nm: float) -> tuple[float | None, list[str]]:
    """The only mistake by which a lattice constant fits some material, and these materials.

    1 is no mistake, and is preferred. None if no mistake explains it, or more than one.
    """
    fits: dict[float, list[str]] = {}
    for name, material in MATERIALS.items():
        mistake = _find_mistake(constant_nm / material.constant)
        if mistake is not None:
            fits.setdefault(mistake, []).append(name)
    if 1.0 in fits or len(fits) == 1:
        mistake = min(fits, key=lambda m: m != 1)
        return mistake, fits[mistake]
    return None, []


def _is_plausible(factor: float) -> bool:
    """Whether a pixel size may be wrong by a factor: a known mistake, or not by much."""
    return _find_mistake(factor) is not None or max(factor, 1 / factor) <= _LARGEST_FACTOR


def _name_mistake(mistake: float | None) -> str:
    return "no known mistake explains it" if mistake is None else f"looks as if {_MISTAKES[mistake]}"


def _write_value(value: float, deviation: float) -> str:
    """Write a value with its standard deviation, to as many decimals as that needs, at least four."""
    digits = max(4, -int(np.floor(np.log10(deviation))))
    return f"{value:.{digits}f} ± {deviation:.{digits}f}"


def _write_range(values: list[float]) -> str:
    low, high = (f"{value:.3g}" for value in (min(values), max(values)))
    return low if low == high else f"{low}–{high}"


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
        If the material is unknown, if the lattice does not calibrate, or if the correction is larger than 1.5
        and no known mistake explains it.

    Notes
    -----
    Rows and columns are scaled separately if that makes the hexagon regular, stays within the limit for
    square pixels, and the image has one grain. A recipe keeps the pixel size that it was tuned on.
    """
    row, column = micrograph.pixel_size
    factor = check_calibration(lattice, material)[0]
    if not lattice.calibrates:
        raise ValueError(
            f"the lattice is {_describe_fault(lattice)} to correct the pixel size by, which stays"
        )
    if not _is_plausible(factor):
        raise ValueError(
            f"the pixel size must not be corrected by more than {_LARGEST_FACTOR} where no known mistake "
            f"explains it, but the lattice of {material} asks for {1 / factor:.3g}; check the material"
        )
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
