from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from porescope.live.commands import Caller, split_command

#: Writes its arguments and what was found into the file that is named first, one a line.
SCRIPT = """import os, sys
with open(sys.argv[1], "a") as file:
    print(*sys.argv[2:], os.environ["PORESCOPE_ALERT"], sep="|", file=file)
"""


def test_no_shell_sees_the_name_of_a_file(tmp_path: Path) -> None:
    caller = Caller([sys.executable, "-c", SCRIPT, str(tmp_path / "log"), "two words"])
    caller.call(tmp_path / "a;touch b.tif", "n_pores = 3")
    caller.call(tmp_path / "-o $(touch b).tif", "n_pores = 4")
    caller.finish()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines == [
        f"two words|{tmp_path}/a;touch b.tif|n_pores = 3",
        f"two words|{tmp_path}/-o $(touch b).tif|n_pores = 4",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["log"]


def test_a_command_that_fails_is_logged(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.WARNING):
        for words in ([sys.executable, "-c", "raise SystemExit(7)"], [str(tmp_path / "gone")]):
            caller = Caller(words)
            caller.call(tmp_path / "a.tif", "x")
            caller.finish()
    assert "exit code 7" in caplog.messages[0] and "gone" in caplog.messages[1]


@pytest.mark.parametrize("text", ["", "  ", "no-such-program-here a", "sh 'open"])
def test_what_is_no_command_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--on-alert"):
        split_command(text)
