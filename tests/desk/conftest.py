"""Windows of napari on a display of their own; each is closed, and no test can wait for ever."""

from __future__ import annotations

import faulthandler
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import require
from helpers import save_simulated

from porescope.desk import check_display, make_desk
from porescope.runs import Job

#: Time after which a test has failed that waits for something, and one that hangs [s].
PATIENCE_S, HANGS_S = 120, 400
#: Shells that run a display; they end with this process.
_SERVERS: list[subprocess.Popen[bytes]] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that open a window; in them, warnings of porescope alone are errors.

    They come last: Qt stays in the process, where matplotlib would find it.
    """
    for item in items:
        if "display" in getattr(item, "fixturenames", ()):
            item.add_marker("gui")
            item.add_marker(pytest.mark.filterwarnings("ignore", "error:::porescope"))
    items.sort(key=lambda item: item.get_closest_marker("gui") is not None)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three images and a movie of three frames."""
    folder = tmp_path_factory.mktemp("images")
    drawn = [
        save_simulated(folder, f"{name}.tif", seed=seed) for name, seed in (("a", 1), ("b", 5), ("c", 6))
    ]
    return [*drawn, save_simulated(folder, "movie.tif", seed=8, frames=3)]


@pytest.fixture(scope="session")
def display(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of a display that ends with this process, however that ends."""
    require(
        find_spec("napari") is not None and find_spec("qtpy") is not None, "napari (pip install '.[gui]')"
    )
    require(shutil.which("Xvfb") is not None, "Xvfb")
    # The shell ends the server when its input does, thus with this process: a window that outlives its
    # server would end the tests.
    command = "Xvfb -displayfd 1 -screen 0 1600x1000x24 -nolisten tcp & cat >/dev/null; kill $!"
    (until, _), (said, saying) = os.pipe(), os.pipe()
    server = subprocess.Popen(
        ["sh", "-c", command], stdin=until, stdout=saying, stderr=subprocess.DEVNULL, start_new_session=True
    )
    _SERVERS.append(server)
    assert select.select([said], [], [], PATIENCE_S)[0], "Xvfb does not start"
    name = f":{os.read(said, 20).decode().strip()}"
    for end in (until, saying):
        os.close(end)
    settings = {"DISPLAY": name, "QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1"}
    settings["NAPARI_CONFIG"] = str(tmp_path_factory.mktemp("napari") / "settings.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WAYLAND_DISPLAY", raising=False)
        for key, value in settings.items():
            patch.setenv(key, value)
        with patch.context() as without:
            without.delenv("QT_QPA_PLATFORM")
            check_display()  # else Qt would end all tests
        # napari has plugins of pytest, which therefore would compile all its modules anew: some seconds.
        hook = pytestconfig.pluginmanager.rewrite_hook
        patch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if finder is not hook])
        yield name


class Desk:
    """A window with the panel, as a person has it before him."""

    def __init__(self, paths: list[Path], job: Job) -> None:
        from qtpy.QtWidgets import QApplication

        self.viewer, self.panel = make_desk(paths, job)
        self.application = QApplication.instance()
        self.viewer.window.resize(1000, 700)
        self.said: list[str] = []
        self.panel.bench.told.connect(self.said.append)

    @property
    def pores(self) -> Any:
        """The layer of the pores."""
        return self.panel.bench.pores

    @property
    def table(self) -> Any:
        """The rows of the table; None while they are not known."""
        return self.panel.table.pores.table

    def wait(self, until: Callable[[], Any]) -> None:
        """Let the window work until something is so."""
        end = time.monotonic() + PATIENCE_S
        while not until():
            self.application.processEvents()
            assert time.monotonic() < end, f"still waiting; {self.panel.message.text()}"
            time.sleep(0.01)

    def settle(self) -> None:
        """Wait until all work is done and shown."""
        self.application.processEvents()
        self.wait(lambda: not self.panel.bench.busy)
        self.application.processEvents()

    def close(self) -> None:
        """Close the window as its user does, and wait for the threads."""
        self.panel.close_desk()
        for worker in self.panel.bench.workers.values():
            worker._thread.join(PATIENCE_S)
        self.viewer.close()
        self.application.processEvents()


@pytest.fixture
def open_desk(display: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Desk]]:
    """Open a window; what goes wrong in it fails the test."""
    errors: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: errors.append(error))
    opened: list[Desk] = []

    def make(paths: list[Path], out: Path, **options: Any) -> Desk:
        opened.append(Desk(paths, Job(out, **options)))
        opened[-1].settle()
        return opened[-1]

    with open(os.dup(2), "w") as stderr:
        faulthandler.dump_traceback_later(HANGS_S, exit=True, file=stderr)
        try:
            yield make
        finally:
            for desk in opened:
                desk.close()
            faulthandler.cancel_dump_traceback_later()
    assert errors == []
