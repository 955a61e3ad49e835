from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from porescope.files.writing import hash_file, write_whole


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
