from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import regionprops

from porescope import measure
from porescope.atoms import Crystal, Occupancy, Sites, find_crystal, judge_crystal
from porescope.labels import label_regions
from porescope.materials import MATERIALS
from porescope.measurement import measure_columns
from porescope.simulation import Pore, Scene, find_truth, simulate
from porescope.simulation.sheets import make_sheet
from porescope.sizes import Sheet, lay_out, measure_atoms, measure_edge, measure_pixels


@pytest.mark.parametrize("radius", [3.3, 6.0, 11.7])
def test_the_area_of_a_soft_disc_is_that_inside_its_contour(radius: float) -> None:
    y, x = np.indices((40, 50))
    distance = np.hypot(y - 19.3, x - 24.6)
    width = 0.8
    probability = 1 / (1 + np.exp((distance - radius) / width))
    (region,) = regionprops(label_regions(probability >= 0.5))
    area, perimeter, deviation, _ = measure_edge(region, probability, pixel_area=0.01)
    # The contour lies at 0.55, which is ln(0.55 / 0.45) widths inside of 0.5.
    inner = radius - width * np.log(0.55 / 0.45)
    assert perimeter == pytest.approx(2 * np.pi * inner * 0.1, rel=0.02)
    assert area == pytest.approx(np.pi * inner**2 * 0.01, rel=0.02)
    # 0.75 and 0.25 lie ln(0.75 / 0.25) widths inside and outside of 0.5, so twice that in diameter.
    assert deviation == pytest.approx(2 * width * np.log(0.75 / 0.25) * 0.1, rel=0.1)


def test_a_neighbours_probability_does_not_count() -> None:
    probability = np.zeros((20, 30))
    probability[5:10, 5:10], probability[5:10, 13:18] = 1, 1
    for region in regionprops(label_regions(probability >= 0.5)):
        assert measure_edge(region, probability, 1.0)[0] == pytest.approx(25, rel=0.02)


def test_the_pixels_of_a_rectangle_by_hand() -> None:
    mask = np.zeros((20, 30), int)
    mask[4:14, 10:30] = 1
    edge = measure_pixels(regionprops(mask)[0], 0.04)
    assert edge.area_nm2 == pytest.approx(8) and edge.method == "pixels"
    assert edge.perimeter_nm == pytest.approx(12, rel=0.1) and edge.deviation_nm == pytest.approx(
        0.2 / 3**0.5
    )


def make_known(
    material: str, empty: list[tuple[float, float]], labels: list[int]
) -> tuple[Sheet, list[float]]:
    """A sheet whose atoms are known, without those nearest to some places [nm], and its true areas."""
    crystal = MATERIALS[material]
    extent, pixel = np.array([3.0, 3.4]), 0.02
    atoms = make_sheet(crystal, extent, np.random.default_rng(0))
    metal = np.flatnonzero(~atoms.second)
    owner, held = np.zeros(len(atoms.second), np.int64), np.ones(len(atoms.second), bool)
    for place, label in zip(empty, labels, strict=True):
        nearest = metal[np.hypot(*(atoms.positions[metal] - place).T).argmin()]
        held[nearest], owner[nearest] = False, label
    atoms.occupancy[~held] = 0
    truth = find_truth(crystal, [atoms], (150, 170), pixel)
    sites = Sites(atoms.positions / pixel, atoms.positions, atoms.second, ~held)
    yes = np.ones(len(held), bool)
    occupancy = Occupancy(sites, owner, held, np.repeat(held[:, None], 16, axis=1), yes, yes)
    radii = np.where(atoms.second, 0.1, 0.145)
    sheet = Sheet(
        occupancy, atoms.positions, radii, ~atoms.second, crystal.constant, extent - pixel, pixel, 1.0, 0.0
    )
    return sheet, truth.area_nm2.tolist()


def test_a_vacancy_whose_atoms_are_known_has_its_true_area() -> None:
    sheet, areas = make_known("MoS2", [(1.4, 1.7)], [7])
    edge, missing = measure_atoms(7, sheet)
    assert edge.area_nm2 == pytest.approx(areas[0], rel=0.005) and missing == 1 and edge.method == "atoms"
    # An atom is displaced by 0.02 nm, and three bound the vacancy.
    assert 0.002 < edge.deviation_nm < 0.03
    # Another pixel size in the file stretches lengths, as it does in all other columns.
    wide, _ = measure_atoms(7, sheet._replace(scale=1.1))
    assert wide.area_nm2 == pytest.approx(1.21 * edge.area_nm2)
    assert wide.perimeter_nm == pytest.approx(1.1 * edge.perimeter_nm)
    vague, _ = measure_atoms(7, sheet._replace(vagueness=0.1))
    diameter = np.sqrt(4 * edge.area_nm2 / np.pi)
    assert vague.deviation_nm == pytest.approx(np.hypot(edge.deviation_nm, 0.1 * diameter))


def test_two_vacancies_of_one_region_are_one_pore_and_of_two_regions_two() -> None:
    places = [(1.0, 1.0), (1.0, 2.2)]
    together, areas = make_known("MoS2", places, [1, 1])
    edge, missing = measure_atoms(1, together)
    assert missing == 2 and edge.area_nm2 == pytest.approx(sum(areas), rel=0.005)
    apart, _ = make_known("MoS2", places, [1, 2])
    assert [measure_atoms(k, apart)[1] for k in (1, 2)] == [1, 1]


def test_a_free_area_that_two_regions_share_is_split() -> None:
    places = [(1.4, 1.4 + 0.3 * k) for k in range(4)]
    whole, areas = make_known("MoS2", places, [1] * 4)
    halves, _ = make_known("MoS2", places, [1, 1, 2, 2])
    total, parts = measure_atoms(1, whole)[0], [measure_atoms(k, halves)[0].area_nm2 for k in (1, 2)]
    assert total.area_nm2 == pytest.approx(sum(areas), rel=0.005)
    assert sum(parts) == pytest.approx(total.area_nm2, rel=0.02) and min(parts) > 0.3 * total.area_nm2


def test_what_is_not_known_is_not_measured() -> None:
    sheet, _ = make_known("MoS2", [(1.4, 1.7)], [1])
    no = np.zeros(len(sheet.radii), bool)
    untrusted = sheet._replace(occupancy=sheet.occupancy._replace(trusted=no))
    assert measure_atoms(1, untrusted) == (None, 1.0) and measure_atoms(2, sheet) == (None, 0.0)
    edge, missing = measure_atoms(1, sheet._replace(occupancy=sheet.occupancy._replace(placed=no)))
    assert edge is None and np.isnan(missing)
    drawn = simulate(Scene("WS2", shape=(120, 140), pores=0), seed=1)
    assert lay_out(find_crystal(drawn.micrograph, None), sheet.occupancy, (120, 140), 0.0016) is None


def test_pores_are_measured_by_their_atoms_if_the_material_is_known() -> None:
    pores = tuple(Pore((y, x), missing=n) for y, x, n in ((3, 3, 1), (3, 8, 3), (8, 3, 8), (8, 8, 20)))
    drawn = simulate(Scene("MoSe2", (300, 300), pores=pores, dose=2e6), seed=5)
    table = measure(drawn.micrograph, drawn.labels, material="MoSe2")
    assert (table.size_method == "atoms").all() and sorted(drawn.missing_atoms) == [1, 3, 8, 20]
    assert table.missing_atoms.tolist() == drawn.missing_atoms.tolist()
    np.testing.assert_allclose(table.area_nm2, drawn.area_nm2, rtol=0.08)
    np.testing.assert_allclose(table.circularity, 4 * np.pi * table.area_nm2 / table.perimeter_nm**2)
    crystal = find_crystal(drawn.micrograph, MATERIALS["MoSe2"])
    columns = measure_columns(drawn.micrograph, drawn.labels, None, crystal)
    assert columns["area_nm2"].tolist() == table.area_nm2.tolist()
    judged = judge_crystal(drawn.micrograph, crystal, drawn.labels)
    own = judged._replace(held=judged.held | (judged.owner == 1))  # what is given is not judged again
    given = measure_columns(drawn.micrograph, drawn.labels, None, crystal, own)["missing_atoms"]
    assert given[0] == 0 and (given[1:] == columns["missing_atoms"][1:]).all()
    unnamed = measure_columns(drawn.micrograph, drawn.labels, None, Crystal(crystal.lattice, None, None))
    assert set(unnamed["size_method"]) == {"pixels"} and np.isnan(unnamed["missing_atoms"]).all()


def test_a_pore_at_the_border_is_not_measured_by_atoms_that_are_not_seen() -> None:
    scene = Scene("WS2", (200, 220), pores=(Pore((0.1, 4.0), missing=12),), dose=2e6)
    drawn = simulate(scene, seed=1)
    table = measure(drawn.micrograph, drawn.labels, material="WS2")
    assert table.touches_border.all() and (table.size_method == "pixels").all()
