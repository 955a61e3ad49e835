"""Draw the pictures of docs/desk.md: porescope's window with simulated micrographs, as a person uses it.

xvfb-run -a -s "-screen 0 1600x1000x24" python docs/images/desk.py
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication

from porescope.desk import make_desk
from porescope.runs import Job
from porescope.simulation import Scene, save_simulation, simulate

HERE = Path(__file__).parent
#: Width and height of the window, and width of the pictures [px].
SIZE, WIDTH = (1360, 820), 1200


def wait(until) -> None:
    """Let the window work until something is so."""
    end = time.monotonic() + 300
    while not until():
        QApplication.instance().processEvents()
        assert time.monotonic() < end
        time.sleep(0.01)


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    for seed in (1, 5, 6):
        drawn = simulate(
            Scene(shape=(400, 440), pores=7, max_missing=40, dose=2e6), name=f"sheet {seed}", seed=seed
        )
        save_simulation(folder, drawn, "docs")
    paths = sorted(path for path in folder.glob("*.tif") if "standard" not in path.name)
    viewer, panel = make_desk(paths, Job(folder / "desk", material="WS2"))
    viewer.window.resize(*SIZE)

    def settle() -> None:
        QApplication.instance().processEvents()
        wait(lambda: not panel.bench.busy)
        for _ in range(20):
            QApplication.instance().processEvents()

    def draw(name: str, left: int = 0) -> None:
        """Save the window as it is, or its part from a column on."""
        settle()
        shown = Image.fromarray(np.asarray(viewer.screenshot(canvas_only=False, flash=False))[..., :3])
        shown = shown.resize((WIDTH, round(WIDTH * shown.height / shown.width)), Image.Resampling.LANCZOS)
        shown = shown.crop((left, 0, shown.width, shown.height))
        shown.save(HERE / f"{name}.jpg", quality=72, optimize=True)

    settle()
    panel.table.selectRow(1)
    panel.delete.click()
    settle()
    pores = panel.bench.pores
    pores.mode, pores.selected_label, pores.brush_size = "paint", int(pores.data.max()) + 1, 10
    for column in range(60, 76, 2):
        pores.paint((60, column), pores.selected_label)
    settle()
    panel.bench.chosen.emit([int(panel.table.pores.table.label.iloc[-1])])
    draw("desk_pores")
    for file in range(3):
        panel.files.setCurrentIndex(file)
        settle()
        panel.save_standard.click()
    panel.tabs.setCurrentIndex(1)
    settle()
    panel.sliders.sliders["threshold"].setValue(85)
    draw("desk_recipe")
    panel.tabs.setCurrentIndex(2)
    panel.tune.click()
    draw("desk_tune", left=800)
    panel.close_desk()
    viewer.close()
