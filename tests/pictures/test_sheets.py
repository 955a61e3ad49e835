from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from porescope.mosaic import Layout, count_density
from porescope.pictures import draw_density, draw_sheet


def test_the_sheet_shows_its_tiles_and_pores(tmp_path: Path) -> None:
    images = [np.full((40, 60), 10.0, np.float32), np.full((40, 60), 30.0, np.float32)]
    layout = Layout(np.array([[0.0, 0.0], [1.0, 5.0]]), np.array([[40, 60]] * 2), 0.1, np.eye(2))
    at, diameter = np.array([[2.0, 8.0]]), np.array([1.0])
    draw_sheet(images.__getitem__, layout, at, diameter, np.array([False, True]), tmp_path / "mosaic.png")
    picture = cv2.imread(str(tmp_path / "mosaic.png"))[..., ::-1].astype(int)
    assert picture.shape == (51, 111, 3)
    assert picture[5, 5].tolist() == [0, 0, 0] and picture[30, 100].tolist() == [255, 255, 255]
    assert picture[45, 5].tolist() == [0, 0, 0]  # no tile
    assert picture[10, 80, 0] > picture[10, 80, 2] + 50  # the frame of the doubtful tile
    assert picture[20, 80 + 7, 0] > picture[20, 80 + 7, 2] + 50  # the circle around the pore
    density = count_density(at, diameter, layout)
    draw_density(density, at, tmp_path / "density.png")
    assert cv2.imread(str(tmp_path / "density.png")).std() > 5
