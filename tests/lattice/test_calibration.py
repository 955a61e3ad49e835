from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from porescope import Micrograph
from porescope.lattice.calibration import calibrate
from porescope.lattice.finding import Lattice, find_lattice
from porescope.simulation.drawing import simulate
from porescope.simulation.scene import Scene


@pytest.fixture(scope="module")
def stretched() -> tuple[Micrograph, Lattice]:
    """A WS2 lattice that is 0.4 % longer along the rows than across them, in square pixels."""
    scene = Scene("WS2", shape=(400, 440), pores=0, dose=2e6, strain=(0.004, 0.0, 0.0, 0.0))
    micrograph = simulate(scene, seed=3).micrograph
    lattice = find_lattice(micrograph)
    assert lattice is not None
    return micrograph, lattice


def test_rows_and_columns_are_corrected_apart(stretched: tuple[Micrograph, Lattice]) -> None:
    row, column = calibrate(*stretched, "WS2").pixel_size
    assert column / row == pytest.approx(1.004, abs=0.001)
    assert np.sqrt(row * column) == pytest.approx(0.04 / np.sqrt(1.004), rel=0.002)


def test_two_grains_leave_the_pixels_square(stretched: tuple[Micrograph, Lattice]) -> None:
    micrograph, lattice = stretched
    row, column = calibrate(micrograph, replace(lattice, grains=2), "WS2").pixel_size
    assert row == column


def test_a_recipe_keeps_the_pixel_size_that_it_is_bound_to(stretched: tuple[Micrograph, Lattice]) -> None:
    micrograph, lattice = stretched
    acquisition = calibrate(micrograph, lattice, "WS2").acquisition
    assert acquisition.pixel_size_source == "lattice"
    assert acquisition.pixel_size_recipe == micrograph.pixel_size
