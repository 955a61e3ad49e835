"""From a noise-free image to a file's numbers: scan errors, electrons counted, grey levels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Recording:
    """How an image is recorded."""

    dose: float = 5e5  # electrons per nm²
    background: float = 0.3  # of the detector, relative to the image's mean
    jitter: float = 0.0  # of rows, standard deviation [px]
    flicker: float = 0.0  # of rows' brightness, relative
    blur: float = 0.0  # of a camera's points, standard deviation [px]
    readout: float = 0.0  # noise that no electron makes, standard deviation [electrons]
    clip: tuple[float, float] = (0.0, 0.0)  # shares of pixels cut off, dark and bright
    bits: int = 16  # 8: scaled to 0–255
    jpeg: int | None = None  # quality
    bar: bool = False  # a scale bar burnt in
    frame: int = 0  # black pixels around


def record(
    expected: NDArray[np.float32],
    pixel_size: float,
    recording: Recording,
    rng: np.random.Generator,
    *,
    background: float = 0.0,
) -> NDArray[np.float32]:
    """Count electrons and write them down.

    Parameters
    ----------
    expected : ndarray, shape (M, N)
        Share of the electrons that each pixel counts.
    pixel_size : float
        [nm]
    recording : Recording
    rng : Generator
    background : float
        Share counted where there is nothing.

    Returns
    -------
    ndarray of float32, shape (M, N)
        Whole numbers: electrons, or grey levels 0–255.
    """
    if recording.jitter > 0:
        expected = _shift_rows(expected, recording.jitter, rng)
    electrons = recording.dose * pixel_size**2
    image = rng.poisson(electrons * np.maximum(expected + background, 0)).astype(np.float32)
    if recording.flicker > 0:
        image *= 1 + recording.flicker * rng.normal(size=(len(image), 1)).astype(np.float32)
    if recording.blur > 0:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), recording.blur), np.float32)
    if recording.readout > 0:
        image += recording.readout * rng.normal(size=image.shape).astype(np.float32)
    return _digitise(image, recording, rng)


def _shift_rows(image: NDArray[np.float32], jitter: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Shift each row by a random part of its own and one that wanders from row to row."""
    rows, columns = image.shape
    own = rng.normal(0, jitter, rows)
    slow = cv2.GaussianBlur(rng.normal(0, 1, (rows, 1)), (1, 0), sigmaX=0.1, sigmaY=8)[:, 0]
    shift = own + 1.5 * jitter * slow / max(float(slow.std()), 1e-9)
    x = np.arange(columns, dtype=np.float32)[None] + shift[:, None].astype(np.float32)
    y = np.broadcast_to(np.arange(rows, dtype=np.float32)[:, None], x.shape)
    return np.asarray(cv2.remap(image, x, np.ascontiguousarray(y), cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT))


def _digitise(
    image: NDArray[np.float32], recording: Recording, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Clip, scale to grey levels, burn in what the microscope's program adds."""
    dark, bright = recording.clip
    low = float(np.quantile(image, dark))
    high = max(float(np.quantile(image, 1 - bright)), low + 1e-9)
    if dark > 0 or bright > 0:
        image = np.clip(image, low, high)
    if recording.bits == 8:
        image = np.rint((image - low) / (high - low) * 255).clip(0, 255)
    else:
        image = np.rint(image)
    top = float(image.max())
    if recording.bar:
        rows, columns = image.shape
        length, thick = max(columns // 5, 4), max(rows // 50, 2)
        y, x = rows - 3 * thick, thick if rng.random() < 0.5 else columns - length - thick
        marks = np.zeros(image.shape, np.uint8)
        marks[y : y + thick, x : x + length] = 1
        height = max(rows / 22 / 21, 0.3)
        cv2.putText(marks, "2 nm", (x, y - thick), cv2.FONT_HERSHEY_SIMPLEX, height, 1, max(thick // 3, 1))
        image[marks > 0] = top
    if recording.frame > 0:
        edge = recording.frame
        image[:edge], image[-edge:], image[:, :edge], image[:, -edge:] = 0, 0, 0, 0
    if recording.jpeg is not None and recording.bits == 8:
        packed = cv2.imencode(".jpg", image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, recording.jpeg])[1]
        image = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
    return np.asarray(image, np.float32)
