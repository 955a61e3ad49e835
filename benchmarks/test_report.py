"""The report of 200 images of 512²: its size, how long it takes to write and to open; ``make bench``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from porescope import read_run
from porescope.report import write_report
from porescope.runs import Run
from porescope.simulation import Scene, simulate

#: Images of the report, simulated ones of which they are copies, and how often the page is opened.
IMAGES, DRAWN, OPENED = 200, 8, 5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    folder = tmp_path_factory.mktemp("report")
    for seed in range(DRAWN):
        image = simulate(Scene(pores=6), seed=seed).micrograph.image
        np.save(folder / f"n{seed}.npy", image)
    out = folder / "out"
    command = [sys.executable, "-c", "from porescope.cli.start import main; main()", "detect", str(folder)]
    options = ["--pixel-size", "0.04", "--material", "WS2", "-o", str(out)]
    subprocess.run([*command, *options], check=True, capture_output=True)
    few = read_run(out)
    names = [f"image{i:03d}" for i in range(IMAGES)]
    for i, name in enumerate(names):
        for path in [*out.glob(f"n{i % DRAWN}_*"), *(out / "pictures").glob(f"n{i % DRAWN}_*")]:
            shutil.copy(path, path.with_name(path.name.replace(f"n{i % DRAWN}_", f"{name}_", 1)))
    copies = [[t[t.image == f"n{i % DRAWN}"].assign(image=name) for i, name in enumerate(names)]
              for t in (few.images, few.pores)]  # fmt: skip
    images, pores = (pd.concat(tables, ignore_index=True) for tables in copies)
    return few._replace(images=images, pores=pores), out


def test_report_of_200_images(run: tuple[Run, Path]) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    whole, out = run
    start = time.perf_counter()
    path = write_report(whole, out)
    written = time.perf_counter() - start
    times = []
    with sync_api.sync_playwright() as playwright:
        chromium = shutil.which("chromium") or pytest.skip("there is no chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name in ["about:blank", *[f"file://{path}"] * OPENED]:
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            start = time.perf_counter()
            page.goto(name)
            page.screenshot()  # what is seen first is painted
            opened = time.perf_counter() - start
            if name != "about:blank":
                page.locator("#rows tbody tr").nth(500).click()
                assert page.locator("#view .pore.chosen").count() == 1
            times.append((opened, time.perf_counter() - start - opened))
            page.close()
        browser.close()
    (blank, _), *pages = times
    opened, clicked = (min(column) for column in zip(*pages, strict=True))
    print(
        f"\nreport of {IMAGES} images of 512², {len(whole.pores)} pores: {path.stat().st_size / 1e6:.1f} MB, "
        f"written in {written:.1f} s, opened and painted in {opened:.2f} s (an empty page: {blank:.2f} s), "
        f"a row clicked and its pore enlarged in {clicked:.2f} s"
    )
