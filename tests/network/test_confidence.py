from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from porescope import read
from porescope.labels import EDGE, keep_regions, label_regions
from porescope.lattice import find_lattice
from porescope.network import MODES, Network, gather_evidence, load_model
from porescope.network.confidence import measure_regions, rate_regions
from porescope.simulation import draw, draw_scene, make_generator
from porescope.training.rating import find_real


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
    raw = measure_regions(labels, probability)
    np.testing.assert_allclose(raw, [0.6, 0.9, 0.7], rtol=1e-6)
    kept = keep_regions(labels, np.array([0.2, 0.9, 0.6]) >= 0.5)
    assert kept.max() == 2 and (kept[1:3, 5:8] == 1).all() and kept[5, 5] == 2 and kept[1, 1] == 0


def test_what_speaks_for_a_pore_never_speaks_against_it() -> None:
    card = load_model().card
    assert set(card["evidence"]) == set(MODES) and card["rated_on"][0] >= 1000
    for weights in card["evidence"].values():
        assert weights[0] < 0 < min(weights[1:])


def test_an_unrated_network_leaves_the_probability(ws2: Path) -> None:
    micrograph = read(ws2 / "A.dm3")
    found = Network().find(micrograph)
    evidence = gather_evidence(found.labels, found.probability, 8.0)
    unrated = rate_regions(evidence, "haadf", load_model()._replace(card={}))
    means = measure_regions(found.labels, found.probability)
    np.testing.assert_allclose(unrated, means, atol=1e-3)
