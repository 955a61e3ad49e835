from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from porescope.corrections import compare_labels
from porescope.corrections.comparing import fill_holes
from porescope.labels import label_regions


def draw_boxes(seed: int, n: int) -> np.ndarray:
    """Up to n boxes that do not touch, labelled."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((40, 50), bool)
    for _ in range(n):
        y, x = rng.integers(0, 36), rng.integers(0, 46)
        mask[y : y + rng.integers(1, 6), x : x + rng.integers(1, 6)] = True
    return label_regions(mask)


def test_a_line_of_background_splits_a_pore_and_equal_labels_are_two() -> None:
    original = np.zeros((9, 20), int)
    original[1:4, 1:8] = 3
    original[6:8, 1:4] = 5
    edited = original.copy()
    edited[1:4, 4] = 0  # splits 3
    edited[6:8, 10:12] = edited[6:8, 15:17] = 255  # two painted with one label
    edits = compare_labels(original, edited)
    assert (edits.kept, edits.deleted, len(edits.changed), len(edits.drawn)) == ([5], [], 2, 2)
    assert edits.labels[7, 2] == 5 and edits.labels[2, 2] != edits.labels[2, 6]
    assert edits.labels[7, 10] != edits.labels[7, 16]
    assert set(np.unique(edits.labels)) == {0, 5, 6, 7, 8, 9}  # no number is used again


def test_a_pore_that_was_moved_by_a_pixel_is_another_one() -> None:
    original = np.zeros((9, 20), int)
    original[1:4, 1:8] = 1
    assert compare_labels(original, np.roll(original, 1, axis=1)).changed == [2]
    assert not compare_labels(original, original * 9).any


def test_a_pore_of_several_pieces_is_one_as_long_as_it_is_not_touched() -> None:
    original = np.array([[4, 0, 4, 0, 2]])
    assert compare_labels(original, np.array([[4, 0, 4, 0, 0]])).kept == [4]
    assert compare_labels(original, np.array([[4, 0, 0, 0, 0]])).changed == [5]


def test_outlines_do_not_know_holes() -> None:
    original = np.zeros((9, 9), np.int32)
    original[1:8, 1:8] = 1
    original[4, 4] = 0
    filled = fill_holes(original)
    assert filled[4, 4] == 1 and compare_labels(original, filled).changed == [2]
    edits = compare_labels(original, filled, outlined=True)
    assert edits.kept == [1] and np.array_equal(edits.labels, original)


@given(seed=st.integers(0, 10**6), gone=st.integers(0, 2**20 - 1), shuffle=st.integers(0, 10**6))
def test_pores_that_were_not_touched_stay_whatever_their_labels(seed: int, gone: int, shuffle: int) -> None:
    original = draw_boxes(seed, 12)
    n = original.max()
    deleted = [k for k in range(1, n + 1) if gone >> k & 1]
    names = np.r_[0, np.random.default_rng(shuffle).permutation(n) + 1]
    names[deleted] = 0
    edits = compare_labels(original, names[original])
    assert edits.deleted == deleted and not edits.drawn and not edits.changed
    assert np.array_equal(edits.labels, np.where(np.isin(original, deleted), 0, original))


@given(seed=st.integers(0, 10**6), other=st.integers(0, 10**6))
def test_the_result_has_the_edited_pixels_and_each_pore_is_one_piece(seed: int, other: int) -> None:
    original, edited = draw_boxes(seed, 10), draw_boxes(other, 10)
    edits = compare_labels(original, edited)
    assert np.array_equal(edits.labels > 0, edited > 0)
    numbers = sorted(np.unique(edits.labels[edits.labels > 0]).tolist())
    assert numbers == sorted([*edits.kept, *edits.drawn, *edits.changed])
    for number in [*edits.drawn, *edits.changed]:
        assert label_regions(edits.labels == number).max() == 1
        touches = (original[edits.labels == number] > 0).any()
        assert touches == (number in edits.changed)
    assert all((edits.labels[original == k] == 0).all() for k in edits.deleted)
