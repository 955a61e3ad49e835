from __future__ import annotations

import numpy as np
import pytest

from porescope.voids.splitting import NECK, split_touching


def find_neck(apart: float) -> int:
    """Number of parts of two discs of 12 px radius whose centres are ``apart`` px apart."""
    y, x = np.mgrid[:40, :80]
    height = 12 - np.minimum(np.hypot(y - 20, x - 20), np.hypot(y - 20, x - 20 - apart))
    return len(split_touching((height > 0).astype(np.int32), height.astype(np.float32))[1])


def test_two_parts_are_split_where_the_neck_is_narrow() -> None:
    # The neck is 2·√(12² − (apart / 2)²) px wide.
    limit = 2 * 12 * np.sqrt(1 - NECK**2)
    assert find_neck(limit + 1.5) == 2 and find_neck(limit - 1.5) == 1


@pytest.mark.parametrize("width", [2.0, 3.0, 6.0])
def test_slits_and_triangles_stay_whole(width: float) -> None:
    y, x = np.mgrid[:80, :80] - 40.3
    for angle in (0.0, 0.3, 1.1):
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        slit = 1 - np.hypot(along / (5 * width), across / width)
        triangle = width - np.max([across * np.cos(a) + along * np.sin(a) for a in (0, 2.094, 4.189)], axis=0)
        for height in (slit, triangle):
            assert len(split_touching((height > 0).astype(np.int32), np.float32(height))[1]) == 1
