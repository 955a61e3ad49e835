from __future__ import annotations

import numpy as np
import pytest

from porescope.materials import MATERIALS
from porescope.simulation import Optics, Pore, Scene, simulate, thick_carbon
from porescope.simulation.scene import OPTICS, place_pores


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"material": "gold"}, "material must be one of WS2"),
        ({"modality": "sem"}, "modality must be one of haadf"),
        ({"shape": (0, 10)}, "above 0"),
        ({"pixel_size": 0.0}, "above 0"),
        ({"pixel_size": float("nan")}, "above 0"),
        ({"dose": -1.0}, "above 0"),
        ({"max_missing": 0}, "above 0"),
        ({"pores": -1}, "pores not below"),
    ],
)
def test_impossible_scenes_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scene(**wrong)


@pytest.mark.parametrize("modality", OPTICS)
def test_open_fields_have_the_defaults_of_modality_and_material(modality: str) -> None:
    scene = Scene("MoS2", modality=modality, shape=(90, 100), pores=1)
    film = 0.1 * thick_carbon(modality, MATERIALS["MoS2"])
    assert scene.lens == OPTICS[modality] and scene.film == pytest.approx(film)
    told = Scene(
        "MoS2", modality=modality, shape=(90, 100), pores=1, optics=OPTICS[modality], contamination=film
    )
    assert np.array_equal(simulate(scene).micrograph.image, simulate(told).micrograph.image)
    other = Scene(modality=modality, optics=Optics(20.0), contamination=0.0)
    assert other.lens == Optics(20.0) and other.film == 0.0


def test_pores_are_placed_apart_and_of_all_sizes() -> None:
    scene = Scene(shape=(500, 550), pores=40, max_missing=20)
    pores = place_pores(scene, np.random.default_rng(0))
    centres, missing = np.array([p.centre for p in pores]), np.array([p.missing for p in pores])
    assert len(pores) == 40 and missing.min() == 1 and 10 < missing.max() <= 20
    assert np.mean(missing <= 4) > 0.4  # log 5 / log 21 = 53 % are expected
    apart = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1))
    assert apart[np.triu_indices(40, 1)].min() > 0.8
    assert (centres > 0.8).all() and (centres < np.array([20.0, 22.0]) - 0.8).all()


def test_listed_pores_stay_and_use_no_random_numbers() -> None:
    pores, rng = (Pore((1.0, 2.0), 3),), np.random.default_rng(0)
    assert place_pores(Scene(pores=pores), rng) == pores
    assert rng.random() == np.random.default_rng(0).random()
