from __future__ import annotations

import numpy as np
import pytest

from porescope.lattice import VacancyMap, find_lattice, map_vacancies
from porescope.micrograph import Micrograph
from porescope.network import EVIDENCE, choose_scale, load_model, map_probabilities
from porescope.network.detector import _add_vacancies, judge_regions
from porescope.network.evidence import gather_evidence, list_places, measure_regions
from porescope.network.maps import Maps
from porescope.simulation import Pore, Scene, simulate


def _column(evidence: np.ndarray, name: str) -> np.ndarray:
    return evidence[:, EVIDENCE.index(name)]


def test_a_regions_probability_is_that_of_its_likelier_half() -> None:
    labels = np.zeros((6, 9), np.int32)
    labels[1:3, 1:3], labels[5, 5] = 1, 2
    probability = np.where(labels > 0, 0.6, 0).astype(np.float32)
    probability[1] *= 1.5
    np.testing.assert_allclose(measure_regions(labels, probability), [0.9, 0.6], rtol=1e-6)


@pytest.mark.parametrize(("modality", "hole"), [("haadf", -1.0), ("bf", 1.0)])
def test_depth_is_in_standard_deviations_of_the_surroundings(modality: str, hole: float) -> None:
    image = np.random.default_rng(0).normal(0, 1, (90, 100)).astype(np.float32)
    labels = np.zeros(image.shape, np.int32)
    labels[40:50, 40:50] = 1
    image[labels > 0] += hole
    maps = Maps(np.where(labels > 0, 0.9, 0.0), np.where(labels > 0, 0.1, 0.3))
    micrograph = Micrograph(image, 0.04, modality=modality)
    evidence = gather_evidence(labels, maps, None, micrograph, None, choose_scale(micrograph, None, "WS2"))
    # Noise that a Gaussian of 2 px smooths has a standard deviation of 1 / (2 √π · 2).
    smooth = 2 * np.sqrt(np.pi) * 2
    assert (
        0.6 * smooth < _column(evidence, "mean_depth")[0] < 1.1 * smooth < 1.5 * _column(evidence, "depth")[0]
    )
    assert _column(evidence, "hidden_inside")[0] == pytest.approx(0.1)
    assert _column(evidence, "hidden_around")[0] == pytest.approx(0.3)
    assert _column(evidence, "probability")[0] == pytest.approx(np.log(9), rel=1e-3)
    assert _column(evidence, "no_lattice")[0] == 1 and _column(evidence, "z")[0] == 0


def test_a_vacancy_stands_out_and_has_the_share_of_a_column() -> None:
    drawn = simulate(Scene("WS2", (300, 320), pores=(Pore((5.0, 5.0), missing=1),), dose=2e6), seed=1)
    micrograph = drawn.micrograph
    lattice = find_lattice(micrograph)
    scale = choose_scale(micrograph, lattice, None)
    maps = map_probabilities(micrograph, scale, load_model())
    vacancies = map_vacancies(micrograph, lattice)
    labels, evidence = judge_regions(micrograph, lattice, scale, maps, vacancies)
    row = evidence[labels[drawn.labels > 0].max() - 1]
    value = dict(zip(EVIDENCE, row, strict=True))
    assert value["z"] > 6 and 0.65 < value["share"] < 1.8
    assert value["places_as_high"] == pytest.approx(np.log1p(1 / (300 * 320 / _cells(scale) / 1000)))


def _cells(scale: object) -> float:
    return scale.cell_px**2 * np.sqrt(3) / 2


def test_a_void_has_no_lattice_inside() -> None:
    drawn = simulate(Scene("WS2", (300, 320), pores=(Pore((6.0, 6.0), radius=1.2),), dose=2e6), seed=2)
    micrograph = drawn.micrograph
    lattice = find_lattice(micrograph)
    labels = np.where(drawn.labels > 0, 1, 0).astype(np.int32)
    labels[200:240, 200:240] = 2  # intact sheet
    maps = Maps(np.full(labels.shape, 0.5), np.zeros(labels.shape))
    evidence = gather_evidence(
        labels, maps, None, micrograph, lattice, choose_scale(micrograph, lattice, None)
    )
    inside, sheet = _column(evidence, "amplitude")
    assert inside < 0.2 and sheet > 0.6


def test_places_are_found_across_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    z = np.random.default_rng(0).normal(size=(300, 70)).astype(np.float32)
    whole = list_places(z, 8.0, 1.5)
    monkeypatch.setattr("porescope.network.evidence.cut_strips", lambda shape: [slice(0, 91), slice(91, 300)])
    parts = list_places(z, 8.0, 1.5)
    np.testing.assert_array_equal(whole.position, parts.position)
    assert len(whole.z) > 20 and (np.diff(whole.z) <= 0).all()


def test_places_that_the_network_missed_are_proposed_but_not_on_marks_or_beside_regions() -> None:
    z = np.zeros((150, 160), np.float32)
    for y, x in ((20, 20), (20, 60), (60, 20), (60, 60), (9, 100)):
        z[y - 1 : y + 2, x - 1 : x + 2] = 3.0
        z[y, x] = 5.0
    labels = np.zeros(z.shape, np.int32)
    labels[58:60, 58:60] = 1
    usable = np.ones(z.shape, bool)
    usable[28:32, 58:62] = False
    _add_vacancies(labels, z, 8.0, usable)
    assert sorted(labels[[20, 60, 20, 60, 9], [20, 20, 60, 60, 100]]) == [0, 0, 0, 2, 3]
    assert (labels == 2).sum() == 9


def test_a_crowd_of_places_is_counted() -> None:
    z = np.zeros((160, 160), np.float32)
    z[10:160:20, 10:160:20] = 6.0
    labels = np.zeros(z.shape, np.int32)
    labels[10, 10] = 1
    micrograph = Micrograph(np.random.default_rng(0).normal(size=z.shape), 0.04)
    scale = choose_scale(micrograph, None, "WS2")
    maps = Maps(np.full(z.shape, 0.5), np.zeros(z.shape))
    evidence = gather_evidence(labels, maps, VacancyMap(z, 8.0), micrograph, None, scale)
    thousands = z.size / _cells(scale) / 1000
    assert _column(evidence, "places_that_stand_out")[0] == pytest.approx(np.log1p(64 / thousands))
    assert _column(evidence, "share")[0] == pytest.approx(0.75)


@pytest.mark.parametrize(("material", "second"), [("WS2", 0.15), ("WSe2", 0.53), ("MoSe2", 0.7)])
def test_the_average_cell_tells_which_site_is_empty(material: str, second: float) -> None:
    """The chalcogen's columns scatter 0.15, 0.53 and 1.4 times as the metal's, by Z^1.7."""
    pore = Pore((5.0, 5.0), missing=1)
    drawn = simulate(Scene(material, (300, 320), pores=(pore,), dose=2e6), seed=1)
    lattice = find_lattice(drawn.micrograph)
    labels = (drawn.labels > 0).astype(np.int32)
    maps = Maps(labels / 2, np.zeros(labels.shape))
    scale = choose_scale(drawn.micrograph, lattice, None)
    evidence = gather_evidence(labels, maps, None, drawn.micrograph, lattice, scale)
    assert _column(evidence, "second_site")[0] == pytest.approx(second, abs=0.06)
    # In MoSe2 the metal is the second site.
    assert _column(evidence, "site")[0] == pytest.approx(second if material == "MoSe2" else 1, abs=0.25)
