from __future__ import annotations

import numpy as np
import pytest

from porescope.labels import label_regions
from porescope.simulation import Membrane, draw_membrane, make_generator, vary_membrane


def test_the_pores_have_the_areas_that_were_drawn() -> None:
    scene = Membrane((300, 340), 2.0, pores=30, porosity=0.1, touching=0.0, noise=0.02)
    drawn = draw_membrane(scene, np.random.default_rng(1))
    assert drawn.labels.max() == len(drawn.area_nm2) == 30
    pixels = np.bincount(drawn.labels.ravel())[1:] * 4
    assert pixels / drawn.area_nm2 == pytest.approx(np.ones(30), abs=0.12)
    assert drawn.area_nm2.sum() / (300 * 340 * 4) == pytest.approx(0.1, rel=0.15)
    # Vacuum is dark, and pores apart.
    image = drawn.micrograph.image
    assert np.median(image[drawn.labels > 0]) < 0.4 * np.median(image[drawn.labels == 0])
    assert label_regions(drawn.labels > 0).max() == 30
    assert np.isnan(drawn.missing_atoms).all() and len(drawn.atoms.positions) == 0


def test_pores_touch_if_they_shall() -> None:
    scene = Membrane((400, 400), pores=40, touching=0.8, forms=("disc",))
    drawn = draw_membrane(scene, np.random.default_rng(2))
    assert label_regions(drawn.labels > 0).max() < 0.8 * drawn.labels.max()


def test_a_bare_hole_of_the_film_is_no_pore() -> None:
    scene = Membrane((400, 400), pores=0, support_holes=1, bare_hole=True, noise=0.02)
    drawn = draw_membrane(scene, np.random.default_rng(0))
    assert drawn.labels.max() == 0
    bright, dark = np.percentile(drawn.micrograph.image, (95, 2))
    assert dark < 0.2 * bright


@pytest.mark.parametrize("defocus", [-6000.0, 6000.0])
def test_a_defocus_makes_fringes(defocus: float) -> None:
    options = {"modality": "bf", "pores": 4, "phase": 0.6, "noise": 0.005, "forms": ("disc",), "blur": 0.4}
    sharp, fringed = (
        draw_membrane(Membrane((200, 220), defocus=d, **options), np.random.default_rng(1)).micrograph.image
        for d in (0.0, defocus)
    )
    assert np.ptp(fringed) > 1.1 * np.ptp(sharp)


def test_random_membranes_repeat_and_vary() -> None:
    first, again, other = (
        draw_membrane(vary_membrane(rng, (256, 256)), rng)
        for rng in (
            make_generator("validation", 1),
            make_generator("validation", 1),
            make_generator("validation", 2),
        )
    )
    assert np.array_equal(first.micrograph.image, again.micrograph.image)
    assert not np.array_equal(first.micrograph.image, other.micrograph.image)
    assert vary_membrane(make_generator("validation", 3), (256, 256), pores=0).pores == 0
