"""Folders that are really watched. Waits are long and end as soon as what is waited for is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from porescope.live.arrivals import Arrivals


class _Seen:
    """Collects what is taken."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.arrivals = arrivals
        self.arrived: list[str] = []
        self.gone: list[str] = []
        self.endless: list[str] = []

    def wait(self, is_met: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not is_met():
            assert time.monotonic() < until, (self.arrived, self.gone, self.endless)
            time.sleep(0.02)
            news = self.arrivals.take()
            self.arrived += [arrival.path.name for arrival in news.arrived]
            self.gone += [path.name for path in news.gone]
            self.endless += [path.name for path in news.endless]


@pytest.fixture(params=[False, True], ids=["told", "polled"])
def seen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[_Seen]:
    folder = tmp_path / "today"
    with Arrivals(folder, recursive=True, poll=request.param, quiet=0.2, longest=1.0) as arrivals:
        yield _Seen(arrivals)


def test_files_are_noticed_in_a_folder_that_comes_later_and_in_its_subfolders(seen: _Seen) -> None:
    folder = seen.arrivals.folder
    (folder / "early").mkdir(parents=True)
    (folder / "early" / "a.tif").write_bytes(b"1")
    seen.wait(lambda: seen.arrived == ["a.tif"])
    (folder / "b_labels.tif").write_bytes(b"1")  # porescope's own
    (folder / "late" / "deep").mkdir(parents=True)
    (folder / "late" / "deep" / "b.dm3").write_bytes(b"1")
    seen.wait(lambda: seen.arrived == ["a.tif", "b.dm3"])
    (folder / "early" / "a.tif").write_bytes(b"12")
    seen.wait(lambda: seen.arrived == ["a.tif", "b.dm3", "a.tif"])


def test_a_folder_that_is_put_in_the_place_of_another_is_watched(seen: _Seen) -> None:
    folder = seen.arrivals.folder
    folder.mkdir()
    (folder / "a.tif").write_bytes(b"1")
    seen.wait(lambda: seen.arrived == ["a.tif"])
    folder.rename(folder.with_name("yesterday"))
    folder.mkdir()
    (folder / "b.tif").write_bytes(b"1")
    seen.wait(lambda: seen.arrived == ["a.tif", "b.tif"])


def test_a_file_that_grows_is_not_handed_out_and_told_of_when_that_takes_too_long(seen: _Seen) -> None:
    folder = seen.arrivals.folder
    folder.mkdir()
    with (folder / "a.tif").open("wb") as file:

        def grow() -> bool:
            file.write(b"1")
            file.flush()
            return seen.endless == ["a.tif"]

        seen.wait(grow)
    # A machine that is busy may have let it rest.
    seen.wait(lambda: "a.tif" in seen.arrived)


def test_what_vanishes_before_it_rests_is_told_and_what_it_was_renamed_to_arrives(seen: _Seen) -> None:
    folder = seen.arrivals.folder
    folder.mkdir()
    seen.arrivals._resting.quiet = 1e9
    (folder / "a.tif").write_bytes(b"1")
    seen.wait(lambda: bool(seen.arrivals.growing))
    seen.arrivals._resting.quiet = 0.2
    (folder / "a.tif").rename(folder / "b.tif")
    seen.wait(lambda: seen.gone == ["a.tif"] and seen.arrived == ["b.tif"])


def test_a_ser_file_is_read_with_its_emi_file(seen: _Seen) -> None:
    folder = seen.arrivals.folder
    folder.mkdir()
    (folder / "a_1.ser").write_bytes(b"1")
    (folder / "a.emi").write_bytes(b"1")
    (folder / "b_1.ser").write_bytes(b"1")
    seen.wait(lambda: "b_1.ser" in seen.arrived)
    assert seen.arrived == ["a.emi", "b_1.ser"]


def test_a_file_that_was_put_back_comes_again(seen: _Seen) -> None:
    folder = seen.arrivals.folder
    folder.mkdir()
    (folder / "a.tif").write_bytes(b"1")
    seen.wait(lambda: seen.arrived == ["a.tif"])
    seen.arrivals.put_back(folder / "a.tif", 0.3)
    seen.wait(lambda: seen.arrived == ["a.tif", "a.tif"])


def test_what_is_there_already_is_seen_before_it_says_that_it_looked(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"1")
    arrivals = Arrivals(tmp_path, quiet=1e9, longest=1e9)
    assert not arrivals.searched
    with arrivals:
        until = time.monotonic() + 60
        while not arrivals.searched and time.monotonic() < until:
            time.sleep(0.01)
        assert [path.name for path in arrivals.growing] == ["a.tif"]
