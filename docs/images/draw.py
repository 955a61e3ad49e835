"""Draw the pictures of the documentation, from simulated micrographs only."""

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from porescope import detect
from porescope.lattice import find_lattice
from porescope.network import Network, present
from porescope.pictures import draw_findings, draw_overlay
from porescope.simulation import Scene, simulate

HERE = Path(__file__).parent


def draw_grey(image: np.ndarray) -> np.ndarray:
    """Grey levels between an image's half per cent quantiles, enlarged."""
    low, high = np.percentile(image, (0.5, 99.5))
    grey = np.clip((image - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    return cv2.resize(grey, (460, 460), interpolation=cv2.INTER_AREA)


drawn = simulate(Scene(shape=(320, 512), pores=7, dose=2e6), seed=4).micrograph
picture = draw_overlay(drawn, detect(drawn), size=900)
cv2.imwrite(str(HERE / "overlay.jpg"), picture[..., ::-1])

drawn = simulate(
    Scene("WSe2", shape=(300, 300), pores=6, max_missing=9, dose=2e5, modality="bf"), seed=3
).micrograph
image, rest = present(drawn.image, "bf")
probability = Network().find(drawn, find_lattice(drawn)).probability
panels = [draw_grey(image), draw_grey(rest), np.uint8(255 * cv2.resize(probability, (460, 460)))]
gap = np.full((460, 10), 255, np.uint8)
cv2.imwrite(str(HERE / "views.jpg"), np.hstack([panels[0], gap, panels[1], gap, panels[2]]))

drawn = simulate(
    Scene("MoSe2", pores=7, max_missing=40, dose=3e5, modality="bf"), name="MoSe2", seed=5
).micrograph
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "explain.png"
    draw_findings(drawn, Network(), path)
    picture = cv2.imread(str(path))
    limit = HERE.parents[1] / "benchmarks" / "limit.py"  # two minutes
    subprocess.run([sys.executable, str(limit), "-o", folder], check=True)
    (HERE / "limit.svg").write_bytes((Path(folder) / "limit.svg").read_bytes())
cv2.imwrite(str(HERE / "explain.jpg"), cv2.resize(picture, (1520, 800), interpolation=cv2.INTER_AREA))
