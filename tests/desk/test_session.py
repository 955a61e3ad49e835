"""What lies on the desk, without a window."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from porescope import read_standard
from porescope.desk import session as module
from porescope.desk.session import Place, Session
from porescope.recipes import Recipe
from porescope.runs import Job


@pytest.fixture
def session(images: list[Path], tmp_path: Path) -> Session:
    return Session(list(images), Job(tmp_path / "out", material="WS2"))


def look(session: Session, file: int, frame: int = 0) -> Place:
    place = Place(file, frame)
    session.keep(place, session.find(place))
    return place


def test_edits_are_remembered_until_they_are_taken_back(session: Session) -> None:
    place = look(session, 0)
    found = session.results[place].labels
    session.remember(place, np.where(found == 1, 0, found))
    assert (session.current_labels(place) == 1).sum() == 0 and place in session.edited
    session.remember(place, found)
    assert session.edited == {} and session.current_labels(place) is found
    assert session.current_labels(Place(1, 0)) is None


def test_only_the_latest_results_stay_but_edited_ones_do(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT", 2)
    first = look(session, 0)
    session.remember(first, np.zeros_like(session.results[first].labels))
    for file in (1, 2):
        look(session, file)
    by_recipe = Place(3, 0)
    session.keep(by_recipe, session.find(by_recipe, Recipe(threshold=80.0)))
    look(session, 3, 1)
    assert list(session.results) == [first, by_recipe, Place(3, 1)]  # a recipe's may not be found again
    assert session.seen == [first, Place(1, 0), Place(2, 0), by_recipe, Place(3, 1)]


def test_standards_are_whole_and_found_again(session: Session, tmp_path: Path) -> None:
    place = look(session, 3, 1)
    labels = np.zeros((180, 220), np.int32)
    labels[10:20, 10:20] = labels[40:50, 10:20] = 5  # one label, two pores
    labels[10:20, 20:25] = 6  # a third one, that touches
    path = session.save_standard(place, labels)
    assert path == tmp_path / "out" / "standards" / "movie_0001_standard.tif"
    assert len(np.unique(read_standard(path))) - 1 == 3
    again = Session(session.paths, session.job)
    for desk in (session, again):
        assert np.array_equal(desk.load_standard(place, desk.read(place)) > 0, labels > 0)
    assert again.load_standard(Place(3, 0), again.read(Place(3, 0))) is None
    data = session.read_standards()
    assert data.standard_paths == [path] and np.array_equal(data.standards[0] > 0, labels > 0)
    with pytest.raises(ValueError, match="has no pores"):
        session.save_standard(place, np.zeros_like(labels))


def test_a_standard_of_another_size_is_refused(session: Session) -> None:
    session.save_standard(Place(0, 0), np.ones((5, 6), np.int32))
    with pytest.raises(ValueError, match="a_standard.tif"):
        session.read_standards()


def test_names_of_folders_are_free(session: Session, tmp_path: Path) -> None:
    assert session.own_folder("found") == tmp_path / "out" / "found"
    (tmp_path / "out" / "found").mkdir(parents=True)
    assert session.own_folder("found") == tmp_path / "out" / "found"  # this session's own
    again = Session([], session.job)
    assert again.own_folder("found") == tmp_path / "out" / "found-2"
    assert again.free_folder("recipe.toml") == tmp_path / "out" / "recipe.toml"


def test_files_lie_there_once(session: Session, images: list[Path]) -> None:
    session.add_files([images[0], images[0].parent / ".." / images[0].parent.name / "a.tif"])
    assert session.paths == images and session.names == ["a", "b", "c", "movie"]


def test_a_name_stays_when_another_file_of_that_name_comes(
    session: Session, images: list[Path], tmp_path: Path
) -> None:
    shutil.copy(images[1], tmp_path / "a.tif")
    session.add_files([tmp_path / "a.tif"])
    assert session.names[:4] == ["a", "b", "c", "movie"] and session.names[4] not in session.names[:4]
