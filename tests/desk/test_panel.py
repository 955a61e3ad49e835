"""Long work from the panel: standards, tuning, a run on a folder; it can be cancelled."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from porescope import read_run, read_standard
from porescope.recipes import load_recipe


def test_standards_are_painted_and_tuned_on(open_desk, images: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    desk = open_desk(images[:3], out)
    panel = desk.panel
    panel.tune.click()
    desk.settle()
    assert "no image has a standard yet" in panel.message.text()
    for file in range(3):
        panel.files.setCurrentIndex(file)
        desk.settle()
        panel.bench.delete(desk.table.label.tolist()[:1])
        desk.pores.paint((8, 105), 99)
        panel.save_standard.click()
        desk.settle()
        painted = read_standard(out / "standards" / f"{'abc'[file]}_standard.tif")
        assert np.array_equal(painted > 0, np.asarray(desk.pores.data) > 0) and painted[8, 105]
    panel.tabs.setCurrentIndex(2)

    panel.tune.click()
    desk.wait(lambda: panel.progress.value() > 0)
    assert panel.cancel.isVisible() and not panel.tune.isEnabled()
    panel.cancel.click()
    desk.settle()
    assert panel.message.text() == "cancelled" and not panel.cancel.isVisible()
    panel.tune.click()
    desk.settle()
    recipe = load_recipe(next(out.glob("tuned*/recipe.toml")))
    assert "Leave one image out" in panel.findings.text() and not panel.plot.pixmap().isNull()
    panel.use.click()
    desk.settle()
    assert panel.sliders.recipe.numbers() == recipe.numbers() and panel.tabs.currentIndex() == 1
    assert "against the standard: F1" in panel.answer.text()


def test_a_folder_is_run_on_beside_the_window(open_desk, images: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    desk = open_desk(images[:1], out)
    panel, folder = desk.panel, tmp_path / "more"
    panel.run_folder(tmp_path / "nowhere")
    assert "nowhere" in panel.message.text() and not panel.batch.running
    folder.mkdir()
    for path in images[:2]:
        shutil.copy(path, folder)
    panel.sliders.sliders["threshold"].setValue(70)
    panel.by_recipe.setCurrentIndex(1)
    panel.run_folder(folder)
    assert panel.cancel.isVisible()
    desk.wait(lambda: not panel.batch.running)
    desk.settle()
    assert panel.message.text().startswith(f"finished: {out / 'more'}")
    run = read_run(out / "more")
    assert run.images.method.tolist() == ["threshold"] * 2 and not panel.cancel.isVisible()
    assert load_recipe(out / "recipe.toml").threshold == 70
