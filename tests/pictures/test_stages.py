from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.axes import Axes

from porescope import Micrograph, Recipe
from porescope.network import Network
from porescope.pictures import draw_findings, draw_stages
from porescope.recipes.segmentation import REFERENCE_MEDIAN, REFERENCE_PIXEL_SIZE

#: Without equalisation and averaging, so that the dark square alone is the pore.
RECIPE = Recipe(grid=1, radius=0, threshold=60, area=20, clip_limit=0, name="mine")


def draw_square(median: int) -> Micrograph:
    """Draw a dark square in rows 30 to 49, columns 10 to 29, on a sheet of known median grey."""
    image = np.full((60, 80), float(median), np.float32)
    image[30:50, 10:30] = 0
    image[0, 0] = 255
    return Micrograph(image, REFERENCE_PIXEL_SIZE, name="square")


def panels(micrograph: Micrograph, recipe: Recipe) -> list[Axes]:
    return [ax for ax in draw_stages(micrograph, recipe).axes if ax.lines or ax.images]


@pytest.mark.parametrize(("median", "threshold"), [(REFERENCE_MEDIAN, 60), (REFERENCE_MEDIAN * 2, 120)])
def test_the_threshold_is_drawn_scaled_by_the_images_median(median: int, threshold: int) -> None:
    axes = panels(draw_square(median), RECIPE)
    assert [text.get_text() for ax in axes[4:] for text in ax.texts] == [f"threshold {threshold}"]
    scans = axes[4:]
    assert [np.unique(scan.lines[-1].get_ydata()).tolist() for scan in scans[2:]] == [[threshold]] * 2


def test_the_scan_goes_through_the_pore() -> None:
    axes = panels(draw_square(REFERENCE_MEDIAN), RECIPE)
    assert "selected: 1 pores > 20 px²" in axes[3].get_title()
    # Rows 30 to 49 have their mean at 39.5, which is rounded to the even 40.
    assert axes[0].lines[0].get_ydata()[0] == pytest.approx(40.5 * REFERENCE_PIXEL_SIZE)
    scan = np.asarray(axes[4].lines[0].get_ydata())
    assert (scan[10:30] == 0).all() and (scan[30:] == REFERENCE_MEDIAN).all()


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    micrograph = replace(draw_square(REFERENCE_MEDIAN), name=r"$\no formula$")
    draw_stages(micrograph, RECIPE, tmp_path / "stages.png")
    draw_findings(micrograph, Network(), tmp_path / "network.png")
    assert len(list(tmp_path.iterdir())) == 2


def test_without_a_pore_the_scan_goes_through_the_darkest_row(tmp_path: Path) -> None:
    image = np.full((40, 50), 100.0, np.float32)
    image[7, 9], image[0, 0] = 80, 200
    micrograph = Micrograph(image, REFERENCE_PIXEL_SIZE)
    axes = panels(micrograph, RECIPE)
    assert axes[0].lines[0].get_ydata()[0] == pytest.approx(7.5 * REFERENCE_PIXEL_SIZE)
    draw_stages(micrograph, RECIPE, tmp_path / "stages.png")
    assert cv2.imread(str(tmp_path / "stages.png")).shape == (660, 1500, 3)
