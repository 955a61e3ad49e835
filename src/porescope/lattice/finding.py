"""Find the crystal's lattice: a hexagon of peaks in the power spectrum, refined by phase.

Frequencies are in cycles per pixel, (row, column).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.lattice.grains import count_grains
from porescope.lattice.hexagon import list_spots, measure_constant, measure_distortion, measure_uncertainty
from porescope.lattice.orders import DOUBTFUL, STANDS_OUT, find_lower_order
from porescope.lattice.rows import RowOffsets, measure_rows, shift_rows
from porescope.lattice.spectrum import Spectrum, find_peak, measure_spectrum
from porescope.lattice.spots import find_hexagons
from porescope.lattice.waves import LONGEST, Flat, mix_coarsely, refine_by_phase
from porescope.micrograph import Micrograph
from porescope.strips import STRIP

#: Smallest lattice constant whose spots are searched, and largest: coarser ones show by higher orders [px].
_SHORTEST, _LONGEST = 3.8, 1.25 * LONGEST
#: Largest relative standard deviation by noise of a lattice constant that calibrates: about half of 0.5 %.
VAGUEST = 0.0026
#: Largest distortion of a lattice that calibrates. If it is a stretch along one axis, it changes the constant
#: by half of this.
MOST_DISTORTED = 0.03
#: Largest relative standard deviation by noise of a lattice that is there.
_VAGUEST_FOUND = 0.01
#: Height from which a hexagon of lower order may be there, if the constant is too vague to calibrate by.
_DOUBTFUL_IF_VAGUE = 0.3
#: Least number of lattice planes across an image: with fewer the order of the spots cannot be told.
_FEWEST_PLANES = 6.0
#: Root mean square offset of rows above which they are put straight before the spots are measured
#: [lattice constants].
_STRAIGHT = 0.03
#: Standard deviation of the Gaussian average of the cells around a place [lattice constants].
_AROUND_PLACE = 2.5
#: Largest distance of a spot from where it is expected, relative to its frequency.
_ASTRAY = 0.03


@dataclass(frozen=True, eq=False)
class Lattice:
    """A lattice found in an image.

    Attributes
    ----------
    frequencies : ndarray, shape (2, 2)
        The two shortest reciprocal vectors, 60° apart in a hexagonal lattice [cycles/px].
    constant_nm, constant_std_nm : float
        Lattice constant (of the hexagonal cell of the same area) and its standard deviation [nm]: noise,
        distortion, pixel quantisation.
    calibrates : bool
        Whether it is good enough to calibrate by: the constant is known to about 0.5 % but for the
        distortion, and that is at most 3 %.
    distortion : float
        Largest stretch of the lattice over the smallest, minus one. A stretch of both axes alike does not
        show: it cannot be told from an error of the pixel size.
    row_jitter_nm : float
        Root mean square of the rows' own shifts along the row, without slow drift and noise [nm].
    rows : RowOffsets
        The offsets of the rows, and the frequencies found with them.
    grains : int
        Number of orientations, moiré layers included.
    image : ndarray of float32, shape (M, N)
        The image in which the lattice was found.
    field : ndarray of bool, shape (M, N), or None
        Where it has data; None: everywhere.
    flattened : Flat
        That image, flattened.
    spectrum : Spectrum
        The power spectrum in which the lattice was found.
    """

    frequencies: NDArray[np.float64]
    constant_nm: float
    constant_std_nm: float
    calibrates: bool
    distortion: float
    row_jitter_nm: float
    rows: RowOffsets
    grains: int
    image: NDArray[np.float32] = dataclasses.field(repr=False)
    field: NDArray[np.bool_] | None = dataclasses.field(repr=False)
    flattened: Flat = dataclasses.field(repr=False)
    spectrum: Spectrum = dataclasses.field(repr=False)

    @cached_property
    def flat(self) -> NDArray[np.float32]:
        """The image as `flatten` returns it, from which maps and sites are measured, shape (M, N)."""
        return self.flattened.read()

    @cached_property
    def waves(self) -> list[NDArray[np.float32]]:
        """The three waves of first order, each averaged over the cells around a place.

        Real and imaginary part, shape (R, C, 2) with about one pixel a cell.
        """
        step = max(self.constant_px, 1.0)
        rows, columns = (max(round(n / step), 1) for n in self.image.shape)
        sigma = _AROUND_PLACE * self.constant_px / step
        coarse = mix_coarsely(self.flattened, self.spots, [(rows, columns)] * 3)
        return [np.asarray(cv2.GaussianBlur(wave, (0, 0), sigma), np.float32) for wave in coarse]

    @property
    def vectors(self) -> NDArray[np.float64]:
        """Real-space lattice vectors as rows, shape (2, 2) [px]."""
        return np.asarray(np.linalg.inv(self.frequencies).T, np.float64)

    @property
    def constant_px(self) -> float:
        """Lattice constant [px]."""
        return measure_constant(self.frequencies)

    @property
    def spots(self) -> NDArray[np.float64]:
        """Frequencies of the three first-order spots, shape (3, 2) [cycles/px]."""
        return list_spots(self.frequencies)


def find_lattice(micrograph: Micrograph) -> Lattice | None:
    """Find the lattice of a micrograph.

    Parameters
    ----------
    micrograph : Micrograph

    Returns
    -------
    Lattice or None
        None if there is no lattice of 4 px per constant or more, or if there is doubt: fewer than six
        lattice planes across the image, an uncertain order of the spots.

    Notes
    -----
    Three spots of the power spectrum are judged together (`find_hexagons`), also smeared by drift and row
    jitter. The phases of their waves tell the offset of each row (`measure_rows`). In the image with straight
    rows, hexagons of lower order are looked for (`find_lower_order`).

    Examples
    --------
    >>> from porescope.simulation import Scene, simulate
    >>> lattice = find_lattice(simulate(Scene(shape=(256, 300), pores=1), seed=1).micrograph)
    >>> round(lattice.constant_nm, 3), lattice.calibrates
    (0.315, True)
    >>> import numpy as np
    >>> find_lattice(Micrograph(np.random.default_rng(0).normal(size=(200, 210)), 0.04)) is None
    True
    """
    image = micrograph.filled
    if min(image.shape) < 24 or float(np.ptp(image)) == 0:
        return None
    flat = Flat(image, micrograph.field)
    view = _View(image, flat, measure_spectrum(image, micrograph.field, flat))
    low, high = (2 / np.sqrt(3) / a for a in (_LONGEST, _SHORTEST))
    for hexagon in find_hexagons(view.spectrum, low, high):
        found = _measure_lattice(view, hexagon.spots[:2], micrograph)
        if found is not None:
            return found
    return None


class _View(NamedTuple):
    """An image, or one with its rows put straight, in which spots are measured."""

    image: NDArray[np.float32]
    flat: Flat
    spectrum: Spectrum


def _measure_lattice(
    view: _View, frequencies: NDArray[np.float64], micrograph: Micrograph, tries: int = 3
) -> Lattice | None:
    """Measure a lattice by a hexagon of any order; None if it is none, or in doubt."""
    rows = measure_rows(view.flat, frequencies)
    straight, blurred = view, _is_blurred(rows)
    if blurred and view.image.size <= STRIP:
        image = shift_rows(view.flat.read(), rows)
        flat = Flat(image)
        straight = _View(image, flat, measure_spectrum(image, flat=flat))
    fitted = _fit_hexagon(straight, rows.frequencies)
    if fitted is None:
        return None
    basis, deviation = fitted
    if np.hypot(*list_spots(basis).T).min() * min(view.image.shape) < _FEWEST_PLANES:
        return None
    height, lower = find_lower_order(straight.spectrum.power, basis)
    if height >= DOUBTFUL:
        certain = height >= STANDS_OUT and tries > 0
        return _measure_lattice(view, lower, micrograph, tries - 1) if certain else None
    if deviation > (_VAGUEST_FOUND if height < _DOUBTFUL_IF_VAGUE else VAGUEST):
        return None
    distortion = float(measure_distortion(basis))
    size = float(np.sqrt(micrograph.pixel_area))
    constant = measure_constant(basis) * size
    return Lattice(
        frequencies=basis,
        constant_nm=constant,
        constant_std_nm=constant * measure_uncertainty(basis, deviation, view.image.shape),
        calibrates=deviation <= VAGUEST and distortion <= MOST_DISTORTED,
        distortion=distortion,
        row_jitter_nm=rows.jitter * micrograph.pixel_size[1],
        rows=rows,
        grains=count_grains(straight.spectrum, basis),
        image=view.image,
        field=micrograph.field,
        flattened=view.flat,
        spectrum=straight.spectrum,
    )


def _is_blurred(rows: RowOffsets) -> bool:
    """Whether the rows stand so far from straight that their spots are smeared."""
    offset = np.sqrt((rows.down**2 + rows.along**2).mean())
    return bool(offset > _STRAIGHT * measure_constant(rows.frequencies))


def _fit_hexagon(view: _View, frequencies: NDArray[np.float64]) -> tuple[NDArray[np.float64], float] | None:
    """Two reciprocal vectors near those given, and the relative standard deviation of their length.

    None if there are no peaks.
    """
    shape = np.array(view.spectrum.power.shape)
    found = [find_peak(view.spectrum, spot, _ASTRAY) for spot in list_spots(frequencies)]
    heights = np.array([height for height, _, _ in found])
    if min(heights) < 1:
        return None
    f = np.array([_refine(view.spectrum.power, at) for _, at, _ in found]) / shape - (shape // 2) / shape
    # The position of a peak has a standard deviation of a twentieth of a bin, more if the peak is low.
    deviations = 0.05 * np.sqrt(1 + 20 / heights) / min(shape)
    for i, (refined, deviation) in enumerate(refine_by_phase(view.flat, f)):
        near = bool((np.abs(refined - f[i]) * shape < 0.5).all())
        if near and deviation < deviations[i]:
            f[i], deviations[i] = refined, deviation
    # The third spot is the second minus the first: a least-squares fit of two vectors to three spots.
    gap = f[0] - f[1] + f[2]
    basis = np.array([f[0] - gap / 3, f[1] + gap / 3])
    spread = max(float(np.hypot(*gap)) / np.sqrt(6), float(np.sqrt((deviations**2).mean())))
    length = np.sqrt(np.hypot(*basis[0]) * np.hypot(*basis[1]))
    return basis, float(spread / length / np.sqrt(3))


def _refine(power: NDArray[np.float32], spot: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sub-bin position of a peak: parabola through the logarithm of three bins, along each axis."""
    place = spot.astype(float)
    for axis in (0, 1):
        steps = [spot.copy(), spot, spot.copy()]
        steps[0][axis] -= 1
        steps[2][axis] += 1
        if steps[0][axis] < 0 or steps[2][axis] >= power.shape[axis]:
            continue
        a, b, c = (float(np.log(power[tuple(s)] + 1e-30)) for s in steps)
        curve = a - 2 * b + c
        if curve < 0:
            place[axis] += float(np.clip((a - c) / (2 * curve), -0.5, 0.5))
    return place
