from __future__ import annotations

import pandas as pd

from porescope.runs import Run, compare_runs


def _run(images: dict[str, str], pores: list[tuple[str, float, float, float]]) -> Run:
    rows = pd.DataFrame({"image": list(images), "frame": 0, "status": list(images.values())})
    columns = ["image", "y_nm", "x_nm", "equivalent_diameter_nm"]
    return Run(rows, pd.DataFrame(pores, columns=columns).assign(frame=0), {})


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
