"""The frames of a movie: from a stack, a film or numbered files, read one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files import sort_naturally
from porescope.micrograph import Micrograph
from porescope.reading import ImageFile


class Movie:
    """Frames in their order, opened when they are asked for.

    Parameters
    ----------
    files : list of Path
        Of each frame.
    frames : list of int
        Its number in its file.
    shape : tuple of int
        Rows and columns of all frames that can be read.
    opened : callable
        Opens a file.
    """

    def __init__(
        self,
        files: list[Path],
        frames: list[int],
        shape: tuple[int, int],
        opened: Callable[[Path], ImageFile],
    ) -> None:
        self.files, self.frames, self.shape = files, frames, shape
        self._open = opened
        self._last: tuple[Path, ImageFile] | None = None

    def __len__(self) -> int:
        return len(self.files)

    def read(self, frame: int) -> Micrograph:
        """Read one frame.

        Parameters
        ----------
        frame : int

        Returns
        -------
        Micrograph

        Raises
        ------
        ReadError
            If it cannot be read.
        """
        path = self.files[frame]
        if self._last is None or self._last[0] != path:
            self._last = path, self._open(path)
        return self._last[1].read(self.frames[frame])


def open_movie(paths: Sequence[Path], opened: Callable[[Path], ImageFile]) -> Movie:
    """Open the files of a movie.

    Parameters
    ----------
    paths : sequence of Path
        They are put into the order of their names, numbers by their value; a file of several images gives
        several frames.
    opened : callable
        Opens a file.

    Returns
    -------
    Movie

    Raises
    ------
    ValueError
        If there are fewer than two frames, or their shapes differ.
    """
    files: list[Path] = []
    frames: list[int] = []
    shapes: list[tuple[int, int]] = []
    damage = ""
    for path in sorted(paths, key=lambda path: sort_naturally(str(path))):
        try:
            images = opened(path)
        except (ValueError, OSError) as error:  # a frame that is lost; detection says why
            damage = damage or f": {error}"
            files.append(path)
            frames.append(0)
            continue
        shapes += [stack.data.shape[-2:] for stack in images.stacks]
        files += [path] * len(images)
        frames += range(len(images))
        if shapes[-1] != shapes[0]:
            raise ValueError(
                f"{path.name} has frames of {shapes[-1][0]} x {shapes[-1][1]} pixels, others of "
                f"{shapes[0][0]} x {shapes[0][1]}; a movie has frames of one size: leave it out"
            )
    if not shapes:
        raise ValueError(f"no frame can be read{damage}")
    if len(files) < 2:
        raise ValueError(f"{files[0].name} holds one image; a movie has two frames or more: name them all")
    return Movie(files, frames, shapes[0], opened)


class Clock(NamedTuple):
    """When the frames were taken."""

    time_s: NDArray[np.float64]  # (K,): since the first frame; NaN: unknown
    dose_e_nm2: NDArray[np.float64]  # (K,): that the sheet had got at the start of the frame; NaN: unknown
    dose_rate_e_nm2_s: float  # NaN: unknown
    source: str  # where time and dose rate come from, in words


def set_clock(
    recorded_s: NDArray[np.float64],
    recorded_rate: NDArray[np.float64],
    frame_time_s: float | None,
    dose_rate: float | None,
) -> Clock:
    """Give each frame its time and dose, as far as they are known.

    Parameters
    ----------
    recorded_s : ndarray, shape (K,)
        Start of each frame by the files; NaN: unknown.
    recorded_rate : ndarray, shape (K,)
        Dose rate of each frame by the files [e/nm²/s].
    frame_time_s, dose_rate : float, optional
        In place of the files'.

    Returns
    -------
    Clock

    Examples
    --------
    >>> unknown = np.full(3, np.nan)
    >>> set_clock(unknown, unknown, 0.5, 1e5).dose_e_nm2
    array([     0.,  50000., 100000.])
    """
    known = recorded_s[np.isfinite(recorded_s)]
    time: NDArray[np.float64]
    if frame_time_s is not None:
        time = np.asarray(np.arange(len(recorded_s)) * frame_time_s, float)
        words = f"{frame_time_s:g} s a frame, as given"
    elif len(known) > 1 and (np.diff(known) > 0).all():
        time, words = recorded_s - known[0], "times of the frames from the files"
    else:
        time, words = np.full(len(recorded_s), np.nan), "times of the frames unknown (--frame-time S)"
    rate = float(np.nanmedian(recorded_rate)) if np.isfinite(recorded_rate).any() else np.nan
    source = "from the files" if np.isfinite(rate) else "unknown (--dose-rate E_PER_NM2_S)"
    if dose_rate is not None:
        rate, source = dose_rate, "as given"
    shown = f"dose rate {rate:g} e/nm²/s, {source}" if np.isfinite(rate) else f"dose rate {source}"
    return Clock(time, np.asarray(time * rate), rate, f"{words}; {shown}")
