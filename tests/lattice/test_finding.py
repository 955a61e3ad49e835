from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porescope import Micrograph, read
from porescope.lattice import calibrate, check_calibration, find_lattice
from porescope.lattice.hexagon import rotate
from porescope.materials import MATERIALS
from porescope.simulation import Scene, simulate

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from lattice import draw_crystal, draw_empty, draw_nothing, draw_scan, judge_constant


@pytest.mark.parametrize("material", MATERIALS)
@pytest.mark.parametrize(("px", "dose"), [(4, 1e5), (8, 1e4), (16, 1e5), (24, 1e6)])
def test_the_constant_is_found_within_half_a_percent(material: str, px: int, dose: float) -> None:
    constant = MATERIALS[material].constant
    drawn = simulate(Scene(material, shape=(400, 512), pixel_size=constant / px, pores=2, dose=dose), seed=px)
    lattice = find_lattice(drawn.micrograph)
    if lattice is not None:  # at the lowest doses graphene and hBN barely show
        assert lattice.constant_nm == pytest.approx(constant, rel=0.005)
    else:
        assert material in ("graphene", "hBN", "MoSe2") or dose < 1e5 or px > 16


@pytest.mark.parametrize("start", range(0, 48, 12))
def test_a_constant_is_right_or_none(start: int) -> None:
    told = {i: judge_constant(*draw_crystal(i)) for i in range(start, start + 12)}
    assert "wrong" not in told.values(), told
    assert list(told.values()).count("right") >= 5


@pytest.mark.parametrize("start", [0, 6])
def test_a_scan_shows_its_lattice(start: int) -> None:
    """Row jitter to 0.05 nm, drift, a distortion to 20 %."""
    for i in range(start, start + 6):
        scan = draw_scan(i)
        lattice = find_lattice(scan.micrograph)
        if lattice is None:  # a lattice of few cells
            assert scan.px > 40
            continue
        assert lattice.constant_px == pytest.approx(scan.px, rel=0.005), i
        assert lattice.distortion == pytest.approx(scan.distortion, abs=0.01), i
        assert not lattice.calibrates or lattice.distortion <= 0.03


def test_a_sharp_oversampled_image_shows_its_first_order(data: Path) -> None:
    """The second order stands out more here: a/√3."""
    micrograph = read(data / "cases" / "c27a_none.tif")
    lattice = find_lattice(micrograph)
    assert lattice.constant_nm == pytest.approx(0.3153, rel=0.005)
    assert calibrate(micrograph, lattice, "WS2").pixel_size == pytest.approx((0.0045, 0.0045), rel=0.005)


def test_too_few_cells_show_no_lattice() -> None:
    drawn = simulate(Scene("WS2", shape=(400, 500), pixel_size=0.3153 / 110, pores=0, dose=1e8), seed=1)
    assert find_lattice(drawn.micrograph) is None


@pytest.mark.parametrize(("noise", "stretch"), [(0.0, 1.0), (5.0, 1.0), (0.0, 1.02)])
def test_the_uncertainty_covers_noise_and_distortion(noise: float, stretch: float) -> None:
    """A lattice of three waves, stretched along the rows: the constant changes by the root of it."""
    rng = np.random.default_rng(1)
    waves = [(0.1 * np.sin(a) / stretch, 0.1 * np.cos(a)) for a in np.radians([20, 80, 140])]
    image = _wave((300, 340), *waves) + noise * rng.normal(size=(300, 340))
    lattice = find_lattice(Micrograph(image, 1.0))
    error = abs(lattice.constant_nm - 2 / np.sqrt(3) / 0.1)
    assert max(error, 0.0008 * lattice.constant_nm) < 2 * lattice.constant_std_nm
    assert lattice.constant_std_nm < (0.01 if stretch > 1 else 0.002) * lattice.constant_nm


def test_clear_images_show_their_lattice() -> None:
    for material in MATERIALS:
        drawn = simulate(Scene(material, pixel_size=0.03, pores=2, dose=1e6), seed=5)
        assert find_lattice(drawn.micrograph) is not None, material


def test_images_without_a_lattice_show_none(record_property) -> None:
    false = sum(find_lattice(Micrograph(draw_nothing(i), 0.04)) is not None for i in range(200))
    record_property("figure", f"lattices in 200 images without one: {false}")
    assert false == 0


def test_film_interference_and_compression_show_none() -> None:
    assert [i for i in range(64) if find_lattice(Micrograph(draw_empty(i), 0.04)) is not None] == []


def _wave(shape: tuple[int, int], *frequencies: tuple[float, float]) -> np.ndarray:
    y, x = np.indices(shape)
    return sum(np.cos(2 * np.pi * (fy * y + fx * x)) for fy, fx in frequencies) + 10.0


@pytest.mark.parametrize("shape", [(600, 700), (2600, 2300), (7400, 600), (600, 7400)])
def test_the_larger_an_image_the_more_exact_its_lattice(shape: tuple[int, int]) -> None:
    """Large images are demodulated in strips, and their longer side to 2048 px."""
    spots = [rotate(np.array([2 / np.sqrt(3) / 8.0137, 0.0]), 13.3 + 60 * i) for i in range(3)]
    y, x = (np.arange(n, dtype=np.float32) for n in shape)
    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for spot in spots:
        down, along = np.exp(2j * np.pi * spot[0] * y), np.exp(2j * np.pi * spot[1] * x)
        image += (down[:, None].astype(np.complex64) * along.astype(np.complex64)).real
    lattice = find_lattice(Micrograph(image, 0.04))
    assert lattice.constant_px == pytest.approx(8.0137, rel=5 / image.size)


def test_a_second_grain_is_told() -> None:
    one = simulate(Scene("WS2", shape=(400, 500), pores=0), seed=1).micrograph
    assert find_lattice(one).grains == 1
    other = simulate(Scene("WS2", shape=(400, 500), pores=0), seed=8).micrograph
    both = Micrograph(np.hstack([one.image[:, :250], other.image[:, 250:]]), one.pixel_size)
    lattice = find_lattice(both)
    assert lattice.grains == 2 and "2 orientations" in check_calibration(lattice)[1]


@given(
    angle=st.floats(40, 140), length=st.floats(0.06, 0.2), ratio=st.floats(0.7, 1.5), noise=st.floats(0, 3)
)
@settings(max_examples=25)
def test_square_and_oblique_lattices_do_not_crash(angle, length, ratio, noise) -> None:
    rng = np.random.default_rng(0)
    second = ratio * length * np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    image = _wave((160, 200), (0.0, length), tuple(second)) + noise * rng.normal(size=(160, 200))
    lattice = find_lattice(Micrograph(image, 0.04))
    if lattice is not None:
        assert 3 < lattice.constant_px < 80


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (30, 24), (64, 3000)])
def test_odd_shapes_do_not_crash(shape: tuple[int, int]) -> None:
    find_lattice(Micrograph(np.random.default_rng(0).normal(size=shape), 0.04))
