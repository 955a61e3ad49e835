"""What the places and sizes of pores tell of their origin, in numbers and in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from porescope.measurement import density_interval
from porescope.membrane.currents import Range
from porescope.membrane.patterns import Floats, Pattern
from porescope.membrane.populations import (
    FEWEST_FITTED,
    FEWEST_SPLIT,
    Evenness,
    Populations,
    Sizes,
    count_evenly,
    fit_sizes,
    split_sizes,
)
from porescope.membrane.spatial import Envelope, Randomness, compare_with_random

#: Probability below which chance is no explanation.
_LEVEL = 0.05
#: Squares of one µm² in a cm².
_PER_CM2 = 1e8


class Statistics(NamedTuple):
    """What the pores of a sheet tell; None where there are too few."""

    n_counted: int
    area_um2: float
    density_per_um2: Range
    pores_per_ion: Range | None
    evenness: Evenness
    randomness: Randomness | None
    sizes: Sizes | None
    populations: Populations | None
    sentences: list[str]


def describe_pores(
    patterns: Sequence[Pattern],
    n_counted: int,
    diameter_nm: Floats,
    weights: Floats | None = None,
    *,
    dose_per_cm2: float | None = None,
    seed: int = 0,
) -> Statistics:
    """Describe the density, the pattern and the sizes of pores.

    Parameters
    ----------
    patterns : sequence of Pattern
        The pores of each image, in the part of it that is clean.
    n_counted : int
        Number of pores that count for the density (`measurement.is_counted`).
    diameter_nm : ndarray, shape (n,)
        Diameters of the pores whose size is known.
    weights : ndarray, shape (n,), optional
        How often each of these counts.
    dose_per_cm2 : float, optional
        Ions per cm².
    seed : int

    Returns
    -------
    Statistics

    Raises
    ------
    ValueError
        If there is no area, or the dose is none.
    """
    area = sum(pattern.window.area_nm2 for pattern in patterns) / 1e6
    if not area:
        raise ValueError("no image has a clean area in which pores could be counted")
    if dose_per_cm2 is not None and not 0 < dose_per_cm2 < np.inf:
        raise ValueError(f"--dose must be above 0 ions/cm², not {dose_per_cm2:g}")
    density = Range(n_counted / area, *density_interval(n_counted, area))
    per_ion = None
    if dose_per_cm2 is not None:
        per_ion = Range(*(value * _PER_CM2 / dose_per_cm2 for value in density))
    evenness = count_evenly(list(patterns), seed)
    randomness, problem = None, ""
    try:
        randomness = compare_with_random(patterns, seed=seed)
    except ValueError as error:
        problem = str(error)
    sizes = fit_sizes(diameter_nm, weights, seed) if len(diameter_nm) >= FEWEST_FITTED else None
    populations = split_sizes(diameter_nm, seed) if len(diameter_nm) >= FEWEST_SPLIT else None
    found = Statistics(n_counted, area, density, per_ion, evenness, randomness, sizes, populations, [])
    found.sentences.extend(_tell(found, len(diameter_nm), problem))
    return found


def _tell(found: Statistics, n_sizes: int, problem: str) -> list[str]:
    density = found.density_per_um2
    lines = [
        f"Density: {density.value:.4g} per µm² (95 % interval {density.low:.4g} to {density.high:.4g}), "
        f"{found.n_counted} pores in {found.area_um2:.4g} µm²."
    ]
    if found.pores_per_ion is not None:
        per_ion = found.pores_per_ion
        lines.append(f"Pores per ion: {per_ion.value:.3g} ({per_ion.low:.3g} to {per_ion.high:.3g}).")
    lines.append(_tell_evenness(found.evenness))
    lines.append(_tell_pattern(found.randomness) if found.randomness else f"Pattern: {problem}.")
    lines.append(_tell_sizes(found.sizes, found.populations, n_sizes))
    return lines


def _tell_evenness(evenness: Evenness) -> str:
    if np.isnan(evenness.p):
        return "Is the irradiation uniform? There are too few pores to tell."
    word = "Nothing speaks against it" if evenness.p > _LEVEL else "No"
    return (
        f"Is the irradiation uniform? {word}: the counts of {evenness.n_parts} parts of the area vary "
        f"{evenness.dispersion:.2g} times as much as chance makes them (p = {evenness.p:.2g})."
    )


def _tell_pattern(found: Randomness) -> str:
    near = (
        f"the nearest neighbour is {found.clark_evans:.2f} times as far as in random patterns "
        f"(p = {found.clark_evans_p:.2g})"
    )
    if found.l_nm.is_random and found.clark_evans_p > _LEVEL:
        return f"Do pores cluster? Nothing speaks for it (p = {found.l_nm.p:.2g}); {near}."
    if found.l_nm.is_random:
        word = "closer" if found.clark_evans < 1 else "farther apart"
        return f"Do pores cluster? Ripley's L does not tell (p = {found.l_nm.p:.2g}), but {near}: {word}."
    distance, above = _find_deviation(found.l_nm, found.r_nm)
    word = "Yes" if above else "No, they avoid each other"
    return f"Do pores cluster? {word}: most at {distance:.3g} nm (p = {found.l_nm.p:.2g}); {near}."


def _find_deviation(envelope: Envelope, r_nm: Floats) -> tuple[float, bool]:
    """The distance at which a curve deviates most, and whether it is above there."""
    half = envelope.high - envelope.mean
    z = np.divide(envelope.value - envelope.mean, half, out=np.zeros_like(half), where=np.isfinite(half))
    i = int(np.abs(z).argmax())
    return float(r_nm[i]), bool(z[i] > 0)


def _tell_sizes(sizes: Sizes | None, populations: Populations | None, n: int) -> str:
    if sizes is None:
        return f"Sizes: {n} pores of known size are too few for a distribution; it takes {FEWEST_FITTED}."
    text = (
        f"Sizes: median {sizes.median_nm:.3g} nm ({sizes.median_low_nm:.3g} to {sizes.median_high_nm:.3g}), "
        f"log-normal spread {sizes.spread:.2g} ({sizes.spread_low:.2g} to {sizes.spread_high:.2g}). "
        "Is there more than one population? "
    )
    if populations is None:
        return f"{text}That takes {FEWEST_SPLIT} pores of known size, not {n}."
    if populations.p > _LEVEL:
        return f"{text}One will do (p = {populations.p:.2g})."
    small, large = populations.median_nm
    return (
        f"{text}Yes: medians {small:.3g} nm ({populations.share:.0%}) and {large:.3g} nm "
        f"(p = {populations.p:.2g})."
    )


def measure_spacing(pattern: Pattern) -> dict[str, Floats]:
    """Measure how far each pore is from its nearest neighbour and from the border of its window.

    Parameters
    ----------
    pattern : Pattern

    Returns
    -------
    dict of ndarray, shape (n,)
        ``nearest`` (index of the neighbour), ``nearest_nm`` (between centres), ``gap_nm`` (between discs of
        their sizes), ``border_nm``. A neighbour farther than the border may not be the nearest. NaN for a
        lone pore.

    Examples
    --------
    >>> from porescope.membrane.patterns import Window
    >>> window = Window(np.ones((20, 30), bool), 1.0)
    >>> pattern = Pattern(np.array([[9.5, 4.5], [9.5, 14.5]]), np.array([2.0, 4.0]), window)
    >>> {name: values.tolist() for name, values in measure_spacing(pattern).items()}  # doctest: +ELLIPSIS
    {'nearest': [1.0, 0.0], 'nearest_nm': [10.0, 10.0], 'gap_nm': [7.0, 7.0], 'border_nm': [5..., 10...]}
    """
    import cv2
    from scipy.spatial import cKDTree

    n, pixel = len(pattern.positions_nm), pattern.window.pixel_nm
    padded = np.pad(np.asarray(pattern.window.mask, np.uint8), 1)
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    at = np.clip(np.rint(pattern.positions_nm / pixel).astype(int), 0, np.array(inside.shape) - 1)
    border = inside[at[:, 0], at[:, 1]].astype(float) * pixel
    if n < 2:
        unknown = np.full(n, np.nan)
        return {"nearest": unknown, "nearest_nm": unknown, "gap_nm": unknown, "border_nm": border}
    found = cKDTree(pattern.positions_nm).query(pattern.positions_nm, 2)
    distance, index = (np.asarray(values)[:, 1] for values in found)
    radius = pattern.diameter_nm / 2
    gap = distance - radius - radius[index]
    return {
        "nearest": index.astype(float),
        "nearest_nm": distance,
        "gap_nm": np.maximum(gap, 0.0),
        "border_nm": border,
    }
