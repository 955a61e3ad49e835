from __future__ import annotations

import numpy as np
import pytest

from porescope.simulation import MATERIALS, simulate


@pytest.mark.parametrize(("material", "area"), [("WS2", 0.078), ("MoS2", 0.069), ("graphene", 0.064)])
def test_a_lone_vacancy_has_the_area_of_the_definition(material: str, area: float) -> None:
    areas = [
        simulate(material, shape=(120, 130), pixel_size=0.02, pores=1, max_missing=1, seed=seed).area_nm2[0]
        for seed in range(8)
    ]
    assert min(areas) == pytest.approx(area, rel=0.02)
    assert max(areas) <= 0.17  # with its chalcogens gone


@pytest.mark.parametrize("material", MATERIALS)
def test_truth_and_image_belong_together(material: str) -> None:
    drawn = simulate(material, shape=(200, 260), pores=3, seed=2)
    labels, image = drawn.labels, drawn.micrograph.image
    assert labels.max() == len(drawn.area_nm2) == len(drawn.missing_atoms)
    assert image[labels > 0].mean() < 0.8 * image[labels == 0].mean()
    pixels = np.bincount(labels.ravel())[1:] * drawn.micrograph.pixel_area
    np.testing.assert_allclose(pixels, drawn.area_nm2, rtol=0.15)


def test_the_seed_decides_all() -> None:
    one, same, other = (simulate(shape=(90, 100), seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.micrograph.image, same.micrograph.image)
    assert not np.array_equal(one.micrograph.image, other.micrograph.image)


def test_a_sheet_without_pores_has_no_truth() -> None:
    drawn = simulate(shape=(90, 100), pores=0, seed=3)
    assert not drawn.labels.any() and len(drawn.area_nm2) == 0
