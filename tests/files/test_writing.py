from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from porescope.files.writing import hash_file, write_folder, write_whole


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError), write_whole(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and (tmp_path / "a.txt").read_text() == "old"


def test_a_whole_file_takes_the_place_of_the_old(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with write_whole(tmp_path / "a.txt") as part:
        part.write_text("new")
        assert part.parent == tmp_path and (tmp_path / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"] and (tmp_path / "a.txt").read_text() == "new"


def test_a_hash_is_of_all_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 3000
    (tmp_path / "a").write_bytes(content)
    assert hash_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_a_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    with pytest.raises(RuntimeError), write_folder(out, "run.json") as part:
        (part / "table.csv").write_text("half")
        raise RuntimeError
    assert not list((tmp_path / "a").iterdir())
    with write_folder(out, "run.json") as part:
        (part / "run.json").write_text("1")
        assert not out.exists()
    assert [p.name for p in out.iterdir()] == ["run.json"] and [p.name for p in out.parent.iterdir()] == [
        "out"
    ]


def test_only_files_of_the_same_names_are_replaced_in_a_folder(tmp_path: Path) -> None:
    for name in ("run.json", "table.csv", "mine.txt"):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_text("old")
    with pytest.raises(RuntimeError), write_folder(tmp_path / "out", "run.json") as part:
        raise RuntimeError
    assert (tmp_path / "out" / "run.json").read_text() == "old"
    with write_folder(tmp_path / "out", "run.json") as part:
        for name in ("run.json", "table.csv"):
            (part / name).write_text("new")
    texts = {p.name: p.read_text() for p in (tmp_path / "out").iterdir()}
    assert texts == {"run.json": "new", "table.csv": "new", "mine.txt": "old"}


def test_a_folder_inside_takes_the_place_of_the_old(tmp_path: Path) -> None:
    (tmp_path / "out" / "store").mkdir(parents=True)
    (tmp_path / "out" / "store" / "old").write_text("1")
    with write_folder(tmp_path / "out", "run.json") as part:
        (part / "store").mkdir()
        (part / "store" / "new").write_text("2")
    assert [p.name for p in (tmp_path / "out" / "store").iterdir()] == ["new"]
