"""The window as a person has it: images opened, pores corrected and saved."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import tifffile

from porescope import read_run
from porescope.desk import check_display, make_panel
from porescope.runs import compare_runs


def test_pores_are_seen_deleted_painted_and_saved(open_desk, images: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    desk = open_desk(images[:1], out, material="WS2")
    names = [layer.name for layer in desk.viewer.layers]
    assert names == ["image", "vacancy map", "candidates", "recipe", "pores", "chosen"]
    assert all(str(layer.units[-1]) == "nanometer" for layer in desk.viewer.layers)
    found = np.array(desk.pores.data)
    n = len(desk.table)
    assert n == len(np.unique(found)) - 1 >= 2

    # The table leads to the pore, and the pore to its row.
    desk.panel.table.selectRow(0)
    label = int(desk.table.label.iloc[0])
    desk.settle()
    assert desk.pores.selected_label == label
    row, column = np.argwhere(found == label).mean(axis=0).round().astype(int)
    other = int(desk.table.label.iloc[1])
    desk.panel.bench.chosen.emit([other])
    assert desk.panel.table.list_chosen() == [other]

    desk.panel.bench.chosen.emit([label])
    desk.panel.delete.click()
    desk.settle()
    assert label not in set(desk.table.label) and len(desk.table) == n - 1
    desk.pores.undo()
    desk.settle()
    assert len(desk.table) == n and not desk.table.edited.any()
    desk.pores.redo()
    desk.pores.selected_label, desk.pores.mode = 99, "paint"
    desk.pores.brush_size = 8
    desk.pores.paint((8, 105), 99)
    desk.settle()
    assert len(desk.table) == n and desk.table.edited.sum() == 1
    assert "1 deleted, 1 drawn" in desk.said[-1]
    edited = np.array(desk.pores.data)

    desk.panel.save_corrections.click()
    desk.settle()
    assert desk.panel.message.text().startswith(f"saved: {out / 'corrected'}")
    run, before = read_run(out / "corrected"), read_run(out / "found")
    assert np.array_equal(tifffile.imread(out / "corrected" / "a_labels.tif") > 0, edited > 0)
    kept = before.pores[before.pores.label != label]
    assert run.pores[~run.pores.edited].label.tolist() == kept.label.tolist()
    drawn = run.pores[run.pores.edited]
    assert len(drawn) == 1 and drawn.area_px.item() == (edited == 99).sum() and drawn.confidence.isna().all()
    assert (row, column) not in zip(run.pores.y_px.round(), run.pores.x_px.round(), strict=True)
    assert run.images.n_pores.tolist() == [n] and run.images.message.str.contains("corrected by hand").all()
    assert len(compare_runs(before, run)) == 2 and (out / "corrected" / "report.html").is_file()


def test_a_person_with_a_mouse(open_desk, images: list[Path], tmp_path: Path) -> None:
    """Paint with the mouse, delete with the key, take back with Ctrl+Z, save; every step is seen."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    desk = open_desk(images[:2], tmp_path / "out")
    window, canvas = desk.viewer.window._qt_window, desk.viewer.window._qt_viewer.canvas
    window.resize(1500, 900)
    desk.settle()
    n = len(desk.table)

    def point(row: float, column: float) -> QPoint:
        """Where a pixel of the image is in the window."""
        place = np.array([row, column]) * np.asarray(desk.pores.scale)
        camera = desk.viewer.scene.camera
        centre, zoom = np.asarray(camera.center)[-2:], camera.zoom
        y, x = (place - centre) * zoom + np.array([canvas.native.height(), canvas.native.width()]) / 2
        return QPoint(round(x), round(y))

    def drag(start: QPoint, *ends: QPoint) -> None:
        QTest.mouseMove(canvas.native, start)
        QTest.mousePress(canvas.native, Qt.MouseButton.LeftButton, pos=start)
        for end in ends:
            QTest.mouseMove(canvas.native, end)
            desk.application.processEvents()
        QTest.mouseRelease(canvas.native, Qt.MouseButton.LeftButton, pos=ends[-1])
        desk.settle()

    before = np.array(desk.viewer.screenshot(canvas_only=True, flash=False))
    QTest.keyClick(canvas.native, Qt.Key.Key_M)  # a new label
    QTest.keyClick(canvas.native, Qt.Key.Key_2)  # the brush
    desk.settle()
    assert desk.pores.mode == "paint"
    drag(point(8, 100), point(8, 104), point(8, 110))
    assert len(desk.table) == n + 1 and desk.table.edited.sum() == 1
    painted = np.array(desk.viewer.screenshot(canvas_only=True, flash=False))
    at = point(8, 104)
    ratio = painted.shape[0] / canvas.native.height()
    there = np.s_[round(at.y() * ratio), round(at.x() * ratio), :3]
    colour = painted[there].astype(int)
    assert np.ptp(colour) > 20 and np.ptp(before[there].astype(int)) <= 3

    desk.pores.mode = "pan_zoom"
    label = int(desk.table.label.iloc[0])
    inside = np.argwhere(np.array(desk.pores.data) == label)
    place = inside[len(inside) // 2]
    QTest.mouseMove(canvas.native, point(*place))
    QTest.mouseClick(canvas.native, Qt.MouseButton.LeftButton, pos=point(*place))
    desk.settle()
    assert desk.panel.table.list_chosen() == [label]
    desk.panel.table.setFocus()
    desk.panel.delete.click()
    desk.settle()
    assert len(desk.table) == n
    QTest.keyClick(canvas.native, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    desk.settle()
    assert len(desk.table) == n + 1
    desk.viewer.screenshot(str(tmp_path / "window.png"), canvas_only=False, flash=False)
    assert (tmp_path / "window.png").stat().st_size > 50_000


def test_the_plugin_opens_its_panel_with_the_files_of_the_viewer(
    open_desk, images: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import napari
    from npe2 import PluginManifest

    import porescope.desk

    monkeypatch.chdir(tmp_path)
    manifest = PluginManifest.from_file(Path(porescope.desk.__file__).with_name("napari.yaml"))
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert callable(getattr(import_module(module), name))
    viewer = napari.Viewer(show=False)
    try:
        viewer.open(str(images[0]), plugin="napari")
        panel = make_panel(viewer)
        assert panel.session.paths == [images[0]]
        panel.close_desk()
    finally:
        viewer.close()


def test_what_was_not_saved_is_rescued(open_desk, images: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    desk = open_desk(images[:1], out)
    desk.pores.paint((8, 105), 99)
    edited = np.array(desk.pores.data)
    desk.close()  # at once: while the table is measured
    assert desk.panel.session.rescued == out / "unsaved"
    assert np.array_equal(tifffile.imread(out / "unsaved" / "a_labels.tif"), edited)


@pytest.mark.parametrize(
    ("name", "said"),
    [(None, "there is no display"), (":4711", "the display :4711 does not answer")],
)
def test_no_display_is_said(name: str | None, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(variable, raising=False)
    if name:
        monkeypatch.setenv("DISPLAY", name)
    with pytest.raises(ValueError, match=said):
        check_display()
