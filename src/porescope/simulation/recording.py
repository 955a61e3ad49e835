"""Recording: from a noise-free image to the pixel values in a file."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Recording:
    """Detector, scan errors and file format."""

    background: float = 0.3  # HAADF detector's background, relative to a whole sheet's mean signal
    jitter: float = 0.0  # standard deviation of the rows' horizontal shifts [px]
    flicker: float = 0.0  # relative standard deviation of the rows' brightness
    blur: float = 0.0  # camera's point spread: standard deviation of a Gaussian [px]
    readout: float = 0.0  # standard deviation of the readout noise [electrons]
    clip: tuple[float, float] = (0.0, 0.0)  # fractions of dark and bright pixels that saturate
    gradient: float = 0.0  # relative change of brightness across the frame
    streaks: float = 0.0  # areal density of atoms that hop during the scan [nm⁻²]
    bits: int = 16  # 8: scaled to 0–255; 16: counts
    gamma: float = 1.0  # exponent of the 8-bit scaling
    jpeg: int | None = None  # JPEG quality of an 8-bit image; None: no compression
    bar: bool = False  # a scale bar burnt in
    frame: int = 0  # width of a black frame [px]


def record(
    expected: NDArray[np.float32],
    pixel_size: float,
    recording: Recording,
    rng: np.random.Generator,
    *,
    dose: float,
    background: float = 0.0,
) -> NDArray[np.float32]:
    """Apply scan errors, Poisson noise and digitisation.

    Parameters
    ----------
    expected : ndarray, shape (M, N)
        Fraction of the electrons that each pixel counts.
    pixel_size : float
        [nm]
    recording : Recording
    rng : Generator
    dose : float
        Electrons per nm².
    background : float
        Fraction of the electrons counted without a specimen.

    Returns
    -------
    ndarray of float32, shape (M, N)
        Whole numbers: electrons, or grey levels 0–255.
    """
    expected = expected + np.float32(background)
    if recording.streaks > 0:
        expected = _add_streaks(expected, pixel_size, recording.streaks, rng)
    if recording.gradient > 0:
        rows, columns = (np.linspace(-0.5, 0.5, n, dtype=np.float32) for n in expected.shape)
        around = rng.uniform(0, 2 * np.pi)
        slope = np.sin(around) * rows[:, None] + np.cos(around) * columns[None]
        expected = expected * (1 + np.float32(recording.gradient) * slope)
    if recording.jitter > 0:
        expected = _shift_rows(expected, recording.jitter, rng)
    electrons = dose * pixel_size**2
    image = rng.poisson(electrons * np.maximum(expected, 0)).astype(np.float32)
    if recording.flicker > 0:
        image *= 1 + recording.flicker * rng.normal(size=(len(image), 1)).astype(np.float32)
    if recording.blur > 0:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), recording.blur), np.float32)
    if recording.readout > 0:
        image += recording.readout * rng.normal(size=image.shape).astype(np.float32)
    return _digitise(image, recording, rng)


def _shift_rows(image: NDArray[np.float32], jitter: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Shift each row by independent noise plus slow noise that is correlated over 8 rows."""
    rows, columns = image.shape
    own = rng.normal(0, jitter, rows)
    slow = cv2.GaussianBlur(rng.normal(0, 1, (rows, 1)), (1, 0), sigmaX=0.1, sigmaY=8)[:, 0]
    shift = own + 1.5 * jitter * slow / max(float(slow.std()), 1e-9)
    x = np.arange(columns, dtype=np.float32)[None] + shift[:, None].astype(np.float32)
    y = np.broadcast_to(np.arange(rows, dtype=np.float32)[:, None], x.shape)
    return np.asarray(
        cv2.remap(image, x, np.ascontiguousarray(y), cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
    )


def _add_streaks(
    expected: NDArray[np.float32], pixel_size: float, density: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Add atoms visible in half of their rows only: they hop away and back during the scan."""
    expected = expected.copy()
    rows, columns = expected.shape
    level = float(expected.mean())
    for _ in range(rng.poisson(density * expected.size * pixel_size**2)):
        y, x = int(rng.integers(rows)), int(rng.integers(columns))
        width = rng.uniform(0.06, 0.25) / pixel_size
        reach = int(np.ceil(2.5 * width))
        here = (slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1))
        dy, dx = (np.arange(s.start, min(s.stop, n)) for s, n in zip(here, expected.shape, strict=True))
        blob = np.exp(-((dy[:, None] - y) ** 2 + (dx[None] - x) ** 2) / 2 / width**2)
        seen = rng.random((len(dy), 1)) < 0.5
        expected[here] += (level * rng.uniform(0.3, 2.0) * blob * seen).astype(np.float32)
    return expected


def _digitise(
    image: NDArray[np.float32], recording: Recording, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Clip, scale to grey levels, burn in the scale bar and black frame, compress."""
    dark, bright = recording.clip
    low = float(np.quantile(image, dark))
    high = max(float(np.quantile(image, 1 - bright)), low + 1e-9)
    if dark > 0 or bright > 0:
        image = np.clip(image, low, high)
    if recording.bits == 8:
        image = np.rint(((image - low) / (high - low)).clip(0, 1) ** recording.gamma * 255)
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
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32)
    return np.asarray(image, np.float32)
