"""From slider to screen: how long the answer of a recipe takes, 1024 × 1024 px, under software rendering.

    xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/desk.py

Each step moves the slider of the threshold and ends when the picture with the new answer is drawn and handed
to the screen. The processor's time of the whole process is printed beside: on a busy machine it tells more.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import tifffile

from porescope.desk import make_desk
from porescope.runs import Job
from porescope.simulation import Scene, simulate

SIDE, STEPS = 1024, 40


def save_image(folder: Path) -> Path:
    micrograph = simulate(Scene(shape=(SIDE, SIDE), pores=20, max_missing=40), seed=1).micrograph
    size = 1 / micrograph.pixel_size[0]
    path = folder / "a.tif"
    image = micrograph.image.astype(np.uint16)
    tifffile.imwrite(path, image, imagej=True, resolution=(size, size), metadata={"unit": "nm"})
    return path


def main() -> None:
    warnings.simplefilter("ignore")
    from qtpy.QtCore import QEventLoop, QTimer
    from qtpy.QtWidgets import QApplication

    with tempfile.TemporaryDirectory() as name:
        viewer, panel = make_desk([save_image(Path(name))], Job(Path(name) / "out"))
        application, answers, drawn = QApplication.instance(), [], []
        panel.bench.answered.connect(answers.append)
        panel.bench.answered.connect(lambda _: drawn.clear())  # what was drawn before does not show it
        viewer.window._qt_viewer.canvas.native.frameSwapped.connect(lambda: drawn.append(True))

        clock = QTimer()  # lets `wait` look at the time where nothing else happens
        clock.start(500)

        def wait(until) -> None:
            end = time.monotonic() + 120
            while not until():
                application.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
                assert time.monotonic() < end, panel.message.text()

        viewer.window.resize(1500, 900)
        wait(lambda: panel.table.pores.rowCount() > 0 and not panel.bench.busy)
        panel.tabs.setCurrentIndex(1)
        wait(lambda: answers and not panel.bench.busy)
        rows = []
        for step in range(STEPS):
            answers.clear()
            wall, own = time.perf_counter(), time.process_time()
            panel.sliders.sliders["threshold"].setValue(50 + step)
            wait(lambda: answers)
            answered = time.perf_counter() - wall
            wait(lambda: drawn)
            rows.append((answered, time.perf_counter() - wall, time.process_time() - own))
        table = 1000 * np.array(rows)[5:]
        print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        for head, column in zip(("answer known", "on the screen", "processor"), table.T, strict=True):
            median, high = np.percentile(column, [50, 90])
            print(
                f"{head:14} median {median:4.0f} ms, 90 % within {high:4.0f} ms, best {column.min():4.0f} ms"
            )
        panel.close_desk()
        viewer.close()


if __name__ == "__main__":
    main()
