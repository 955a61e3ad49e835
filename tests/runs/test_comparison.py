from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from porescope.runs import Run, compare_runs


def _run(
    images: dict[str, str], pores: list[tuple[str, float, float, float]], pixel_size: float = 0.05
) -> Run:
    """A run whose pores are given by image, row, column and diameter, in nm at 0.05 nm a pixel."""
    rows = pd.DataFrame({"image": list(images), "frame": 0, "status": list(images.values())})
    columns = ["image", "y_nm", "x_nm", "equivalent_diameter_nm"]
    table = pd.DataFrame(pores, columns=columns).assign(frame=0)
    table["area_px"] = np.pi / 4 * (table.equivalent_diameter_nm / 0.05) ** 2
    for axis in "yx":
        table[f"{axis}_px"] = table[f"{axis}_nm"] / 0.05
    table[columns[1:]] *= pixel_size / 0.05
    return Run(rows, table, {})


def test_another_pixel_size_resizes_the_pores() -> None:
    pores = [("a", 1.0, 1.0, 0.5), ("a", 9.0, 9.0, 0.5)]
    changes = compare_runs(_run({"a": "ok"}, pores), _run({"a": "ok"}, pores, pixel_size=0.04))
    assert changes.change.tolist() == ["resized"] * 2
    assert changes.equivalent_diameter_nm_2.tolist() == pytest.approx([0.4, 0.4])


def test_pores_that_appeared_are_gone_or_changed() -> None:
    one = _run({"a": "ok", "b": "ok"}, [("a", 1, 1, 0.5), ("a", 5, 5, 1.0), ("b", 2, 2, 0.4)])
    two = _run({"a": "ok", "b": "ok"}, [("a", 1.1, 1, 0.6), ("a", 9, 9, 0.7), ("b", 2, 2, 0.4)])
    changes = compare_runs(one, two)
    assert changes.image.tolist() == ["a"] * 3 and changes.change.tolist() == ["resized", "gone", "appeared"]
    assert changes.iloc[0, 5:].tolist() == [0.5, 0.6] and changes.iloc[2, 3:5].tolist() == [9, 9]
    assert compare_runs(one, one).empty


def test_images_that_only_one_run_has_or_that_failed() -> None:
    one, two = _run({"a": "ok", "b": "ok"}, []), _run({"b": "failed", "c": "ok"}, [])
    changes = compare_runs(one, two)
    wanted = [["a", "image only in 1"], ["b", "status"], ["c", "image only in 2"]]
    assert changes[["image", "change"]].to_numpy().tolist() == wanted


def test_neighbours_are_matched_to_the_nearer_one() -> None:
    one = _run({"a": "ok"}, [("a", 0, 0, 1.0), ("a", 0, 0.6, 1.0)])
    two = _run({"a": "ok"}, [("a", 0, 0.55, 1.0), ("a", 0, 0.05, 1.0)])
    assert compare_runs(one, two).empty
