from __future__ import annotations

import numpy as np

from porescope.movies import find_tracks, link_regions
from porescope.movies.linking import Graph


def draw_labels(*discs: tuple[float, float, float] | None, shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    """Discs (row, column, radius), numbered from 1; None leaves a number out; those that touch are one."""
    labels = np.zeros(shape, np.int32)
    y, x = np.indices(shape)
    for number, disc in enumerate(discs, start=1):
        if disc:
            labels[np.hypot(y - disc[0], x - disc[1]) <= disc[2]] = number
    return labels


def link(frames: list[np.ndarray | None], places: np.ndarray | None = None, **options) -> Graph:
    places = np.zeros((len(frames), 2)) if places is None else np.asarray(places, float)
    return link_regions(lambda k: frames[k], places, 0.04, **options)


def list_tracks(graph: Graph) -> list[list[tuple[int, int]]]:
    return [[graph.regions[k][:2] for k in track.regions] for track in find_tracks(graph)]


A, B = (10, 12, 5), (25, 30, 5)


def test_pores_keep_their_tracks_whatever_their_labels() -> None:
    frames = [draw_labels(A, B), draw_labels(B, A), draw_labels(None, A, B)]
    assert list_tracks(link(frames)) == [[(0, 1), (1, 2), (2, 2)], [(0, 2), (1, 1), (2, 3)]]


def test_a_drift_by_more_than_a_pore_is_taken_off() -> None:
    moved = [(y, x - 15, r) for y, x, r in (A, B, (10, 45, 4))]
    frames = [draw_labels(A, B), draw_labels(None, *moved[1:])]
    assert list_tracks(link(frames, [[0, 0], [0, 15]])) == [[(0, 1)], [(0, 2), (1, 2)], [(1, 3)]]
    # Without the drift the pore at x = 30 would become the one that lies at 30 now.
    assert [(0, 2), (1, 2)] not in list_tracks(link(frames))


def test_missed_frames_are_bridged_up_to_the_gap() -> None:
    frames = [draw_labels(A), draw_labels(), draw_labels(), draw_labels(A)]
    assert list_tracks(link(frames, gap=2)) == [[(0, 1), (3, 1)]]
    graph = link(frames, gap=1)
    assert list_tracks(graph) == [[(0, 1)], [(3, 1)]]
    assert graph.left == {0: 1}  # frame 1 is the first without it


def test_frames_that_were_not_processed_or_not_placed_miss_nothing() -> None:
    frames = [draw_labels(A), None, draw_labels(B), draw_labels(A)]
    places = np.array([[0, 0], [0, 0], [np.nan, np.nan], [0, 0]])
    assert list_tracks(link(frames, places, gap=0)) == [[(0, 1), (3, 1)]]


def test_a_merge_and_a_split_begin_new_tracks() -> None:
    two = [draw_labels((20, 20, 5), (20, 34, 5))] * 3
    one = [draw_labels((20, 27, 13))] * 3
    merged = find_tracks(link(two + one))
    assert [(t.begins, t.ends, t.parents, t.children) for t in merged] == [
        ("birth", "merge", [], [2]), ("birth", "merge", [], [2]), ("merge", "end", [0, 1], []),
    ]  # fmt: skip
    parted = find_tracks(link(one + two))
    assert [(t.begins, t.ends, t.parents, t.children) for t in parted] == [
        ("birth", "split", [], [1, 2]), ("split", "end", [0], []), ("split", "end", [0], []),
    ]  # fmt: skip


def test_a_merge_that_undoes_itself_is_noise() -> None:
    two, one = draw_labels((20, 20, 6), (20, 34, 6)), draw_labels((20, 27, 13))
    assert list_tracks(link([two, two, one, two, two])) == [
        [(0, 1), (1, 1), (3, 1), (4, 1)], [(0, 2), (1, 2), (3, 2), (4, 2)], [(2, 1)],
    ]  # fmt: skip
    # Three frames of it are none.
    assert len(list_tracks(link([two, two, one, one, one, two, two], gap=2))) == 5


def test_a_piece_that_is_seen_once_ends_no_track() -> None:
    whole, broken = draw_labels((20, 27, 10)), draw_labels((20, 26, 8))
    broken[18:23, 36:38] = 2
    tracks = find_tracks(link([whole, whole, broken, whole, whole]))
    assert [len(t.regions) for t in tracks] == [5, 1]
    assert tracks[1].begins == "split" and tracks[1].ends == "merge"
    assert tracks[1].parents == tracks[1].children == [0]


def test_what_drifts_out_of_the_frame_does_not_die() -> None:
    frames = [draw_labels(A), draw_labels(), draw_labels(), draw_labels(), draw_labels(A)]
    places = [[0, 0], [30, 0], [30, 0], [30, 0], [0, 0]]
    graph = link(frames, places, gap=1)
    assert list_tracks(graph) == [[(0, 1), (4, 1)]]
    away = find_tracks(link(frames[:4], places[:4], gap=1))
    assert [(t.begins, t.ends) for t in away] == [("birth", "border")]
    # A pore that comes into view is not born.
    back = find_tracks(link(frames[1:], places[1:], gap=1))
    assert [(t.begins, t.ends) for t in back] == [("border", "end")]


def test_neighbours_that_touch_the_same_pixels_stay_apart() -> None:
    # The left one grows over a part of where the right one was, which is still there.
    frames = [draw_labels((20, 20, 5), (20, 30, 4)), draw_labels((20, 21, 8), (20, 33, 4))]
    assert list_tracks(link(frames)) == [[(0, 1), (1, 1)], [(0, 2), (1, 2)]]


def test_a_vacancy_of_a_few_pixels_that_jumps_by_two_is_the_same() -> None:
    one, two = draw_labels((20, 20, 1)), draw_labels((20, 23, 1))
    assert list_tracks(link([one, two])) == [[(0, 1), (1, 1)]]
    assert len(list_tracks(link([one, draw_labels((20, 25, 1))]))) == 2


def test_no_pores_and_no_frames() -> None:
    assert find_tracks(link([draw_labels(), draw_labels()])) == []
    assert find_tracks(link([draw_labels(A)], [[np.nan, np.nan]])) == []
