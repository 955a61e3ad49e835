"""Micrographs read from any microscope file, one image at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.files import (
    Header,
    ReadError,
    Signal,
    choose_signals,
    doubt_pixel_size,
    doubt_size,
    header_pixel_size,
    load_signals,
    printable,
    read_frame,
    require_pixel_size,
)
from porescope.labels import find_bordered, label_regions
from porescope.micrograph import Acquisition, Micrograph
from porescope.modalities import check_modality

#: Smallest area of NaN at the border that alignment leaves [px]; fewer are dead pixels.
_SMALLEST_GAP = 8
#: Elementary charge [C], exact by definition of the SI.
_ELEMENTARY_CHARGE = 1.602176634e-19


def read(
    path: str | Path,
    *,
    pixel_size: float | None = None,
    modality: str = "auto",
    signal: str | None = None,
) -> Micrograph:
    """Read the one micrograph of a file.

    Parameters
    ----------
    path : str or Path
        Any file that rosettasciio or tifffile reads; PNG, JPEG, BMP and NPY too.
    pixel_size : float, optional
        Pixel size [nm]; default: the file's.
    modality : {"auto", "haadf", "bf", "abf", "hrtem"}
        ``auto`` takes it from the metadata, and HAADF if they do not say it.
    signal : str, optional
        Name of the detector or channel to take, or ``all``; default: one for each field of view, HAADF where
        there is one.

    Returns
    -------
    Micrograph

    Raises
    ------
    ReadError
        If the file is no micrograph, is damaged, has no pixel size, or holds several images.
    ValueError
        If the modality is unknown.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.eye(3))
    ...     read(f"{folder}/a.npy", pixel_size=0.1).image.shape
    (3, 3)
    """
    micrographs = list(read_all(path, pixel_size=pixel_size, modality=modality, signal=signal))
    if len(micrographs) > 1:
        raise ReadError(f"{Path(path).name} holds {len(micrographs)} images; read it with porescope.read_all")
    return micrographs[0]


def read_all(
    path: str | Path,
    *,
    pixel_size: float | None = None,
    modality: str = "auto",
    signal: str | None = None,
) -> Iterator[Micrograph]:
    """Read every image and frame of a file, one after the other.

    Parameters
    ----------
    path, pixel_size, modality, signal
        As for `read`.

    Yields
    ------
    Micrograph
        Frames are counted from 0 over the whole file.

    Raises
    ------
    ReadError
        If the file is no micrograph, is damaged or has no calibration.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.zeros((2, 3, 4)))
    ...     [m.stem for m in read_all(f"{folder}/a.npy", pixel_size=0.1)]
    ['a_0000', 'a_0001']
    """
    images = open_images(path, pixel_size=pixel_size, modality=modality, signal=signal)
    yield from map(images.read, range(len(images)))


@dataclass(frozen=True, eq=False)
class ImageFile:
    """A file whose images are read one at a time, as `open_images` returns it.

    Parameters
    ----------
    path : Path
    stacks : list of Signal
        Its images and stacks of images.
    pixel_size : float, optional
        In place of the file's own [nm].
    modality : {"auto", "haadf", "bf", "abf", "hrtem"}
    several : bool
        Whether the file has several signals, so that each image says which one it is.
    """

    path: Path
    stacks: list[Signal]
    pixel_size: float | None = None
    modality: str = "auto"
    several: bool = False

    def __len__(self) -> int:
        return sum(stack.n_frames for stack in self.stacks)

    def read(self, index: int) -> Micrograph:
        """Read one image.

        Parameters
        ----------
        index : int
            Counted from 0 over the whole file.

        Returns
        -------
        Micrograph

        Raises
        ------
        ReadError
            If it is damaged, or holds NaN or infinite pixels.
        """
        frame, stacks = index, iter(self.stacks)
        stack = next(stacks)
        while frame >= stack.n_frames:
            frame -= stack.n_frames
            stack = next(stacks)
        said, in_header = stack.header_of(frame), header_pixel_size(stack)
        given = self.pixel_size
        size = require_pixel_size(self.path, stack) if given is None else (given, given)
        assumed = "header" if stack.modality else "assumed"
        image, field, remark = read_frame(self.path, stack, frame)
        doubt = doubt_pixel_size(stack) if given is None else doubt_size(size)
        try:
            return Micrograph(
                image=image,
                pixel_size=size,
                modality=(stack.modality or "haadf") if self.modality == "auto" else self.modality,
                name=self.path.stem,
                frame=index if len(self) > 1 else None,
                acquisition=Acquisition(
                    file=printable(self.path),
                    pixel_size_header=in_header,
                    pixel_size_source="header" if given is None else "argument",
                    modality_source=assumed if self.modality == "auto" else "argument",
                    stage_nm=said.stage_nm,
                    time_s=said.time_s,
                    dose_rate_e_nm2_s=_dose_rate(said, image.size * size[0] * size[1]),
                    magnification=said.magnification,
                    beam_energy_kev=said.beam_energy_kev,
                    instrument=said.instrument,
                    remark="; ".join(filter(None, (stack.remark, remark, doubt))) or None,
                ),
                signal=stack.channel if self.several and stack.channel else None,
                field=_leave_out_gaps(image, field),
            )
        except ValueError as error:
            raise ReadError(f"{self.path.name}: {error}") from None


def open_images(
    path: str | Path,
    *,
    pixel_size: float | None = None,
    modality: str = "auto",
    signal: str | None = None,
) -> ImageFile:
    """Open a file to read its images one at a time; large stacks are not loaded as a whole.

    Parameters
    ----------
    path, pixel_size, modality, signal
        As for `read`.

    Returns
    -------
    ImageFile

    Raises
    ------
    ReadError
        If the file is no micrograph, is damaged or has no calibration.

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.zeros((2, 3, 4)))
    ...     images = open_images(f"{folder}/a.npy", pixel_size=0.1)
    >>> len(images), images.read(1).stem
    (2, 'a_0001')
    """
    path = Path(path)
    check_modality(modality, "auto")
    signals = load_signals(path)
    stacks = choose_signals(path, signals, signal)
    if pixel_size is None:
        for stack in stacks:
            require_pixel_size(path, stack)
    several = len({s.channel for s in signals if s.channel}) > 1
    return ImageFile(path, stacks, pixel_size, modality, several)


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
