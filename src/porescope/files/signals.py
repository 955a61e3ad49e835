"""What a file holds: its datasets, those that are images, and their pixel sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files.headers import Header, as_mapping, as_text, look_up, read_header
from porescope.files.units import nanometres, seconds
from porescope.modalities import MODALITIES


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
    return calibrated or images


def _why_no_image(signal: Signal) -> str | None:
    """Say why a dataset is no image in real space; None if it is one."""
    data = signal.data
    units = [(unit or "").replace(" ", "") for unit in signal.units]
    if data.dtype.kind == "V" and not set("RGB") <= set(data.dtype.names or ()):
        return f"holds records of {', '.join(data.dtype.names or ('bytes',))}, not an image"
    if data.dtype.kind == "b":
        return "has boolean pixels: a mask is not a micrograph; give the image itself"
    if data.dtype.kind == "c":
        return "has complex pixels: a Fourier transform is not a micrograph; give the image itself"
    if signal.kind or any(unit in ("eV", "keV") for unit in units) or data.ndim < 2:
        return "holds a spectrum, not a micrograph; give an image"
    if any("1/" in unit or "^-1" in unit or "⁻¹" in unit or "rad" in unit for unit in units):
        return "holds a diffraction pattern (reciprocal units), not a micrograph; give an image"
    if data.ndim > 3 or (data.ndim == 3 and signal.stacked != [True, False, False]):
        return f"holds {data.ndim}-dimensional data, not an image or a stack of images"
    if data.size == 0:
        return f"holds an empty image of shape {data.shape}"
    return None


def _grey(data: NDArray[Any]) -> NDArray[Any]:
    """Convert structured RGB pixels to grey (luma of Rec. 601); return other data unchanged."""
    if data.dtype.names is None:
        return data
    red, green, blue = (data[c].astype(np.float32) for c in "RGB")
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return red
    return np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, dtype=np.float32)


def read_frame(path: Path, signal: Signal, frame: int) -> NDArray[Any]:
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
    ndarray, shape (M, N)
        In grey.

    Raises
    ------
    ReadError
        If the file is damaged there.
    """
    try:
        return _grey(np.asarray(signal.data[frame] if signal.data.ndim == 3 else signal.data))
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
    factors = [nanometres(unit) for unit in signal.units[-2:]]
    if None in factors:
        return None
    row, column = (float(s) * f for s, f in zip(signal.scales[-2:], factors, strict=True) if f is not None)
    return row, column


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
        unit = signal.units[-1]
        has = f"a pixel size in {unit!r}, which is no length" if unit else "no pixel size"
        raise ReadError(f"{path.name} has {has}; give it with --pixel-size NM (pixel_size=…)")
    return header


def describe_signal(entry: Mapping[str, Any]) -> Signal:
    """Describe a dataset as rosettasciio returns it.

    Parameters
    ----------
    entry : mapping
        With the keys "axes", "data", "metadata", "original_metadata".

    Returns
    -------
    Signal
    """
    axes, data = entry["axes"], entry["data"]
    metadata = entry.get("metadata")
    title = as_text(look_up(metadata, "General", "title")) or ""
    return Signal(
        data=data,
        units=[None if a.get("units") is None else str(a["units"]) for a in axes],
        scales=[float(a.get("scale", 1.0)) for a in axes],
        stacked=[bool(a.get("navigate", False)) for a in axes],
        title=title,
        kind=as_text(look_up(metadata, "Signal", "signal_type")) or "",
        modality=_find_modality(title, entry.get("original_metadata")),
        headers=(read_header(entry, data.shape[-2:]),),
    )


def _find_modality(title: str, original: Any) -> str | None:
    """Find the modality in the signal's name or a TEM's imaging mode; None if neither says it."""
    tags: Mapping[str, Any] = {}
    for image in as_mapping(look_up(original, "ImageList")).values():
        tags = as_mapping(look_up(image, "ImageTags")) or tags
    signal_name = as_text(look_up(tags, "DataBar", "Signal Name")) or ""
    words = re.findall(r"[a-z]+", f"{title} {signal_name}".lower())
    for word in words:
        if word in MODALITIES:
            return str(word)
        if word in ("ceta", "hrem"):
            return "hrtem"
    info = as_mapping(look_up(tags, "Microscope Info"))
    if (as_text(info.get("Illumination Mode")), as_text(info.get("Imaging Mode"))) == ("TEM", "IMAGING"):
        return "hrtem"
    return None
