"""napari's window with porescope's panel."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from porescope.desk.session import Session
from porescope.runs import Job

if TYPE_CHECKING:
    from napari.viewer import Viewer

    from porescope.desk.panel import Panel

#: Where the panel of napari's menu saves.
_FOLDER = "porescope-desk"


def check_display() -> None:
    """Make sure that a window can be opened: without a display, Qt would end the program at once.

    Raises
    ------
    ValueError
        If there is none.
    """
    if (
        not sys.platform.startswith("linux")
        or os.environ.get("QT_QPA_PLATFORM")
        or os.environ.get("WAYLAND_DISPLAY")
    ):
        return
    name = os.environ.get("DISPLAY")
    if name and _is_there(name):
        return
    what = f"the display {name} does not answer" if name else "there is no display"
    raise ValueError(
        f"{what}, so no window can be opened; start it at a desktop, by ssh -X, or with xvfb-run"
    )


def _is_there(name: str) -> bool:
    """Whether an X server answers."""
    library = ctypes.util.find_library("X11")
    if library is None:
        return True  # Qt may know better
    x11 = ctypes.CDLL(library)
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(name.encode())
    if display:
        x11.XCloseDisplay(display)
    return bool(display)


def make_desk(
    paths: Sequence[Path], job: Job, method: Sequence[str] = (), *, show: bool = True
) -> tuple[Viewer, Panel]:
    """Make a viewer with the panel, and lay files on the desk.

    Parameters
    ----------
    paths : sequence of Path
    job : Job
        How they are read and their pores found; its folder holds all that is saved.
    method : sequence of str
        Options of ``porescope detect`` that say the same, for a run on a folder.
    show : bool
        Whether to show the window.

    Returns
    -------
    Viewer
    Panel
    """
    import napari

    from porescope.desk.panel import Panel

    viewer = napari.Viewer(title="porescope", show=show)
    panel = Panel(viewer, Session(list(paths), job, list(method)))
    viewer.window.add_dock_widget(panel, name="porescope", area="right")
    viewer.canvas.overlays.scale_bar.visible = True
    return viewer, panel


def open_desk(paths: Sequence[Path], job: Job, method: Sequence[str] = ()) -> Path | None:
    """Open the window, and return when it is closed; see `check_display` first.

    Parameters
    ----------
    paths : sequence of Path
    job : Job
    method : sequence of str
        As for `make_desk`.

    Returns
    -------
    Path or None
        Folder of the edits that were not saved; None if there are none.
    """
    import napari
    from qtpy.QtWidgets import QApplication

    _, panel = make_desk(paths, job, method)
    application = QApplication.instance()
    application.aboutToQuit.connect(panel.close_desk)
    try:
        napari.run()
    finally:  # also after Ctrl-C
        panel.close_desk()
    return panel.session.rescued


def make_panel(napari_viewer: Viewer) -> Panel:
    """Make the panel for napari's menu of plugins, with the files that are open there.

    Parameters
    ----------
    napari_viewer : Viewer

    Returns
    -------
    Panel
    """
    from porescope.desk.panel import Panel

    sources = [layer.source.path for layer in napari_viewer.layers if layer.source.path]
    paths = [Path(path) for path in dict.fromkeys(map(str, sources)) if Path(path).is_file()]
    return Panel(napari_viewer, Session(paths, Job(Path(_FOLDER))))
