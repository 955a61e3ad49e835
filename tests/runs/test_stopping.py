"""Runs that are killed for real: nothing twice, nothing lost, nothing left behind."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import tifffile
from conftest import require

from porescope import read_run
from porescope.simulation import Scene, simulate

if os.name == "nt":
    pytest.skip("signals are those of POSIX", allow_module_level=True)

COMMAND = [sys.executable, "-c", "from porescope.cli.start import main; main()", "detect"]
OPTIONS = ["--no-images", "--workers", "2"]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Longest time that a run or its end may take on a busy machine; one that hangs takes for ever [s].
PATIENCE = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 small images of two kinds, one of them broken."""
    folder = tmp_path_factory.mktemp("night")
    drawn = [simulate(Scene(shape=(90, 110), pores=2, max_missing=40, dose=2e6), seed=s) for s in range(4)]
    for i in range(200):
        path = folder / f"n{i:03d}.tif"
        image = drawn[i % 4].micrograph.image + i  # no two have the same content
        tifffile.imwrite(
            path, image.astype("uint16"), imagej=True, resolution=(25, 25), metadata={"unit": "nm"}
        )
    (folder / "n100.tif").write_bytes(b"II*\0 no image")
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert _start(folder, out).wait(PATIENCE) == 1  # one image is broken
    return out


def _start(folder: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    more = more if "--method" in more else (*more, "--method", "threshold")
    # A session of its own stands for a terminal of its own: its processes can be found and killed.
    command = [*COMMAND, str(folder), "-o", str(out), *OPTIONS, *more]
    with _log(out).open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    started.append(process)
    return process


#: Runs of the current test.
started: list[subprocess.Popen[bytes]] = []


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """A run that a failed test leaves behind must not disturb the next."""
    yield
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    started.clear()


def _log(out: Path) -> Path:
    return out.with_name(f"{out.name}.log")


def _run(folder: Path, out: Path, *more: str) -> tuple[int, str]:
    code = _start(folder, out, *more).wait(PATIENCE)
    return code, _log(out).read_text()


def _processes(session: int) -> list[int]:
    """Living processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.name))
    return found


def _wait_until_gone(session: int, seconds: float = 30) -> list[int]:
    until = time.monotonic() + seconds
    while (left := _processes(session)) and time.monotonic() < until:
        time.sleep(0.05)
    return left


def _check_equal(out: Path, undisturbed: Path) -> None:
    for name in ("images", "pores"):
        got, wanted = (pd.read_parquet(run / f"{name}.parquet") for run in (out, undisturbed))
        pd.testing.assert_frame_equal(got, wanted)
        assert (out / f"{name}.csv").read_bytes() == (undisturbed / f"{name}.csv").read_bytes()
    names = {p.name for p in out.iterdir()}
    assert names == {p.name for p in undisturbed.iterdir()}, names ^ {p.name for p in undisturbed.iterdir()}


def test_a_run_killed_at_random_is_gone_on_with_until_it_is_whole(
    folder: Path, undisturbed: Path, tmp_path: Path
) -> None:
    chance = random.Random(1)
    for round_ in range(4):
        out = tmp_path / f"out{round_}"
        process = _start(folder, out)
        for _ in range(20):
            try:
                process.wait(chance.uniform(0.3, 2.5))
                break
            except subprocess.TimeoutExpired:
                pass
            victims = _processes(process.pid)
            if chance.random() < 0.5 and len(victims) > 1:  # a worker; the run goes on without it
                os.kill(chance.choice([v for v in victims if v != process.pid]), signal.SIGKILL)
                continue
            os.kill(process.pid, signal.SIGKILL)
            process.wait(PATIENCE)
            assert _wait_until_gone(process.pid) == []
            if (out / "run.json").exists():
                read_run(out)  # at any moment
            process = _start(folder, out, "--resume")
        while process.poll() is None:
            process.wait(PATIENCE)
        if process.returncode != 1:  # the fork server itself was the victim
            process = _start(folder, out, "--resume")
            process.wait(PATIENCE)
        assert process.returncode == 1, _log(out).read_text()
        assert _wait_until_gone(process.pid) == []
        _check_equal(out, undisturbed)
        shutil.rmtree(out)


def _wait_until_it_listens(process: int) -> None:
    """Wait until porescope handles signals: before, they end the interpreter that is to run it."""
    last = signal.SIGHUP  # whose handler is set last
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        caught = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{process}/status").read_text(), re.M)
        if caught and int(caught[1], 16) >> (last - 1) & 1:
            return
        time.sleep(0.001)
    raise AssertionError("it handles no signals")


@pytest.mark.parametrize(
    ("number", "after"),
    [(number, t) for t in (0.0, 0.1, 0.3, 0.5, 0.9, 1.5) for number in SIGNALS[:2]]
    + [(SIGNALS[2], 0.3), (SIGNALS[2], 1.2)],
)
def test_a_signal_stops_a_run_at_any_moment(
    folder: Path, undisturbed: Path, tmp_path: Path, number: signal.Signals, after: float
) -> None:
    out = tmp_path / "out"
    process = _start(folder, out)
    _wait_until_it_listens(process.pid)
    time.sleep(after)
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    process.wait(PATIENCE)
    said = _log(out).read_text()
    if process.returncode == 1:  # it was faster
        return
    assert process.returncode == 128 + number, said
    assert "Traceback" not in said and _wait_until_gone(process.pid) == []
    if (out / "run.json").exists():
        # It may just have finished.
        assert json.loads((out / "run.json").read_text())["state"] in ("stopped", "finished")
        assert "go on with --resume" in said
        images = pd.read_csv(out / "images.csv")
        assert len(images) == len(read_run(out).images) and not list(out.rglob("_*"))
    assert _run(folder, out, "--resume")[0] == 1
    _check_equal(out, undisturbed)


def _two(folder: Path, tmp_path: Path) -> Iterator[Path]:
    for name in ("n000.tif", "n001.tif"):
        yield Path(shutil.copy(folder / name, tmp_path / name))


def test_a_second_run_into_the_same_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ndef find(m):\n    time.sleep(0.04)\n    return m.image < 0\n")
    first = _start(folder, tmp_path / "out", "--method", f"{slow}:find")
    while not (tmp_path / "out" / "run.json").exists():
        time.sleep(0.02)
    while not list((tmp_path / "out").glob("*_labels.tif")):
        time.sleep(0.02)
    code, said = _run(folder, tmp_path / "out", "--overwrite")
    assert code == 2 and "another run is writing to" in said
    assert first.wait(PATIENCE) == 1


def test_the_earlier_run_survives_a_killed_overwrite(folder: Path, undisturbed: Path, tmp_path: Path) -> None:
    """Killed at five moments, then stopped by a signal, then gone on with."""
    out = tmp_path / "out"
    one, two = _two(folder, tmp_path)
    assert _run(one, out)[0] == 0
    before = (out / "images.parquet").read_bytes()
    for after in (0.4, 0.8, 1.1, 1.4):
        process = _start(folder, out, "--overwrite")
        time.sleep(after)
        process.kill()
        process.wait(PATIENCE)
        assert (out / "images.parquet").read_bytes() == before and (out / "n000_labels.tif").exists()
        assert _wait_until_gone(process.pid) == []
    started = time.time()
    process = _start(folder, out, "--overwrite")
    while not [p for p in out.glob("_next/*_labels.tif") if p.stat().st_mtime > started]:
        time.sleep(0.02)
    process.terminate()
    assert process.wait(PATIENCE) == 143
    assert read_run(out).images.image.tolist() == ["n000"]
    assert _run(folder, out, "--resume")[0] == 1
    _check_equal(out, undisturbed)


def test_another_job_is_not_gone_on_with(folder: Path, tmp_path: Path) -> None:
    one, _ = _two(folder, tmp_path)
    out = tmp_path / "out"
    assert _start(one, out).wait(PATIENCE) == 0
    _, said = _run(one, out, "--resume", "--pixel-size", "0.05")
    assert "was made with pixel_size_nm = None, not 0.05" in said


def test_more_inputs_and_changed_ones_are_done_and_no_others(folder: Path, tmp_path: Path) -> None:
    one, two = _two(folder, tmp_path)
    out = tmp_path / "out"
    assert _start(one, out).wait(PATIENCE) == 0
    before = (out / "n000_labels.tif").stat().st_mtime_ns
    code, said = _run(tmp_path, out, "--resume")
    assert code == 0, said
    assert (out / "n000_labels.tif").stat().st_mtime_ns == before
    shutil.copy(folder / "n003.tif", one)
    two.unlink()
    code, said = _run(tmp_path, out, "--resume")
    assert code == 0 and "Earlier inputs that are not named now: 1;" in said
    images = read_run(out).images
    assert images.image.tolist() == ["n000", "n001"] and images.sha256.nunique() == 2
    assert (out / "n000_labels.tif").stat().st_mtime_ns > before


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", disk], check=False)
    require(mounted.returncode == 0, "the right to mount a small disk")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_ends_a_run_and_what_is_done_is_kept(
    folder: Path, undisturbed: Path, small_disk: Path
) -> None:
    out = small_disk / "out"
    process = subprocess.run(
        [*COMMAND, str(folder), "-o", str(out), *OPTIONS, "--method", "threshold"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert process.returncode == 1 and f"The disk of {out} is full" in process.stderr, process.stderr
    assert "Traceback" not in process.stderr and not list(out.rglob("_*"))
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk], check=True)
    again = subprocess.run(
        [*COMMAND, str(folder), "-o", str(out), *OPTIONS, "--method", "threshold", "--resume"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert again.returncode == 1, again.stderr  # one image is broken
    _check_equal(out, undisturbed)


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    command = [*COMMAND, str(folder), "-o", str(out)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 2 and "cannot be written" in process.stderr


def test_a_report_on_a_folder_that_cannot_be_written_is_refused(folder: Path, small_disk: Path) -> None:
    out = small_disk / "out"
    command = [*COMMAND, str(folder / "n000.tif"), "-o", str(out), *OPTIONS, "--method", "threshold"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = subprocess.run([*COMMAND[:-1], "report", out], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr == (
        f"porescope: {out} cannot be written; copy the run to a folder that can, and name that\n"
    )


def test_another_signal_does_not_disturb_the_end(folder: Path, tmp_path: Path) -> None:
    """As when a system shuts down: SIGTERM and SIGHUP again and again."""
    process = _start(folder, tmp_path / "out")
    while not list((tmp_path / "out").glob("*_labels.tif")):
        time.sleep(0.02)
    for _ in range(3):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            process.send_signal(number)
        time.sleep(0.02)
    assert process.wait(PATIENCE) in (143, 129, 130), _log(tmp_path / "out").read_text()
    assert "Traceback" not in _log(tmp_path / "out").read_text()
    assert json.loads((tmp_path / "out" / "run.json").read_text())["state"] == "stopped"
    assert _wait_until_gone(process.pid) == [] and not list((tmp_path / "out").glob("_*"))


@pytest.mark.parametrize("option", ["--overwrite", "--resume"])
def test_a_disk_that_is_full_from_the_start_is_named(folder: Path, small_disk: Path, option: str) -> None:
    out = small_disk / "out"
    one = folder / "n000.tif"
    command = [*COMMAND, str(one), "-o", str(out), *OPTIONS, "--method", "threshold"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (small_disk / "fill").write_bytes(bytes(os.statvfs(small_disk).f_bavail * 4096))
    done = subprocess.run([*command, option], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and f"The disk of {out}" in done.stderr and "is full" in done.stderr, (
        done.stderr
    )
    assert len(read_run(out).images) == 1
