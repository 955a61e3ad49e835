"""What the network looks at: no frame, no marks; standardized, with the lattice and without."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from porescope.modalities import HOLE_SIGN

#: What repeats is an amplitude so many times that around it, over this part of the spectrum's sides,
#: at a frequency above the lowest [1/px].
STANDS_OUT, AROUND, LOWEST = 3.0, 0.06, 0.09


def rescale(image: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Resample an image to a shape: averaged where that is smaller, cubic where larger."""
    if image.shape == shape:
        return image
    shrinks = shape[0] <= image.shape[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=way), np.float32)


def standardize(image: NDArray[np.float32], modality: str) -> NDArray[np.float32]:
    """Bring an image to median 0 and deviation 1, holes dark, extremes drawn in.

    The deviation is that of the median, so that a bright patch changes little.
    """
    level = np.float32(np.median(image))
    deviation = 1.4826 * float(np.median(np.abs(image - level)))
    if deviation <= 1e-6 * max(abs(float(level)), 1e-30):
        deviation = float(image.std()) or 1.0
    sign = -1 if HOLE_SIGN[modality] > 0 else 1
    return np.asarray(2 * np.arcsinh(sign * (image - level) / np.float32(2 * deviation)), np.float32)


def remove_lattice(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take what repeats out of an image: what is left is its defects, its shading and its noise.

    Amplitudes of the Fourier transform that stand out of their surroundings, the lattice's, are
    brought down to them. A lattice at the network's scale is fine enough to be seen as one.

    Examples
    --------
    >>> y, x = np.mgrid[:160, :160].astype(np.float32)
    >>> image = np.cos(0.9 * x) + np.cos(0.8 * y)
    >>> image[70:90, 70:90] = 0
    >>> rest = remove_lattice(image)
    >>> bool(rest[20:50].std() < 0.3 * rest[70:90, 70:90].std())
    True
    """
    size = [fft.next_fast_len(n, real=True) for n in image.shape]
    pads = [(0, s - n) for s, n in zip(size, image.shape, strict=True)]
    spectrum = fft.rfft2(np.pad(image, pads, mode="symmetric"))
    log = np.log(np.abs(spectrum) + np.float32(1e-6))
    around = (max(round(AROUND * size[1]), 1), max(round(AROUND * size[0]), 1))
    level = cv2.blur(log, around, borderType=cv2.BORDER_REFLECT)
    fine = np.hypot(fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None]) > LOWEST
    repeats = fine & (log > level + np.float32(np.log(STANDS_OUT)))
    spectrum[repeats] *= np.exp(level - log)[repeats]
    rest = fft.irfft2(spectrum, size)[: image.shape[0], : image.shape[1]]
    return np.asarray(rest, np.float32)


def present(image: NDArray[np.float32], modality: str) -> NDArray[np.float32]:
    """Make of an image what the network looks at: standardized, and that without its lattice."""
    standard = standardize(image, modality)
    return np.stack([standard, remove_lattice(standard)])


def find_field(image: NDArray[np.float32]) -> tuple[slice, slice]:
    """Find the part of an image within a frame of one grey level, or all of it.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(60, 80)).astype(np.float32)
    >>> image[:3], image[-3:], image[:, :2], image[:, -4:] = 9, 9, 9, 9
    >>> find_field(image)
    (slice(3, 57, None), slice(2, 76, None))
    """
    sides = []
    for axis in (1, 0):
        varied = np.ptp(image, axis=axis) > 0
        busy = image.std(axis=axis) > 0.3 * float(np.median(image.std(axis=axis)))
        at = np.flatnonzero(varied & busy)
        sides.append((int(at[0]), int(at[-1]) + 1) if len(at) else (0, image.shape[1 - axis]))
    (top, bottom), (left, right) = sides
    framed = min(top, left, image.shape[0] - bottom, image.shape[1] - right) > 0
    thin = bottom - top > 0.8 * image.shape[0] and right - left > 0.8 * image.shape[1]
    if framed and thin:
        return slice(top, bottom), slice(left, right)
    return slice(0, image.shape[0]), slice(0, image.shape[1])


def find_marks(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find burnt-in scale bars, and writing as bright near them: shape (M, N).

    A bar is of one grey level, four times as wide as high or more, and does not touch the frame.

    Examples
    --------
    >>> image = np.random.default_rng(0).poisson(20, (200, 300)).astype(np.float32)
    >>> image[170:176, 200:280] = 60
    >>> marks = find_marks(image)
    >>> bool(marks[170:176, 200:280].all()), bool(marks[:100].any())
    (True, False)
    """
    marks = np.zeros(image.shape, np.bool_)
    reach = 0.05 * float(np.ptp(image))
    if reach == 0 or min(image.shape) < 3:
        return marks
    least = max(round(0.05 * image.shape[1]), 8)
    flat = cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) <= reach
    # Clipped atoms that touch a bar are as bright, but not as long.
    long = cv2.morphologyEx(flat.astype(np.uint8), cv2.MORPH_OPEN, np.ones((1, least - 2), np.uint8))
    _, _, boxes, _ = cv2.connectedComponentsWithStats(long, connectivity=4)
    for x, y, width, height, area in boxes[1:].tolist():
        # The gradient took a pixel off each side.
        x, y, width, height = x - 1, y - 1, width + 2, height + 2
        inside = x > 0 and y > 1 and x + width < image.shape[1] and y + height + 1 < image.shape[0]
        filled = area >= 0.9 * (width - 2) * (height - 2)
        if not (inside and filled and height > 3 and width >= max(4 * height, least)):
            continue
        unlike = np.abs(image - image[y + height // 2, x + width // 2]) > reach
        if unlike[[y - 2, y + height + 1], x : x + width].mean(axis=1).min() < 0.5:
            continue  # a part of something larger
        near = (
            slice(max(y - 6 * height, 0), y + 7 * height),
            slice(max(x - height, 0), x + width + height),
        )
        written = cv2.erode((~unlike[near]).astype(np.uint8), np.ones((2, 2), np.uint8))
        marks[near] |= cv2.dilate(written, np.ones((3, 3), np.uint8)) > 0
    return marks
