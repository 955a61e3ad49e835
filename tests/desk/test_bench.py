"""Layers that follow the sliders, the frames of a movie and the files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from porescope import Recipe, read, read_run
from porescope.desk.answers import answer_recipe


def test_sliders_answer_with_the_newest_recipe_alone(open_desk, images: list[Path], tmp_path: Path) -> None:
    desk = open_desk(images[:1], tmp_path / "out", pixel_size=0.04)
    bench, sliders = desk.panel.bench, desk.panel.sliders
    answers: list[str] = []
    bench.answered.connect(answers.append)
    desk.panel.tabs.setCurrentIndex(1)
    desk.settle()
    answers.clear()
    values = np.linspace(40, 110, 25).round()
    for value in values:  # faster than any answer
        sliders.sliders["threshold"].setValue(value)
    desk.settle()
    wanted = answer_recipe(read(images[0], pixel_size=0.04), replace(Recipe(), threshold=110.0))
    assert 1 <= len(answers) < len(values) and answers[-1] == wanted.text == desk.panel.answer.text()
    shown = desk.viewer.layers["recipe"]
    assert shown.visible and np.array_equal(shown.data, wanted.mask)

    desk.panel.adopt.click()
    desk.settle()
    assert np.array_equal(np.asarray(desk.pores.data) > 0, wanted.mask > 0)
    assert not shown.visible and len(desk.table) == len(np.unique(desk.pores.data)) - 1


def test_frames_of_a_movie_keep_their_corrections(open_desk, images: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    desk = open_desk(images[3:], out)
    assert desk.viewer.layers["image"].data.shape == (3, 180, 220)
    assert desk.panel.bench.place.frame == 0
    first = np.array(desk.pores.data)
    desk.viewer.dims.set_current_step(0, 2)
    desk.settle()
    third = np.array(desk.pores.data)
    assert desk.panel.bench.place.frame == 2 and not np.array_equal(first, third)
    desk.panel.bench.delete(desk.table.label.tolist()[:1])
    desk.viewer.dims.set_current_step(0, 0)  # at once: while the table is measured
    desk.settle()
    assert np.array_equal(desk.pores.data, first)
    desk.pores.undo()  # what was done in another frame is not taken back in this one
    assert np.array_equal(desk.pores.data, first)
    desk.viewer.dims.set_current_step(0, 2)
    desk.settle()
    label = int(np.unique(third)[1])
    assert np.array_equal(desk.pores.data, np.where(third == label, 0, third))
    desk.panel.save_corrections.click()
    desk.settle()
    run = read_run(out / "corrected")
    assert run.images.frame.tolist() == [0, 2]  # the frame that was not looked at is not there
    assert run.images.n_pores.tolist() == [len(np.unique(first)) - 1, len(np.unique(third)) - 2]


def test_going_on_at_once_shows_the_last_file_alone(open_desk, images: list[Path], tmp_path: Path) -> None:
    desk = open_desk(images[:1], tmp_path / "out")
    desk.panel.add_files([str(path) for path in images[1:3]])
    for file in (1, 0, 2):
        desk.panel.files.setCurrentIndex(file)
        desk.application.processEvents()
    desk.settle()
    assert desk.panel.bench.place == (2, 0) and len(desk.viewer.layers) == 6
    shown = desk.viewer.layers["image"].data
    assert np.array_equal(shown, read(images[2], pixel_size=1).image)


def test_a_candidate_is_accepted(open_desk, images: list[Path], tmp_path: Path) -> None:
    desk = open_desk(images[:1], tmp_path / "out")
    candidates = desk.viewer.layers["candidates"]
    marked = np.zeros_like(candidates.data)
    marked[8:12, 102:107] = 7
    candidates.data = marked
    n = len(desk.table)
    desk.viewer.cursor.position = tuple(np.array([9, 104]) * np.asarray(desk.pores.scale))
    desk.panel.bench._accept_here(desk.viewer)
    desk.settle()
    assert len(desk.table) == n + 1 and desk.table.area_px[desk.table.edited].tolist() == [20]


def test_what_is_no_image_is_said(open_desk, images: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.tif", tmp_path / "empty.tif"
    bad[0].write_bytes(b"nothing")
    bad[1].touch()
    desk = open_desk([*bad, images[0]], tmp_path / "out")
    for file, path in enumerate(bad):
        desk.panel.files.setCurrentIndex(file)
        desk.settle()
        assert desk.said[-1].startswith(f"failed: {path.name}") and len(desk.viewer.layers) == 0
    desk.panel.files.setCurrentIndex(2)
    desk.settle()
    assert len(desk.table) >= 2
    desk.panel.files.setCurrentIndex(0)
    desk.settle()
    # Nothing stays that could be taken for the bad file.
    assert len(desk.viewer.layers) == 0 and desk.table is None and desk.panel.bench.place is None
