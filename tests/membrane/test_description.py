from __future__ import annotations

import numpy as np
import pytest

from porescope.membrane import Pattern, Window, describe_pores, draw_random, measure_spacing

WINDOW = Window(np.ones((200, 300), bool), 0.1)


def _pattern(n: int, seed: int = 0, diameter: float = 0.8) -> Pattern:
    start = Pattern(np.zeros((n, 2)), np.full(n, diameter), WINDOW)
    return draw_random(start, np.random.default_rng(seed))


def test_random_pores_are_said_to_be_so() -> None:
    rng = np.random.default_rng(0)
    found = describe_pores([_pattern(50)], 50, np.exp(rng.normal(0, 0.3, 50)), dose_per_cm2=5.1e13)
    assert found.density_per_um2.value == pytest.approx(50 / 600e-6)
    assert found.density_per_um2.low == pytest.approx(37.1 / 600e-6, rel=0.01)
    assert found.pores_per_ion is not None
    assert found.pores_per_ion.value == pytest.approx(50 / 600e-6 * 1e8 / 5.1e13)
    text = "\n".join(found.sentences)
    for words in (
        "Pores per ion: 0.163",
        "Nothing speaks against it",
        "Nothing speaks for it",
        "One will do",
    ):
        assert words in text


def test_clusters_and_two_populations_are_said() -> None:
    rng = np.random.default_rng(1)
    centres = rng.random((6, 2)) * (12, 20) + 4
    places = (centres[:, None] + rng.normal(0, 0.5, (6, 10, 2))).reshape(-1, 2)
    sizes = np.exp(np.concatenate([rng.normal(-1, 0.1, 30), rng.normal(0.3, 0.1, 30)]))
    found = describe_pores([Pattern(places, np.full(60, 0.1), WINDOW)], 60, sizes)
    text = "\n".join(found.sentences)
    assert "uniform? No" in text and "cluster? Yes: most at" in text and "population? Yes" in text
    grid = np.stack(np.mgrid[1:20:3, 1:30:3], axis=-1).reshape(-1, 2).astype(float)
    regular = describe_pores([Pattern(grid, np.full(70, 0.1), WINDOW)], 70, sizes)
    assert "cluster? No, they avoid each other" in regular.sentences[2]


@pytest.mark.parametrize("n", [0, 1, 4])
def test_few_pores_are_not_told_more_than_they_tell(n: int) -> None:
    found = describe_pores([_pattern(n)], n, np.ones(n))
    assert found.randomness is None and found.sizes is None and found.populations is None
    assert "too few" in found.sentences[-1] and "too few to tell a pattern" in found.sentences[-2]
    assert found.density_per_um2.high > found.density_per_um2.value
    assert found.density_per_um2.value == pytest.approx(n / 600e-6)


def test_no_area_and_no_dose_are_refused() -> None:
    with pytest.raises(ValueError, match="no image has a clean area"):
        describe_pores(
            [Pattern(np.empty((0, 2)), np.empty(0), Window(np.zeros((3, 3), bool), 1.0))], 0, np.ones(0)
        )
    for dose in (0, -1, np.nan):
        with pytest.raises(ValueError, match="--dose"):
            describe_pores([_pattern(3)], 3, np.ones(3), dose_per_cm2=dose)


def test_the_spacing_of_three_pores() -> None:
    places = np.array([(10.0, 4.95), (10.0, 8.95), (10.0, 25.0)])
    spacing = measure_spacing(Pattern(places, np.array([1.0, 3.0, 1.0]), WINDOW))
    assert spacing["nearest"].tolist() == [1, 0, 1]
    np.testing.assert_allclose(spacing["nearest_nm"], [4, 4, 16.05])
    np.testing.assert_allclose(spacing["gap_nm"], [2, 2, 14.05])
    np.testing.assert_allclose(spacing["border_nm"], [5.0, 9.0, 5.0], atol=0.11)
    alone = measure_spacing(Pattern(places[:1], np.ones(1), WINDOW))
    assert np.isnan(alone["nearest_nm"][0]) and alone["border_nm"][0] > 4.8
