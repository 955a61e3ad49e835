from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from porescope.live.resting import Arrival, Resting

A, B = Path("a.tif"), Path("b.tif")


def test_a_file_is_handed_out_once_it_rests_and_again_when_it_has_grown() -> None:
    resting = Resting(quiet=0.3, longest=100)
    resting.see(A, (10, 1), 0.0)
    assert list(resting.take(0.2)) == []
    resting.see(A, (20, 2), 0.2)
    assert list(resting.take(0.4)) == []
    assert list(resting.take(0.5)) == [Arrival(A, 0.2, (20, 2))]
    resting.see(A, (20, 2), 1.0)
    assert list(resting.take(9.0)) == [] and resting.growing == []
    resting.see(A, (20, 3), 9.0)  # of the same size, but written again
    assert list(resting.take(9.3)) == [Arrival(A, 9.0, (20, 3))]


def test_the_order_is_that_of_the_last_changes() -> None:
    resting = Resting(quiet=0.3, longest=100)
    resting.see(A, (1, 1), 0.0)
    resting.see(B, (1, 1), 0.1)
    resting.see(A, (2, 2), 0.2)
    assert [arrival.path for arrival in resting.take(1.0)] == [B, A]


def test_what_vanishes_before_it_rests_is_told_and_what_vanishes_later_is_not() -> None:
    resting = Resting(quiet=0.3, longest=100)
    resting.see(A, (1, 1), 0.0)
    assert resting.see(A, None, 0.1)
    assert list(resting.take(1.0)) == []
    resting.see(A, (1, 1), 2.0)
    list(resting.take(3.0))
    assert not resting.see(A, None, 4.0)
    resting.see(A, (1, 1), 5.0)  # the network drive is there again
    assert list(resting.take(9.0)) == []


def test_an_endless_file_is_told_of_once_and_read_once_it_rests() -> None:
    resting = Resting(quiet=0.3, longest=2)
    told = []
    for i in range(40):
        resting.see(A, (i, i), i / 10)
        assert list(resting.take(i / 10)) == []
        told += resting.take_endless(i / 10)
    assert told == [A]
    assert [arrival.path for arrival in resting.take(4.3)] == [A]


def test_a_file_that_was_put_back_comes_again_after_the_pause_or_when_it_rests_after_a_change() -> None:
    for change in (None, (2, 2)):
        resting = Resting(quiet=0.3, longest=100)
        resting.see(A, (1, 1), 0.0)
        list(resting.take(0.3))
        resting.put_back(A, 1.0, rest=5)
        if change:
            resting.see(A, change, 2.0)
            assert [a.changed for a in resting.take(2.5)] == [2.0]
        else:
            assert list(resting.take(5.9)) == []
            assert [a.path for a in resting.take(6.0)] == [A]


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.booleans(), st.integers(1, 5)), max_size=40))
def test_the_last_content_is_always_handed_out_and_none_twice_in_a_row(
    events: list[tuple[Path, bool, int]],
) -> None:
    resting, now = Resting(quiet=3, longest=1e9), 0.0
    last: dict[Path, tuple[int, int]] = {}
    changed: dict[Path, float] = {}
    handed: dict[Path, list[tuple[int, int]]] = {A: [], B: []}
    for i, (path, grows, pause) in enumerate(events):
        if grows or path not in last:
            last[path], changed[path] = (i, i), now
        resting.see(path, last[path], now)
        for arrival in resting.take(now):
            assert now - changed[arrival.path] >= 3
            handed[arrival.path].append(arrival.signature)
        now += pause
    for arrival in resting.take(now + 3):
        handed[arrival.path].append(arrival.signature)
    for path, signatures in handed.items():
        assert signatures[-1:] == ([last[path]] if path in last else [])
        assert all(a != b for a, b in zip(signatures, signatures[1:], strict=False))
