"""The panel beside the image: pores, recipe, tuning, a run on a folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeySequence, QPixmap, QShortcut
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from porescope.desk.batch import FolderRun
from porescope.desk.bench import Bench
from porescope.desk.columns import describe_recipe
from porescope.desk.saving import save_corrections
from porescope.desk.session import Session
from porescope.desk.sliders import RecipeSliders
from porescope.desk.table import PoreTable
from porescope.files import FILES, explain_error, find_files
from porescope.recipes import Recipe, Threshold, list_recipes, load_recipe

if TYPE_CHECKING:
    from napari.viewer import Viewer

#: Width of the panel [px].
_WIDTH = 450


class Panel(QWidget):
    """All that porescope adds to napari's window."""

    _progressed = Signal(float)

    def __init__(self, viewer: Viewer, session: Session) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session
        self.bench = Bench(viewer, session)
        self.table = PoreTable()
        detector = session.job.detector
        self.sliders = RecipeSliders(
            detector.recipe if isinstance(detector, Threshold) else Threshold().recipe
        )
        self.message = QLabel(wordWrap=True)
        self.message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.message.setMinimumHeight(70)
        self.message.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.files = QComboBox()
        self.files.setMinimumContentsLength(18)
        self.answer = QLabel("move a slider", wordWrap=True)
        self.progress = QProgressBar()
        self.tuned: tuple[Recipe, Path] | None = None
        self._build()
        self._connect()
        self.destroyed.connect(self.bench.close)
        self.destroyed.connect(self.batch.stop)
        self.refresh_files()

    def refresh_files(self) -> None:
        """Show the files of the session in the list; the first is opened if none is."""
        at = self.files.currentIndex()
        self.files.blockSignals(True)
        self.files.clear()
        self.files.addItems(self.session.names)
        self.files.blockSignals(False)
        if self.session.paths:
            self.files.setCurrentIndex(max(at, 0))
            if at < 0:
                self.bench.show_file(0)

    def close_desk(self) -> None:
        """End all work; what was edited and not saved is written to a folder of its own."""
        self.batch.stop()
        self.bench.close()

    def tell(self, text: str) -> None:
        """Show a sentence below everything.

        Parameters
        ----------
        text : str
        """
        if text:
            self.message.setText(text)

    # The parts of the panel.

    def _build(self) -> None:
        self.setMinimumWidth(_WIDTH)
        self.tabs = QTabWidget()
        for title, build in (
            ("Pores", self._build_pores), ("Recipe", self._build_recipe), ("Tune", self._build_tuning),
            ("Folder", self._build_folder),
        ):  # fmt: skip
            page = QWidget()
            build(QVBoxLayout(page))
            self.tabs.addTab(page, title)
        layout = QVBoxLayout(self)
        row = QHBoxLayout()
        row.addWidget(self._button("‹", "the file before", partial(self._go, -1), 34))
        row.addWidget(self.files, 1)
        row.addWidget(self._button("›", "the next file", partial(self._go, 1), 34))
        row.addWidget(self._button("Add …", "lay more files on the desk", self._add_files))
        layout.addLayout(row)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.progress)
        self.cancel = self._button("Cancel", "end what is going on", self._cancel)
        layout.addWidget(self.cancel)
        layout.addWidget(self.message)
        self._show_work(False)

    def _build_pores(self, layout: QVBoxLayout) -> None:
        layout.addWidget(self.table, 1)
        self.delete = self._button("Delete pores", "delete the chosen pores (Del)", self._delete)
        self.save_standard = self._button(
            "Save standard", "keep the pores as they are as the standard of this image", self._save_standard
        )
        self.save_corrections = self._button(
            "Save corrections",
            "write what was looked at as a run, corrected",
            self._save_corrections,
        )
        _add_row(layout, self.delete, self.save_standard, self.save_corrections)
        hint = QLabel(
            "Paint, fill and erase with napari's tools; a line of background splits a pore; A over a "
            "candidate makes it a pore; Ctrl+Z undoes.",
            wordWrap=True,
        )
        layout.addWidget(hint)

    def _build_recipe(self, layout: QVBoxLayout) -> None:
        self.recipes = QComboBox()
        self.recipes.addItems(["load a recipe …", *list_recipes()])
        self.recipes.activated.connect(self._load_recipe)
        layout.addWidget(self.recipes)
        layout.addWidget(self.sliders)
        layout.addWidget(self.answer)
        self.adopt = self._button(
            "Take these pores", "put what the recipe finds in the place of this image's pores", self._adopt
        )
        self.save_recipe = self._button("Save recipe …", "write it as a .toml file", self._save_recipe)
        _add_row(layout, self.adopt, self.save_recipe)
        layout.addStretch(1)

    def _build_tuning(self, layout: QVBoxLayout) -> None:
        self.tune = self._button(
            "Tune on my standards", "search for the recipe that matches the standards best", self._tune
        )
        self.use = self._button("Show on the sliders", "set the sliders to the tuned recipe", self._use)
        self.use.setEnabled(False)
        _add_row(layout, self.tune, self.use)
        self.findings = QLabel(
            "Correct or paint the pores of three images or more, and save each as standard.", wordWrap=True
        )
        layout.addWidget(self.findings)
        self.plot = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        area = QScrollArea(widgetResizable=True)
        area.setWidget(self.plot)
        layout.addWidget(area, 1)

    def _build_folder(self, layout: QVBoxLayout) -> None:
        self.batch = FolderRun()  # without a parent: it outlives the panel until it is stopped
        layout.addWidget(
            QLabel("Finds the pores of all images of a folder, as porescope detect does.", wordWrap=True)
        )
        self.by_recipe = QComboBox()
        self.by_recipe.addItems(["by the method of the desk", "by the recipe of the sliders"])
        layout.addWidget(self.by_recipe)
        self.run = self._button("Run on folder …", "choose the folder", self._choose_folder)
        _add_row(layout, self.run)
        layout.addStretch(1)

    def _button(self, text: str, tip: str, act: Callable[[], None], width: int = 0) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda: act())
        if width:
            button.setFixedWidth(width)
        return button

    def _connect(self) -> None:
        bench = self.bench
        bench.told.connect(self.tell)
        bench.tabled.connect(self.table.show_table)
        bench.chosen.connect(self._choose)
        bench.answered.connect(self.answer.setText)
        bench.moved.connect(self._follow)
        self.table.chosen.connect(bench.choose)
        self.sliders.moved.connect(self._ask)
        self.files.currentIndexChanged.connect(bench.show_file)
        self.tabs.currentChanged.connect(self._follow)
        self._progressed.connect(lambda share: self.progress.setValue(round(100 * share)))
        self.batch.progressed.connect(self._progressed)
        self.batch.told.connect(self.tell)
        self.batch.ended.connect(lambda: self._show_work(False))
        QShortcut(QKeySequence(Qt.Key.Key_Delete), self.table, self._delete)

    # What the user does.

    def _go(self, step: int) -> None:
        at = self.files.currentIndex() + step
        if 0 <= at < self.files.count():
            self.files.setCurrentIndex(at)

    def _add_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Micrographs")
        self.add_files(names)

    def add_files(self, names: list[str]) -> None:
        """Lay more files on the desk.

        Parameters
        ----------
        names : list of str
            Files and folders.
        """
        try:
            self.session.add_files(find_files(names) if names else [])
        except (ValueError, OSError) as error:
            self.tell(explain_error(error))
        self.refresh_files()

    def _choose(self, labels: list[int]) -> None:
        self.table.choose(labels)
        self.bench.choose(labels)

    def _delete(self) -> None:
        self.bench.delete(self.table.list_chosen())

    def _save_standard(self) -> None:
        self.bench.save_standard()

    def _ask(self, recipe: Recipe) -> None:
        if self.tabs.currentIndex() == 1:
            self.bench.ask_recipe(recipe)

    def _follow(self, _: object = None) -> None:
        """Another image, or the page of the recipe: show what the sliders find."""
        self.bench.show_recipe(self.tabs.currentIndex() == 1)
        self._ask(self.sliders.recipe)

    def _adopt(self) -> None:
        self.bench.adopt_recipe(self.sliders.recipe)
        self.tabs.setCurrentIndex(0)

    def _load_recipe(self, at: int) -> None:
        if at:
            try:
                self.sliders.show_recipe(load_recipe(self.recipes.itemText(at)))
            except ValueError as error:
                self.tell(explain_error(error))

    def _save_recipe(self) -> None:
        from porescope.recipes import save_recipe

        name, _ = QFileDialog.getSaveFileName(self, "Recipe", "recipe.toml", "Recipes (*.toml)")
        if name:
            try:  # the dialog has asked whether to replace a file
                save_recipe(self.sliders.recipe, name, overwrite=True)
            except (ValueError, OSError) as error:
                self.tell(explain_error(error))

    def _save_corrections(self) -> None:
        self.bench.put_aside()
        self._work(partial(save_corrections, self.session), self._tell_saved)

    def _tell_saved(self, saved: tuple[Path, list[str]]) -> None:
        self._show_work(False)
        self.tell("\n".join([f"saved: {saved[0]}", *saved[1]]))

    def _tune(self) -> None:
        self.findings.setText("tuning …")
        scaling = self.sliders.scaling.currentText()
        self._work(lambda progress: self.session.tune(scaling, progress), self._show_tuned)

    def _show_tuned(self, tuned: tuple[Recipe, list[str], Path]) -> None:
        self._show_work(False)
        recipe, lines, out = tuned
        self.tuned = recipe, out
        self.findings.setText("\n".join([describe_recipe(recipe), *lines]))
        plot = QPixmap(str(out / FILES["cvvp"]))
        self.plot.setPixmap(
            plot.scaledToWidth(min(plot.width(), 2 * _WIDTH), Qt.TransformationMode.SmoothTransformation)
        )
        self.use.setEnabled(True)
        self.tell(f"tuned: {out}")

    def _use(self) -> None:
        if self.tuned:
            self.tabs.setCurrentIndex(1)
            self.sliders.show_recipe(self.tuned[0])

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of the images")
        if folder:
            self.run_folder(Path(folder))

    def run_folder(self, folder: Path) -> None:
        """Find the pores of all images of a folder, in a process of its own.

        Parameters
        ----------
        folder : Path
        """
        recipe = self.sliders.recipe if self.by_recipe.currentIndex() == 1 else None
        try:
            self.batch.start(folder, self.session, recipe)
        except (ValueError, OSError) as error:
            self.tell(explain_error(error))
            return
        self._show_work(True)

    # Long work.

    def _work(self, task: Callable[[Callable[[float], None]], Any], done: Callable[[Any], None]) -> None:
        """Do long work beside the window, one at a time."""
        worker = self.bench.workers["long"]
        if worker.busy or self.batch.running:
            self.tell("wait for what is going on, or cancel it")
            return

        def report(share: float) -> None:
            worker.check()
            self._progressed.emit(share)

        self._show_work(True)
        worker.ask(lambda: task(report), done, self._fail)

    def _fail(self, message: str) -> None:
        self._show_work(False)
        self.findings.setText("")
        self.tell(f"failed: {message}" if message else "cancelled")

    def _show_work(self, going_on: bool) -> None:
        self.progress.setValue(0)
        for widget in (self.progress, self.cancel):
            widget.setVisible(going_on)
        for button in (self.tune, self.save_corrections, self.run):
            button.setEnabled(not going_on)

    def _cancel(self) -> None:
        self.tell("cancelling …")
        self.batch.stop()
        self.bench.workers["long"].cancel()


def _add_row(layout: QVBoxLayout, *widgets: QWidget) -> None:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    layout.addLayout(row)
