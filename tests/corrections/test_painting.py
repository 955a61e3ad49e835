from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from porescope import read_standard
from porescope.corrections import write_painting
from porescope.simulation import Scene, simulate
from porescope.standards import find_standards


def test_a_painted_picture_is_read_back_as_it_was_painted(tmp_path: Path) -> None:
    micrograph = simulate(Scene(shape=(180, 220), pores=1), seed=1).micrograph
    path = write_painting(micrograph, tmp_path)
    with Image.open(path) as picture:
        assert picture.mode == "RGB" and picture.size == (220, 180)  # a pixel is a pixel
        grey = np.asarray(picture)
        painted = picture.copy()
    assert (grey == grey[..., :1]).all() and np.corrcoef(grey[..., 0].ravel(), micrograph.image.ravel())[
        0, 1
    ] > 0.9
    with pytest.raises(ValueError, match="nothing is marked; paint each pore pure green"):
        read_standard(path)
    brush = ImageDraw.Draw(painted)
    brush.rectangle((30, 20, 49, 29), fill=(0, 255, 0))  # columns 30 to 49, rows 20 to 29
    brush.rectangle((100, 150, 119, 169), fill=(0, 255, 0))
    painted.save(path)
    wanted = np.zeros((180, 220), int)
    wanted[20:30, 30:50], wanted[150:170, 100:120] = 1, 2
    assert np.array_equal(read_standard(path, micrograph.image.shape), wanted)
    image = tmp_path / f"{micrograph.name}.dm3"
    assert find_standards([image], tmp_path) == {image: path}
    with pytest.raises(ValueError, match="exists and may be painted"):
        write_painting(micrograph, tmp_path)
    assert read_standard(path).max() == 2  # it was not overwritten
