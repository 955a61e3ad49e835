from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from porescope.labels import (
    clear_outside,
    find_bordered,
    find_boxes,
    keep_regions,
    label_regions,
    measure_areas,
    number_consecutively,
)

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


@given(masks, st.randoms(use_true_random=False))
def test_kept_regions_are_those_kept_and_numbered_without_gaps(mask: np.ndarray, random) -> None:
    labels = label_regions(mask)
    kept = np.array([random.random() < 0.5 for _ in range(labels.max())], bool)
    out = keep_regions(labels, kept)
    assert np.array_equal(out > 0, np.isin(labels, np.flatnonzero(kept) + 1))
    assert np.array_equal(out, number_consecutively(np.where(out > 0, labels, 0)))


@given(masks)
def test_regions_may_be_dropped_in_place_and_have_their_areas(mask: np.ndarray) -> None:
    labels = label_regions(mask)
    assert measure_areas(labels).tolist() == np.bincount(labels.ravel()).tolist()
    kept = measure_areas(labels)[1:] > 2
    fresh = keep_regions(labels, kept)
    assert keep_regions(labels, kept, out=labels) is labels and np.array_equal(labels, fresh)


@settings(max_examples=60)
@given(st.integers(129, 300), st.integers(1, 60), st.floats(0, 1), st.integers(0, 4), st.integers(0, 99))
def test_regions_labelled_in_strips_are_those_of_the_whole(
    rows: int, columns: int, share: float, blur: int, seed: int
) -> None:
    values = np.random.default_rng(seed).random((rows, columns))
    values = cv2.blur(values, (2 * blur + 1, 2 * blur + 1)).reshape(rows, columns)
    level = float(np.quantile(values, share))
    labels = label_regions(values, level, pixels=1)  # strips have 64 rows at least
    whole = cv2.connectedComponents((values >= level).astype(np.uint8), connectivity=8)[1]
    np.testing.assert_array_equal(labels, whole)
    np.testing.assert_array_equal(label_regions(values >= level, pixels=1), whole)


@given(masks)
def test_boxes_hold_their_regions(mask: np.ndarray) -> None:
    labels = label_regions(mask)
    for label, (top, left, bottom, right) in find_boxes(labels).items():
        rows, columns = np.nonzero(labels == label)
        assert (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) == (top, left, bottom, right)


def test_the_field_counts_as_border_by_its_corners_too() -> None:
    labels = np.zeros((7, 9), np.int32)
    labels[2, 2], labels[4, 6] = 1, 2
    field = np.ones(labels.shape, bool)
    assert find_bordered(labels).tolist() == []
    field[3, 3] = False  # diagonal neighbour of region 1
    assert find_bordered(labels, field).tolist() == [1]
    assert clear_outside(labels, field) is not labels and clear_outside(labels, None) is labels


def test_a_region_outside_the_field_is_gone_and_numbers_have_no_gap() -> None:
    labels = np.array([[1, 1, 2, 2], [0, 0, 0, 3]], np.int32)
    field = np.array([[False, False, False, True], [True, True, True, True]])
    assert clear_outside(labels, field).tolist() == [[0, 0, 0, 1], [0, 0, 0, 2]]


@pytest.mark.parametrize("mask", [np.zeros((0, 3)), np.zeros(4), np.zeros((2, 2, 2))])
def test_what_is_no_mask_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="two non-empty dimensions"):
        label_regions(mask)
