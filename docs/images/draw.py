"""Draw the pictures of the documentation, from simulated micrographs only."""

from pathlib import Path

import cv2

from porescope import detect
from porescope.plotting import draw_overlay
from porescope.simulation import simulate

HERE = Path(__file__).parent

drawn = simulate(shape=(320, 512), pores=7, dose=2e6, seed=4).micrograph
picture = draw_overlay(drawn, detect(drawn), size=900)
cv2.imwrite(str(HERE / "overlay.jpg"), picture[..., ::-1])
