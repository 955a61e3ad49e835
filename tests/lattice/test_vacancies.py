from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import maximum_filter

from porescope import Micrograph, score
from porescope.lattice import Vacancies, find_lattice, map_vacancies, vacancies
from porescope.lattice.vacancies import _continue
from porescope.simulation import Pore, Recording, Scene, Simulation, simulate


def _draw(modality: str = "haadf", seed: int = 0, **options: object) -> Simulation:
    options = {"pores": 4, "max_missing": 1, "dose": 5e5, **options}
    return simulate(Scene("WS2", (400, 440), pixel_size=0.04, modality=modality, **options), seed=seed)


@pytest.mark.parametrize("modality", ["haadf", "bf"])
def test_lone_vacancies_stand_out_and_nothing_else_does(modality: str, record_property) -> None:
    seen, others = [], 0
    for seed in range(6):
        drawn = _draw(modality, seed)
        z = map_vacancies(drawn.micrograph, find_lattice(drawn.micrograph)).z
        seen += [float(z[drawn.labels == k].max()) for k in range(1, drawn.labels.max() + 1)]
        peaks = (z == maximum_filter(z, 9)) & (maximum_filter(drawn.labels, 15) == 0)
        others += int((z[peaks] > 5.5).sum())
    places = f"{others} other places above 5.5 in 6 images"
    figure = f"vacancy map, {modality}: 24 vacancies at z {min(seen):.1f} to {max(seen):.1f}, {places}"
    record_property("figure", figure)
    assert min(seen) > 5.5 and others <= 2


def test_noise_is_of_unit_width_up_to_the_border() -> None:
    drawn = _draw(pores=0, contamination=0.0)
    z = map_vacancies(drawn.micrograph, find_lattice(drawn.micrograph)).z
    assert z.std() == pytest.approx(1, abs=0.1) and z.max() < 5
    for side in (z[:6], z[-6:], z[:, :6], z[:, -6:]):
        assert side.std() == pytest.approx(1, abs=0.35)


def test_the_sign_follows_the_modality_and_the_field_is_kept() -> None:
    drawn = _draw(seed=3)
    lattice = find_lattice(drawn.micrograph)
    z = map_vacancies(drawn.micrograph, lattice).z
    turned = replace(drawn.micrograph, image=-drawn.micrograph.image, modality="bf")
    np.testing.assert_allclose(map_vacancies(turned, lattice).z, z, atol=1e-3)
    either = map_vacancies(replace(drawn.micrograph, modality="hrtem"), lattice).z
    np.testing.assert_allclose(either, np.abs(z), atol=1e-3)
    field = np.ones(z.shape, bool)
    field[:, 300:] = False
    cut = map_vacancies(replace(drawn.micrograph, field=field), lattice).z
    assert not cut[:, 300:].any() and np.corrcoef(cut[:, :280].ravel(), z[:, :280].ravel())[0, 1] > 0.9


@pytest.mark.parametrize("modality", ["haadf", "bf"])
def test_scale_bars_and_the_edge_of_the_field_do_not_stand_out(modality: str) -> None:
    drawn = _draw(modality, seed=2, pores=0, recording=Recording(bits=8, bar=True, jpeg=85))
    field = np.ones(drawn.labels.shape, bool)
    field[:90] = False
    micrograph = replace(drawn.micrograph, field=field)
    assert map_vacancies(micrograph, find_lattice(micrograph)).z.max() < 5.5


def test_an_image_is_continued_by_its_own_lattice() -> None:
    """Within what whole pixels leave; mirrored it would be off by the whole contrast."""
    y, x = np.mgrid[:240, :250].astype(np.float32)
    spots = [(0, 1 / 8), (np.sqrt(3) / 16, 1 / 16), (np.sqrt(3) / 16, -1 / 16)]
    wide = sum(np.cos(2 * np.pi * (fy * y + fx * x)) for fy, fx in spots)
    image = wide[40:200, 40:210].astype(np.float32)
    lattice = find_lattice(Micrograph(image + np.random.default_rng(0).normal(0, 0.1, image.shape), 0.04))
    got = _continue(image, lattice, 40)
    assert got.shape == (240, 250)
    np.testing.assert_array_equal(got[40:200, 40:210], image)
    for side in (np.s_[:40, 60:190], np.s_[200:, 60:190], np.s_[60:180, :40], np.s_[60:180, 210:]):
        assert np.abs(got - wide)[side].mean() < 0.2 * wide.std()


def test_the_detector_outlines_each_vacancy() -> None:
    drawn = _draw(seed=1, pores=(Pore((4.0, 5.0), missing=1), Pore((9.0, 11.0), missing=1)))
    found = Vacancies().find(drawn.micrograph, find_lattice(drawn.micrograph))
    result = score(drawn.labels, found.labels)
    assert (result.found, result.missed, result.false) == (2, 0, 0)
    assert Vacancies(least_z=60).find(drawn.micrograph, find_lattice(drawn.micrograph)).labels.max() == 0
    assert "no lattice" in Vacancies().find(drawn.micrograph, None).message
    with pytest.raises(ValueError, match="least_z must be above 0"):
        Vacancies(least_z=0)


def test_a_large_image_is_mapped_in_blocks(monkeypatch):
    drawn = simulate(Scene("WS2", (300, 420), pores=(Pore((6.0, 8.0), missing=1),), dose=2e6), seed=2)
    lattice = find_lattice(drawn.micrograph)
    whole = map_vacancies(drawn.micrograph, lattice).z
    monkeypatch.setattr(vacancies, "_BLOCK", 160)
    blocks = map_vacancies(drawn.micrograph, lattice).z
    inside = drawn.labels > 0
    assert blocks[inside].max() > 0.8 * whole[inside].max()
    # No seam between blocks looks like a vacancy.
    assert blocks[~inside].max() < whole[inside].max() / 2
    assert np.corrcoef(whole.ravel(), blocks.ravel())[0, 1] > 0.9


def test_vacancies_stand_out_where_rows_jitter() -> None:
    heights = []
    for jitter in (0.0, 1.2):
        drawn = _draw(seed=4, recording=Recording(jitter=jitter))
        z = map_vacancies(drawn.micrograph, find_lattice(drawn.micrograph)).z
        heights.append(np.median([z[drawn.labels == label].max() for label in range(1, 5)]))
    # With rows as they were recorded, a fifth of the height is lost.
    assert heights[1] > 0.88 * heights[0]
