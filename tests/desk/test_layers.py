"""Micrographs as layers, without a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from porescope import read, read_all
from porescope.desk.layers import choose_contrast, get_reader, read_layers, stack_images


def test_the_reader_hands_a_file_over_in_nanometres(images: list[Path]) -> None:
    reader = get_reader(str(images[0]))
    assert reader is read_layers and get_reader([str(path) for path in images]) is None
    [(image, options, kind)] = reader(str(images[0]))
    micrograph = read(images[0])
    assert kind == "image" and np.array_equal(image, micrograph.image)
    assert options["scale"] == micrograph.pixel_size and options["units"] == ("nm", "nm")
    low, high = options["contrast_limits"]
    assert micrograph.image.min() <= low < high <= micrograph.image.max()


def test_frames_are_read_when_they_are_looked_at(images: list[Path]) -> None:
    frames = list(read_all(images[3]))
    asked = []

    def read_frame(frame: int) -> object:
        asked.append(frame)
        if frame == 1:
            raise ValueError("damaged")
        return frames[frame]

    stack = stack_images(read_frame, 3, frames[0])
    assert stack.shape == (3, 180, 220) and asked == []
    assert np.array_equal(stack[2].compute(), frames[2].image) and asked == [2]
    assert not stack[1].compute().any()  # a damaged frame is empty, and the others are seen


def test_contrast_has_a_range_also_in_a_flat_image() -> None:
    assert choose_contrast(np.full((3, 4), 7, np.float32)) == (7, 8)
    low, high = choose_contrast(np.arange(1001, dtype=np.float32)[None])
    assert (low, high) == pytest.approx((1, 999))


def test_what_is_no_image_is_said(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.mrc", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"a\.mrc"):
        read_layers(str(tmp_path / "a.mrc"))
    with pytest.raises(ValueError, match="one file at a time"):
        read_layers([])
