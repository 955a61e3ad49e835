"""The command, in processes of its own, which a fixture ends; and the page, in a browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers import run, save_simulated

from porescope import read_run

COMMAND = [sys.executable, "-c", "from porescope.cli.start import main; main()", "watch"]
OPTIONS = ["--method", "threshold", "--workers", "1"]


class _Watches:
    """Watches that were started in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        command = [*COMMAND, "today", "-o", "live", *OPTIONS, *map(str, arguments)]
        process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.started.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        said, _ = process.communicate(timeout=120)
        return process.returncode, said

    def wait(self, is_met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        until = time.monotonic() + 120
        page: dict[str, Any] = {}
        while time.monotonic() < until:
            if (self.folder / "live" / "live.json").exists():
                page = json.loads((self.folder / "live" / "live.json").read_text())
                if is_met(page):
                    return page
            time.sleep(0.02)
        raise AssertionError(page)


@pytest.fixture
def watches(tmp_path: Path) -> Iterator[_Watches]:
    watches = _Watches(tmp_path)
    yield watches
    for process in watches.started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
        if process.stdout:
            process.stdout.close()


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_a_watch_is_stopped_and_started_again_and_shows_itself_in_a_browser(
    watches: _Watches, chromium: str, tmp_path: Path
) -> None:
    from playwright.sync_api import sync_playwright

    process = watches.start("--alert", "n_pores > 0")
    watches.wait(lambda page: page["state"] == "watching")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            page = browser.new_page()
            errors: list[str] = []
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto((tmp_path / "live" / "live.html").as_uri())
            save_simulated(tmp_path / "today", "<img src=x>&b.tif")
            # It refreshes itself, also as a file.
            page.wait_for_function("document.getElementById('images').textContent === '1'", timeout=120_000)
            assert page.locator("#latest h3").inner_text() == "⚠ _img src=x_&b"
            assert page.locator("#alarm").is_visible() and "1 alarm" in page.locator("#alarm").inner_text()
            page.wait_for_function(
                "document.querySelector('#latest img')?.naturalWidth > 0",
                timeout=60_000,
            )
            page.click("#seen")
            assert page.locator("#alarm").is_hidden()
            process.send_signal(signal.SIGINT)
            code, said = watches.end(process)
            assert code == 130 and "Stopped after 1 files; go on with --resume" in said, said
            page.wait_for_function(
                "document.getElementById('state').textContent === 'stopped'", timeout=60_000
            )
            assert page.locator("#alarm").is_hidden() and errors == []
        finally:
            browser.close()
    assert "Traceback" not in said
    assert json.loads((tmp_path / "live" / "run.json").read_text())["state"] == "stopped"
    assert (tmp_path / "live" / "report.html").exists()
    save_simulated(tmp_path / "today", "c.tif", seed=2)
    code, said = watches.end(watches.start("--resume", "--until-idle", "0.5"))
    assert code == 0, said
    images = pd.read_csv(tmp_path / "live" / "images.csv")
    assert images.image.tolist() == ["_img src=x_&b", "c"] and (images.status == "ok").all()
    assert watches.wait(lambda page: True)["state"] == "finished"
    # `detect` goes on with it, and it with `detect`.
    done = run("detect", tmp_path / "today", "-o", tmp_path / "live", *OPTIONS, "--resume")
    assert done.exit_code == 0 and len(read_run(tmp_path / "live").images) == 2


def test_exit_codes_and_the_command_of_an_alarm(watches: _Watches, tmp_path: Path) -> None:
    save_simulated(tmp_path / "today" / "sub", "a.tif")
    script = tmp_path / "script.py"
    script.write_text(f"import sys; open({str(tmp_path / 'told')!r}, 'w').write(sys.argv[1])")
    command = f"'{sys.executable}' '{script}'"
    options = ("--recursive", "--no-images", "--until-idle", "0.5", "--alert", "n_pores > 0")
    code, said = watches.end(watches.start(*options, "--on-alert", command))
    assert code == 3 and "alarms: 1" in said, said
    assert (tmp_path / "told").read_text() == str(tmp_path / "today" / "sub" / "a.tif")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--alert", "diameter > 2"], "no column of numbers diameter"),
        (["--alert", "rm -rf /"], "COLUMN OPERATOR NUMBER"),
        (["--on-alert", "true"], "--on-alert needs an alarm"),
        (["--alert", "n_pores > 1", "--on-alert", "no-such-program"], "there is no program"),
        (["-o", "today"], "where results do not belong"),
        (["--resume", "--calibrate", "lattice"], "needs the crystal"),
        (["--quiet", "--verbose"], "contradict"),
    ],
)
def test_wrong_use_is_said_in_a_sentence_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("today").mkdir()
    result = run("watch", "today", "-o", "live", *options)
    assert result.exit_code == 2 and words in result.output, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["today"] and not list(Path("today").iterdir())


def test_a_file_is_no_folder_and_results_are_not_overwritten(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "a.tif")
    result = run("watch", path, "-o", tmp_path / "live")
    assert result.exit_code == 2 and "is a file; name the folder" in result.output
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "run.json").write_text('{"state": "finished"}')
    result = run("watch", tmp_path, "-o", tmp_path / "live")
    assert result.exit_code == 2 and "go on with --resume" in result.output
