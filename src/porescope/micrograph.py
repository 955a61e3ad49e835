"""Micrographs: an image with its pixel size, its modality and its acquisition."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from porescope.files import name_stem
from porescope.modalities import check_modality

#: Largest relative difference between the row and column size of a pixel.
ANISOTROPY_LIMIT = 0.005


@dataclass(frozen=True)
class Acquisition:
    """How a micrograph was taken, as far as it is known; None stands for unknown.

    Parameters
    ----------
    file : str, optional
        The file that it was read from.
    pixel_size_header : tuple of float, optional
        Pixel size (row, column) that the file gives [nm].
    pixel_size_source : {"argument", "header", "lattice"}
        Where the micrograph's pixel size comes from.
    modality_source : {"argument", "header", "assumed"}
        Where the micrograph's modality comes from.
    pixel_size_recipe : tuple of float, optional
        Pixel size (row, column) before the lattice corrected it: a recipe is bound to this one [nm].
    stage_nm : tuple of float, optional
        Stage position (y, x) [nm].
    time_s : float, optional
        Start of the frame, POSIX time [s]. A clock without a time zone is read as UTC; a stack with a
        time axis but no date starts at 0.
    dose_rate_e_nm2_s : float, optional
        Dose rate, averaged over the frame [e/nm²/s].
    magnification : float, optional
        Indicated magnification.
    beam_energy_kev : float, optional
        Energy of the electrons [keV].
    instrument : str, optional
        Name of the microscope.
    remark : str, optional
        What is doubtful about the file or how it was read.

    Examples
    --------
    >>> Acquisition(stage_nm=(0.0, 25.0)).pixel_size_source
    'argument'
    """

    file: str | None = None
    pixel_size_header: tuple[float, float] | None = None
    pixel_size_source: str = "argument"
    modality_source: str = "argument"
    pixel_size_recipe: tuple[float, float] | None = None
    stage_nm: tuple[float, float] | None = None
    time_s: float | None = None
    dose_rate_e_nm2_s: float | None = None
    magnification: float | None = None
    beam_energy_kev: float | None = None
    instrument: str | None = None
    remark: str | None = None


@dataclass(frozen=True, eq=False)
class Micrograph:
    """An image with its pixel size, its modality and its acquisition.

    Parameters
    ----------
    image : array_like, shape (M, N)
        Intensities; stored as float32. Boolean and complex pixels are refused, and NaN and infinite ones
        within the field; outside it they are replaced by the median of the field.
    pixel_size : tuple of float or float
        Height and width of a pixel (row, column) [nm].
    modality : {"haadf", "bf", "abf", "hrtem"}
        Imaging mode; BF and ABF show holes bright.
    name : str
        Name in tables and file names.
    frame : int or None
        Index in the file, counted from 0; None for a single image.
    signal : str or None
        Detector or channel; None where the file has no several.
    acquisition : Acquisition
        How the image was taken.
    field : array_like of bool, shape (M, N), optional
        Where there is data; None everywhere. A field of True only becomes None.

    Raises
    ------
    ValueError
        If the image, the pixel size, the modality or the field breaks a rule above.

    Examples
    --------
    >>> import numpy as np
    >>> Micrograph(np.zeros((4, 6)), 0.05).pixel_size
    (0.05, 0.05)
    >>> cut = Micrograph([[1, 2], [3, np.nan]], 0.05, field=[[True, True], [True, False]])
    >>> cut.filled.tolist()
    [[1.0, 2.0], [3.0, 2.0]]
    """

    image: NDArray[np.float32]
    pixel_size: tuple[float, float]
    modality: str = "haadf"
    name: str = "image"
    frame: int | None = None
    acquisition: Acquisition = Acquisition()
    signal: str | None = None
    field: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        image = _as_numbers(self.image)
        field = _as_field(self.field, image.shape)
        object.__setattr__(self, "image", _as_finite(image, field))
        object.__setattr__(self, "field", field)
        object.__setattr__(self, "pixel_size", _as_pixel_size(self.pixel_size))
        check_modality(self.modality)

    @property
    def pixel_area(self) -> float:
        """Area of a pixel [nm²]."""
        return self.pixel_size[0] * self.pixel_size[1]

    @property
    def stem(self) -> str:
        """Name of output files: ``NAME``, or ``NAME[_SIGNAL]_kkkk`` for image k of a file with several."""
        return name_stem(self.name, self.signal, self.frame)

    @cached_property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the smallest rectangle that holds the field."""
        if self.field is None:
            return slice(0, self.image.shape[0]), slice(0, self.image.shape[1])
        rows, columns = (np.flatnonzero(self.field.any(axis=axis)) for axis in (1, 0))
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    @cached_property
    def filled(self) -> NDArray[np.float32]:
        """The image with all pixels outside the field replaced by the median of the field.

        The image itself, not a copy, where there is data everywhere.
        """
        if self.field is None:
            return self.image
        return np.where(self.field, self.image, _median(self.image[self.field]))


def _as_field(values: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    if values is None:
        return None
    field = np.asarray(values)
    if field.dtype.kind != "b" or field.shape != shape:
        raise ValueError(
            f"field must be a boolean array of shape {shape}, like the image, not {field.dtype} {field.shape}"
        )
    if field.all():
        return None
    if not field.any():
        raise ValueError("field has no True pixel: there is no data to look at; give None for everywhere")
    return np.ascontiguousarray(field)


def _as_numbers(values: ArrayLike) -> NDArray[np.float32]:
    array = np.asarray(values)
    if array.ndim != 2 or array.size == 0:
        raise ValueError(f"image must have two non-empty dimensions, not shape {array.shape}")
    if array.dtype.kind == "b":
        raise ValueError("image has boolean pixels: a mask is not a micrograph")
    if array.dtype.kind == "c":
        raise ValueError("image has complex pixels: give the real-space image, not its transform")
    if array.dtype.kind not in "iuf":
        raise ValueError(f"image must hold numbers, not {array.dtype}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32)


def _as_finite(image: NDArray[np.float32], field: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Check the pixels within the field, and fill what is not finite outside it."""
    if field is not None:
        inside = image[field]
        _check_finite(inside)
        lost = ~np.isfinite(image)
        return np.where(lost, _median(inside), image) if lost.any() else image
    _check_finite(image)
    return image


def _median(values: NDArray[np.float32]) -> np.float32:
    # The mean of the middle two can overflow in float32.
    return np.float32(np.median(values.astype(np.float64)))


def _check_finite(image: NDArray[np.float32]) -> None:
    # A sum is finite only if all pixels are: one pass where all is well.
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(image.sum(dtype=np.float64))
    if suspicious:
        n_nan, n_inf = int(np.isnan(image).sum()), int(np.isinf(image).sum())
        raise ValueError(
            f"image must be finite in float32, but has {n_nan} NaN and {n_inf} infinite pixels; "
            "replace them, crop them, or leave them out with Micrograph(field=…)"
        )


def _as_pixel_size(value: Any) -> tuple[float, float]:
    row, column = (float(v) for v in (value if np.ndim(value) else (value, value)))
    for size in (row, column):
        if not (np.isfinite(size) and size > 0):
            raise ValueError(f"pixel_size must be above 0 nm, not {size:g}; give --pixel-size NM")
    if abs(row - column) > ANISOTROPY_LIMIT * max(row, column):
        raise ValueError(
            f"pixel_size must be square within {ANISOTROPY_LIMIT:.1%}, but is {row:g} nm a row by "
            f"{column:g} nm a column; resample the image or give --pixel-size NM"
        )
    return row, column
