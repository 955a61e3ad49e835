"""Runs on a local cluster whose workers and driver are killed, and the efficiency of pool and cluster.

`python benchmarks/cluster.py` processes 20,000 images on two workers, one of which is killed by SIGKILL every
20 s; the driver is killed once, too, and the run is gone on with. Each image must be there exactly once, with
the numbers of a plain loop. `--efficiency` compares the pool and the cluster with two single processes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import tifffile

from porescope import read_run
from porescope.simulation import Scene, simulate

ROOT = Path(__file__).parents[1]
#: Interval at which a worker is killed [s], and share of the images after which the driver is.
KILL_EVERY, DRIVER_DIES = 20.0, 0.4
#: Columns that say where an image came from, not what was found in it.
NAMES = ["image", "file"]


def make_originals(folder: Path, simulated: int = 15) -> list[Path]:
    """Simulated frames of 256 × 256 px, and the published images if they are there."""
    folder.mkdir(parents=True)
    for i in range(simulated):
        drawn = simulate(Scene(shape=(256, 256), pores=4, dose=2e6), seed=i).micrograph
        size = 1 / drawn.pixel_size[0]
        tifffile.imwrite(
            folder / f"s{i:02d}.tif", drawn.image.astype(np.uint16), imagej=True,
            resolution=(size, size), metadata={"unit": "nm"},
        )  # fmt: skip
    for path in sorted((ROOT.parent / "shared" / "data" / "ws2").glob("[A-E].dm3")):
        shutil.copy(path, folder / path.name)
    return sorted(folder.iterdir())


def link(originals: list[Path], folder: Path, n: int) -> Path:
    """Make hard links of the originals, in turn."""
    folder.mkdir()
    for i in range(n):
        path = originals[i % len(originals)]
        os.link(path, folder / f"{i:06d}{path.suffix}")
    return folder


def begin(folder: Path, out: Path, *options: object) -> subprocess.Popen[bytes]:
    code = "from porescope.cli.start import main; main()"
    command = [sys.executable, "-c", code, "detect", str(folder), "-o", str(out), "--no-images", "--quiet"]
    return subprocess.Popen([*command, "--method", "threshold", *map(str, options)])


def list_workers(driver: int) -> list[psutil.Process]:
    try:
        return [p for p in psutil.Process(driver).children() if "spawn_main" in " ".join(p.cmdline())]
    except psutil.Error:
        return []


def count_done(out: Path) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(path).num_rows for path in (out / "images").glob("part-*.parquet"))


def survive(n: int, work: Path, every: float) -> None:
    originals = make_originals(work / "originals")
    start = time.perf_counter()
    assert begin(work / "originals", work / "plain", "--workers", 1).wait() == 0
    print(f"{len(originals)} originals in a plain loop: {time.perf_counter() - start:.0f} s")
    folder, out = link(originals, work / "in", n), work / "out"
    options = ["--cluster", "local", "--workers", 2, "--part-seconds", 5]
    start, kills, driver_killed, n_parts = time.perf_counter(), 0, 0.0, 0
    driver = begin(folder, out, *options)
    due = start + every
    while driver.poll() is None:
        time.sleep(0.5)
        if time.perf_counter() > due:
            due += every
            if workers := list_workers(driver.pid):
                workers[kills % len(workers)].kill()
                kills += 1
            done = count_done(out)
            n_parts = max(n_parts, len(list((out / "images").glob("part-*.parquet"))))
            print(
                f"{time.perf_counter() - start:6.0f} s: {done} images in parts, {kills} workers killed",
                flush=True,
            )
            if not driver_killed and done > DRIVER_DIES * n:
                driver.send_signal(signal.SIGKILL)
                driver.wait()
                driver_killed = time.perf_counter() - start
                print(
                    f"{driver_killed:6.0f} s: driver killed with {done} images in parts; --resume", flush=True
                )
                driver = begin(folder, out, *options, "--resume")
    seconds = time.perf_counter() - start
    assert driver.returncode == 0 and driver_killed
    print(f"{n} images in {seconds:.0f} s, {n_parts} parts at most, {kills} workers and 1 driver killed")
    compare(work / "plain", out, n)


def compare(plain: Path, out: Path, n: int) -> None:
    """Compare every image, and every pore, with the plain loop's result for the same content."""
    one, two = read_run(plain), read_run(out)
    assert len(two.images) == n == len(two.images[["image", "frame"]].drop_duplicates())
    times = two.images.sha256.value_counts()
    for table in ("images", "pores", "candidates"):
        first, second = (
            pd.read_parquet(folder / f"{table}.parquet").merge(run.images[["image", "sha256"]], on="image")
            if table != "images"
            else run.images
            for folder, run in ((plain, one), (out, two))
        )
        first, second = (t.drop(columns=NAMES, errors="ignore") for t in (first, second))
        expected = first.loc[first.index.repeat(first.sha256.map(times))]
        order = ["sha256", *(["label"] if "label" in first else [])]
        rows = [t.sort_values(order, kind="stable").reset_index(drop=True) for t in (expected, second)]
        pd.testing.assert_frame_equal(*rows, check_exact=True)
        print(f"{table}: {len(second)} rows, every number that of the plain loop")


def measure_efficiency(work: Path, sizes: tuple[int, int] = (300, 1300), repeats: int = 1) -> None:
    """Rates of whole commands, in turn; the difference of two sizes leaves their starts out."""
    originals = make_originals(work / "originals")
    folders = {n: [link(originals, work / f"in{n}{half}", n // 2) for half in "ab"] for n in sizes}
    whole = {n: link(originals, work / f"in{n}", n) for n in sizes}
    ways = {"two single processes": ["--workers", 1], "pool": ["--workers", 2]}
    ways["cluster"] = ["--cluster", "local", "--workers", 2, "--part-seconds", 10]
    times: dict[tuple[str, int], list[float]] = {}
    for _ in range(repeats):
        for n in sizes:
            for way, options in ways.items():
                inputs = folders[n] if way.startswith("two") else [whole[n]]
                outs = [work / f"out{i}" for i in range(len(inputs))]
                start = time.perf_counter()
                for process in [begin(i, o, *options) for i, o in zip(inputs, outs, strict=True)]:
                    assert process.wait() == 0
                times.setdefault((way, n), []).append(time.perf_counter() - start)
                for out in outs:
                    shutil.rmtree(out)
    small, large = sizes
    rates = {way: (large - small) / (min(times[way, large]) - min(times[way, small])) for way in ways}
    base = rates["two single processes"]
    for way, rate in rates.items():
        print(f"{way}: {rate:.0f} images/s, {rate / base:.0%} of two single processes", end="; ")
        print(f"whole command for {large} images {min(times[way, large]):.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--kill-every", type=float, default=KILL_EVERY, metavar="SECONDS")
    parser.add_argument("--efficiency", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="porescope-bench-") as folder:
        if chosen.efficiency:
            measure_efficiency(Path(folder))
        else:
            survive(chosen.images, Path(folder), chosen.kill_every)
