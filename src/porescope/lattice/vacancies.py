"""The vacancy map: how far each place stands out of noise as a missing column of atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from porescope.labels import Detection, label_regions
from porescope.lattice.filling import fill_by_lattice
from porescope.lattice.finding import Lattice
from porescope.marks import leave_out_marks
from porescope.micrograph import Micrograph
from porescope.modalities import HOLE_SIGN

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
#: Lattice constant below which a sheet is graphene or hBN [nm].
_LIGHT = 0.27
#: Response above which it does not count as noise [standard deviations].
_CLIP_Z = 3.0
#: Length over which the noise is compared with the rest of the image [lattice constants].
_AROUND = 5.0


def map_vacancies(micrograph: Micrograph, lattice: Lattice) -> NDArray[np.float32]:
    """Map how far each place stands out of noise as a missing column of atoms.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice

    Returns
    -------
    ndarray of float32, shape (M, N)
        z: the response of a matched filter in standard deviations of its noise; 0 outside the field and at
        burnt-in marks. In HRTEM, where a hole may be dark or bright, its magnitude.

    Notes
    -----
    The image without its local mean and its local average cell, whitened by its own spectrum and matched
    with a column of atoms; all are factors in one Fourier transform.

    Examples
    --------
    >>> from porescope.lattice import find_lattice
    >>> from porescope.simulation import Pore, Scene, simulate
    >>> drawn = simulate(Scene("WS2", (256, 256), pores=(Pore((5.0, 5.0), missing=1),), dose=2e6), seed=1)
    >>> z = map_vacancies(drawn.micrograph, find_lattice(drawn.micrograph))
    >>> y, x = np.unravel_index(z.argmax(), z.shape)
    >>> bool(drawn.labels[y, x] > 0), bool(z.max() > 6)
    (True, True)
    """
    micrograph = leave_out_marks(micrograph)
    image = micrograph.filled - np.float32(np.median(micrograph.filled))
    if micrograph.field is not None:
        image = fill_by_lattice(image, micrograph.field, lattice.vectors)
    limit = np.float32(_CLIP * float(np.median(np.abs(image))) + 1e-12)
    image = np.asarray(np.clip(image, -limit, limit), np.float32)
    cell = lattice.constant_px
    wide = _continue(image, lattice, int(2 * _CELLS * cell))
    top, left = ((n - m) // 2 for n, m in zip(wide.shape, image.shape, strict=True))
    size = [fft.next_fast_len(n, real=True) for n in wide.shape]
    pads = [(0, s - n) for s, n in zip(size, wide.shape, strict=True)]
    width = cell * (_LIGHT_COLUMN if lattice.constant_nm < _LIGHT else _COLUMN)
    notch = _draw_notch(lattice, size, _FAINTEST / width)
    residual = fft.rfft2(np.pad(wide, pads, mode="reflect")) * notch
    window = (_SMOOTHED, _SMOOTHED)
    kept = cv2.blur(notch**2, window, borderType=cv2.BORDER_REFLECT)
    power = cv2.blur(np.abs(residual) ** 2, window, borderType=cv2.BORDER_REFLECT) / (kept + np.float32(1e-3))
    y, x = fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None]
    column = np.exp(-2 * (np.pi * width) ** 2 * (y**2 + x**2)).astype(np.float32)
    matched = fft.irfft2(residual * notch * column / (power + np.float32(1e-30)), size)
    z = np.asarray(matched[top : top + image.shape[0], left : left + image.shape[1]], np.float32)
    return _normalise(z, cell, HOLE_SIGN[micrograph.modality], micrograph.field)


def _continue(image: NDArray[np.float32], lattice: Lattice, margin: int) -> NDArray[np.float32]:
    """Continue an image on each side by the same lattice: parts of it, shifted by whole lattice vectors.

    A mirror image would break the lattice at the border, which looks like vacancies there.
    """
    for axis in (0, 1):
        margin = min(margin, image.shape[axis] // 3)
        along, across = _choose_shift(lattice, axis, margin, image.shape[axis] - margin)
        image = image if axis else image.T
        sides = []
        for start, turn in ((along - margin, across), (image.shape[1] - along, -across)):
            rows = np.clip(np.arange(image.shape[0]) + turn, 0, image.shape[0] - 1)
            sides.append(image[rows, start : start + margin])
        image = np.concatenate([sides[0], image, sides[1]], axis=1)
        image = image if axis else image.T
    return np.ascontiguousarray(image)


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
) -> NDArray[np.float32]:
    """A response in standard deviations of the noise: of the image's, or of the surroundings' if larger."""
    inside = z if field is None else z[field]
    scaled = z / np.float32(1.4826 * float(np.median(np.abs(inside))) + 1e-30)
    around = cv2.GaussianBlur(np.minimum(scaled**2, _CLIP_Z**2), (0, 0), _AROUND * cell)
    scaled = np.asarray(scaled / np.sqrt(np.maximum(around, 1)), np.float32)
    signed = np.abs(scaled) if sign == 0 else scaled * np.float32(sign)
    return np.asarray(signed if field is None else np.where(field, signed, 0), np.float32)


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
        z = map_vacancies(micrograph, lattice)
        seen = label_regions(z >= self.least_z / 2)
        peaks = np.zeros(int(seen.max()) + 1, np.float32)
        np.maximum.at(peaks, seen.ravel(), z.ravel())
        peaks[0] = np.inf
        half = (z >= peaks[seen] / 2) & (peaks[seen] >= self.least_z)
        return Detection(label_regions(half))
