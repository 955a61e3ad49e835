"""Micrographs: an image with its pixel size, its modality and its acquisition."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from porescope.files import (
    Header,
    Signal,
    choose_signals,
    describe_hyperspy,
    describe_xarray,
    doubt_pixel_size,
    doubt_size,
    header_pixel_size,
    name_stem,
    read_frame,
    require_pixel_size,
)
from porescope.labels import find_bordered, label_regions
from porescope.modalities import check_modality

#: Largest relative difference between the row and column size of a pixel.
ANISOTROPY_LIMIT = 0.005
#: Smallest area of NaN at the border that alignment leaves [px]; fewer are dead pixels.
_SMALLEST_GAP = 8
#: Elementary charge [C], exact by definition of the SI.
_ELEMENTARY_CHARGE = 1.602176634e-19


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

    @classmethod
    def from_hyperspy(cls, signal: Any, modality: str = "auto") -> Micrograph:
        """Take an image of HyperSpy with its calibration, name, modality and metadata.

        Parameters
        ----------
        signal : hyperspy.api.signals.Signal2D
            One image: of a stack, ``stack.inav[k]``.
        modality : {"auto", "haadf", "bf", "abf", "hrtem"}
            ``auto`` takes it from the metadata, and HAADF if they do not say it.

        Returns
        -------
        Micrograph

        Raises
        ------
        ValueError
            If it is no single image, or has no pixel size.
        """
        return _adopt(describe_hyperspy(signal), modality)

    @classmethod
    def from_xarray(cls, array: Any, modality: str = "auto") -> Micrograph:
        """Take an image of xarray with its name and its calibration.

        Parameters
        ----------
        array : xarray.DataArray
            One image. Its coordinates give the pixel size; their attribute ``units``, or that of the array,
            the unit.
        modality : {"auto", "haadf", "bf", "abf", "hrtem"}
            ``auto`` takes it from the name, and HAADF if that does not say it.

        Returns
        -------
        Micrograph

        Raises
        ------
        ValueError
            If it is no single image, or has no pixel size.
        """
        return _adopt(describe_xarray(array), modality)

    def __repr__(self) -> str:
        rows, columns = self.image.shape
        frame = "" if self.frame is None else f", frame {self.frame}"
        size = ", ".join(f"{nm:.6g}" for nm in self.pixel_size)
        return f"Micrograph({self.name!r}{frame}, {rows} × {columns} px, ({size}) nm, {self.modality})"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"

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


def make_micrograph(
    path: Path, stack: Signal, frame: int, pixel_size: float | None = None, modality: str = "auto"
) -> Micrograph:
    """Make a micrograph of an image with its metadata.

    Parameters
    ----------
    path : Path
        Named in errors; its stem is the name.
    stack : Signal
    frame : int
        Index in the stack, counted from 0.
    pixel_size : float, optional
        In place of the image's own [nm].
    modality : {"auto", "haadf", "bf", "abf", "hrtem"}

    Returns
    -------
    Micrograph

    Raises
    ------
    ValueError
        If the image is damaged, has no pixel size, or holds NaN or infinite pixels.
    """
    said, in_header = stack.header_of(frame), header_pixel_size(stack)
    size = require_pixel_size(path, stack) if pixel_size is None else (pixel_size, pixel_size)
    image, field, remark = read_frame(path, stack, frame)
    doubt = doubt_pixel_size(stack) if pixel_size is None else doubt_size(size)
    assumed = "header" if stack.modality else "assumed"
    return Micrograph(
        image=image,
        pixel_size=size,
        modality=(stack.modality or "haadf") if modality == "auto" else modality,
        name=path.stem,
        acquisition=Acquisition(
            pixel_size_header=in_header,
            pixel_size_source="header" if pixel_size is None else "argument",
            modality_source=assumed if modality == "auto" else "argument",
            stage_nm=said.stage_nm,
            time_s=said.time_s,
            dose_rate_e_nm2_s=_dose_rate(said, image.size * size[0] * size[1]),
            magnification=said.magnification,
            beam_energy_kev=said.beam_energy_kev,
            instrument=said.instrument,
            remark="; ".join(filter(None, (stack.remark, remark, doubt))) or None,
        ),
        field=_leave_out_gaps(image, field),
    )


def _adopt(signal: Signal, modality: str) -> Micrograph:
    """Make a micrograph of the one image of another library's object."""
    name = signal.title or "image"
    check_modality(modality, "auto")
    (stack,) = choose_signals(Path(name), [signal], None)
    if stack.n_frames > 1:
        raise ValueError(f"{name} holds {stack.n_frames} images; give one of them")
    return replace(make_micrograph(Path(name), stack, 0, modality=modality), name=name)


def _leave_out_gaps(image: NDArray[Any], field: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """The field without the NaN that alignment left along the border."""
    if image.dtype.kind != "f" or image.ndim != 2 or not np.isnan(image).any():
        return field
    gaps = label_regions(np.isnan(image))
    sizes = np.bincount(gaps.ravel())
    bordered = find_bordered(gaps)
    kept = ~np.isin(gaps, bordered[sizes[bordered] >= _SMALLEST_GAP])
    if not kept.any():
        return field
    return kept if field is None else kept & field


def _dose_rate(said: Header, area_nm2: float) -> float | None:
    """Dose rate of a beam that scans the frame [e/nm²/s]."""
    if said.beam_current_na is None or not area_nm2 > 0:
        return None
    rate = said.beam_current_na * 1e-9 / _ELEMENTARY_CHARGE / area_nm2
    return rate if np.isfinite(rate) else None


def check_micrograph(value: object, function: str) -> None:
    """Refuse what is no micrograph, such as a plain array.

    Parameters
    ----------
    value : object
    function : str
        Name of the function that needs one.

    Raises
    ------
    ValueError
        That says how to make one.
    """
    if not isinstance(value, Micrograph):
        raise ValueError(
            f"{function} needs a Micrograph, not {type(value).__name__}: give Micrograph(image, pixel_size), "
            "the pixel size in nm"
        )


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
