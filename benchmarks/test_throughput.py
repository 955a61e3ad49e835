"""Whole command on 500 copies of A–E; ``make bench`` prints images per second and shares."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from porescope import read
from porescope.files import hash_file
from porescope.labels import Detection
from porescope.lattice import find_lattice, map_vacancies
from porescope.measurement import measure_columns
from porescope.network import PRECISIONS, Network, describe_image, load_model, look_at
from porescope.network.model import predict
from porescope.network.runtimes import calculates_bf16
from porescope.recipes import Threshold, load_recipe, segment
from porescope.runs import Job
from porescope.runs.image import ImageResult, _write_files
from porescope.simulation import Scene, simulate

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = ROOT.parent / "shared" / "data" / "ws2"
    if not source.is_dir():
        pytest.skip(f"the published images are not at {source}")
    folder = tmp_path_factory.mktemp("copies")
    for i in range(500):
        shutil.copy(source / f"{'ABCDE'[i % 5]}.dm3", folder / f"{i:03d}.dm3")
    return folder


def _time(function: Callable[[], object], repeats: int = 40) -> float:
    function()
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats * 1e3


def test_whole_command(copies: Path, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("porescope")), "detect", str(copies)]
    command += ["--no-images", "--method", "threshold"]
    best = float("inf")
    for i in range(3):
        start = time.perf_counter()
        subprocess.run([*command, "-o", str(tmp_path / str(i))], check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
    print(f"\n500 DM3 files to tables, --no-images, 2 cores: {best:.2f} s, {500 / best:.0f} images/s")
    path = copies / "001.dm3"
    micrograph, recipe = read(path), load_recipe("ws2")
    labels = segment(micrograph, recipe)
    columns = measure_columns(micrograph, labels)
    result = ImageResult(micrograph, Detection(labels), columns, {}, None, [], "threshold", {})
    job = Job(tmp_path, Threshold(recipe), overlays=False)
    steps = {
        "reading": lambda: read(path),
        "hashing": lambda: hash_file(path),
        "detecting": lambda: segment(micrograph, recipe),
        "measuring": lambda: measure_columns(micrograph, labels),
        "writing": lambda: _write_files(result, None, job),
    }
    times = {name: _time(step) for name, step in steps.items()}
    total = sum(times.values())
    for name, ms in times.items():
        print(f"  {name:10} {ms:5.2f} ms an image a core, {ms / total:4.0%}")


def _run(*arguments: object) -> float:
    """Time a whole command [s]."""
    command = [str(Path(sys.executable).with_name("porescope")), *map(str, arguments)]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def test_one_stack_on_two_cores(tmp_path: Path) -> None:
    """The shortest of three runs each, in turn."""
    drawn = simulate(Scene(shape=(512, 512), pores=8), seed=1).micrograph.image
    noise = np.random.default_rng(0).normal(0, 0.1 * drawn.std(), (500, 1, 1))
    tifffile.imwrite(
        tmp_path / "movie.tif", (drawn + noise).clip(0).astype(np.uint16), imagej=True,
        resolution=(25, 25), metadata={"unit": "nm", "axes": "TYX"},
    )  # fmt: skip
    network = ("--method", "network")
    for options in (("--method", "threshold"), network, (*network, "--precision", "bf16")):
        if "bf16" in options and not calculates_bf16():
            continue
        times: dict[int, list[float]] = {1: [], 2: []}
        for i in range(3 if "threshold" in options else 1):
            for workers in times:
                out = tmp_path / f"{options[-1]}{workers}{i}"
                taken = _run(
                    "detect", tmp_path / "movie.tif", "-o", out, "--no-images", "--workers", workers, *options
                )
                times[workers].append(taken)
        one, two = min(times[1]), min(times[2])
        print(
            f"\n500 frames of 512 × 512 px, {' '.join(options)}: {one:.1f} s on one core, {two:.1f} s on two "
            f"({one / two:.2f} times as fast, {500 / two:.1f} images/s)"
        )


def test_memory_of_many_images(tmp_path: Path) -> None:
    """Peak of the command's main process, the pages that it shares with its workers included."""
    drawn = simulate(Scene(shape=(90, 110), pores=2, max_missing=40, dose=2e6), seed=1).micrograph.image
    code = "import sys; from porescope.cli.start import main\ntry: main()\nfinally: "
    code += "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)"
    peaks = []
    for n in (200, 2000):
        folder = tmp_path / str(n)
        folder.mkdir()
        for i in range(n):
            tifffile.imwrite(
                folder / f"{i:04d}.tif", (drawn + i % 50).astype(np.uint16), imagej=True,
                resolution=(25, 25), metadata={"unit": "nm"},
            )  # fmt: skip
        command = [sys.executable, "-c", code, "detect", str(folder), "-o", str(tmp_path / f"out{n}")]
        start = time.perf_counter()
        run = subprocess.run(
            [*command, "--no-images", "--method", "threshold", "--workers", "2", "--quiet"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        peaks.append(int(run.stderr.split()[-1]) / 1024)
        rate = n / (time.perf_counter() - start)
        print(f"\n{n} small images: {rate:.0f} images/s, {peaks[-1]:.0f} MB at most")
    print(f"  {peaks[1] / peaks[0]:.2f} times the memory for ten times the images")


def test_network() -> None:
    """One core; the ratio to reading says what a whole command gains without the network."""
    drawn = simulate(Scene(shape=(512, 512), pixel_size=0.3153 / 8, pores=8), seed=1).micrograph
    lattice = find_lattice(drawn)
    ms = _time(lambda: Network().find(drawn, lattice), 10)
    looking = _time(lambda: find_lattice(drawn), 10)
    assert lattice is not None
    mapping = _time(lambda: map_vacancies(drawn, lattice), 10)
    threshold = _time(lambda: segment(drawn, load_recipe("ws2")), 10)
    print(f"\nnetwork, 512 × 512 px, one core: {ms:.0f} ms ({ms / threshold:.0f} × the threshold method)")
    print(f"  and {looking:.0f} ms to find the lattice; all together {ms + looking:.0f} ms")
    print(f"  of these {mapping:.0f} ms for the vacancy map")
    seen = look_at(drawn, lattice)
    about = describe_image("haadf", seen.scale.constant_nm)
    for precision in PRECISIONS if calculates_bf16() else PRECISIONS[:1]:
        model = load_model(precision=precision)
        running = min(_time(lambda model=model: predict(seen.image, about, model), 10) for _ in range(3))
        print(f"  and {running:.0f} ms to run the network's file in {precision}")


@pytest.mark.parametrize("side", [4096, 8192, pytest.param(16384, marks=pytest.mark.full)])
@pytest.mark.parametrize(
    "options",
    ["--no-images", "--images", "--no-images --material WS2", "--no-images --method lattice"],
    ids=["tables", "pictures", "material", "lattice"],
)
def test_large_image(tmp_path: Path, side: int, options: str) -> None:
    """Whole command on one 16-bit TIFF: time, and peak memory of the worker."""
    scene = Scene("WS2", shape=(512, 512), pixel_size=0.3153 / 8, pores=8, dose=2e6)
    image = simulate(scene, seed=1).micrograph.image
    tile = np.tile(image * np.float32(20_000 / image.max()) + 3000, (1, side // 512))
    rng, path = np.random.default_rng(0), tmp_path / "large.tif"
    large = np.empty((side, side), np.uint16)
    for top in range(0, side, 512):  # each strip with noise of its own
        large[top : top + 512] = (tile + rng.normal(0, 600, tile.shape)).clip(0, 65535)
    size = 1 / scene.pixel_size
    tifffile.imwrite(path, large, imagej=True, resolution=(size, size), metadata={"unit": "nm"})
    del large
    command = [str(Path(sys.executable).with_name("porescope")), "detect", str(path)]
    command += ["-o", str(tmp_path / "out"), *options.split(), "--timeout", "3600"]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, _measure_peak())
            time.sleep(0.05)
    assert process.returncode == 0
    seconds = time.perf_counter() - start
    print(f"\n{side} × {side} px, {options}: {seconds:.0f} s, at most {peak / 2**30:.2f} GB in one process")


def _measure_peak() -> int:
    """Peak memory [bytes] so far of the largest process below this one (Linux)."""
    peaks, parents = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:  # it has ended
            continue
        pid = int(status.parent.name)
        parents[pid] = int(lines["PPid"])
        peaks[pid] = int(lines.get("VmHWM", "0").split()[0]) * 1024

    def is_below(pid: int) -> bool:
        parent = parents.get(pid, 0)
        return parent == os.getpid() or (parent != 0 and is_below(parent))

    return max((peak for pid, peak in peaks.items() if is_below(pid)), default=0)


def test_help(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("porescope")), "--help"]
    ms = _time(lambda: subprocess.run(command, check=True, capture_output=True), 10)
    print(f"\nporescope --help: {ms / 1e3:.2f} s")
