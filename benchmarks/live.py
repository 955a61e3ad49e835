"""`porescope watch` under load: latency, memory and rate; the tables of docs/live.md.

python benchmarks/live.py steady    # 10 files a second for 10 minutes, threshold method
python benchmarks/live.py network   # a full folder, network: images a second, beside detect in the same run
python benchmarks/live.py full      # a disk that is full for a while (needs the right to mount)
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import tifffile

from porescope import read_run
from porescope.simulation import Scene, simulate

COMMAND = [sys.executable, "-c", "from porescope.cli.start import main; main()"]
THRESHOLD = ["--method", "threshold", "--no-images"]


class Microscope:
    """Writes images of 512 × 512 pixels, no two with the same content."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.n = folder, 0
        folder.mkdir()
        drawn = [simulate(Scene(shape=(512, 512), pores=4, max_missing=20), seed=s) for s in range(8)]
        self.images = [d.micrograph.image.astype(np.uint16) for d in drawn]
        self.per_nm = 1 / drawn[0].micrograph.pixel_size[0]
        self.written: dict[str, float] = {}

    def write(self) -> None:
        image = self.images[self.n % len(self.images)]
        image[0, 0] = self.n
        image[0, 1] = self.n >> 16
        path = self.folder / f"f{self.n:06d}.tif"
        resolution = (self.per_nm, self.per_nm)
        tifffile.imwrite(path, image, imagej=True, resolution=resolution, metadata={"unit": "nm"})
        self.written[path.stem] = time.monotonic()
        self.n += 1


class Observer:
    """Looks at the page again and again, and notes when each image is on it."""

    def __init__(self, out: Path) -> None:
        self.out, self.page = out, dict[str, Any]()
        self.shown: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(0.02):
            self.page = read_page(self.out) or self.page
            for entry in self.page.get("latest", ()):
                self.shown.setdefault(entry["image"], time.monotonic())

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


def start_watch(folder: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([*COMMAND, "watch", str(folder), "-o", str(out), "--quiet", *options])
    while read_page(out).get("state") != "watching":
        time.sleep(0.05)
    return process


def read_page(out: Path) -> dict[str, Any]:
    try:
        return json.loads((out / "live.json").read_text())
    except (OSError, ValueError):
        return {}


def measure_memory(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Memory of the main process, and of its largest worker [MB]."""
    main = psutil.Process(process.pid)
    workers = [p.memory_info().rss for p in main.children(recursive=True)]
    return main.memory_info().rss / 1e6, max(workers, default=0) / 1e6


def describe_lags(names: list[str], written: dict[str, float], shown: dict[str, float]) -> str:
    lags = np.array([shown[name] - written[name] for name in names if name in shown])
    low, middle, high = np.percentile(lags, (50, 95, 99))
    share = float(np.mean(lags <= 1))
    return f"{len(lags):6} {low:7.2f} {middle:7.2f} {high:7.2f} {lags.max():7.2f} {share:8.1%}"


def run_steady(folder: Path, seconds: float, rate: float) -> None:
    """Files at a steady rate; one line a minute."""
    microscope, out = Microscope(folder / "in"), folder / "out"
    process, observer = start_watch(microscope.folder, out, *THRESHOLD), Observer(out)
    print("minute  files  median     95%     99%    most  within 1 s  main [MB]  worker [MB]  waiting  load")
    start, minute = time.monotonic(), 0
    while (elapsed := time.monotonic() - start) < seconds:
        if microscope.n < elapsed * rate:
            microscope.write()
        else:
            time.sleep(0.002)
        if elapsed > 60 * (minute + 1):
            # Those of the last two seconds may not be there yet.
            old = [
                n for n, t in microscope.written.items() if 60 * minute - 2 <= t - start < 60 * minute + 58
            ]
            line = describe_lags(old, microscope.written, observer.shown)
            main, worker = measure_memory(process)
            minute += 1
            print(f"{minute:6} {line}   {main:8.0f}  {worker:11.0f}  {observer.page['waiting']:7}  "
                  f"{os.getloadavg()[0]:4.1f}", flush=True)  # fmt: skip
    time.sleep(5)
    observer.end()
    process.send_signal(signal.SIGINT)
    process.wait()
    images = pd.read_parquet(out / "images.parquet")
    print(f"   all {describe_lags(list(microscope.written), microscope.written, observer.shown)}")
    print(
        f"{microscope.n} written, {images.image.nunique()} in the tables, {(images.status == 'ok').sum()} ok"
    )


def run_network(folder: Path, n: int) -> None:
    """A folder that is full already: watch against detect, each with two workers, in turns."""
    microscope = Microscope(folder / "in")
    for _ in range(n):
        microscope.write()
    options = ["--method", "network", "--no-images", "--workers", "2"]
    for turn in range(2):
        out = folder / f"detect{turn}"
        start = time.monotonic()
        command = [*COMMAND, "detect", str(microscope.folder), "-o", str(out), "--quiet", *options]
        subprocess.run(command, check=True)
        detect = n / (time.monotonic() - start)
        start = time.monotonic()
        out = folder / f"watch{turn}"
        # Both to the end of the command, with tables and report; the time without work counts against watch.
        command = [*COMMAND, "watch", str(microscope.folder), "-o", str(out), "--quiet", *options]
        subprocess.run([*command, "--until-idle", "0.5"], check=True)
        watch = n / (time.monotonic() - start)
        assert len(pd.read_parquet(out / "images.parquet")) == n
        print(f"detect {detect:.1f} images/s, watch {watch:.1f} images/s, ratio {watch / detect:.2f}, "
              f"load {os.getloadavg()[0]:.1f}", flush=True)  # fmt: skip


def run_full(folder: Path, n: int) -> None:
    """A disk of 12 MB that is full from a third of the files to two thirds."""
    microscope, disk = Microscope(folder / "in"), folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", disk], check=True)
    try:
        out = disk / "out"
        process, observer = start_watch(microscope.folder, out, *THRESHOLD), Observer(out)
        fill = disk / "fill"
        for i in range(n):
            microscope.write()
            time.sleep(0.1)
            if i == n // 3:
                while (before := len(read_run(out).images)) < i:
                    time.sleep(0.05)
                fill.write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
            if i == 2 * n // 3:
                time.sleep(3)
                during = len(read_run(out).images)
                fill.unlink()
        while observer.page["images"] < n:
            time.sleep(0.1)
        observer.end()
        process.send_signal(signal.SIGINT)
        process.wait()
        images = pd.read_parquet(out / "images.parquet")
        print(f"{before} images done when the disk filled, {during} while it was full, {len(images)} of {n} "
              f"at the end, {(images.status == 'ok').sum()} ok")  # fmt: skip
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("steady", "network", "full"))
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("-n", type=int, default=120, help="Number of files (network, full).")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if given.what == "steady":
            run_steady(Path(folder), given.seconds, given.rate)
        elif given.what == "network":
            run_network(Path(folder), given.n)
        else:
            run_full(Path(folder), given.n)


if __name__ == "__main__":
    main()
