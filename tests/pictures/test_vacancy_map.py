from __future__ import annotations

import numpy as np

from porescope import Micrograph
from porescope.pictures import draw_vacancies
from porescope.pictures.vacancy_map import _BAR, _HEAD, _SIDE


def test_the_map_lies_below_its_heading_with_pores_and_candidates_outlined() -> None:
    z = np.zeros((40, 80), np.float32)
    z[10:20, 50:60] = 20
    labels, candidates = (np.zeros(z.shape, int) for _ in range(2))
    labels[8:22, 48:62] = 1
    candidates[30:34, 60:64] = 1
    picture = draw_vacancies(Micrograph(np.ones(z.shape), 0.1), z, labels, candidates, size=800)
    assert picture.shape == (400 + _HEAD, 800 + _SIDE, 3)
    shown = picture[_HEAD:, :800].astype(int)
    highest = picture[_HEAD + 8, 800 + 10 + _BAR // 2].astype(int)  # the upper end of the colour bar
    np.testing.assert_array_equal(shown[150, 550], highest)
    assert (shown[80, 500] > 180).all()  # a pore's outline
    assert 100 < shown[300, 620].min() < 250  # a candidate's
    assert shown[200, 300].max() < 10  # nothing stands out here


def test_a_picture_of_a_small_image_has_its_bar() -> None:
    picture = draw_vacancies(
        Micrograph(np.ones((30, 30)), 0.1), np.zeros((30, 30)), np.zeros((30, 30), int), size=60
    )
    assert picture.shape == (60 + _HEAD, 60 + _SIDE, 3) and picture[_HEAD + 8 :, 70 : 70 + _BAR].std() > 20
