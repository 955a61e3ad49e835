from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from porescope import Micrograph, read
from porescope.lattice import Lattice, calibrate, check_calibration, find_lattice, warn_of_pixel_sizes
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
        (1.36, "36.0% too large; no known mistake explains it"),
    ],
)
def test_usual_mistakes_are_named(factor: float, words: str) -> None:
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


@pytest.mark.parametrize("factor", [0.3, 0.64, 1.07, 1.36, 2 / 3**0.5, 10.0, 2.7])
def test_an_implausible_correction_is_refused(stretched: tuple[Micrograph, Lattice], factor: float) -> None:
    micrograph, lattice = stretched
    wrong = replace(lattice, constant_nm=0.3153 * factor)
    if factor in (0.3, 0.64, 2.7):
        with pytest.raises(ValueError, match="must not be corrected by more than 1.5 where no known mistake"):
            calibrate(micrograph, wrong, "WS2")
    else:
        row, column = calibrate(micrograph, wrong, "WS2").pixel_size
        assert np.sqrt(row * column) == pytest.approx(0.04 / factor)


@pytest.mark.parametrize(
    ("deviation", "text"), [(0.0041, "0.3642 ± 0.0041 nm"), (0.000026, "0.36420 ± 0.00003 nm")]
)
def test_the_uncertainty_is_never_written_as_zero(
    stretched: tuple[Micrograph, Lattice], deviation: float, text: str
) -> None:
    lattice = replace(stretched[1], constant_nm=0.3642, constant_std_nm=deviation)
    assert text in check_calibration(lattice)[1]


def _warn(constants: list[float], material: str | None = None, corrected: bool = False) -> list[str]:
    return warn_of_pixel_sizes(np.array(constants), np.full(len(constants), corrected), material)


def test_a_line_for_all_images_with_the_same_mistake() -> None:
    remedy = "--material WS2 --calibrate lattice corrects"
    [line] = _warn([0.3634, 0.3692, np.nan, 0.3160], "WS2")
    assert line.startswith(
        "2 of 4 images: the recorded pixel size is 1.15–1.17 times what the lattice of WS2"
    )
    assert "d10 had been taken for a" in line and line.endswith(f"{remedy} it")
    [line] = _warn([0.3634, 0.3692, np.nan, 0.3160])
    assert line.startswith("2 of 4 images: lattice constant 0.363–0.369 nm, which fits WS2 or MoS2 if d10")
    assert line.endswith(f"{remedy} it")
    assert [line[:11] for line in _warn([0.364, 0.364, 3.153], "WS2")] == ["2 of 3 imag", "1 of 3 imag"]


def test_a_correction_is_told_with_its_reason() -> None:
    [line] = _warn([0.364], "WS2", corrected=True)
    assert "1.15 times" in line and "(2/√3)" in line and line.endswith("It was corrected")
    [line] = _warn([0.41], "WS2", corrected=True)
    assert (
        "1.3 times" in line and "no known mistake explains it" in line and line.endswith("It was corrected")
    )
    [line] = _warn([0.182 * 2.7], "WS2")
    assert "no known mistake" in line and "It is not corrected by so much" in line


@pytest.mark.parametrize(
    "constants",
    [
        [0.3153, 0.2461, 0.33],  # right
        [],
        [np.nan],
        [0.2842],  # graphene by 2/√3, or WSe2 by √3/2
        [0.41],  # nothing
    ],
)
def test_without_a_material_only_one_known_mistake_is_told(constants: list[float]) -> None:
    assert _warn(constants) == []


def test_a_distorted_lattice_leaves_the_pixel_size(stretched: tuple[Micrograph, Lattice]) -> None:
    micrograph, lattice = stretched
    assert lattice.calibrates
    bent = replace(lattice, distortion=0.12, calibrates=False, constant_nm=0.364)
    with pytest.raises(ValueError, match=r"too distorted \(12.0%, at most 3%\) to correct the pixel size by"):
        calibrate(micrograph, bent, "WS2")
    factor, sentence = check_calibration(bent, "WS2")
    assert np.isnan(factor) and "too distorted" in sentence and "d10" not in sentence
    vague = replace(lattice, calibrates=False)
    assert "too vague (at most ±0.26% by noise)" in check_calibration(vague)[1]


def test_distorted_images_do_not_contradict_the_pixel_size() -> None:
    constants, corrected = np.array([0.364, 0.364, 0.364]), np.zeros(3, bool)
    [line] = warn_of_pixel_sizes(constants, corrected, "WS2", np.array([0.02, 0.1, np.nan]))
    assert line.startswith("2 of 3 images")
    assert warn_of_pixel_sizes(constants[:1], corrected[:1], "WS2", np.array([0.1])) == []
