"""The shipped network as a detector: probability of a pore at each pixel, by onnxruntime."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Lattice constant that the network sees [px].
CELL_PX = 8.0
#: What the network is told of an image: BF and ABF alike, inverted.
MODES = ("haadf", "bf", "hrtem")


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
    sign = -1 if modality in ("bf", "abf") else 1
    return np.asarray(2 * np.arcsinh(sign * (image - level) / np.float32(2 * deviation)), np.float32)
