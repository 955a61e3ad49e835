"""A drawn sheet: a lattice with holes under a varying film."""

from __future__ import annotations

import cv2
import numpy as np

#: Pixel size of the sheet [nm].
PIXEL = 0.05


def draw_sheet(
    rng: np.random.Generator, shape: tuple[int, int], film: float = 0.3, per_nm2: float = 0.125
) -> np.ndarray:
    """A lattice of 0.3 nm with holes under a film of varying thickness, without noise."""
    y, x = np.indices(shape, np.float32) * PIXEL
    waves = [np.cos(2 * np.pi / 0.26 * (np.cos(t) * y + np.sin(t) * x)) for t in (0.2, 0.2 + np.pi / 3)]
    holes = np.zeros(shape, np.float32)
    for _ in range(round(shape[0] * shape[1] * PIXEL**2 * per_nm2)):
        at = rng.uniform(0, shape[::-1]).astype(int).tolist()
        cv2.circle(holes, at, int(rng.integers(4, 12)), 1, -1)
    smooth = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 1 / PIXEL)
    sheet = 3 + waves[0] + waves[1] + film / smooth.std() * smooth
    return np.asarray(sheet * (1 - cv2.GaussianBlur(holes, (0, 0), 1.5)), np.float32)
