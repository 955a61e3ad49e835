"""Micrographs read from any microscope file, one image at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from porescope.files import (
    ReadError,
    Signal,
    choose_signals,
    load_signals,
    printable,
    require_pixel_size,
)
from porescope.micrograph import Micrograph, make_micrograph
from porescope.modalities import check_modality
from porescope.storage import is_address


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
        Frames are counted from 0 over the whole file. NaN that alignment left along the border are outside
        the field.

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
        try:
            micrograph = make_micrograph(self.path, stack, frame, self.pixel_size, self.modality)
        except ReadError:
            raise
        except ValueError as error:
            raise ReadError(f"{self.path.name}: {error}") from None
        return replace(
            micrograph,
            frame=index if len(self) > 1 else None,
            acquisition=replace(micrograph.acquisition, file=printable(self.path)),
            signal=stack.channel if self.several and stack.channel else None,
        )


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
    if is_address(path):
        raise ReadError(f"{path} is in a store: only porescope detect reads it; copy it here")
    path = Path(path)
    check_modality(modality, "auto")
    signals = load_signals(path)
    stacks = choose_signals(path, signals, signal)
    if pixel_size is None:
        for stack in stacks:
            require_pixel_size(path, stack)
    several = len({s.channel for s in signals if s.channel}) > 1
    return ImageFile(path, stacks, pixel_size, modality, several)
