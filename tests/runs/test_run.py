from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from porescope.measurement import PORE_COLUMNS
from porescope.runs import Run, read_fields
from porescope.runs.job import IMAGE_COLUMNS


def _run(names: list[tuple[str, int]], places: list[tuple[str, int, int, float, float]]) -> Run:
    images = pd.DataFrame(
        [{"image": n, "frame": f, "status": "ok"} for n, f in names], columns=list(IMAGE_COLUMNS)
    )
    images = images.assign(height_px=20, width_px=30, pixel_size_nm=0.1, density_per_um2=1 / 6e-6)
    found = [{"image": i, "frame": f, "label": n, "y_px": y, "x_px": x} for i, f, n, y, x in places]
    pores = pd.DataFrame(found, columns=list(PORE_COLUMNS))
    return Run(images, pores, {})


def test_pores_count_by_the_clean_area(tmp_path: Path) -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[2:4, 2:4], labels[10:12, 13:17], labels[18:, 5] = 1, 2, 3
    mapped = np.ones_like(labels)
    mapped[:, 15:] = 2
    tifffile.imwrite(tmp_path / "a_labels.tif", labels)
    run = _run([("a", 0)], [("a", 0, 1, 2.5, 2.5), ("a", 0, 2, 10.5, 14.4), ("a", 0, 3, 18.5, 5)])
    (field,) = read_fields(tmp_path, run)
    assert field.n_counted == 2 and field.mask.all() and field.pixel_nm == 0.1 and len(field.pores) == 3
    tifffile.imwrite(tmp_path / "a_field.tif", mapped)
    (field,) = read_fields(tmp_path, run)
    # The second pore crosses the clean area's right edge, the third one the frame's bottom.
    assert field.n_counted == 1 and field.mask.sum() == 300 and len(field.pores) == 3


def test_the_files_are_those_of_the_image(tmp_path: Path) -> None:
    """Of a stack the first frame; a_0000 may be another image. Of three pores, so many touch the bottom."""
    cut = {"a": 0, "a_0000": 1, "b_0003": 2, "b_0004": 3}
    for name, n in cut.items():
        labels = np.zeros((20, 30), np.uint8)
        for k in range(3):
            labels[19 if k < n else 5, 5 + 6 * k] = k + 1
        tifffile.imwrite(tmp_path / f"{name}_labels.tif", labels)
    names = [("a", 0), ("a_0000", 0), ("b", 4), ("b", 3)]
    run = _run(names, [(*name, k + 1, 5, 5 + 6 * k) for name in names for k in range(3)])
    assert [field.n_counted for field in read_fields(tmp_path, run)] == [3, 2, 1]


def test_without_label_images_the_table_counts(tmp_path: Path) -> None:
    run = _run([("../a", 0)], [])
    (tmp_path / "in").mkdir()
    tifffile.imwrite(tmp_path / "a_field.tif", np.zeros((20, 30), np.uint8))
    (field,) = read_fields(tmp_path / "in", run)
    assert field.n_counted == 1 and field.mask.all()


def test_a_damaged_field_is_told(tmp_path: Path) -> None:
    (tmp_path / "a_field.tif").write_bytes(b"no image")
    with pytest.raises(ValueError, match="a_field.tif cannot be read"):
        read_fields(tmp_path, _run([("a", 0)], []))
