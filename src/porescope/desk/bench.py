"""What napari shows, tied to the session: layers, edits, clicks, frames; all work beside the window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Qt, QTimer, Signal

from porescope.desk import layers as drawn
from porescope.desk.answers import Answer, Measured, answer_place, measure_edited
from porescope.desk.background import Worker
from porescope.desk.columns import describe_pores
from porescope.desk.saving import rescue_edits
from porescope.desk.session import Place, Session
from porescope.files import explain_error
from porescope.micrograph import Micrograph
from porescope.reading import ImageFile
from porescope.recipes import Recipe
from porescope.runs import ImageResult

if TYPE_CHECKING:
    from napari.layers import Labels
    from napari.viewer import Viewer

#: Time after an edit until the table follows [ms]: strokes of the brush come in many small steps.
_PAUSE_MS = 150
#: Width of the pores' outlines while a recipe is shown [px].
_LINE = 2
#: Width of the brush at first [px].
_BRUSH_PX = 6
#: Size of the ring around the chosen pore, over its largest width, and its least size [px].
_RING, _LEAST_RING = 1.6, 24.0


class Bench(QObject):
    """The layers of the image that is looked at, and what is done with it."""

    told = Signal(str)  # a sentence for the line of messages
    tabled = Signal(object)  # the table of the pores, or None
    chosen = Signal(list)  # labels of pores that were clicked
    answered = Signal(str)  # what the recipe of the sliders finds
    moved = Signal()  # another image is looked at
    _delivered = Signal(object)

    def __init__(self, viewer: Viewer, session: Session) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session
        self.place: Place | None = None
        self.measured: Measured | None = None
        self._wanted, self._closed = -1, False
        self._last: NDArray[np.int32] | None = None
        self._layers: dict[str, Any] = {}
        self._delivered.connect(self._call, Qt.ConnectionType.QueuedConnection)
        self.workers = {kind: Worker(self._send) for kind in ("open", "find", "measure", "recipe", "long")}
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self._follow)
        viewer.dims.events.current_step.connect(self._step)
        viewer.mouse_drag_callbacks.append(self._click)
        viewer.bind_key("a", self._accept_here, overwrite=True)

    @property
    def pores(self) -> Labels | None:
        """The layer of the pores."""
        return self._layers.get(drawn.PORES)

    @property
    def busy(self) -> bool:
        """Whether work goes on beside the window, or is about to."""
        return self._pause.isActive() or any(worker.busy for worker in self.workers.values())

    def close(self) -> None:
        """End all work, leave the viewer alone, and keep what was edited and not saved."""
        if self._closed:
            return
        self._closed = True
        self._pause.stop()
        self.put_aside()
        self.session.rescued = rescue_edits(self.session)
        for worker in self.workers.values():
            worker.close()
        self.viewer.dims.events.current_step.disconnect(self._step)
        if self._click in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._click)

    def show_file(self, file: int) -> None:
        """Show the images of a file in the place of those that are shown.

        Parameters
        ----------
        file : int
            Its number in the session.
        """
        self.put_aside()
        self._wanted = file
        session = self.session
        self.told.emit(f"opening {session.paths[file].name} …")
        self.workers["open"].ask(
            lambda: (session.open(file), session.read(Place(file, 0))),
            lambda opened: self._lay(file, *opened),
            partial(self._open_nothing, file),
        )

    def put_aside(self) -> None:
        """Remember what was edited in the image that is shown."""
        if self.place is not None and self.pores is not None and self.place in self.session.results:
            self.session.remember(self.place, np.asarray(self.pores.data))

    def delete(self, labels: list[int]) -> None:
        """Delete pores; napari's undo brings them back.

        Parameters
        ----------
        labels : list of int
            As the table has them.
        """
        if self.measured is None or self.pores is None:
            return
        at = np.nonzero(np.isin(self.measured.edits.labels, labels))
        if at[0].size:
            self.pores.data_setitem(at, 0)
            self._touch()

    def choose(self, labels: list[int]) -> None:
        """Show where a pore is, and make its label the one that is painted with.

        Parameters
        ----------
        labels : list of int
            As the table has them; the first counts.
        """
        mark = self._layers.get(drawn.MARK)
        if self.measured is None or self.pores is None or mark is None:
            return
        rows = self.measured.table[self.measured.table.label.isin(labels[:1])]
        if not len(rows):
            mark.data = np.empty((0, 2))
            return
        row = rows.iloc[0]
        centre = np.array([row.y_px, row.x_px])
        scale = np.asarray(self.pores.scale)[-2:]
        width = row.feret_diameter_max_nm / float(scale[0])
        mark.data = centre[None]
        mark.size = max(_LEAST_RING, _RING * float(np.nan_to_num(width)))
        mark.refresh()
        low, high = np.asarray(self.pores.corner_pixels)[:, -2:]
        if not ((low <= centre) & (centre <= high)).all():  # what is in sight stays where it is
            self.viewer.scene.camera.center = (0.0, *(centre * scale))
        inside = self.measured.edits.labels == labels[0]
        self.pores.selected_label = int(np.asarray(self.pores.data)[inside][0])

    def ask_recipe(self, recipe: Recipe) -> None:
        """Show what a recipe would find.

        Parameters
        ----------
        recipe : Recipe
        """
        place = self.place
        if place is None:
            return
        self.workers["recipe"].ask(
            partial(answer_place, self.session, place, recipe), partial(self._answer, place), self.told.emit
        )

    def show_recipe(self, visible: bool) -> None:
        """Show or hide what the recipe of the sliders finds; meanwhile the pores are outlined.

        Parameters
        ----------
        visible : bool
        """
        if drawn.RECIPE in self._layers:
            self._layers[drawn.RECIPE].visible = visible
            self._layers[drawn.PORES].contour = _LINE if visible else 0

    def adopt_recipe(self, recipe: Recipe) -> None:
        """Take what a recipe finds for the pores of the image, in the place of those that are there.

        Parameters
        ----------
        recipe : Recipe
        """
        if self.place is not None:
            self._find(self.place, recipe)

    def save_standard(self) -> None:
        """Save the pores that are shown as the standard of the image."""
        if self.place is None or self.pores is None:
            return
        try:
            path = self.session.save_standard(self.place, np.asarray(self.pores.data, np.int32))
        except (ValueError, OSError) as error:
            self.told.emit(explain_error(error))
            return
        self.told.emit(f"standard saved: {path}")

    def _lay(self, file: int, images: ImageFile, first: Micrograph) -> None:
        """Make the layers of a file that is open."""
        if file != self._wanted:
            return  # the user has gone on
        viewer = self.viewer
        self.place = None
        image = drawn.stack_images(lambda frame: self.session.read(Place(file, frame)), len(images), first)
        layers = self._layers
        if (
            layers
            and layers[drawn.IMAGE].ndim == image.ndim
            and all(v in viewer.layers for v in layers.values())
        ):
            drawn.refill_layers(layers, image, first)  # much faster, and what was set in them stays
        else:
            self._remove_layers()
            layers = self._layers = drawn.add_layers(viewer, image, first)
            layers[drawn.PORES].brush_size = _BRUSH_PX
            events = layers[drawn.PORES].events
            for event in (events.paint, events.labels_update, events.set_data):
                event.connect(self._touch)
        viewer.layers.selection.active = layers[drawn.PORES]
        if image.ndim == 3:
            viewer.dims.set_current_step(0, 0)  # napari begins in the middle
        viewer.reset_view()
        self._show(Place(file, self._frame()))

    def _open_nothing(self, file: int, message: str) -> None:
        """Leave nothing on the desk that could be taken for a file that cannot be opened."""
        if file == self._wanted:
            self.place = self.measured = None
            self._remove_layers()
            self.tabled.emit(None)
        self._tell_failure(message)

    def _remove_layers(self) -> None:
        for layer in self._layers.values():
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self._layers = {}

    def _frame(self) -> int:
        """Number of the frame that the slider is on."""
        image = self._layers.get(drawn.IMAGE)
        return int(self.viewer.dims.current_step[0]) if image is not None and image.ndim == 3 else 0

    def _step(self, _: object = None) -> None:
        if self.place is not None and self._frame() != self.place.frame:
            self.put_aside()
            self._show(Place(self.place.file, self._frame()))

    def _show(self, place: Place) -> None:
        """Show what is known of an image, or look for its pores."""
        self.place, self.measured = place, None
        self.tabled.emit(None)
        if place in self.session.results:
            self._show_result(place)
        else:
            self._set_pores(np.zeros(self.pores.data.shape, np.int32), editable=False)  # type: ignore[union-attr]
            for kind in (drawn.CANDIDATES, drawn.VACANCIES):
                self._layers[kind].data = np.zeros_like(self._layers[kind].data)
            self._find(place)
        self.moved.emit()

    def _find(self, place: Place, recipe: Recipe | None = None) -> None:
        self.told.emit("finding pores …")
        self.workers["find"].ask(
            lambda: self.session.find(place, recipe),
            partial(self._found, place),
            partial(self._find_nothing, place),
        )

    def _find_nothing(self, place: Place, message: str) -> None:
        """Let pores be painted, as a standard, where none could be looked for."""
        self._tell_failure(message)
        if place == self.place and self.pores is not None:
            self.pores.editable = True

    def _found(self, place: Place, result: ImageResult) -> None:
        self.session.edited.pop(place, None)
        self.session.keep(place, result)
        if place == self.place:
            self._show_result(place)

    def _show_result(self, place: Place) -> None:
        result = self.session.results[place]
        found = result.detection
        labels = self.session.current_labels(place)
        assert labels is not None
        for kind, values in ((drawn.CANDIDATES, found.candidates), (drawn.VACANCIES, found.vacancies)):
            layer = self._layers[kind]
            layer.data = np.zeros_like(layer.data) if values is None else values.astype(layer.data.dtype)
        drawn.scale_layers(self._layers, result.micrograph.pixel_size)  # the lattice may have corrected it
        self._set_pores(labels.copy(), editable=True)
        self.told.emit("; ".join([f"method {result.method}", *result.messages]))
        self._follow()

    def _set_pores(self, labels: NDArray[np.int32], editable: bool) -> None:
        pores = self.pores
        assert pores is not None
        self._last = None
        pores.data = labels
        # The history holds places of the image that was shown before.
        pores._reset_history()
        pores.editable = editable
        self._layers[drawn.MARK].data = np.empty((0, 2))

    def _touch(self, _: object = None) -> None:
        if self.place in self.session.results:
            self._pause.start()

    def _follow(self) -> None:
        """Measure the pores as they are now, if anything has changed."""
        place, pores = self.place, self.pores
        if place is None or pores is None or place not in self.session.results:
            return
        labels = np.array(pores.data, np.int32)
        if self._last is not None and np.array_equal(labels, self._last):
            return
        self._last, result = labels, self.session.results[place]
        self.session.remember(place, labels)
        self.workers["measure"].ask(
            lambda: measure_edited(result, labels), partial(self._show_table, place), self.told.emit
        )

    def _show_table(self, place: Place, measured: Measured) -> None:
        if place == self.place:
            self.measured = measured
            self.tabled.emit(measured.table)
            if measured.edits.any:
                pores = describe_pores(measured.table.equivalent_diameter_nm.to_numpy())
                self.told.emit(f"{pores}; {measured.edits.describe()}")

    def _answer(self, place: Place, answer: Answer) -> None:
        if place == self.place:
            layer = self._layers[drawn.RECIPE]
            layer.data = answer.mask
            self.answered.emit(answer.text)

    def _click(self, viewer: Viewer, event: Any) -> None:
        """Choose the pore that was clicked."""
        at = self._find_pixel(event.position)
        if at is not None and self.measured is not None and (label := int(self.measured.edits.labels[at])):
            self.chosen.emit([label])

    def _find_pixel(self, position: Any) -> tuple[int, int] | None:
        """Row and column of a place in the world; None outside the image."""
        if self.pores is None:
            return None
        scale = np.asarray(self.pores.scale)[-2:]
        row, column = (int(v) for v in np.rint(np.asarray(position)[-2:] / scale))
        rows, columns = self.pores.data.shape
        return (row, column) if 0 <= row < rows and 0 <= column < columns else None

    def _accept_here(self, viewer: Viewer) -> None:
        """Take the candidate under the cursor for a pore."""
        at, pores = self._find_pixel(viewer.cursor.position), self.pores
        if at is None or pores is None or not pores.editable:
            return
        candidates = np.asarray(self._layers[drawn.CANDIDATES].data)
        if candidates[at]:
            free = (candidates == candidates[at]) & (np.asarray(pores.data) == 0)
            pores.data_setitem(np.nonzero(free), int(np.max(pores.data)) + 1)
            self._touch()

    def _tell_failure(self, message: str) -> None:
        if message:
            self.told.emit(f"failed: {message}")

    def _send(self, call: Callable[[], None]) -> None:
        try:
            self._delivered.emit(call)
        except RuntimeError:  # the window is gone
            return

    def _call(self, function: Callable[[], None]) -> None:
        function()
