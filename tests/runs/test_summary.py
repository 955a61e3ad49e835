from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from porescope.measurement import PORE_COLUMNS, density_interval
from porescope.runs import Run, summarize
from porescope.runs.job import IMAGE_COLUMNS


def _run(*images: tuple[str, int, int, str]) -> Run:
    """A run of images (name, frame, number of pores, status), each of 100 × 200 px of 0.05 nm."""
    rows, pores = [], []
    for name, frame, n, status in images:
        rows.append({"image": name, "frame": frame, "status": status})
        if status == "ok":
            density = n / (100 * 200 * 0.05**2) * 1e6
            rows[-1] |= {"height_px": 100, "width_px": 200, "pixel_size_nm": 0.05, "n_pores": n}
            rows[-1] |= {"density_per_um2": density}
        for label in range(n):
            pores.append({"image": name, "frame": frame, "label": label + 1, "area_nm2": 0.5})
            pores[-1] |= {"equivalent_diameter_nm": 0.5 + frame / 10, "touches_border": label == 0}
    tables = []
    for columns, content in ((IMAGE_COLUMNS, rows), (PORE_COLUMNS, pores)):
        table = pd.DataFrame(content, columns=list(columns))
        kinds = {name: kind for name, kind in columns.items() if kind in ("Int64", "float64", "str")}
        tables.append(table.astype(kinds))
    pores_table = tables[1].fillna({"touches_border": False}).astype({"touches_border": bool})
    return Run(tables[0], pores_table, {})


def test_single_images_are_pooled() -> None:
    summary = summarize(_run(("a", 0, 3, "ok"), ("b", 0, 1, "ok"), ("c", 0, 0, "failed")))
    assert summary.text == "4 pores in 2 images, 1 failed" and summary.n_pores == 4
    assert summary.n_border == 2 and summary.median_nm == 0.5 and not summary.counts_frames
    assert summary.area_um2 == pytest.approx(2 * 50e-6)
    assert summary.density[0] == pytest.approx(4 / 100e-6)
    assert summary.density[1:] == pytest.approx(density_interval(4, 100e-6))
    assert summary.porosity == pytest.approx(4 * 0.5 / 100)


def test_area_and_porosity_are_of_the_field() -> None:
    """Two images of 50 nm², of which one has data in half of its area."""
    run = _run(("a", 0, 3, "ok"), ("b", 0, 1, "ok"))
    images = run.images.assign(field_fraction=[0.5, np.nan], density_per_um2=[3 / 25e-6, 1 / 50e-6])
    summary = summarize(run._replace(images=images))
    assert summary.area_um2 == pytest.approx(75e-6)
    assert summary.density == pytest.approx((4 / 75e-6, *density_interval(4, 75e-6)))
    assert summary.porosity == pytest.approx(4 * 0.5 / 75)


def test_a_stack_counts_as_its_average_frame() -> None:
    summary = summarize(_run(*(("movie", k, 6, "ok") for k in range(20))))
    assert summary.text == "6 pores in each of 20 frames" and summary.counts_frames
    assert summary.n_pores == pytest.approx(6) and summary.n_border == pytest.approx(1)
    assert summary.area_um2 == pytest.approx(50e-6) and summary.porosity == pytest.approx(6 * 0.5 / 50)
    assert summary.density == pytest.approx((6 / 50e-6, *density_interval(6, 50e-6)))


def test_a_stack_beside_images_is_no_part_of_their_census() -> None:
    frames = [("movie", k, k, "failed" if k == 3 else "ok") for k in range(5)]
    summary = summarize(_run(("a", 0, 2, "ok"), *frames))
    assert summary.text == "2 pores in 1 image, 0 to 4 pores in each of 4 frames, 1 failed"
    assert summary.n_pores == 2 and summary.median_nm == 0.5 and not summary.counts_frames
    assert [rows.frame.tolist() for rows in summary.stacks] == [[0, 1, 2, 4]]


def test_nothing_gives_no_numbers() -> None:
    for run in (_run(), _run(("a", 0, 0, "failed"))):
        summary = summarize(run)
        assert summary.median_nm is None and np.isnan(summary.density).all() and summary.n_pores == 0
    assert summary.text == "1 failed" and summarize(_run()).text == "no image"
    assert summarize(_run(("a", 0, 0, "ok"))).text == "0 pores in 1 image"
