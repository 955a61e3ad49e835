from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest
from conftest import require
from helpers import save_simulated

from porescope.cli.start import _explain, protect_name

needs_shell = pytest.mark.skipif(os.name == "nt", reason="streams are closed by a POSIX shell")


@pytest.mark.parametrize("name", ["-o.tif", "--overwrite.png", "--pixel-size=0.04.NPY", "-r.toml", "-f.zspy"])
def test_a_name_that_looks_like_an_option_becomes_a_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert protect_name(name) == name  # no such file: an option, right or wrong
    Path(name).touch()
    assert protect_name(name) == f"./{name}"


@pytest.mark.parametrize("option", ["-o", "--overwrite", "-", "--", "--pixel-size=0.04", "a-o.tif"])
def test_options_and_plain_names_stay(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-o").touch()
    Path("a-o.tif").touch()
    assert protect_name(option) == option


def test_a_glob_that_stands_for_options_names_files(tmp_path: Path) -> None:
    for name in ("-o.tif", "--overwrite.tif"):
        save_simulated(tmp_path, name)
    code = "from porescope.cli.start import main; main()"
    inputs = sorted(path.name for path in tmp_path.glob("*.tif"))
    command = [sys.executable, "-c", code, "detect", *inputs, "-o", "out", "--recipe", "ws2", "--no-images"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    images = pd.read_parquet(tmp_path / "out" / "images.parquet")
    assert images.file.tolist() == ["--overwrite.tif", "-o.tif"]


def _detect(
    folder: Path, ending: str = "", before: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """A run of one image, started by a shell."""
    save_simulated(folder, "one.tif")
    command = '-c "from porescope.cli.start import main; main()" detect one.tif -o out'
    line = f"{before} {sys.executable} {command} --method threshold --no-images {ending}"
    return subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


@needs_shell
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_ends_no_run_and_no_file_takes_its_place(tmp_path: Path, closed: str) -> None:
    done = _detect(tmp_path, closed)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert json.loads((tmp_path / "out" / "run.json").read_text())["state"] == "finished"


@needs_shell
def test_results_that_cannot_be_printed_end_in_a_sentence(tmp_path: Path) -> None:
    require(Path("/dev/full").exists(), "/dev/full")
    done = _detect(tmp_path, "> /dev/full")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "the results cannot be printed ([Errno 28] No space left on device)" in done.stderr
    assert json.loads((tmp_path / "out" / "run.json").read_text())["state"] == "finished"


def test_an_error_of_a_file_is_not_said_to_be_one_of_printing() -> None:
    said = _explain(PermissionError(13, "Permission denied", "out/run.json"))
    assert said == (
        "out/run.json cannot be read or written (Permission denied); check the path and its permissions"
    )
    assert _explain(BlockingIOError(11, "no more processes")) == "[Errno 11] no more processes"


@needs_shell
def test_a_limit_on_the_size_of_files_is_no_wrong_use(tmp_path: Path) -> None:
    """The tables in Parquet have 15 kB; a part that cannot be written is missing, not cut off."""
    done = _detect(tmp_path, before="ulimit -f 16;")  # blocks of 512 bytes in sh
    assert done.returncode == 1 and "out takes no more (File too large)" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not list((tmp_path / "out").rglob("_*"))
    done = _detect(tmp_path, "--resume")
    assert done.returncode == 0, done.stderr


@needs_shell
def test_a_long_path_of_temporary_files_is_said_in_a_sentence(tmp_path: Path) -> None:
    """Sockets have names of about 100 bytes."""
    (tmp_path / ("t" * 120)).mkdir()
    done = _detect(tmp_path, TMPDIR=str(tmp_path / ("t" * 120)))
    assert done.returncode == 2 and "Set TMPDIR to another" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "out").exists()


def _start_with(body: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command line with a function of our own instead of its commands."""
    code = "import os, signal, time\nimport porescope.cli.app as module\n"
    code += "from porescope.cli.start import main\n"
    code += f"def app():\n{textwrap.indent(textwrap.dedent(body), '    ')}\nmodule.app = app\nmain()\n"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_a_signal_waits_for_the_end_of_an_import(tmp_path: Path) -> None:
    """An exception in the middle of an import leaves locks behind."""
    (tmp_path / "slow.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(0.2)\nprint('imported')\n"
    )
    done = _start_with("import sys; sys.path.insert(0, '')\nimport slow\ntime.sleep(30)", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (143, "imported\n", "")


@pytest.mark.skipif(os.name == "nt", reason="signals are those of POSIX")
def test_a_signal_in_a_destructor_is_not_lost(tmp_path: Path) -> None:
    body = """
    class Object:
        def __del__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(100):  # here the exception is raised, and lost
                pass
    Object()
    time.sleep(30)
    """
    done = _start_with(body, tmp_path)
    assert (done.returncode, done.stderr) == (143, "")
