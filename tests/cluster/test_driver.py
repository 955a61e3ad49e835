"""Real clusters of this machine: their tables are those of the plain pool, whatever is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import tifffile
from conftest import require
from helpers import run, save_simulated

from porescope import read_run
from porescope.simulation import Scene, simulate

require(find_spec("distributed") is not None, "Dask (porescope[cluster])")

#: Longest time that anything here is waited for [s]; a quiet machine takes a twentieth.
_PATIENCE = 300.0
_KILLER = """
import os
from porescope import Recipe, detect

def find(micrograph):
    if micrograph.image.shape == (70, 90):
        os._exit(9)
    return detect(micrograph, Recipe())
"""


def _wait(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("nothing happened")


def _assert_same(one: Path, two: Path) -> None:
    """All tables, all files of the images."""
    first, second = read_run(one), read_run(two)
    pd.testing.assert_frame_equal(first.images, second.images)
    pd.testing.assert_frame_equal(first.pores, second.pores)
    for name in ("images.csv", "pores.csv", "candidates.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    files = [sorted(p.name for p in out.iterdir()) for out in (one, two)]
    assert files[0] == files[1]
    for path in one.glob("*_labels.tif"):
        assert path.read_bytes() == (two / path.name).read_bytes()


@pytest.fixture
def scheduler() -> Iterator[str]:
    """Address of a cluster that runs already, as others start it."""
    code = (
        "import sys\nfrom distributed import LocalCluster\nif __name__ == '__main__':\n"
        "    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:\n"
        "        print(cluster.scheduler_address, flush=True)\n        sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip()
            process.communicate(timeout=60)
        finally:
            process.kill()


def test_a_cluster_that_runs_already_gives_what_the_pool_gives(tmp_path: Path, scheduler: str) -> None:
    for i in range(4):
        save_simulated(tmp_path / "in", f"s{i}.tif", seed=i)
    options = ("detect", tmp_path / "in", "--method", "threshold", "--no-images")
    assert run(*options, "-o", tmp_path / "plain").exit_code == 0
    clustered = run(*options, "-o", tmp_path / "out", "--cluster", scheduler)
    assert clustered.exit_code == 0, clustered.output
    _assert_same(tmp_path / "plain", tmp_path / "out")
    refused = run(*options, "-o", tmp_path / "other", "--cluster", scheduler, "--workers", 2)
    assert refused.exit_code == 2 and "--workers" in refused.output


def test_a_cluster_gives_what_the_pool_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images, stacks, a broken file, one that kills its process, one that is named relatively."""
    for i in range(12):
        save_simulated(tmp_path / "in", f"s{i:02d}.tif", seed=i, frames=3 if i % 5 == 2 else 1)
    (tmp_path / "in" / "bad.tif").write_bytes(b"II*\0 not a tiff")
    np.save(tmp_path / "in" / "killer.npy", np.ones((70, 90)))
    (tmp_path / "own.py").write_text(_KILLER)
    monkeypatch.chdir(tmp_path)
    options = ("detect", "in", "--method", "own.py:find", "--pixel-size", "0.05", "--material", "WS2")
    assert run(*options, "-o", "pool", "--workers", 2).exit_code == 1
    clustered = run(*options, "-o", "cluster", "--cluster", "local", "--workers", 2)
    assert clustered.exit_code == 1, clustered.output
    _assert_same(tmp_path / "pool", tmp_path / "cluster")
    images = read_run("cluster").images.set_index("image")
    assert len(images) == 12 + 2 * 2 + 2
    assert "died twice" in images.message["killer"] and images.status["bad"] == "failed"
    assert set(images.drop(["killer", "bad"]).status) == {"ok"}


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start commands that are stopped for certain, with all their processes."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(*arguments: object) -> subprocess.Popen[bytes]:
        code = "from porescope.cli.start import main; main()"
        command = [sys.executable, "-c", code, *map(str, arguments)]
        started.append(subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE))
        return started[-1]

    yield begin
    for process in started:
        for session in [p for p in psutil.process_iter() if _session(p) == process.pid]:
            session.kill()
        process.wait(_PATIENCE)
        assert process.stderr is not None
        process.stderr.close()


def _session(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid)
    except OSError:
        return -1


def _list_workers(driver: int) -> list[psutil.Process]:
    """Processes of a driver that Dask started to work: each has started others, or will."""
    try:
        children = psutil.Process(driver).children()
        return [p for p in children if "spawn_main" in " ".join(p.cmdline())]
    except psutil.Error:
        return []


def _kill_workers(driver: subprocess.Popen[bytes], count: Callable[[], int], goal: int) -> int:
    """Kill one worker after the other, each after two more parts; how many were killed before the end."""
    parts = _wait(count)
    for killed in range(goal):
        _wait(lambda parts=parts: driver.poll() is not None or count() > parts)
        workers = _wait(lambda: _list_workers(driver.pid) or driver.poll() is not None)
        if workers is True:
            return killed
        parts = count() + 1
        workers[killed % len(workers)].kill()
    return goal


def test_500_images_while_workers_and_the_driver_are_killed(tmp_path: Path, start: Any) -> None:
    """Each image once, all numbers equal to those of the plain loop."""
    folder = tmp_path / "in"
    folder.mkdir()
    drawn = [
        simulate(Scene(shape=(90, 110), pores=2, max_missing=40, dose=2e6), seed=i).micrograph.image
        for i in range(5)
    ]
    for i in range(500):
        tifffile.imwrite(
            folder / f"{i:03d}.tif", (drawn[i % 5] + i // 5).astype(np.uint16), imagej=True,
            resolution=(25, 25), metadata={"unit": "nm"},
        )  # fmt: skip
    options = ("detect", folder, "--no-images", "--method", "threshold", "--quiet")
    assert run(*options, "-o", tmp_path / "plain", "--workers", 1).exit_code == 0
    out = tmp_path / "out"
    options = (*options, "-o", out, "--cluster", "local", "--workers", 2, "--part-seconds", 0.6)

    def count() -> int:
        return len(list((out / "images").glob("part-*.parquet")))

    first = start(*options)
    killed = _kill_workers(first, count, 2)
    assert first.poll() is None, "the driver ended before it was killed"
    left = _list_workers(first.pid)
    first.kill()
    _wait(lambda: not any(p.is_running() and p.status() != "zombie" for p in left))
    driver = start(*options, "--resume")
    killed += _kill_workers(driver, count, 2)
    assert driver.wait(_PATIENCE) == 0, driver.stderr.read().decode()
    assert killed >= 3
    _assert_same(tmp_path / "plain", out)
    images = read_run(out).images
    assert len(images) == 500 and not images.duplicated(["image", "frame"]).any()
