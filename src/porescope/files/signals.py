"""What a file holds: its datasets, those that are images, and their pixel sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files.headers import Header
from porescope.files.units import nanometres, seconds

#: Smallest and largest pixel that is plausible: a hundredth of an atom's distance, a small pore [nm].
_PLAUSIBLE = 0.001, 10.0
#: Largest difference between the colours of a grey pixel that compression leaves, of 255.
_ROUNDING = 8
#: HyperSpy's signal types that are no images, as parts of their names, and what they are.
_NO_IMAGES = {
    "eels": "spectrum", "eds": "spectrum", "spectr": "spectrum", "lumi": "spectrum", "cl_": "spectrum",
    "diffraction": "diffraction pattern", "ebsd": "diffraction pattern", "hologram": "hologram",
}  # fmt: skip


class ReadError(ValueError):
    """A file that cannot be read as a micrograph; the message says why and what to do."""


class Signal(NamedTuple):
    """One dataset of a file: its values, its axes and its metadata."""

    data: Any  # array of shape (M, N) or, for a stack, (K, M, N), whose frames may be read when asked for
    units: list[str | None]  # of each axis
    scales: list[float]  # of each axis: step, in its unit
    stacked: list[bool]  # of each axis: whether it counts the frames of a stack
    title: str = ""
    kind: str = ""  # HyperSpy's signal type, such as "EELS"
    modality: str | None = None  # None where the metadata do not say it
    headers: tuple[Header, ...] = (Header(),)  # one for each frame, or one for all
    channel: str = ""  # detector or channel, where the file has names for them
    remark: str = ""  # what the user must know of how it was read

    def with_remark(self, remark: str) -> Signal:
        """Add a remark to this signal's.

        Parameters
        ----------
        remark : str

        Returns
        -------
        Signal
        """
        return self._replace(remark="; ".join(filter(None, (self.remark, remark))))

    @property
    def n_frames(self) -> int:
        """Number of images."""
        return len(self.data) if self.data.ndim == 3 else 1

    def header_of(self, frame: int) -> Header:
        """Look up the metadata of one frame.

        Parameters
        ----------
        frame : int
            Index in this stack, counted from 0.

        Returns
        -------
        Header
            With the frame's own time: that of the stack plus ``frame`` steps of a calibrated time axis. A
            stack without a date starts at 0 s.
        """
        if len(self.headers) > 1:
            return self.headers[frame]
        header, unit = self.headers[0], seconds(self.units[0])
        if self.data.ndim < 3 or unit is None:
            return header
        time = (header.time_s or 0.0) + frame * self.scales[0] * unit
        return header._replace(time_s=time) if np.isfinite(time) else header


def choose_images(path: Path, signals: list[Signal]) -> list[Signal]:
    """Select the signals that are images in real space.

    Parameters
    ----------
    path : Path
        Named in errors.
    signals : list of Signal

    Returns
    -------
    list of Signal
        Signals without a pixel size are left out if others have one: they are previews or
        annotated copies.

    Raises
    ------
    ReadError
        If no signal is an image.
    """
    images, reasons = [], []
    for signal in signals:
        reason = _why_no_image(signal)
        if reason:
            reasons.append(reason)
        else:
            images.append(signal)
    if not images:
        raise ReadError(f"{path.name} {reasons[0] if reasons else 'holds no image'}")
    calibrated = [image for image in images if header_pixel_size(image)]
    if calibrated and len(calibrated) < len(images):
        left = f"{len(images) - len(calibrated)} of {len(images)} images in the file have no pixel size"
        return [image.with_remark(f"{left} and are left out") for image in calibrated]
    return calibrated or images


def _why_no_image(signal: Signal) -> str | None:
    """Say why a dataset is no image in real space; None if it is one."""
    data = signal.data
    units = [(unit or "").replace(" ", "") for unit in signal.units]
    fields = set(data.dtype.names or ())
    if data.dtype.kind == "V" and not (set("RGB") <= fields or fields == set("LA")):
        return f"holds records of {', '.join(data.dtype.names or ('bytes',))}, not an image"
    if data.dtype.kind == "b":
        return "has boolean pixels: a mask is not a micrograph; give the image itself"
    if data.dtype.kind == "c":
        return "has complex pixels: a Fourier transform is not a micrograph; give the image itself"
    kind = f"{signal.kind.lower()}_"
    what = next((what for part, what in _NO_IMAGES.items() if part in kind), None)
    if any(unit in ("eV", "keV") for unit in units) or data.ndim < 2:
        what = "spectrum"
    if what:
        return f"holds a {what}, not a micrograph; give an image"
    if any("1/" in unit or "^-1" in unit or "⁻¹" in unit or "rad" in unit for unit in units):
        return "holds a diffraction pattern (reciprocal units), not a micrograph; give an image"
    if data.ndim > 3 or (data.ndim == 3 and signal.stacked != [True, False, False]):
        return f"holds {data.ndim}-dimensional data, not an image or a stack of images"
    if data.size == 0:
        return f"holds an empty image of shape {data.shape}"
    return None


class Frame(NamedTuple):
    """One image as it is read."""

    image: NDArray[Any]  # in grey, shape (M, N)
    field: NDArray[np.bool_] | None  # where there is data; None everywhere
    remark: str  # what the user must know of it; empty if nothing


def _as_frame(data: NDArray[Any]) -> Frame:
    """Turn pixels with the fields R, G, B and perhaps A, or grey and A, into grey (luma of Rec. 601)."""
    names = data.dtype.names
    if names is None:
        return Frame(data, None, "")
    shown = data["A"] > 0 if "A" in names else None
    # An alpha channel of 0 everywhere hides nothing: some programs leave it empty.
    field = shown if shown is not None and shown.any() and not shown.all() else None
    if "R" not in names:
        return Frame(data[names[0]], field, "")
    red, green, blue = (data[c].astype(np.float32) for c in "RGB")
    inside = ... if field is None else field
    differ = max(np.abs(red - other)[inside].max(initial=0) for other in (green, blue))
    if differ == 0:
        return Frame(red, field, "")
    grey = np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, dtype=np.float32)
    if data.dtype["R"] == np.uint8 and differ <= _ROUNDING:
        return Frame(grey, field, "")
    return Frame(grey, field, "colours are read as grey (luma); false colours give wrong intensities")


def read_frame(path: Path, signal: Signal, frame: int) -> Frame:
    """Read one image of a signal.

    Parameters
    ----------
    path : Path
        Named in errors.
    signal : Signal
    frame : int
        Index in this stack, counted from 0.

    Returns
    -------
    Frame
        In grey; pixels that an alpha channel hides are outside the field.

    Raises
    ------
    ReadError
        If the file is damaged there.
    """
    try:
        return _as_frame(np.asarray(signal.data[frame] if signal.data.ndim == 3 else signal.data))
    except Exception as error:
        raise explain_damage(path, error) from None


def explain_damage(path: Path, error: Exception) -> ReadError:
    """Say that a file is damaged, since readers raise anything at all on one.

    Parameters
    ----------
    path : Path
    error : Exception
        What the reader raised.

    Returns
    -------
    ReadError
    """
    what = " ".join(str(error).split())[:120]
    return ReadError(
        f"{path.name} cannot be read, it is damaged or cut off ({type(error).__name__}: {what})"
        "; copy it again"
    )


def header_pixel_size(signal: Signal) -> tuple[float, float] | None:
    """Pixel size in the file's metadata.

    Parameters
    ----------
    signal : Signal

    Returns
    -------
    tuple of float, or None
        (row, column) [nm]; None if the file has none.
    """
    sizes = []
    for unit, scale in zip(signal.units[-2:], signal.scales[-2:], strict=True):
        factor = nanometres(unit)
        # An axis that counts downwards has a negative step.
        size = 0.0 if factor is None else abs(float(scale)) * factor
        if not 0 < size < np.inf:
            return None
        sizes.append(size)
    return (sizes[0], sizes[1]) if len(sizes) == 2 else None


def require_pixel_size(path: Path, signal: Signal) -> tuple[float, float]:
    """Pixel size in the file's metadata, which must have one.

    Parameters
    ----------
    path : Path
        Named in errors.
    signal : Signal

    Returns
    -------
    tuple of float
        (row, column) [nm]

    Raises
    ------
    ReadError
        If the file has no pixel size.
    """
    header = header_pixel_size(signal)
    if header is None:
        unit, scale = signal.units[-1], signal.scales[-1]
        has = f"a pixel size in {unit!r}, which is no length" if unit else "no pixel size"
        if nanometres(unit) is not None:
            uneven = "rows or columns at uneven steps, so no pixel size"
            has = uneven if np.isnan(scale) else f"a pixel size of {scale:g} {unit}, which is none"
        raise ReadError(f"{path.name} has {has}; give it with --pixel-size NM (pixel_size=…)")
    return header


def doubt_pixel_size(signal: Signal) -> str:
    """Say why the file's pixel size may be wrong.

    Parameters
    ----------
    signal : Signal

    Returns
    -------
    str
        Empty if there is no doubt.
    """
    size = header_pixel_size(signal)
    if size is None:
        return ""
    if signal.scales[-1] == 1 == signal.scales[-2]:
        return (
            f"the file's pixel size is exactly 1 {signal.units[-1]}, which programs write when they know "
            "nothing; give --pixel-size NM"
        )
    return doubt_size(size)


def doubt_size(size: tuple[float, float]) -> str:
    """Say that a pixel size is implausible for an image of nanopores.

    Parameters
    ----------
    size : tuple of float
        (row, column) [nm]

    Returns
    -------
    str
        Empty if it is plausible.

    Examples
    --------
    >>> doubt_size((0.04, 0.04)), doubt_size((3e3, 3e3))
    ('', 'a pixel of 3000 nm is implausible (0.001 to 10 nm show pores); check it, give --pixel-size NM')
    """
    least, most = _PLAUSIBLE
    if least <= min(size) and max(size) <= most:
        return ""
    shown = f"({least:g} to {most:g} nm show pores)"
    return f"a pixel of {size[0]:g} nm is implausible {shown}; check it, give --pixel-size NM"
