from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from conftest import require

from porescope.lattice import find_lattice
from porescope.network import EVIDENCE, SHIPPED, Network, load_model, rate_regions
from porescope.network.confidence import are_layers
from porescope.simulation import Scene, Simulation, simulate

require(find_spec("torch") is not None, "PyTorch (pip install '.[train]')")
from porescope.training import rate_network, rating  # noqa: E402
from porescope.training.rating import find_real  # noqa: E402


@pytest.fixture
def drawn() -> Simulation:
    """Three pores: a block of 6 × 6 px with 9 missing atoms, and two single vacancies of 3 × 3 px."""
    plain = simulate(Scene(shape=(40, 60), pores=0, pixel_size=0.04))
    labels = np.zeros((40, 60), np.int32)
    labels[10:16, 10:16], labels[29:32, 29:32], labels[29:32, 49:52] = 1, 2, 3
    micrograph = replace(plain.micrograph, pixel_size=0.04)
    return plain._replace(micrograph=micrograph, labels=labels, missing_atoms=np.array([9, 1, 1]))


def test_a_region_is_real_by_its_iou_a_single_vacancy_by_its_place(drawn: Simulation) -> None:
    labels = np.zeros_like(drawn.labels)
    labels[10:16, 10:13] = 1  # IoU 18 / 36
    labels[14:16, 13:19] = 2  # IoU 6 / 42, and not the best of this pore
    labels[29:32, 31:32] = 3  # IoU 3 / 9
    labels[24:37, 44:57] = 4  # IoU 9 / 169, but concentric
    labels[0:3, 0:3] = 5  # no pore there
    assert find_real(drawn, labels).tolist() == [True, False, True, True, False]


def test_what_only_touches_a_pore_is_not_real(drawn: Simulation) -> None:
    labels = np.zeros_like(drawn.labels)
    labels[15:17, 15:17] = 1  # IoU 1 / 39
    labels[31:38, 31:38] = 2  # centroid 4 px · √2 from that of the vacancy: 0.23 nm
    assert find_real(drawn, labels).tolist() == [False, False]


def test_a_rating_has_images_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    from porescope.training import trainer

    used: list[tuple[str, int]] = []
    make_generator = rating.make_generator

    def record(purpose: str, index: int, seed: int = 0) -> np.random.Generator:
        used.append((purpose, index))
        return make_generator(purpose, index, seed)

    monkeypatch.setattr(rating, "make_generator", record)
    monkeypatch.setattr(rating, "INDICES", rating.INDICES[:2])
    card = rate_network(SHIPPED)
    assert len(used) == card["rated_on"][0] == 2
    assert not {("validation", index) for index in trainer.VALIDATION} & set(used)


def test_regions_of_a_rating_are_those_that_the_detector_judges() -> None:
    """With the vacancy map as a view."""
    index = next(i for i in range(20_001, 20_100, 2) if rating.draw_rated(i).micrograph.modality == "bf")
    micrograph = rating.draw_rated(index).micrograph
    mode, evidence, _ = rating._gather((SHIPPED, index, 0))
    confidence = rate_regions(evidence, load_model().card["evidence"][mode])
    found = Network(least_confidence=0).find(micrograph, find_lattice(micrograph))
    assert len(confidence) and confidence.tolist() == pytest.approx(found.confidence.tolist())


def test_layers_are_fitted_to_what_tells_real_regions() -> None:
    rng = np.random.default_rng(0)
    evidence = [rng.normal(size=(20, len(EVIDENCE))) for _ in range(150)]
    real = [rows[:, 3] * rows[:, 5] > 0.5 for rows in evidence]  # no single column tells it
    layers = rating.fit_layers(evidence, real)
    assert are_layers(layers)
    new = rng.normal(size=(500, len(EVIDENCE)))
    right = (rate_regions(new, layers) > 0.5) == (new[:, 3] * new[:, 5] > 0.5)
    assert right.mean() > 0.85


def test_a_rated_image_has_no_pore_many_or_lone_vacancies() -> None:
    for index in range(20_000, 20_012):
        missing = rating.draw_rated(index).missing_atoms
        if index % 2 == 0:
            assert len(missing) == 0
        elif index % 4 == 3:
            assert 1 <= len(missing) <= 4 and set(missing) == {1}
