from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import run, save_simulated
from hypothesis import given, settings
from hypothesis import strategies as st

from porescope import Micrograph, read, score
from porescope.lattice.amplitude import LatticeGaps, map_amplitude
from porescope.lattice.calibration import calibrate, check_calibration
from porescope.lattice.finding import find_lattice
from porescope.lattice.sites import build_structure, count_missing, find_sites
from porescope.materials import MATERIALS
from porescope.simulation.drawing import simulate
from porescope.simulation.scene import Scene

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
from lattice import draw_nothing


@pytest.mark.parametrize("letter", "ABCDE")
def test_the_published_pixel_size_is_too_large(ws2: Path, letter: str, record_property) -> None:
    micrograph = read(ws2 / f"{letter}.dm3")
    lattice = find_lattice(micrograph)
    assert lattice is not None and lattice.grains == 1
    assert 0.361 <= lattice.constant_nm <= 0.375 and lattice.constant_std_nm < 0.002
    factor, sentence = check_calibration(lattice, "WS2")
    assert factor == pytest.approx(1.155, abs=0.035)
    assert "too large; looks as if d10 had been taken for a (2/√3)" in sentence
    corrected = find_lattice(calibrate(micrograph, lattice, "WS2"))
    assert corrected is not None and corrected.constant_nm == pytest.approx(0.3153, rel=1e-3)
    record_property("figure", f"{letter}: {sentence}")


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


def test_clear_images_show_their_lattice() -> None:
    for material in MATERIALS:
        drawn = simulate(Scene(material, pixel_size=0.03, pores=2, dose=1e6), seed=5)
        assert find_lattice(drawn.micrograph) is not None, material


def test_images_without_a_lattice_show_none(record_property) -> None:
    false = sum(find_lattice(Micrograph(draw_nothing(i), 0.04)) is not None for i in range(200))
    record_property("figure", f"lattices in 200 images without one: {false}")
    assert false <= 2


def _find_gaps(micrograph: Micrograph) -> np.ndarray:
    return LatticeGaps().find(micrograph, find_lattice(micrograph)).labels


def _wave(shape: tuple[int, int], *frequencies: tuple[float, float]) -> np.ndarray:
    y, x = np.indices(shape)
    return sum(np.cos(2 * np.pi * (fy * y + fx * x)) for fy, fx in frequencies) + 10.0


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


def test_the_amplitude_is_low_in_pores_and_even_elsewhere() -> None:
    drawn = simulate(Scene("MoS2", shape=(300, 360), pores=4, max_missing=40), seed=3)
    amplitude, floor, spread = map_amplitude(find_lattice(drawn.micrograph))
    large = drawn.labels == 1 + int(drawn.area_nm2.argmax())
    assert amplitude[large].min() < 0.3 and floor < 0.3 and spread < 0.2
    assert np.median(amplitude[drawn.labels == 0]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("modality", ["haadf", "bf", "hrtem"])
def test_the_lattice_detector_finds_large_pores_in_every_modality(modality: str) -> None:
    drawn = [
        simulate(Scene("MoS2", pores=5, max_missing=60, modality=modality, dose=1e6), seed=s) for s in (1, 2)
    ]
    scores = [score(d.labels, _find_gaps(d.micrograph), min_iou=0.3) for d in drawn]
    large = sum(int((d.missing_atoms >= 8).sum()) for d in drawn)
    assert sum(s.found for s in scores) >= 0.9 * large and sum(s.false for s in scores) <= 1


def test_false_alarms_of_the_lattice_detector(record_property) -> None:
    """The stated rate: at most one false pore in ten pore-free images of 512 × 512 px."""
    false = 0
    for i in range(20):
        modality = ("haadf", "bf", "hrtem")[i % 3]
        drawn = simulate(
            Scene(list(MATERIALS)[i % 6], pores=0, modality=modality, dose=1e6, pixel_size=0.03), seed=i
        )
        false += _find_gaps(drawn.micrograph).max()
    record_property(
        "figure", f"lattice detector: {false} false pores in 20 pore-free images of six materials"
    )
    assert false <= 2


def test_contamination_is_no_pore_in_haadf() -> None:
    drawn = simulate(Scene("WS2", shape=(300, 360), pores=0), seed=4)
    image = drawn.micrograph.image.copy()
    image[100:160, 120:200] = image.max()  # bright, saturated, without lattice
    assert not _find_gaps(Micrograph(image, drawn.micrograph.pixel_size)).any()


@pytest.mark.parametrize("material", MATERIALS)
def test_missing_atoms_are_counted(material: str) -> None:
    sheet, counted = MATERIALS[material], []
    for seed in range(3):
        drawn = simulate(Scene(material, pores=6, max_missing=20, pixel_size=0.03, dose=2e6), seed=seed)
        lattice = find_lattice(drawn.micrograph)
        sites = find_sites(drawn.micrograph, lattice, sheet)
        found = count_missing(sites, drawn.labels, lattice, sheet)
        counted += list(zip(drawn.missing_atoms, found, strict=True))
    assert np.mean([true == got for true, got in counted if true == 1] or [True]) >= 0.8
    assert np.median([abs(got / true - 1) for true, got in counted if true > 4]) <= 0.15


def test_the_structure_is_the_perfect_sheet_without_its_pores() -> None:
    drawn = simulate(Scene("WS2", shape=(256, 320), pores=2, max_missing=12), seed=2)
    lattice, sheet = find_lattice(drawn.micrograph), MATERIALS["WS2"]
    sites = find_sites(drawn.micrograph, lattice, sheet)
    elements, positions = build_structure(sites, drawn.labels, lattice, sheet)
    assert elements.count("W") == (~sites.second).sum() - drawn.missing_atoms.sum()
    metal = positions[[e == "W" for e in elements]]
    middle = metal[np.hypot(*(metal[:, :2] - metal[:, :2].mean(axis=0)).T).argmin()]
    nearest = np.sort(np.hypot(*(metal - middle)[:, :2].T))[1:7]
    np.testing.assert_allclose(nearest, 3.153, atol=1e-3)
    bonds = np.linalg.norm(positions - middle, axis=1)
    assert np.sort(bonds)[1] == pytest.approx(np.hypot(3.153 / np.sqrt(3), 1.57), abs=1e-2)


def test_calibrating_keeps_the_pores_and_shrinks_the_areas(ws2: Path, tmp_path: Path) -> None:
    images = [ws2 / f"{n}.dm3" for n in "ABCDE"]
    options = ["--material", "WS2", "--no-images"]
    assert run("detect", *images, "-o", tmp_path / "h", *options).exit_code == 0
    result = run("detect", *images, "-o", tmp_path / "l", *options, "--calibrate", "lattice")
    assert result.exit_code == 0 and "2/√3" in result.output
    header, corrected = (pd.read_csv(tmp_path / d / "pores.csv") for d in "hl")
    assert corrected.area_px.tolist() == header.area_px.tolist()
    assert (corrected.area_nm2 / header.area_nm2).between(0.70, 0.78).all()
    assert (corrected.missing_atoms >= 1).mean() > 0.8
    table = pd.read_csv(tmp_path / "l" / "images.csv")
    assert (table.pixel_size_source == "lattice").all() and table.lattice_constant_nm.between(
        0.361, 0.375
    ).all()
    assert (table.pixel_size_header_nm / table.pixel_size_nm).between(1.12, 1.19).all()


def test_the_lattice_method_and_structure_on_the_command_line(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "one.tif")
    out = tmp_path / "out"
    result = run("detect", path, "-o", out, "--method", "lattice", "--material", "WS2", "--structure")
    assert result.exit_code == 0, result.output
    assert {"one_lattice.png", "one.xyz", "one.cif", "one_labels.tif"} <= {p.name for p in out.iterdir()}
    assert "Lattice=" in (out / "one.xyz").read_text().splitlines()[1]
    assert pd.read_csv(out / "images.csv").method[0] == "lattice"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--material", "Au"], "material must be one of WS2, MoS2"),
        (["--calibrate", "lattice"], "needs the crystal: say --material"),
        (["--structure"], "needs the crystal: say --material"),
        (["--structure", "--material", "WS2", "--no-lattice"], "--no-lattice leaves nothing"),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, options: list[str], message: str) -> None:
    path = save_simulated(tmp_path, "one.tif")
    result = run("detect", path, "-o", tmp_path / "out", *options)
    assert result.exit_code == 2 and message in result.output
