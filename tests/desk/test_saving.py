"""Corrections saved as runs, without a window."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from helpers import run

from porescope import read_run
from porescope.desk.saving import rescue_edits, save_corrections
from porescope.desk.session import Place, Session
from porescope.runs import Job


@pytest.fixture
def session(images: list[Path], tmp_path: Path) -> Session:
    session = Session([images[0], images[3]], Job(tmp_path / "out", material="WS2"))
    for place in (Place(0, 0), Place(1, 2)):
        session.keep(place, session.find(place))
    return session


def delete_first(session: Session, place: Place) -> np.ndarray:
    labels = session.results[place].labels
    session.remember(place, np.where(labels == 1, 0, labels))
    return session.edited[place]


def test_what_is_saved_is_what_detect_and_measure_write(
    session: Session, images: list[Path], tmp_path: Path
) -> None:
    out, folder = tmp_path / "out", tmp_path / "by hand"
    edited = delete_first(session, Place(0, 0))
    path, lines = save_corrections(session)
    assert path == out / "corrected" and lines[0].startswith("a: 1 deleted, ")
    made = run("detect", images[0], "-o", folder / "found", "--material", "WS2", "-q")
    assert made.exit_code == 0
    tifffile.imwrite(folder / "a_labels.tif", edited)
    assert run("measure", folder / "found", "--labels", folder, "-o", folder / "corrected").exit_code == 0
    wanted, got = read_run(folder / "corrected"), read_run(path)
    pd.testing.assert_frame_equal(got.pores[got.pores.image == "a"], wanted.pores, check_like=True)
    assert got.images.frame.tolist() == [0, 2] and got.images.n_pores[0] == wanted.images.n_pores[0]
    assert (path / "report.html").is_file()


def test_saving_again_replaces_this_sessions_own_and_no_others(session: Session, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert save_corrections(session) == (
        out / "found", ["nothing was edited: this is the run as it was found"],
    )  # fmt: skip
    delete_first(session, Place(0, 0))
    save_corrections(session)
    session.remember(Place(0, 0), session.results[Place(0, 0)].labels)  # taken back
    delete_first(session, Place(1, 2))
    path, lines = save_corrections(session)
    assert [line[:12] for line in lines] == ["movie_0002: "]
    assert not read_run(path).images.message.str.contains("corrected")[0]
    assert sorted(p.name for p in out.iterdir()) == ["corrected", "edited", "found"]
    other = Session(session.paths, session.job)
    other.keep(Place(0, 0), session.results[Place(0, 0)])
    delete_first(other, Place(0, 0))
    assert save_corrections(other)[0] == out / "corrected-2"


def test_only_what_is_not_saved_is_rescued(session: Session, tmp_path: Path) -> None:
    assert rescue_edits(session) is None
    delete_first(session, Place(0, 0))
    save_corrections(session)
    assert rescue_edits(session) is None
    edited = delete_first(session, Place(1, 2))
    folder = rescue_edits(session)
    assert folder == tmp_path / "out" / "unsaved"
    assert [path.name for path in folder.iterdir()] == ["movie_0002_labels.tif"]
    assert np.array_equal(tifffile.imread(folder / "movie_0002_labels.tif"), edited)


def test_edits_are_rescued_elsewhere_where_nothing_can_be_written(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").touch()  # the folder of the desk is a file
    edited = delete_first(session, Place(0, 0))
    folder = rescue_edits(session)
    assert folder is not None and folder.parent == tmp_path / "elsewhere"
    assert np.array_equal(tifffile.imread(folder / "a_labels.tif"), edited)


def test_a_file_that_is_gone_does_not_keep_the_others_from_being_saved(
    session: Session, images: list[Path], tmp_path: Path
) -> None:
    for number, path in enumerate(session.paths):
        session.paths[number] = Path(shutil.copy(path, tmp_path))
    delete_first(session, Place(0, 0))
    delete_first(session, Place(1, 2))
    session.paths[1].unlink()
    path, lines = save_corrections(session)
    assert lines[0].startswith("a: 1 deleted") and "movie.tif is not there any more" in lines[-1]
    assert read_run(path).images.image.tolist() == ["a"]
    assert rescue_edits(session) == tmp_path / "out" / "unsaved"  # those of the movie


def test_nothing_is_saved_in_a_sentence(images: list[Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to save"):
        save_corrections(Session(list(images), Job(tmp_path / "out")))


def test_a_cancelled_save_leaves_no_corrected_run(session: Session, tmp_path: Path) -> None:
    def stop(share: float) -> None:
        raise KeyboardInterrupt

    delete_first(session, Place(0, 0))
    with pytest.raises(KeyboardInterrupt):
        save_corrections(session, stop)
    assert not (tmp_path / "out" / "corrected").exists()
    assert save_corrections(session)[0] == tmp_path / "out" / "corrected"
