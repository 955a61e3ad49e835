"""The vacancy map: how far each place stands out of noise as a missing column of atoms."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from porescope.labels import Detection, label_regions
from porescope.lattice.filling import fill_by_lattice
from porescope.lattice.finding import Lattice
from porescope.lattice.medians import find_median
from porescope.lattice.straightening import map_back, plan_straightening, straighten
from porescope.marks import leave_out_marks
from porescope.materials import LIGHT_CONSTANT
from porescope.micrograph import Micrograph
from porescope.modalities import HOLE_SIGN
from porescope.strips import LARGE

#: Clipping limit of the image, in median absolute deviations.
_CLIP = 5.0
#: Length over which the local average cell is taken [lattice constants]: its harmonics are notched out with
#: Gaussians of standard deviation 1 / (2π · _CELLS · a).
_CELLS = 3.0
#: Side of the window over which the spectrum of the residual is averaged [bins].
_SMOOTHED = 9
#: Standard deviation of a column of atoms [lattice constants]: of heavy sheets, and of graphene and hBN.
_COLUMN, _LIGHT_COLUMN = 0.2, 0.15
#: Frequency above which a column is fainter than a thousandth, times its standard deviation.
_FAINTEST = 0.6
#: Response above which it does not count as noise [standard deviations].
_CLIP_Z = 3.0
#: Largest side of a block of a large image [px].
_BLOCK = 2048
#: Length over which the noise is compared with the rest of the image [lattice constants].
_AROUND = 5.0


class VacancyMap(NamedTuple):
    """How far each place of an image stands out of noise as a missing column of atoms."""

    z: NDArray[np.floating]  # (M, N), in standard deviations of the noise; 0 outside the field
    whole: float  # z of a whole column of average atoms that is missing


def map_vacancies(micrograph: Micrograph, lattice: Lattice) -> VacancyMap:
    """Map how far each place stands out of noise as a missing column of atoms.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice

    Returns
    -------
    VacancyMap
        z is the response of a matched filter, 0 outside the field and at burnt-in marks; in HRTEM, where a
        hole may be dark or bright, its magnitude. float16 in images above 16 megapixels.

    Notes
    -----
    The image without its local mean and its local average cell, whitened by its own spectrum and matched
    with a column of atoms; all are factors in one Fourier transform. Images above 2048 px a side are mapped
    in blocks. The average column is as high as the waves of first order need it to be, if both sublattices
    were one.

    Examples
    --------
    >>> from porescope.lattice import find_lattice
    >>> from porescope.simulation import Pore, Scene, simulate
    >>> drawn = simulate(Scene("WS2", (256, 256), pores=(Pore((5.0, 5.0), missing=1),), dose=2e6), seed=1)
    >>> z, whole = map_vacancies(drawn.micrograph, find_lattice(drawn.micrograph))
    >>> y, x = np.unravel_index(z.argmax(), z.shape)
    >>> bool(drawn.labels[y, x] > 0), bool(z.max() > 6)
    (True, True)
    >>> bool(0.65 < z.max() / whole < 1.8)
    True
    """
    plan = plan_straightening(lattice, hexagon=False)
    if plan is not None:  # the waves of jittering rows are smeared
        straight = _map_straight(straighten(micrograph, plan), lattice)
        z = map_back(np.asarray(straight.z, np.float32), plan)
        return straight._replace(z=z if micrograph.field is None else z * micrograph.field)
    return _map_straight(micrograph, lattice)


def _map_straight(micrograph: Micrograph, lattice: Lattice) -> VacancyMap:
    """Map a micrograph whose rows are straight, block by block."""
    micrograph = leave_out_marks(micrograph)
    image, field = micrograph.filled, micrograph.field
    level, sign = find_median(image[::2, ::2]), HOLE_SIGN[micrograph.modality]
    z = np.zeros(image.shape, np.float16 if image.size > LARGE else np.float32)
    overlap, wholes = int(_AROUND * lattice.constant_px), []
    for rows, columns in product(*map(_cut, image.shape)):
        wide = tuple(slice(max(s.start - overlap, 0), s.stop + overlap) for s in (rows, columns))
        inside = None if field is None else field[wide]
        if inside is None or inside.any():
            part, whole = _map_block(image[wide] - level, inside, lattice, sign)
            wholes.append(whole)
            top, left = rows.start - wide[0].start, columns.start - wide[1].start
            z[rows, columns] = part[top:, left:][: rows.stop - rows.start, : columns.stop - columns.start]
    return VacancyMap(z, float(np.median(wholes)))


def _cut(length: int) -> list[slice]:
    """Cut a side into equal parts of at most `_BLOCK` px."""
    edges = np.linspace(0, length, -(-length // _BLOCK) + 1).astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def _map_block(
    image: NDArray[np.float32], field: NDArray[np.bool_] | None, lattice: Lattice, sign: int
) -> VacancyMap:
    """Map an image of median 0, or a block of a large one."""
    if field is not None:
        image = fill_by_lattice(image, field, lattice.vectors)
    limit = np.float32(_CLIP * float(find_median(np.abs(image[::2, ::2]))) + 1e-12)
    image = np.asarray(np.clip(image, -limit, limit), np.float32)
    cell = lattice.constant_px
    wide = _continue(image, lattice, int(2 * _CELLS * cell))
    top, left = ((n - m) // 2 for n, m in zip(wide.shape, image.shape, strict=True))
    size = [fft.next_fast_len(n, real=True) for n in wide.shape]
    pads = [(0, s - n) for s, n in zip(size, wide.shape, strict=True)]
    width = cell * (_LIGHT_COLUMN if lattice.constant_nm < LIGHT_CONSTANT else _COLUMN)
    notch = _draw_notch(lattice, size, _FAINTEST / width)
    spectrum = fft.rfft2(np.pad(wide, pads, mode="reflect"))
    residual = spectrum * notch
    window = (_SMOOTHED, _SMOOTHED)
    kept = cv2.blur(notch**2, window, borderType=cv2.BORDER_REFLECT)
    power = residual.real**2 + residual.imag**2
    power = cv2.blur(power, window, borderType=cv2.BORDER_REFLECT) / (kept + np.float32(1e-3))
    y, x = (np.exp(-2 * (np.pi * width * f) ** 2) for f in (fft.fftfreq(size[0]), fft.rfftfreq(size[1])))
    column = np.outer(y, x).astype(np.float32)
    shape = notch * column
    factor = shape / (power + np.float32(1e-30))
    matched = fft.irfft2(residual * factor, size)
    response = np.asarray(matched[top : top + image.shape[0], left : left + image.shape[1]], np.float32)
    z, deviation = _normalise(response, cell, sign, field)
    # The transform of a column of height 1 is 2π · width² · column.
    alone = 2 * np.pi * width**2 * _peak(shape * factor, size)
    height = _measure_column(spectrum, lattice, size, width)
    return VacancyMap(z, height * alone / deviation)


def _peak(spectrum: NDArray[np.floating], size: list[int]) -> float:
    """First value of the inverse of a real transform that has no phases: the mean over all frequencies."""
    both = spectrum[:, 1 : (size[1] + 1) // 2]  # these stand for the opposite frequencies too
    return (float(spectrum.sum(dtype=float)) + float(both.sum(dtype=float))) / (size[0] * size[1])


def _measure_column(
    spectrum: NDArray[np.complexfloating], lattice: Lattice, size: list[int], width: float
) -> float:
    """Height of an average column: of Gaussian columns that give the waves of first order."""
    wide = 1 / (2 * np.pi * _CELLS * lattice.constant_px)
    reach = [max(int(np.ceil(3 * wide * n)), 1) for n in size]
    energy = []
    for fy, fx in lattice.spots:
        fy, fx = (fy, fx) if fx >= 0 else (-fy, -fx)
        y = round(fy * size[0]) + np.arange(-reach[0], reach[0] + 1)
        x = round(fx * size[1]) + np.arange(-reach[1], reach[1] + 1)
        inside = x[(x >= 0) & (x < spectrum.shape[1])]
        energy.append(float((np.abs(spectrum[np.ix_(y % size[0], inside)]) ** 2).sum()))
    # A wave's transform is half its amplitude times the number of pixels, spread over some bins.
    wave = np.sqrt(np.mean(energy)) / (size[0] * size[1])
    frequency = float(np.hypot(*lattice.frequencies[0]))
    area = np.sqrt(3) / 2 * lattice.constant_px**2
    return float(wave * area / (2 * np.pi * width**2 * np.exp(-2 * (np.pi * width * frequency) ** 2)))


def _continue(image: NDArray[np.float32], lattice: Lattice, margin: int) -> NDArray[np.float32]:
    """Continue an image on each side by the same lattice: parts of it, shifted by whole lattice vectors.

    A mirror image would break the lattice at the border, which looks like vacancies there.
    """
    for axis in (0, 1):
        margin = min(margin, image.shape[axis] // 3)
        along, across = _choose_shift(lattice, axis, margin, image.shape[axis] - margin)
        sides, n = [], image.shape[1 - axis]
        for start, turn in ((along - margin, across), (image.shape[axis] - along, -across)):
            part = image[:, start : start + margin] if axis else image[start : start + margin]
            sides.append(part.take(np.clip(np.arange(n) + turn, 0, n - 1), axis=1 - axis))
        image = np.concatenate([sides[0], image, sides[1]], axis=axis)
    return image


def _choose_shift(lattice: Lattice, axis: int, least: int, most: int) -> tuple[int, int]:
    """The lattice vector nearest to whole pixels whose part along an axis lies within bounds [px]."""
    reach = int(np.ceil(3 * least / lattice.constant_px)) + 8
    h, k = (i.ravel() for i in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    vectors = h[:, None] * lattice.vectors[0] + k[:, None] * lattice.vectors[1]
    along, across = vectors[:, axis], vectors[:, 1 - axis]
    misfit = np.abs(vectors - np.rint(vectors)).max(axis=1) + 0.02 * np.abs(across) / lattice.constant_px
    misfit[(along < least) | (along > min(least + 6 * lattice.constant_px, most))] = np.inf
    best = int(misfit.argmin())
    return int(round(along[best])), int(round(across[best]))


def _draw_notch(lattice: Lattice, size: list[int], highest: float) -> NDArray[np.float32]:
    """Factors that remove the local mean and the local average cell, for a real transform of this size.

    Harmonics above the frequency ``highest`` [1/px] do not matter.
    """
    rows, columns = size[0], size[1] // 2 + 1
    wide = 1 / (2 * np.pi * _CELLS * lattice.constant_px)
    notch = np.ones((rows, columns), np.float32)
    reach = [max(int(np.ceil(3.5 * wide * n)), 1) for n in size]
    highest = min(highest, 0.75)
    most = int(np.ceil(1.2 * highest / min(np.hypot(*f) for f in lattice.frequencies)))
    for h in range(-most, most + 1):
        for k in range(-most, most + 1):
            fy, fx = h * lattice.frequencies[0] + k * lattice.frequencies[1]
            if np.hypot(fy, fx) > highest or abs(fy) > 0.5 or not -4 * wide <= fx <= 0.5:
                continue
            y = np.arange(round(fy * rows) - reach[0], round(fy * rows) + reach[0] + 1)
            x = np.arange(max(round(fx * size[1]) - reach[1], 0), round(fx * size[1]) + reach[1] + 1)
            x = x[x < columns]
            if not len(x):
                continue
            distance = ((y / rows - fy)[:, None] ** 2 + (x / size[1] - fx)[None] ** 2) / (2 * wide**2)
            place = np.ix_(y % rows, x)
            notch[place] = np.minimum(notch[place], 1 - np.exp(-distance).astype(np.float32))
    return notch


def _normalise(
    z: NDArray[np.float32], cell: float, sign: int, field: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float32], float]:
    """A response in standard deviations of the noise: of the image's, or of the surroundings' if larger.

    The image's comes with it.
    """
    # Every second row and column is enough for a median.
    inside = z[::2, ::2] if field is None else z[field][::4]
    deviation = 1.4826 * float(find_median(np.abs(inside))) + 1e-30
    scaled = z / np.float32(deviation)
    # The surroundings are so wide that a pixel of half a cell does for them.
    step = max(cell / 2, 1)
    size = tuple(max(round(n / step), 1) for n in z.shape[::-1])
    small = cv2.resize(np.minimum(scaled**2, np.float32(_CLIP_Z**2)), size, interpolation=cv2.INTER_AREA)
    around = cv2.GaussianBlur(small, (0, 0), _AROUND * cell / step)
    around = np.maximum(cv2.resize(around, z.shape[::-1], interpolation=cv2.INTER_LINEAR), 1)
    scaled = np.asarray(scaled / np.sqrt(around), np.float32)
    signed = np.abs(scaled) if sign == 0 else scaled * np.float32(sign)
    return np.asarray(signed if field is None else np.where(field, signed, 0), np.float32), deviation


@dataclass(frozen=True)
class Vacancies:
    """Detector: places that stand out of noise as missing columns of atoms.

    It needs no training. Dopants, second layers and contamination stand out too.

    Parameters
    ----------
    least_z : float
        Smallest z of a pore's darkest place [standard deviations].

    Raises
    ------
    ValueError
        If ``least_z`` is not above 0.

    Examples
    --------
    >>> from porescope.lattice import find_lattice
    >>> from porescope.simulation import Pore, Scene, simulate
    >>> drawn = simulate(Scene("WS2", (256, 256), pores=(Pore((5.0, 5.0), missing=1),), dose=2e6), seed=1)
    >>> int(Vacancies().find(drawn.micrograph, find_lattice(drawn.micrograph)).labels.max())
    1
    """

    least_z: float = 5.0

    method: ClassVar[str] = "vacancies"
    needs_lattice: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.least_z > 0:
            raise ValueError(f"least_z must be above 0, not {self.least_z:g}")

    def describe(self) -> dict[str, Any]:
        """Describe the detector for ``run.json``.

        Returns
        -------
        dict
        """
        return {"method": self.method, "least_z": self.least_z}

    def find(
        self, micrograph: Micrograph, lattice: Lattice | None = None, material: str | None = None
    ) -> Detection:
        """Find pores.

        Parameters
        ----------
        micrograph : Micrograph
        lattice : Lattice or None
            Without one nothing is found.
        material : str or None
            Has no effect.

        Returns
        -------
        Detection
            Each region is where z is at least half of its peak.
        """
        shape = micrograph.image.shape
        if lattice is None:
            return Detection(np.zeros(shape, np.int32), message="no lattice, so no vacancies are looked for")
        z, whole = map_vacancies(micrograph, lattice)
        seen = label_regions(z >= self.least_z / 2)
        peaks = np.zeros(int(seen.max()) + 1, np.float32)
        np.maximum.at(peaks, seen.ravel(), z.ravel())
        peaks[0] = np.inf
        half = (z >= peaks[seen] / 2) & (peaks[seen] >= self.least_z)
        kept = None if z.size > LARGE else z
        return Detection(label_regions(half), vacancies=kept, whole=whole)
