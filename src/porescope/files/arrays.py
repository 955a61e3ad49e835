"""Plain arrays, pictures and films: NPY, PNG, JPEG, BMP, GIF, MP4, AVI; which axes are frames and colours."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.files.signals import ReadError, Signal

#: Remedy for an array whose axes nobody can know.
_ASK = (
    "save one image as (rows, columns), frames as (frames, rows, columns) or as a TIFF with axes TYX, "
    "colours in 8 bits as (rows, columns, 3)"
)
#: Most pixels of a picture with all its frames that are read; more are a bomb or no micrograph.
_MOST_PIXELS = 2**31


def load_numpy(path: Path, lazy: bool) -> list[Signal]:
    """Load an NPY file.

    Parameters
    ----------
    path : Path
    lazy : bool
        Whether to read frames when they are asked for.

    Returns
    -------
    list of Signal

    Raises
    ------
    ReadError
        If nobody can know which axis is which.
    """
    data = np.load(path, mmap_mode="r" if lazy else None, allow_pickle=False)
    return [_describe_array(arrange_axes(path, data))]


def _describe_array(data: NDArray[Any], remark: str = "") -> Signal:
    """Describe an array without metadata.

    Parameters
    ----------
    data : ndarray, shape (M, N) or (K, M, N)
    remark : str
        What the user must know of it.

    Returns
    -------
    Signal
    """
    n = data.ndim
    return Signal(data, [None] * n, [1.0] * n, [n == 3 and i == 0 for i in range(n)], remark=remark)


def arrange_axes(path: Path, data: NDArray[Any]) -> NDArray[Any]:
    """Tell frames from colours by the shape of an array, and drop axes of one element.

    Parameters
    ----------
    path : Path
        Named in errors.
    data : ndarray
        Of any shape.

    Returns
    -------
    ndarray, shape (M, N) or (K, M, N)
        Colours as fields; anything else has its own number of dimensions.

    Raises
    ------
    ReadError
        If the shape fits frames as well as colours, or frames seem to come last.
    """
    while data.ndim > 2 and 1 in data.shape:
        data = data[(slice(None),) * data.shape.index(1) + (0,)]
    if data.ndim not in (3, 4) or data.size == 0 or data.dtype.names:
        return data
    for axis in (-1, -3):
        if data.shape[axis] in (3, 4) and _is_grey(planes := np.moveaxis(data, axis, -1)):
            return name_samples(planes)
    if data.dtype == np.uint8 and data.shape[-1] in (3, 4):
        return name_samples(data)
    if data.ndim == 3:
        refuse_order(path, data.shape, data.dtype)
    return data


def refuse_order(path: Path, shape: tuple[int, ...], dtype: Any) -> None:
    """Refuse a three-dimensional array whose first axis need not be that of frames.

    Parameters
    ----------
    path : Path
        Named in errors.
    shape : tuple of int
        Three numbers.
    dtype : dtype

    Raises
    ------
    ReadError
        If the last axis is far shorter than the others, as of frames or colours that come last, or if
        three or four planes of bytes come first.
    """
    if 2 * shape[2] <= min(shape[:2]):
        raise ReadError(f"{path.name} has shape {shape}: its last axis may be frames or colours; {_ASK}")
    if shape[0] in (3, 4) and dtype == np.uint8:
        raise ReadError(f"{path.name} has shape {shape}: its first axis may be frames or colours; {_ASK}")


def _is_grey(data: NDArray[Any]) -> bool:
    """Whether the colours on the last axis are the same everywhere."""
    first = data[..., 0]
    # Most images with different planes differ in the middle row.
    row = data.shape[-3] // 2
    return all(
        np.array_equal(part[..., 0], part[..., c]) for part in (data[..., row, :, :], data) for c in (1, 2)
    ) and not (data.shape[-1] == 4 and np.array_equal(first, data[..., 3]))


def name_samples(data: NDArray[Any]) -> NDArray[Any]:
    """View samples on the last axis as pixels with the fields R, G, B(, A), or L, A.

    Parameters
    ----------
    data : ndarray, shape (…, 2 or 3 or 4)

    Returns
    -------
    ndarray, shape (…)
    """
    names = {2: ["L", "A"], 3: ["R", "G", "B"], 4: ["R", "G", "B", "A"]}[data.shape[-1]]
    dtype = np.dtype({"names": names, "formats": [data.dtype] * len(names)})
    return np.ascontiguousarray(data).view(dtype)[..., 0]


def load_picture(path: Path, lazy: bool) -> list[Signal]:
    """Load a PNG, JPEG, BMP or GIF; several pictures in one file are frames.

    Parameters
    ----------
    path : Path
    lazy : bool
        Has no effect.

    Returns
    -------
    list of Signal

    Raises
    ------
    ReadError
        If its pictures differ in size.
    """
    from PIL import Image, ImageSequence

    with Image.open(path) as picture:
        n_frames = int(getattr(picture, "n_frames", 1))
        if n_frames * picture.width * picture.height > _MOST_PIXELS:
            raise ReadError(f"{path.name} claims {n_frames} pictures of {picture.size}; save fewer in a file")
        frames = [_read_picture(frame) for frame in ImageSequence.Iterator(picture)]
    if len({(frame.shape, frame.dtype) for frame in frames}) > 1:
        raise ReadError(
            f"{path.name} holds {len(frames)} pictures of different sizes or kinds; save each alone"
        )
    return [_describe_array(np.stack(frames) if len(frames) > 1 else frames[0])]


def _read_picture(picture: Any) -> NDArray[Any]:
    """Pixels of a picture: numbers, or grey or colours with or without alpha as fields."""
    hides = picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info
    if picture.mode in ("LA", "La"):
        picture = picture.convert("LA")
    elif picture.mode not in ("1", "L", "I", "F") and not picture.mode.startswith("I;16"):
        picture = picture.convert("RGBA" if hides else "RGB")
    data = np.asarray(picture)
    return name_samples(data) if data.ndim == 3 else data


class _Film:
    """The frames of a film as an array (K, M, N), decoded one after the other when they are asked for."""

    ndim = 3
    _process: subprocess.Popen[bytes] | None = None

    def __init__(self, path: Path, demuxer: str) -> None:
        import imageio_ffmpeg

        # The demuxer is the suffix's, and reads this file only, whatever its content says. Each frame comes
        # once, whatever its time says, as PAM: grey or colours, in 8 or 16 bits as in the film.
        self._command = [
            imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-nostdin", "-protocol_whitelist", "file",
            "-f", demuxer, "-i", str(path.absolute()), "-map", "0:v:0", "-fps_mode", "passthrough",
            "-f", "image2pipe", "-c:v", "pam", "-",
        ]  # fmt: skip
        self._next = 0
        first = self[0]
        count = imageio_ffmpeg.count_frames_and_secs(str(path.absolute()))[0]
        self.shape, self.dtype = (int(count), *first.shape), first.dtype
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, frame: int) -> NDArray[Any]:
        if self._process is None or frame < self._next:
            self._close()
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            self._next = 0
        while True:
            data = self._decode()
            self._next += 1
            if self._next > frame:
                return data

    def _decode(self) -> NDArray[Any]:
        """The next frame."""
        assert self._process is not None and self._process.stdout is not None
        header = {}
        while (line := self._process.stdout.readline().split()) != [b"ENDHDR"]:
            if not line:
                self._close()
                raise ValueError(f"it ends after {self._next} frames")
            header[line[0]] = line[-1]
        width, height, depth, most = (int(header[k]) for k in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL"))
        kind = np.dtype("u1" if most < 256 else ">u2")
        size = width * height * depth * kind.itemsize
        content = self._process.stdout.read(size)
        if len(content) < size:
            self._close()
            raise ValueError(f"it ends within frame {self._next}")
        data = np.frombuffer(content, kind).reshape(height, width, depth)
        return data[..., 0] if depth == 1 else name_samples(data)

    def _close(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.kill()
            self._process.stdout.close()
            self._process.wait()
            self._process = None

    def __del__(self) -> None:
        self._close()


#: FFmpeg's demuxers of films, by suffix.
_DEMUXERS = {
    **dict.fromkeys((".mp4", ".m4v", ".mov"), "mov"), ".avi": "avi",
    **dict.fromkeys((".mkv", ".webm"), "matroska"),
}  # fmt: skip
#: Suffixes of films.
FILMS = tuple(_DEMUXERS)


def load_film(path: Path, lazy: bool) -> list[Signal]:
    """Load a film. The time of its frames is that of its showing, and is not taken.

    Parameters
    ----------
    path : Path
    lazy : bool
        Has no effect: frames are decoded when they are asked for.

    Returns
    -------
    list of Signal

    Raises
    ------
    ReadError
        If it is none of the films that its suffix says, or holds no frame.
    """
    try:
        film = _Film(path, _DEMUXERS[path.suffix.lower()])
    except ValueError:
        raise ReadError(f"{path.name} is no film that FFmpeg reads, or is cut off; copy it again") from None
    remark = "a film's compression changes grey values: sizes and confidences are less sure"
    return [Signal(film, [None] * 3, [1.0] * 3, [True, False, False], remark=remark)]
