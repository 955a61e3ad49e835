"""A run on a folder, by the command line in a process of its own: nothing of it holds the window up."""

from __future__ import annotations

import sys
from pathlib import Path

from qtpy.QtCore import QObject, QProcess, Signal

from porescope.desk.session import Session
from porescope.files import find_files
from porescope.recipes import Recipe, save_recipe

#: Time that a run gets to write its tables once it is stopped [ms].
_LAST_MS = 20_000
#: What starts the command line in another process.
_START = "from porescope.cli.start import main; main()"


class FolderRun(QObject):
    """``porescope detect`` on a folder, beside the window."""

    progressed = Signal(float)  # share of the files that is done
    told = Signal(str)  # a sentence
    ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process = QProcess(self)
        self._process.readyReadStandardError.connect(self._listen)
        self._process.finished.connect(self._end)
        self._lines: list[str] = []
        self._total, self._out = 1, Path()

    @property
    def running(self) -> bool:
        """Whether a run goes on."""
        return bool(self._process.state() != QProcess.ProcessState.NotRunning)

    def start(self, folder: Path, session: Session, recipe: Recipe | None = None) -> None:
        """Start a run.

        Parameters
        ----------
        folder : Path
            Of the images.
        session : Session
            Its options of reading are used, and its folder holds the run.
        recipe : Recipe, optional
            Default: the session's own method.

        Raises
        ------
        ValueError
            If the folder holds no images.
        """
        self._total, self._lines = len(find_files([folder])), []
        self._out = session.free_folder(folder.name or "run")
        command = ["detect", str(folder), "-o", str(self._out), "--verbose", *list_options(session)]
        if recipe is not None:
            path = session.free_folder("recipe.toml")
            path.parent.mkdir(parents=True, exist_ok=True)
            save_recipe(recipe, path, overwrite=True)
            command += ["--recipe", str(path)]
        else:
            command += session.method
        self.told.emit(f"porescope {' '.join(command)}")
        self._process.start(sys.executable, ["-c", _START, *command])

    def stop(self) -> None:
        """Stop the run, if there is one: it writes the tables of what is done."""
        if self.running:
            self._process.terminate()
            if not self._process.waitForFinished(_LAST_MS):
                self._process.kill()
                self._process.waitForFinished(_LAST_MS)

    def _listen(self) -> None:
        text = bytes(self._process.readAllStandardError().data()).decode("utf-8", "replace")
        self._lines += [line for line in text.splitlines() if line]
        self.progressed.emit(min(1.0, len(self._lines) / (self._total + 1)))

    def _end(self, code: int, *_: object) -> None:
        self._listen()
        last = bytes(self._process.readAllStandardOutput().data()).decode("utf-8", "replace").strip()
        what = {0: "finished", 1: "finished, some images failed", 2: "not started"}.get(code, "stopped")
        tail = last.splitlines()[-4:] if code in (0, 1) else self._lines[-3:]
        self.told.emit("\n".join([f"{what}: {self._out}", *tail]))
        self.ended.emit()


def list_options(session: Session) -> list[str]:
    """List the options of reading of a session, as the command line takes them.

    Parameters
    ----------
    session : Session

    Returns
    -------
    list of str
    """
    job = session.job
    options = {"--modality": job.modality, "--material": job.material, "--signal": job.signal}
    options["--pixel-size"] = None if job.pixel_size is None else f"{job.pixel_size:g}"
    words = [word for name, value in options.items() if value is not None for word in (name, value)]
    return [*words, *(["--calibrate", "lattice"] if job.calibrate else [])]
