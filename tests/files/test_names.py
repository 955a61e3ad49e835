from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from helpers import list_outputs, run, save_simulated, take_census
from hypothesis import given
from hypothesis import strategies as st

from porescope.files.names import (
    DETECT_ENDINGS,
    ENDINGS,
    FILES,
    SUFFIXES,
    TUNING_FILES,
    Names,
    find_files,
    is_found,
    keep_names,
    name_files,
    search_folder,
)
from porescope.files.writing import escape_hidden, printable
from porescope.recipes import Threshold
from porescope.runs.job import Job


def test_names_are_told_apart_by_the_shortest_differing_folder() -> None:
    paths = [Path(p) for p in ("r/1/a/x.dm3", "r/2/a/x.dm3", "r/2/b/x.dm3", "r/y.dm3")]
    assert name_files(paths) == ["1_a_x", "2_a_x", "b_x", "y"]


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a/x.dm3", "a/x.tif"], ["x_dm3", "x_tif"]),
        (["a/X.tif", "b/x.tif"], ["a_X", "b_x"]),
        (["a/x.tif", "a/x_0000.tif"], ["a_x", "x_0000"]),
        (["con.tif", "a b.tif", "é.tif"], ["_con", "a b", "é"]),
        (['q"<b>.tif', "tab\t.tif", "..tif"], ["q__b_", "tab_", "image"]),
        (["\u202egnp.tif", "\u05d7\u05d5\u05e8.tif", "a\u2066.tif"], ["_gnp", "\u05d7\u05d5\u05e8", "a_"]),
    ],
)
def test_names_are_unique_and_safe(tmp_path: Path, paths: list[str], names: list[str]) -> None:
    got = name_files([Path("/root") / p for p in paths])
    assert len({n.casefold() for n in got}) == len(got)
    assert got == names
    assert all(Path(n).name == n for n in got)


def test_names_leave_room_for_endings_and_a_mark() -> None:
    """A file name has at most 255 bytes; a letter may have four."""
    for letter in "aé顕𝒳":
        (name,) = name_files([Path("/root") / f"{letter * (250 // len(letter.encode()))}.tif"])
        assert name in letter * 150 and len(name) >= 45
        assert len(f"_{name}_0001_overlay.png.4194304.part".encode()) <= 255


@pytest.mark.parametrize(
    ("known", "paths", "names"),
    [
        ({"a/x.tif": "x"}, ["a/x.tif", "b/x.tif"], ["x", "b_x"]),
        ({"a/x.tif": "x"}, ["b/x.tif"], ["b_x"]),
        ({"a/x.tif": "a_x", "b/x.tif": "b_x"}, ["b/x.tif"], ["b_x"]),
        ({"a/x.tif": "x"}, ["b/X.tif", "c/x_0001.tif"], ["b_X", "c_x_0001"]),
        ({"a/x_0001.tif": "x_0001"}, ["a/x_0002.tif", "b/x.tif"], ["x_0002", "b_x"]),
        ({"a/x.tif": "x", "c/y.tif": "b_x"}, ["b/x.tif"], ["ROOT_b_x"]),
        ({"gone/x.tif": "x"}, ["b/x.tif"], ["x"]),
    ],
)
def test_names_of_an_earlier_start_stay(
    tmp_path: Path, known: dict[str, str], paths: list[str], names: list[str]
) -> None:
    for name in known:
        if not name.startswith("gone"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
    got = keep_names([tmp_path / p for p in paths], {str(tmp_path / f): name for f, name in known.items()})
    assert got == [name.replace("ROOT", tmp_path.name) for name in names]


def test_files_folders_globs_and_emi(tmp_path: Path) -> None:
    for name in (
        "s.emi",
        "s_1.ser",
        "t_1.ser",
        "x.tif",
        "x_standard.png",
        "x_labels.tif",
        "n.txt",
        "sub/z.dm3",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.name for p in find_files([tmp_path])] == ["s.emi", "t_1.ser", "x.tif"]
    assert [p.name for p in find_files([f"{tmp_path}/**/*.dm3"])] == ["z.dm3"]
    assert [p.name for p in find_files([tmp_path / "x.tif", tmp_path])] == ["x.tif", "s.emi", "t_1.ser"]
    assert [p.name for p in find_files([tmp_path / "s_1.ser"])] == ["s_1.ser"]
    with pytest.raises(ValueError, match="names no file"):
        find_files([tmp_path / "nope*.tif"])
    with pytest.raises(ValueError, match="holds no image files"):
        (tmp_path / "empty").mkdir()
        find_files([tmp_path / "empty"])


def test_a_zarr_store_is_one_file(tmp_path: Path) -> None:
    """HyperSpy writes a folder with this suffix; its inside are no inputs."""
    store = tmp_path / "in" / "movie.ZSPY"
    (store / "data").mkdir(parents=True)
    (store / "data" / "0.tif").touch()
    (tmp_path / "in" / "x.tif").touch()
    for pattern in ("in", "in/*", "in/**/*"):
        assert [p.name for p in find_files([tmp_path / pattern])] == ["movie.ZSPY", "x.tif"], pattern
    assert [p.name for p in find_files([tmp_path / "**" / "*.tif"])] == ["x.tif"]
    assert find_files([store]) == [store]


def test_nothing_that_is_named_is_dropped_in_silence(tmp_path: Path) -> None:
    for name in ("s.emi", "s_1.ser", "x.tif", "y.xyz"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    said: list[str] = []
    named = [tmp_path / name for name in ("s_1.ser", "s.emi", "x.tif", "y.xyz", "x.tif")]
    found = find_files(named, said.append)
    assert [p.name for p in found] == ["s.emi", "x.tif", "y.xyz"]
    assert said == [
        "x.tif is named twice and read once.",
        "Read with their .emi file, not by themselves: s_1.ser.",
    ]
    find_files([tmp_path], said.append)
    assert len(said) == 2  # a folder names none of its files
    with pytest.raises(ValueError, match="empty holds no image files"):
        find_files([tmp_path, tmp_path / "empty"])


def test_every_picture_of_ours_is_passed_over_in_folders(tmp_path: Path) -> None:
    path = save_simulated(tmp_path, "one.tif")
    take_census([path], Job(tmp_path, Threshold(), lattice=True))
    (tmp_path / "cvvp.png").touch()
    assert len(list_outputs(tmp_path)) == 3 and find_files([tmp_path]) == [path]


@pytest.mark.parametrize("ending", ENDINGS.values())
def test_a_file_with_each_ending_is_passed_over(tmp_path: Path, ending: str) -> None:
    for name in (f"a{ending}", f"a_0003{ending}", "a.tif"):
        (tmp_path / name).touch()
    assert [p.name for p in find_files([tmp_path])] == ["a.tif"]
    assert find_files([tmp_path / f"a{ending}"]) == [tmp_path / f"a{ending}"]  # but read where it is named


def test_files_of_a_result_are_passed_over(tmp_path: Path) -> None:
    for name in (*FILES.values(), "A_standard.jpg", "A_labels.png", ".hidden.tif", "A.tif"):
        (tmp_path / name).touch()
    assert [p.name for p in find_files([tmp_path])] == ["A.tif"]


def test_micrographs_named_like_a_result_are_found(tmp_path: Path) -> None:
    """Only what porescope writes is passed over: a DM3 file of a bright field is a micrograph."""
    names = [
        "bright_field.dm3",
        "bright_field.tif",
        "carbon_network.dm3",
        "field.tif",
        "network.png",
        "pores.tif",
    ]
    for name in names:
        (tmp_path / name).touch()
    assert [p.name for p in find_files([tmp_path])] == names


def test_a_field_lies_beside_its_image(tmp_path: Path) -> None:
    names = (
        "one_labels.tif",
        "one_field.tif",
        "two_0003_labels.tif",
        "two_0003_field.png",
        "bright_field.tif",
    )
    for name in (*names, "bright_field.tif"):
        (tmp_path / name).touch()
    assert [p.name for p in find_files([tmp_path])] == ["bright_field.tif"]


def test_every_picture_that_is_written_has_its_ending_here() -> None:
    images = {e for e in (*ENDINGS.values(), *FILES.values()) if Path(f"a{e}").suffix in SUFFIXES}
    assert images == {
        "_labels.tif", "_field.tif", "_standard.tif", "_overlay.png", "_lattice.png", "_vacancies.png",
        "_stages.png", "_network.png", "cvvp.png", "ascent.png",
        "conductance.png", "statistics.png", "isomers.png", "mosaic.png", "density.png",
            "growth.png", "kymograph.png",
    }  # fmt: skip
    assert set(DETECT_ENDINGS) < set(ENDINGS.values()) and set(FILES[kind] for kind in TUNING_FILES) < set(
        FILES.values()
    )


@pytest.mark.parametrize("options", [[], ["--recipe", "ws2"]])
def test_explains_pictures_are_passed_over(tmp_path: Path, options: list[str]) -> None:
    path = save_simulated(tmp_path, "one.tif")
    result = run("explain", path, "-o", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert len(list(tmp_path.iterdir())) == 2 and find_files([tmp_path]) == [path]


@pytest.mark.parametrize("number", [*range(0x20), *range(0x7F, 0xA0), 0x200E, 0x200F, 0x061C, 0xDCFF, 0xFEFF])
def test_hidden_characters_are_written_as_escapes(number: int) -> None:
    assert escape_hidden(f"a{chr(number)}b") == f"a{ascii(chr(number))[1:-1]}b"


@given(st.text())
def test_what_is_escaped_is_one_line_without_format_characters(text: str) -> None:
    escaped = escape_hidden(text)
    kinds = {unicodedata.category(c) for c in escaped} - {"Cn"}
    assert len(escaped.splitlines()) <= 1 and not kinds & {"Cc", "Cs", "Zl", "Zp"}
    bidi = {unicodedata.bidirectional(c) for c in escaped}
    assert not bidi & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert escape_hidden(escaped) == escaped


@pytest.mark.parametrize("text", ["plain µm² ± 5", "חור", "👩\u200d🔬", "می\u200cخواهم"])
def test_what_is_seen_stays(text: str) -> None:
    assert escape_hidden(text) == text


def test_bytes_that_are_no_text_are_printable() -> None:
    assert printable(Path("a\udcffé.tif")) == "a\\xffé.tif"


def test_subfolders_are_searched_when_asked_for(tmp_path: Path) -> None:
    for name in ("a/1.tif", "a/b/2.tif", ".hidden/3.tif", "run/4.tif", "_next/5.tif", "a/2_labels.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "run" / "run.json").touch()
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="holds no image files; its subfolders do: say --recursive"):
        find_files([tmp_path])
    found = find_files([tmp_path], recursive=True)
    assert [str(p.relative_to(tmp_path)) for p in found] == ["a/1.tif", "a/b/2.tif"]


@pytest.mark.parametrize("recursive", [False, True])
def test_a_file_is_found_alone_as_in_a_search(tmp_path: Path, recursive: bool) -> None:
    for name in (
        "a.tif", "a.txt", "a_labels.tif", "b_field.tif", "a_field.tif", ".hidden.tif", "sub/c.dm3",
        "sub/deep/d.tif", ".hidden/e.tif", "_next/f.tif", "run/g.tif", "run/run.json", "store.zspy/h.tif",
        "live.json",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    wanted = set(search_folder(tmp_path, recursive))
    assert {p.name for p in wanted} >= {"a.tif", "b_field.tif", "store.zspy"}
    assert len(wanted) == 3 + 2 * recursive
    assert {p for p in tmp_path.rglob("*") if is_found(p, tmp_path, recursive)} == wanted


def test_a_name_that_was_given_is_never_given_again() -> None:
    names = Names({"/a/x.tif": "x"})
    assert names.give(Path("/b/x.tif")) == "b_x" and names.give(Path("/a/x.tif")) == "x"
    assert names.give(Path("/a/x.dm3")) == "a_x" and names.give(Path("/a/x_0003.tif")) != "x_0003"
    assert names.give(Path("/b/x.tif")) == "b_x"
