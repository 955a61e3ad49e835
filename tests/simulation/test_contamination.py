from __future__ import annotations

import numpy as np
import pytest

from porescope.materials import MATERIALS
from porescope.simulation import thick_carbon
from porescope.simulation.contamination import choose_area, draw_film, draw_patches, draw_rims, mean_signal


def test_a_sheet_scatters_what_the_atoms_of_a_cell_scatter() -> None:
    assert mean_signal(MATERIALS["graphene"]) == pytest.approx(2 * 7.3e-6 / 0.05245, rel=1e-3)
    assert mean_signal(MATERIALS["WS2"]) == pytest.approx((7.155e-4 + 2 * 4.64e-5) / 0.08609, rel=1e-3)


@pytest.mark.parametrize(
    ("material", "modality", "thickness"),
    [
        ("graphene", "haadf", 0.381),  # its 38.1 atoms per nm², at 100 per nm³
        ("graphene", "abf", 0.381),
        ("graphene", "bf", 0.191),
        ("graphene", "hrtem", 0.191),
        ("WS2", "haadf", 12.86),
        ("WS2", "bf", 0.535),
    ],
)
def test_the_thickness_that_hides_a_sheet(material: str, modality: str, thickness: float) -> None:
    assert thick_carbon(modality, MATERIALS[material]) == pytest.approx(thickness, rel=0.01)


def test_a_film_varies_around_its_mean() -> None:
    rng = np.random.default_rng(0)
    film = draw_film((300, 320), 2.0, 6.0, rng)
    assert film.min() >= 0 and film.mean() == pytest.approx(2.0, rel=0.15) and film.std() > 1
    near, far = (np.corrcoef(film[:, d:].ravel(), film[:, :-d].ravel())[0, 1] for d in (3, 40))
    assert near > 0.8 and abs(far) < 0.2


@pytest.mark.parametrize("cover", [0.0, 0.3, 1.0])
def test_an_area_and_patches_have_their_share_of_the_frame(cover: float) -> None:
    rng = np.random.default_rng(1)
    assert choose_area((200, 210), cover, 8.0, rng).mean() == pytest.approx(cover, abs=0.005)
    patches = draw_patches((200, 210), cover, 8.0, 0.04, rng)
    assert patches.mean() == pytest.approx(cover, abs=0.03) and patches.min() >= 0


def test_rims_fall_off_from_the_edge_of_a_pore() -> None:
    presence = np.ones((101, 101), np.float32)
    assert not draw_rims(presence, 0.05).any()
    presence[:, :50] = 0
    rim = draw_rims(presence, 0.05)[50]
    assert not rim[:50].any() and rim[50] > 0.95 and rim[56] == pytest.approx(np.exp(-1), abs=0.04)
    assert (np.diff(rim[50:]) <= 0).all()
