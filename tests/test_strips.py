from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from porescope.strips import STRIP, cut_strips


@given(st.integers(1, 40_000), st.integers(1, 40_000), st.integers(1, 2 * STRIP))
def test_strips_follow_each_other_and_are_of_bounded_size(height: int, width: int, pixels: int) -> None:
    strips = cut_strips((height, width), pixels)
    assert strips[0].start == 0 and strips[-1].stop == height
    for one, other in pairwise(strips):
        assert one.stop == other.start and other.start % 2 == 0
    heights = [rows.stop - rows.start for rows in strips]
    assert max(heights) <= max(pixels // width, 64) + 1
    assert len(strips) == 1 or min(heights) > 30


def test_an_image_of_four_megapixels_is_one_strip() -> None:
    assert cut_strips((2048, 2048)) == [slice(0, 2048)]
    assert len(cut_strips((2049, 2048))) == 2
