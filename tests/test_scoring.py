from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from porescope import Score, score
from porescope.labels import number_consecutively
from porescope.scoring import _match, wilson_interval

masks = hnp.arrays(bool, (12, 17))


def test_figure_3a_of_the_paper() -> None:
    s = Score(tp=54, fp=5, fn=11, found=1, missed=0, false=0)
    assert round(100 * s.precision, 1) == 91.5 and s.hamming == 16
    assert s.recall == pytest.approx(54 / 65) and s.iou == pytest.approx(54 / 70)
    assert s.f1 == pytest.approx(2 * 54 / (2 * 54 + 16))


def test_a_score_shows_its_figures() -> None:
    s = Score(tp=6, fp=2, fn=2, found=1, missed=1, false=0, diameter_ratios=(1.1,))
    assert repr(s) == (
        "Score(precision 0.750, recall 0.750, F1 0.750, IoU 0.600, Hamming [px] 4, found 1, missed 1, "
        "false 0, diameter bias +10.0%, error 10.0%)"
    )
    page = s._repr_html_()
    assert page.count("<th>") == page.count("<td>") == 10 and "<th>IoU</th>" in page and "0.600" in page
    assert "diameter" not in repr(Score(0, 0, 5, 0, 1, 0))


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


def _count_plainly(standard: np.ndarray, labels: np.ndarray, min_iou: float) -> int:
    """Number of matches, from a matrix of all pores and all regions."""
    pores, regions = (np.arange(1, a.max() + 1) for a in (standard, labels))
    both = np.array([[((standard == p) & (labels == r)).sum() for r in regions] for p in pores])
    either = np.array([[((standard == p) | (labels == r)).sum() for r in regions] for p in pores])
    iou = both / either
    allowed = (both > 0) & (iou >= min_iou)
    rows, columns = linear_sum_assignment(np.where(allowed, 1 + iou / 1000, 0), maximize=True)
    kept = allowed[rows, columns]
    return int(kept.sum())


@given(seed=st.integers(0, 2**32 - 1), min_iou=st.sampled_from([0.0, 0.1, 0.3]))
def test_matches_are_those_of_all_pores_with_all_regions(seed: int, min_iou: float) -> None:
    rng = np.random.default_rng(seed)
    standard, labels = np.zeros((16, 20), int), np.zeros((16, 20), int)
    for image in (standard, labels):
        for label in range(1, 7):
            y, x, height, width = rng.integers(0, (12, 16, 6, 6))
            image[y : y + 1 + height, x : x + 1 + width] = label
    standard, labels = number_consecutively(standard), number_consecutively(labels)
    s = score(standard, labels, min_iou=min_iou)
    found = _count_plainly(standard, labels, min_iou)
    assert (s.found, s.missed) == (found, standard.max() - found)


@given(st.sets(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1), st.data())
def test_the_sum_of_ious_is_largest(pairs: set[tuple[int, int]], data: st.DataObject) -> None:
    """Against the assignment over the whole matrix."""
    listed = np.array(sorted(pairs)).T
    iou = np.array([data.draw(st.floats(0.01, 1)) for _ in pairs])
    gain = np.zeros((7, 7))
    gain[listed[0], listed[1]] = 1 + iou / 1000
    rows, columns = linear_sum_assignment(gain, maximize=True)
    matched = _match(listed, iou)
    assert gain[matched[0], matched[1]].sum() == pytest.approx(gain[rows, columns].sum(), abs=1e-9)
    assert all(len(set(side)) == len(side) for side in matched.tolist())


def test_twenty_thousand_pores_are_matched() -> None:
    """A matrix of all pores and all regions would have 3 GB."""
    grid = np.arange(1, 142 * 142 + 1).reshape(142, 142)
    standard = np.kron(grid, np.pad(np.ones((3, 3), int), (0, 2)))
    labels = np.roll(standard, 1, axis=1)
    s = score(standard, labels)
    assert (s.found, s.missed, s.false) == (142**2, 0, 0) and s.iou == pytest.approx(6 / 12)


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
