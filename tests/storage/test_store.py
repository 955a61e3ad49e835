"""The store's files, on a real S3 server."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pytest
from conftest import STORE_KEYS, Store

from porescope.storage import Mirror, describe_content, fetch, has_object, put, read_address
from porescope.storage.store import list_objects

BUCKET = read_address("s3://bucket")


def test_a_file_goes_there_and_back(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    assert not has_object(BUCKET / "x/a")
    assert put(tmp_path / "a", BUCKET / "x/a", once=True)
    before = describe_content(BUCKET / "x/a")
    (tmp_path / "a").write_bytes(b"two")
    assert not put(tmp_path / "a", BUCKET / "x/a", once=True)
    assert describe_content(BUCKET / "x/a") == before
    fetch(BUCKET / "x/a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"one"
    assert put(tmp_path / "a", BUCKET / "x/a") and describe_content(BUCKET / "x/a") != before
    assert list_objects(BUCKET) == [] and list_objects(BUCKET, True) == [BUCKET / "x/a"]
    assert has_object(BUCKET / "x/a") and not has_object(BUCKET / "x")
    with pytest.raises(FileNotFoundError, match="s3://bucket/x/c"):
        fetch(BUCKET / "x/c", tmp_path / "c")


def test_without_credentials_it_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from porescope.storage.store import _open_store

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "wrong")
    _open_store.cache_clear()
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(PermissionError) as caught:
        describe_content(BUCKET / "a")
    assert STORE_KEYS["AWS_SECRET_ACCESS_KEY"] not in str(caught.value) and "s3://bucket/a" in str(
        caught.value
    )
    _open_store.cache_clear()
    fsspec.filesystem("s3").clear_instance_cache()


def test_inputs_are_found_as_in_a_folder(store: Store) -> None:
    files = fsspec.filesystem("s3")
    for name in (
        "n/a.dm3",
        "n/a_labels.tif",
        "n/sub/b.tif",
        "n/run/run.json",
        "n/run/c.png",
        "n/.h/d.tif",
        "n/t.txt",
    ):
        files.pipe_file(f"bucket/{name}", b"x")

    def find(given: str, recursive: bool = False) -> list[str]:
        from porescope.files import find_files

        return [str(path) for path in find_files([given], recursive=recursive, stored=True)]

    assert find("s3://bucket/n") == find("s3://bucket/n/") == ["s3://bucket/n/a.dm3"]
    assert find("s3://bucket/n", True) == ["s3://bucket/n/a.dm3", "s3://bucket/n/sub/b.tif"]
    assert find("s3://bucket/n/*/b.tif") == ["s3://bucket/n/sub/b.tif"]
    assert find("s3://bucket/n/t.txt") == ["s3://bucket/n/t.txt"]
    for given in ("s3://bucket/none", "s3://nobucket/x/", "s3://bucket/*.dm4"):
        with pytest.raises(ValueError, match="check the address"):
            find(given)


def test_a_mirror_is_the_same_here_and_there(store: Store, tmp_path: Path) -> None:
    files = fsspec.filesystem("s3")
    files.pipe_file("bucket/run/t.csv", b"1")
    files.pipe_file("bucket/run/parts/p", b"2")
    files.pipe_file("bucket/run/labels.tif", b"3")
    mirror = Mirror(tmp_path, BUCKET / "run", lambda name: not name.endswith(".tif"), "t.csv")
    mirror.pull()
    assert (tmp_path / "t.csv").read_bytes() == b"1" and not (tmp_path / "labels.tif").exists()
    (tmp_path / "parts" / "p").unlink()
    (tmp_path / "parts" / "q").write_bytes(b"4")
    mirror.push()
    assert sorted(files.find("bucket/run")) == [f"bucket/run/{n}" for n in ("labels.tif", "parts/q", "t.csv")]
