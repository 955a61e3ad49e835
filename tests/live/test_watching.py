"""Watches that really run, with workers. Waits are long and end as soon as what is waited for is there."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from conftest import require
from helpers import save_simulated, take_census

from porescope import read_run
from porescope.live import Alarm, Arrivals, Board, Watch, watching
from porescope.processes import prepare_workers
from porescope.recipes import Threshold
from porescope.runs import Job, list_done, list_names, write_record

#: Time after which a watch without anything to do ends [s].
IDLE = 1.0


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two images and a stack of three."""
    prepare_workers("porescope.live.watching", "tifffile")
    folder = tmp_path_factory.mktemp("drawn")
    paths = [save_simulated(folder, f"{i}.tif", seed=i) for i in (1, 2)]
    return [*paths, save_simulated(folder, "stack.tif", seed=5, frames=3)]


class _Live:
    """A watch of a folder, in this process, while a thread does something to the folder."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder, self.out = tmp_path / "today", tmp_path / "live"
        self.folder.mkdir()
        self.out.mkdir(exist_ok=True)
        self.job = Job(self.out, Threshold(), overlays=False)
        self.alarms: list[Alarm] = []
        self.errors: list[BaseException] = []

    def watch(
        self, act: Callable[[], object] = lambda: None, *, resume: bool = False, longest: float = 600
    ) -> dict[str, Any]:
        done, known = (list_done(self.out), list_names(self.out)) if resume else (None, None)
        board = Board(self.folder, self.out, self.alarms, {}, False)
        if resume:
            board.load(read_run(self.out))
        write_record(self.job, [], ["porescope"], datetime.now(UTC), "running")
        ended = threading.Event()

        def run_act() -> None:
            try:
                act()
            except BaseException as error:
                self.errors.append(error)
            ended.set()

        with Arrivals(self.folder, quiet=0.2, longest=longest) as arrivals:
            watch = Watch(arrivals, self.job, board, workers=2, memory=math.inf, done=done, known=known)
            thread = threading.Thread(target=run_act)
            step = watch._step
            watch._step = lambda: step() or not ended.is_set()  # type: ignore[method-assign]
            thread.start()
            watch.run(idle=IDLE)
            thread.join()
        assert not self.errors, self.errors
        board.save(0, [])
        return self.read_page()

    def read_page(self) -> dict[str, Any]:
        page = json.loads((self.out / "live.json").read_text())
        assert (self.out / "live.js").read_text().startswith("show({")
        return page

    def wait(self, is_met: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the page shows something."""
        until = time.monotonic() + 120
        page = {}
        while time.monotonic() < until:
            if (self.out / "live.json").exists():
                page = self.read_page()
                if is_met(page):
                    return
            time.sleep(0.02)
        raise AssertionError(page)


@pytest.fixture
def live(tmp_path: Path) -> _Live:
    return _Live(tmp_path)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests do not wait for ten seconds for what cannot be read."""
    monkeypatch.setattr(watching, "_PATIENCE", 2.0)


def _put(source: Path, target: Path) -> None:
    """Write a file as a slow microscope does: bit by bit."""
    content = source.read_bytes()
    with target.open("wb") as file:
        for i in range(0, len(content), 30_000):
            file.write(content[i : i + 30_000])
            file.flush()


def test_the_tables_are_those_of_detect(live: _Live, drawn: list[Path], tmp_path: Path) -> None:
    def act() -> None:
        for path in drawn:
            _put(path, live.folder / path.name)
        (live.folder / "bad.tif").write_bytes(b"II*\0 no image")
        live.wait(lambda page: page["images"] == 5 and page["failed"] == 1)
        # Parts have what the page shows, while the watch goes on.
        assert len(read_run(live.out).images) == 6

    page = live.watch(act)
    (tmp_path / "detect").mkdir()
    wanted = take_census(sorted(live.folder.iterdir()), Job(tmp_path / "detect", Threshold(), overlays=False))
    got = read_run(live.out)
    for mine, theirs in ((got.images, wanted.images), (got.pores, wanted.pores)):
        keys = ["image", "frame"]
        pd.testing.assert_frame_equal(*(t.sort_values(keys, ignore_index=True) for t in (mine, theirs)))
    assert page["pores"] == len(wanted.pores) and page["waiting"] == 0 and page["growing"] == []
    median = wanted.pores.equivalent_diameter_nm.median()
    assert page["median_diameter_nm"] == pytest.approx(median, rel=0.01)
    assert [failure["image"] for failure in page["failures"]] == ["bad"]
    assert 0.2 <= page["longest_lag_s"] < 100


def test_a_file_that_grows_again_is_read_again_and_its_rows_are_replaced(
    live: _Live, drawn: list[Path]
) -> None:
    one, two, stack = drawn
    target = live.folder / "a.tif"

    def act() -> None:
        shutil.copy(stack, target)
        live.wait(lambda page: page["images"] == 3)
        shutil.copy(one, target)
        live.wait(lambda page: page["latest"][0]["image"] == "a")
        first = read_run(live.out)
        assert first.images.frame.tolist() == [0]
        shutil.copy(two, target)
        sha256 = first.images.sha256[0]
        live.wait(lambda page: page["latest"][0]["sha256"] != sha256)

    page = live.watch(act)
    run = read_run(live.out)
    assert run.images.image.tolist() == ["a"] and run.images.n_pores.tolist() == [len(run.pores)]
    assert page["images"] == 1 and page["pores"] == len(run.pores)


def test_what_cannot_be_read_yet_is_tried_again_and_no_failure(live: _Live, drawn: list[Path]) -> None:
    content = drawn[0].read_bytes()
    target = live.folder / "a.tif"

    def act() -> None:
        target.write_bytes(content[:1000])
        live.wait(lambda page: page["growing"] == ["a.tif"])
        time.sleep(1.0)  # it rests, and is tried
        target.write_bytes(content)

    page = live.watch(act)
    assert page["failed"] == 0 and page["images"] == 1
    assert read_run(live.out).images.status.tolist() == ["ok"]


def test_vanished_renamed_and_endless_files_are_listed(live: _Live, drawn: list[Path]) -> None:
    one, two, _ = drawn

    def act() -> None:
        (live.folder / "gone.tif").write_bytes(b"no image")
        live.wait(lambda page: "gone.tif" in page["growing"])
        (live.folder / "gone.tif").unlink()
        shutil.copy(one, live.folder / "a.tif")
        live.wait(lambda page: page["images"] == 1)
        (live.folder / "a.tif").rename(live.folder / "b.tif")
        shutil.copy(two, live.folder / "c.tif")
        live.wait(lambda page: page["images"] == 2 and any("renamed" in r["text"] for r in page["remarks"]))
        with (live.folder / "endless.tif").open("wb") as file:

            def is_told(page: dict[str, Any]) -> bool:
                file.write(b"x")
                file.flush()
                return bool(page["failed"])

            live.wait(is_told)

    page = live.watch(act, longest=3)
    images = read_run(live.out).images.set_index("image")
    assert set(images.index) == {"a", "c", "endless"} and images.status["a"] == images.status["c"] == "ok"
    texts = [remark["text"] for remark in page["remarks"]]
    assert any("gone.tif was gone before it was read" in text for text in texts), texts
    assert any("b.tif is" in text and "a.tif, renamed; it counts once" in text for text in texts), texts
    assert images.status["endless"] == "failed" and not (live.out / "b_labels.tif").exists()


def test_a_watch_that_is_started_again_does_only_what_is_missing(live: _Live, drawn: list[Path]) -> None:
    one, two, stack = drawn
    shutil.copy(one, live.folder / "a.tif")
    shutil.copy(stack, live.folder / "s.tif")
    live.watch()
    before = {p.name: p.stat().st_mtime_ns for p in live.out.glob("*_labels.tif")}
    assert len(before) == 4
    (live.folder / "s.tif").rename(live.folder / "t.tif")
    shutil.copy(two, live.folder / "b.tif")
    page = live.watch(resume=True)
    assert page["images"] == 5 and page["pores"] == len(read_run(live.out).pores)
    after = {p.name: p.stat().st_mtime_ns for p in live.out.glob("*_labels.tif")}
    assert {**after, **before} == after and set(after) - set(before) == {"b_labels.tif"}


def test_alarms_are_noted_with_their_image(live: _Live, drawn: list[Path]) -> None:
    live.alarms = [Alarm("n_pores", ">=", 1), Alarm("equivalent_diameter_nm", ">", 1e6)]
    shutil.copy(drawn[0], live.folder / "a.tif")
    page = live.watch()
    assert page["alarms"]["raised"] == 1 and page["latest"][0]["alarm"]
    assert page["alarms"]["latest"][0]["image"] == "a"
    assert "n_pores = " in page["alarms"]["latest"][0]["text"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "live"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", disk]
    require(shutil.which("mount") is not None, "mount")
    mounted = subprocess.run(command, check=False, capture_output=True)
    require(mounted.returncode == 0, "the right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_is_waited_for_and_nothing_is_lost(small_disk: Path, tmp_path: Path) -> None:
    live = _Live(tmp_path)
    rng = np.random.default_rng(0)

    def write(i: int) -> None:
        image = rng.normal(100, 5, (200, 200)).astype(np.float32)
        image[40:60, 50:80] = 20
        tifffile.imwrite(
            live.folder / f"f{i:02d}.tif", image, imagej=True, resolution=(25, 25), metadata={"unit": "nm"}
        )

    def act() -> None:
        for i in range(4):
            write(i)
        live.wait(lambda page: page["images"] == 4)
        fill = small_disk / "fill"
        fill.write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))
        for i in range(4, 9):
            write(i)
        until = time.monotonic() + 60
        while not seen and time.monotonic() < until:
            time.sleep(0.05)
        assert len(read_run(small_disk).images) >= 4  # nothing lost that was done
        fill.unlink()
        live.wait(lambda page: page["images"] == 9)

    seen: list[str] = []
    board_remark = Board.remark

    def remark(board: Board, text: str) -> None:
        seen.append(text)
        board_remark(board, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Board, "remark", remark)
        page = live.watch(act)
    assert "takes no more" in seen[0] and "takes results again" in seen[-1], seen
    images = read_run(small_disk).images
    assert images.image.tolist() == [f"f{i:02d}" for i in range(9)] and (images.status == "ok").all()
    assert page["images"] == 9 and len(list(small_disk.glob("*_labels.tif"))) == 9
    assert not list(small_disk.rglob("_*.part"))
