"""The docs: no page is forgotten, every command is one, every column of a real run is described."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from helpers import run
from markdown_it import MarkdownIt

import porescope
from porescope.cli.app import app
from porescope.simulation import Scene, save_simulation, simulate

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS))
import generate  # noqa: E402

PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
#: Pages whose commands are run; those of all pages are read as the command line reads them.
RUN = ["README", "index", "how-to", "detect", "lattice", "tuning", "voids"]
#: Commands that are run, if what they read can be drawn.
RUNNABLE = [
    "detect",
    "report",
    "compare",
    "conductance",
    "statistics",
    "tune",
    "score",
    "explain",
    "simulate",
]


@dataclass(frozen=True)
class Command:
    page: str
    line: int
    words: tuple[str, ...]


def list_blocks(page: Path, *languages: str) -> Iterator[tuple[int, str]]:
    """The fenced blocks of a page in one of some languages: number of the first line, text."""
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "fence" and token.map and token.info.strip() in languages:
            yield token.map[0] + 2, token.content


def list_commands(page: Path) -> list[Command]:
    """The lines that call porescope; a line that ends with a backslash goes on."""
    commands = []
    for first, block in list_blocks(page, "", "bash", "sh", "shell", "console"):
        lines = re.sub(r"\\\n", "  ", block)
        for number, line in enumerate(lines.splitlines(), first):
            words = shlex.split(line.strip().removeprefix("$ "), comments=True)
            while words and re.fullmatch(r"\w+=\S*", words[0]):
                del words[0]
            if words and words[0] == "porescope":
                commands.append(Command(page.stem, number, tuple(words[1:])))
    return commands


def parse(words: tuple[str, ...]) -> dict[str, Any]:
    """Read a command as the command line does, without running it: the values of its parameters."""
    command, left = typer.main.get_command(app), list(words)
    while hasattr(command, "commands") and left and left[0] in command.commands:
        command = command.commands[left.pop(0)]
    return command.make_context("porescope", left).params


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_one(page: Path) -> None:
    wrong = []
    for command in list_commands(page):
        try:
            parse(command.words)
        except Exception as error:
            wrong.append(f"{page.name}:{command.line}: {shlex.join(command.words)}: {error}")
    assert wrong == []


def test_commands_are_found_in_the_pages() -> None:
    assert len([c for page in PAGES for c in list_commands(page)]) > 50
    with pytest.raises(Exception, match="No such option: --turn"):
        parse(("detect", "A.dm3", "--turn", "-o", "out"))


def test_no_page_is_forgotten() -> None:
    names = {path.stem for path in DOCS.glob("*.md")}
    assert {*generate.list_guide(), *generate.HOME_PAGES} == names
    home = (DOCS / "index.md").read_text(encoding="utf-8")
    assert all(f"\n{name}\n" in home for name in generate.HOME_PAGES if name != "index")


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == porescope.__version__
    assert f"\nversion: {project['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"porescope-{project['version']}-py3" in (DOCS / "install.md").read_text(encoding="utf-8")
    extras = set(project["optional-dependencies"])
    named = re.findall(r"^\| `(\w+)` \| (?!\d)", (DOCS / "install.md").read_text(encoding="utf-8"), re.M)
    assert extras <= set(named)


def test_no_message_names_a_package_index() -> None:
    """porescope is on none: an extra is installed from its folder, as `explain_missing` says."""
    texts = [*(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py"), *PAGES]
    wrong = [
        p.name for p in texts if re.search(r"pip install '?porescope\b(?!-)", p.read_text(encoding="utf-8"))
    ]
    assert wrong == []


def test_commands_are_described_by_the_program() -> None:
    page = generate.write_commands()
    assert "## `porescope detect`" in page and "--least-confidence" in page


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two simulated images, each with its standard beside it."""
    folder = tmp_path_factory.mktemp("images")
    for seed, name in enumerate("AB", 1):
        drawn = simulate(Scene(shape=(180, 220), pores=3, max_missing=40, dose=2e6), seed=seed, name=name)
        save_simulation(folder, drawn, "docs")
    return [folder / "A.tif", folder / "B.tif"]


@pytest.fixture(scope="module")
def census(images: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of these images."""
    out = tmp_path_factory.mktemp("census") / "out"
    assert run("detect", *images, "--material", "WS2", "--workers", 1, "-o", out).exit_code == 0
    return out


@pytest.fixture(scope="module")
def done() -> set[str]:
    """The commands with their options that were run."""
    return set()


@dataclass(frozen=True)
class Desk:
    """A folder in which the commands of a page are run in their order; what they read is drawn."""

    folder: Path
    images: list[Path]
    census: Path
    done: set[str]

    def provide(self, word: str, is_run: bool = False) -> list[str]:
        """Provide what a command reads, as the shell hands it over; nothing if that cannot be drawn."""
        path = self.folder / word
        if path.suffix == ".tif":
            stems = ["A", "B"] if "*" in word else [path.stem]
            return [str(Path(word).with_name(f"{stem}.tif")) for stem in self._draw(path.parent, stems)]
        if path.exists() and word != ".":
            return [word]
        if path.name in ("pores.csv", "images.csv"):
            shutil.copy(self.census / path.name, path)
        elif is_run and not path.suffix:
            shutil.copytree(self.census, path)
        elif not path.suffix:
            self._draw(path, ["A", "B"])
        return [word] if path.exists() else []

    def _draw(self, folder: Path, stems: list[str]) -> list[str]:
        folder.mkdir(parents=True, exist_ok=True)
        for image, stem in zip(self.images, stems, strict=False):
            shutil.copy(image, folder / f"{stem}.tif")
            shutil.copy(image.with_name(f"{image.stem}_standard.tif"), folder / f"{stem}_standard.tif")
        return stems

    def run(self, command: Command) -> str | None:
        """Run a command and give what it said if it failed; None if what it reads cannot be drawn."""
        words = [re.sub(r"\.dm3$", ".tif", word) for word in command.words]
        if any(re.fullmatch(r"OUT|[A-Z]+\.\.\.", word) for word in words):
            return None  # a form, such as INPUT... -o OUT
        options = " ".join(sorted(word for word in words if word.startswith("-"))) + " ".join(
            value for option, value in pairwise(words) if option in ("--method", "--modality", "--calibrate")
        )
        if (kind := f"{words[0]} {options}") in self.done:
            return ""  # the like was run in an earlier page
        values = parse(tuple(words))
        reads_out = words[0] in ("report", "score")
        if values.get("out") and "--resume" not in words and not reads_out:
            shutil.rmtree(self.folder / values["out"], ignore_errors=True)
        runs = [values[name] for name in ("given", "one", "two") if name in values]
        runs += [values["out"]] if reads_out else []
        for word in [*values.get("inputs", []), values.get("standards"), values.get("measured"), *runs]:
            if word is not None:
                given = self.provide(str(word), is_run=word in runs)
                at = words.index(str(word)) if str(word) in words else words.index(f"{word}/")
                words[at : at + 1] = given
                if not given:
                    return None
        quick = ["--workers", "1", "--no-images"] if words[0] == "detect" else []
        result = run(*words, *quick)
        if words[0] != "tune":  # whose recipe the next commands read
            self.done.add(kind)
        return "" if result.exit_code == 0 else f"{result.output}{result.exception or ''}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem in RUN], ids=lambda page: page.stem)
def test_commands_do_what_the_page_says(
    page: Path,
    images: list[Path],
    census: Path,
    done: set[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for _, block in list_blocks(page, "python"):
        if name := re.match(r"# (\w+\.py)\n", block):
            Path(name[1]).write_text(block, encoding="utf-8")
    desk, wrong = Desk(tmp_path, images, census, done), []
    runnable = [command for command in list_commands(page) if command.words[0] in RUNNABLE]
    results = [desk.run(command) for command in runnable]
    for command, said in zip(runnable, results, strict=True):
        if said:
            wrong.append(f"{page.name}:{command.line}: {shlex.join(command.words)}: {said}")
    assert wrong == [] and len([said for said in results if said is not None]) >= 2


@pytest.fixture(scope="module")
def tables(images: list[Path], census: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The tables that the commands write for these images."""
    folder, data = tmp_path_factory.mktemp("tables"), images[0].parent
    options = {"tile": ["--tiles", "1x2"], "single": ["--count", 1]}
    commands = [
        ["conductance", census, "--salt", "1 M KCl", "--window", 150, "-o", folder / "current"],
        ["statistics", census, "-o", folder / "statistics"],
        ["tune", *images, "--standards", data, "--axis", "grid=5:10:5", "-o", folder / "search"],
        ["tune", *images, "--standards", data, "--method", "ascend", "--restarts", 1, "-o", folder / "climb"],
        *(["simulate", *words, "--pores", 3, "-o", folder / name] for name, words in options.items()),
    ]
    for words in commands:
        result = run(*words)
        assert result.exit_code == 0, result.output
    found = [path for place in (census, folder, data) for path in place.rglob("*.csv")]
    return [*found, *folder.rglob("scores.parquet")]


def test_every_column_of_a_run_is_described(tables: list[Path]) -> None:
    described: dict[str, set[str]] = {}
    for column in (c for page in PAGES for c in generate.list_columns(page)):
        described.setdefault(column.table, set()).update(column.names)
    lacking = {}
    for path in tables:
        read = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
        name = path.name if path.name in described else f"NAME_{path.name.rpartition('_')[2]}"
        # Rows of pores keep their columns, whatever a table adds to them; candidates have the same ones.
        known = described.get(name, set()) | described["pores.csv"]
        if missing := [column for column in read(path).columns if column not in known]:
            lacking[name] = missing
    assert lacking == {}
    assert {path.name for path in tables} >= {"images.csv", "pores.csv", "candidates.csv", "conductance.csv"}
