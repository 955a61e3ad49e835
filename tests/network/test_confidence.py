from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest
from conftest import require

from porescope.labels import EDGE, keep_regions, label_regions
from porescope.lattice import find_lattice
from porescope.network import EVIDENCE, MODES, UNRATED, Network, load_model, rate_regions
from porescope.network.confidence import are_layers
from porescope.simulation import Pore, Scene, draw, draw_scene, make_generator, simulate

require(find_spec("torch") is not None, "PyTorch (pip install '.[train]')")
from porescope.training.rating import find_real  # noqa: E402


def test_confidence_is_the_share_of_real_pores(record_property: Callable[[str, object], None]) -> None:
    sure, real, least = [], [], 1.0
    for index in range(60):
        rng = make_generator("benchmark", 50_000 + index)
        drawn = draw(draw_scene(rng, (256, 256), rng.uniform(6, 12)), rng)
        found = Network().find(drawn.micrograph, find_lattice(drawn.micrograph))
        if len(found.confidence):  # image by image: false pores come in crowds
            sure.append(found.confidence.mean())
            real.append(find_real(drawn, found.labels).mean())
            least = min(least, found.confidence.min())
    assert len(sure) > 20 and least >= Network.least_confidence
    record_property(
        "figure",
        f"pores of {len(sure)} images: mean confidence {np.mean(sure):.2f}, real {np.mean(real):.2f}",
    )
    assert np.mean(real) == pytest.approx(np.mean(sure), abs=0.1)


def test_regions_are_kept_by_their_confidence() -> None:
    probability = np.zeros((6, 9), np.float32)
    probability[1:3, 1:3], probability[1:3, 5:8], probability[5, 5] = 0.6, 0.9, 0.7
    labels = label_regions(probability >= EDGE)
    kept = keep_regions(labels, np.array([0.2, 0.9, 0.6]) >= 0.5)
    assert kept.max() == 2 and (kept[1:3, 5:8] == 1).all() and kept[5, 5] == 2 and kept[1, 1] == 0


def test_what_is_dropped_is_a_candidate() -> None:
    drawn = simulate(Scene(shape=(300, 320), pores=5, max_missing=6, dose=3e5), seed=6)
    lattice = find_lattice(drawn.micrograph)
    everything = Network(least_confidence=0).find(drawn.micrograph, lattice)
    found = Network(least_confidence=0.9).find(drawn.micrograph, lattice)
    assert found.labels.max() >= 2 and found.candidates.max() >= 1
    assert everything.candidates.max() == 0
    np.testing.assert_array_equal(everything.labels > 0, (found.labels > 0) | (found.candidates > 0))
    assert found.confidence.min() >= 0.9 > found.candidate_confidence.max()
    np.testing.assert_allclose(
        np.sort(everything.confidence), np.sort([*found.confidence, *found.candidate_confidence])
    )


def test_a_lone_vacancy_needs_no_company() -> None:
    """Another pore elsewhere in the image lifted it from 0.21 to 0.68 once."""
    lone = Pore((4.0, 4.0), missing=1)
    confidences = []
    for pores in ((lone,), (lone, Pore((8.0, 8.0), radius=0.8))):
        drawn = simulate(Scene("WS2", (300, 320), pores=pores, dose=5e5), seed=3)
        found = Network(least_confidence=0).find(drawn.micrograph, find_lattice(drawn.micrograph))
        confidences.append(found.confidence[found.labels[drawn.labels == 1].max() - 1])
    assert min(confidences) > 0.5
    assert confidences[0] == pytest.approx(confidences[1], abs=0.15)


def test_the_shipped_layers_know_all_modalities() -> None:
    card = load_model().card
    assert set(card["evidence"]) == set(MODES) and card["rated_on"][0] >= 1000
    assert all(map(are_layers, card["evidence"].values()))


def test_an_unrated_network_leaves_the_probability() -> None:
    evidence = np.random.default_rng(0).normal(size=(5, len(EVIDENCE)))
    odds = evidence[:, EVIDENCE.index("probability")]
    np.testing.assert_allclose(rate_regions(evidence, UNRATED), 1 / (1 + np.exp(-odds)))


def test_layers_by_hand() -> None:
    evidence = np.zeros((1, len(EVIDENCE)))
    evidence[0, :2] = 1.0, 2.0
    first = np.zeros((len(EVIDENCE), 2))
    first[0, 0], first[1, 1] = 1.0, 0.5
    layers = [(first.tolist(), [0.0, -1.0]), ([[2.0], [3.0]], [-1.0])]
    expected = 2 * np.tanh(1.0) + 3 * np.tanh(0.0) - 1
    np.testing.assert_allclose(rate_regions(evidence, layers), 1 / (1 + np.exp(-expected)))
