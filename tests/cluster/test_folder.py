"""Runs from a store to a store, through a real S3 server."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
from conftest import STORE_KEYS, Store
from helpers import run, save_simulated

from porescope import read_run
from porescope.storage import lock


def _upload(folder: Path) -> Any:
    files = fsspec.filesystem("s3", use_listings_cache=False)
    for path in folder.iterdir():
        files.put_file(str(path), f"bucket/in/{path.name}")
    return files


def _download(files: Any, name: str, folder: Path) -> Path:
    """The run as it is in the store."""
    for found in files.find(f"bucket/{name}"):
        path = folder / found.removeprefix("bucket/")
        path.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(found, str(path))
    return folder / name


def _assert_same(one: Path, two: Path, source: Path) -> None:
    first, second = read_run(one), read_run(two)
    moved = first.images.assign(file=first.images.file.str.replace(f"{source}/", "s3://bucket/in/"))
    pd.testing.assert_frame_equal(moved, second.images)
    pd.testing.assert_frame_equal(first.pores, second.pores)
    names = [
        sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()) for out in (one, two)
    ]
    assert names[0] == names[1]
    for path in one.glob("*_labels.tif"):
        assert path.read_bytes() == (two / path.name).read_bytes()


def test_from_store_to_store_while_the_server_is_started_again(store: Store, tmp_path: Path) -> None:
    """Images, a stack, a broken file; then one more file and --resume."""
    for i in range(6):
        save_simulated(tmp_path / "in", f"s{i}.tif", seed=i, frames=3 if i == 2 else 1)
    (tmp_path / "in" / "bad.tif").write_bytes(b"II*\0 not a tiff")
    files = _upload(tmp_path / "in")
    options = ("--method", "threshold", "--workers", 2)
    assert run("detect", tmp_path / "in", "-o", tmp_path / "plain", *options).exit_code == 1
    stored = ("detect", "s3://bucket/in", "-o", "s3://bucket/run", *options, "--cluster", "local")
    restarting = threading.Thread(target=_restart, args=(store, lambda: _has_results(files)))
    restarting.start()
    ran = _run(*stored)
    restarting.join()
    assert ran.returncode == 1, ran.stdout
    assert "s3://bucket/run/report.html" in ran.stdout
    _assert_same(tmp_path / "plain", _download(files, "run", tmp_path / "got"), tmp_path / "in")
    text = ran.stdout + "".join(p.read_text() for p in (tmp_path / "got" / "run").glob("run.*"))
    assert not any(secret in text for secret in STORE_KEYS.values())
    again = _run(*stored)
    assert again.returncode == 2 and "s3://bucket/run holds the results of another run" in again.stdout
    save_simulated(tmp_path / "in", "t.tif", seed=9)
    files.put_file(str(tmp_path / "in" / "t.tif"), "bucket/in/t.tif")
    first = {p: files.info(p)["LastModified"] for p in files.find("bucket/run") if p.endswith("_labels.tif")}
    assert run("detect", tmp_path / "in", "-o", tmp_path / "plain", *options, "--resume").exit_code == 1
    assert _run(*stored, "--resume").returncode == 1
    _assert_same(tmp_path / "plain", _download(files, "run", tmp_path / "more"), tmp_path / "in")
    assert {p: files.info(p)["LastModified"] for p in first} == first, "an image was processed again"


def _run(*arguments: object, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run porescope in a process of its own, whose workers have its environment: the credentials."""
    code = f"{before}\nfrom porescope.cli.start import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "COLUMNS": "400"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def _has_results(files: Any) -> bool:
    try:
        return any(name.endswith("_labels.tif") for name in files.find("bucket/run"))
    except Exception:  # it is away, or has no such folder yet
        return False


def _restart(store: Store, when: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not when() and time.monotonic() < end:
        time.sleep(0.05)
    store.stop()
    store.begin()


def test_a_dead_driver_does_not_hold_the_folder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock of a dead one is taken over, that of one alive is not."""
    monkeypatch.setattr(lock, "_RENEW", 0.2)
    short = "from porescope.storage import lock; lock._RENEW, lock._DEAD = 0.2, 6.0"
    save_simulated(tmp_path / "in", "a.tif")
    files = _upload(tmp_path / "in")
    files.pipe_file("bucket/run/_lock-000004", b"of a dead one")
    options = ("detect", "s3://bucket/in", "-o", "s3://bucket/run", "--no-images", "--method", "threshold")
    assert _run(*options, before=short).returncode == 0
    assert not [name for name in files.find("bucket/run") if "_lock" in name]
    with lock.hold_lock(lock.Address("s3://bucket/other")):
        ran = _run(
            "detect", "s3://bucket/in", "-o", "s3://bucket/other", "--method", "threshold", before=short
        )
        assert ran.returncode == 2 and "another run is writing to s3://bucket/other" in ran.stdout


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://key:secret@bucket/in", "holds a user or a password"),
        ("s3://bucket//in", "no plain address"),
        ("nosuch://bucket/in", "no protocol"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(tmp_path: Path, address: str, said: str) -> None:
    save_simulated(tmp_path, "a.tif")
    for arguments in ((address, "-o", tmp_path / "out"), (tmp_path / "a.tif", "-o", address)):
        ran = run("detect", *arguments)
        assert ran.exit_code == 2 and said in " ".join(ran.output.replace("│", "").split())
        assert "secret" not in ran.output


def test_other_commands_do_not_take_an_address_for_a_path(tmp_path: Path) -> None:
    ran = run("tune", "s3://bucket/in", "--standards", tmp_path, "-o", tmp_path / "out")
    assert ran.exit_code == 2 and "s3://bucket/in is in a store" in ran.output
