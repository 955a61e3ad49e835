from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from porescope import Micrograph, read
from porescope.lattice import Lattice, calibrate, check_calibration, find_lattice
from porescope.simulation import Scene, simulate


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


@pytest.mark.parametrize("letter", "ABCDE")
def test_the_published_pixel_size_is_too_large(ws2: Path, letter: str, record_property) -> None:
    micrograph = read(ws2 / f"{letter}.dm3")
    lattice = find_lattice(micrograph)
    assert lattice is not None and lattice.grains == 1
    assert 0.361 <= lattice.constant_nm <= 0.375 and lattice.constant_std_nm < 0.005
    assert abs(lattice.constant_nm - 0.3153 * 2 / np.sqrt(3)) < 2 * lattice.constant_std_nm
    factor, sentence = check_calibration(lattice, "WS2")
    assert factor == pytest.approx(1.155, abs=0.035)
    assert "too large; looks as if d10 had been taken for a (2/√3)" in sentence
    corrected = find_lattice(calibrate(micrograph, lattice, "WS2"))
    assert corrected is not None and corrected.constant_nm == pytest.approx(0.3153, rel=1e-3)
    record_property("figure", f"{letter}: {sentence}")


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (1.0, "the pixel size is right"),
        (1.02, "the pixel size is right"),
        (2 / 3**0.5, "d10 had been taken for a"),
        (3**0.5, "second-order spots"),
        (2.0, "off by 2"),
        (10.0, "Å had been taken for nm"),
        (0.1, "nm had been taken for Å"),
        (1.36, "36.0% too large"),
    ],
)
def test_usual_mistakes_are_named(factor: float, words: str) -> None:
    from dataclasses import replace

    lattice = find_lattice(simulate(Scene("MoS2", shape=(200, 240), pores=0), seed=1).micrograph)
    scale = factor * 0.3160 / lattice.constant_nm
    wrong = replace(lattice, constant_nm=lattice.constant_nm * scale)
    got, sentence = check_calibration(wrong, "MoS2")
    assert got == pytest.approx(factor, rel=1e-6) and words in sentence
    assert ("looks as if" in sentence) == (factor not in (1.0, 1.02, 1.36))


def test_without_a_material_the_fitting_ones_are_named_and_none_chosen() -> None:
    lattice = find_lattice(simulate(Scene("WS2", shape=(200, 240), pores=0), seed=1).micrograph)
    factor, sentence = check_calibration(lattice)
    assert np.isnan(factor) and "fits WS2, MoS2" in sentence
    with pytest.raises(ValueError, match="material must be one of WS2, MoS2"):
        check_calibration(lattice, "unobtainium")
