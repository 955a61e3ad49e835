from __future__ import annotations

import cv2
import numpy as np

from porescope.lattice.waves import Flat, flatten, mix, mix_coarsely


def test_a_large_image_is_averaged_in_strips_as_as_a_whole() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(10, 1, (2600, 2000)).astype(np.float32)
    frequency = np.array([0.09, 0.11])
    image += mix(np.ones_like(image), frequency)[..., 0] * np.linspace(0, 5, 2600, dtype=np.float32)[:, None]
    sizes = [(325, 250), (420, 323)]
    for coarse, size in zip(mix_coarsely(Flat(image), np.stack([frequency] * 2), sizes), sizes, strict=True):
        whole = cv2.resize(mix(flatten(image), frequency), size[::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(coarse - whole)[5:-5].max() < 0.1 < 2 < np.abs(whole).max()
