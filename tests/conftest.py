"""Shared fixtures: the test data, and what a missing part means."""

from __future__ import annotations

import os
import shutil
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
