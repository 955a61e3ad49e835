from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from porescope import Score, score
from porescope.scoring import wilson_interval

masks = hnp.arrays(bool, (12, 17))


def test_figure_3a_of_the_paper() -> None:
    s = Score(tp=54, fp=5, fn=11, found=1, missed=0, false=0)
    assert round(100 * s.precision, 1) == 91.5 and s.hamming == 16
    assert s.recall == pytest.approx(54 / 65) and s.iou == pytest.approx(54 / 70)
    assert s.f1 == pytest.approx(2 * 54 / (2 * 54 + 16))


def test_pores_are_matched_one_to_one() -> None:
    standard, labels = np.zeros((10, 30), int), np.zeros((10, 30), int)
    standard[2:6, 2:6], standard[2:6, 12:16], standard[2:6, 20:24] = 1, 2, 3
    labels[2:6, 2:14] = 1  # one region over two pores
    labels[3, 20], labels[5, 23] = 2, 3  # two regions over one pore
    labels[9, 9] = 4  # nothing there
    s = score(standard, labels)
    assert (s.found, s.missed, s.false) == (2, 1, 1)
    strict = score(standard, labels, min_iou=0.3)
    assert (strict.found, strict.missed, strict.false) == (1, 2, 3)


def test_as_many_pores_as_can_be_are_matched() -> None:
    standard, labels = np.zeros((4, 20), int), np.zeros((4, 20), int)
    standard[:, 0:4], standard[:, 4:8] = 1, 2
    labels[:, 3:8] = 1  # overlaps both, the second better
    labels[:, 8:9], standard[0, 8] = 2, 2  # overlaps only the second
    assert score(standard, labels).found == 2


@given(standard=masks, labels=masks)
def test_scores_add_up(standard: np.ndarray, labels: np.ndarray) -> None:
    s, back = score(standard, labels), score(labels, standard)
    assert s.tp + s.fn == standard.sum() and s.tp + s.fp == labels.sum()
    assert s.hamming == (standard ^ labels).sum()
    assert (s.precision, s.found) == (back.recall, back.found)
    assert 0 <= s.iou <= s.f1 <= 1 and len(s.diameter_ratios) == s.found
    n_standard = cv2.connectedComponents(standard.astype(np.uint8), connectivity=8)[0] - 1
    assert s.found + s.missed == n_standard


@given(mask=masks)
def test_a_standard_scores_itself_perfectly(mask: np.ndarray) -> None:
    s = score(mask, mask)
    assert s.precision == s.recall == s.f1 == 1 and s.missed == s.false == 0
    if s.found:
        assert s.diameter_bias == s.diameter_error == 0


def test_finding_nothing_is_no_precision() -> None:
    something, nothing = np.eye(3, 4, dtype=bool), np.zeros((3, 4), bool)
    assert score(something, nothing).precision == 0
    assert score(nothing, nothing).precision == 1


def test_wilson_by_hand() -> None:
    assert wilson_interval(0, 0) == (0, 1)
    assert wilson_interval(1, 2) == pytest.approx((0.0945, 0.9055), abs=1e-3)


@given(st.integers(1, 500), st.data())
def test_wilson_holds_the_share(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    low, high = wilson_interval(hits, n)
    assert 0 <= low <= hits / n + 1e-12 and hits / n - 1e-12 <= high <= 1
