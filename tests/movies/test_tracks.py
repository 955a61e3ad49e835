from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from porescope.movies import TRACK_COLUMNS, find_tracks, link_regions, list_rows


def measure(labels: list[np.ndarray | None]) -> pd.DataFrame:
    rows = [
        {
            "frame": k, "label": n, "y_nm": 0.0, "x_nm": 0.0, "area_nm2": float((image == n).sum()),
            "equivalent_diameter_nm": 1.0, "touches_border": bool((image == n)[[0, -1]].any()),
        }
        for k, image in enumerate(labels) if image is not None for n in np.unique(image[image > 0]).tolist()
    ]  # fmt: skip
    columns = ["frame", "label", "y_nm", "x_nm", "area_nm2", "equivalent_diameter_nm", "touches_border"]
    return pd.DataFrame(rows, columns=columns).set_index(["frame", "label"])


def list_all(frames: list[np.ndarray | None], gap: int = 2) -> pd.DataFrame:
    graph = link_regions(lambda k: frames[k], np.zeros((len(frames), 2)), 0.04, gap=gap)
    time = np.arange(len(frames)) * 0.5
    return list_rows(find_tracks(graph), graph, measure(frames), time, time * 1e5)


def test_a_life_has_its_events() -> None:
    nothing = np.zeros((20, 20), np.int32)
    pore, cut = nothing.copy(), nothing.copy()
    pore[3:8, 3:8] = 1
    cut[:8, 3:8] = 1
    rows = list_all([nothing, pore, pore, nothing, cut, nothing, nothing, nothing])
    assert list(rows) == list(TRACK_COLUMNS)
    assert rows.frame.tolist() == [1, 2, 3, 4, 5]
    assert rows.event.tolist() == ["birth", "growth", "gap", "border", "death"]
    assert rows.label.tolist() == [1, 1, 0, 1, 0]
    assert rows.area_nm2.isna().tolist() == [False, False, True, False, True]
    assert rows.time_s.tolist() == [0.5, 1.0, 1.5, 2.0, 2.5] and rows.dose_e_nm2[1] == 1e5


def test_no_pore_keeps_the_columns() -> None:
    rows = list_all([np.zeros((9, 9), np.int32)] * 3)
    assert list(rows) == list(TRACK_COLUMNS) and len(rows) == 0


@given(st.integers(0, 10_000), st.integers(0, 3))
def test_each_region_is_in_one_track(seed: int, gap: int) -> None:
    rng = np.random.default_rng(seed)
    frames: list[np.ndarray | None] = []
    for _ in range(6):
        labels = np.zeros((24, 24), np.int32)
        for number in range(1, int(rng.integers(0, 5)) + 1):
            y, x = rng.integers(0, 20, 2)
            labels[y : y + rng.integers(2, 9), x : x + rng.integers(2, 9)] = number
        frames.append(labels if rng.random() > 0.1 else None)
    graph = link_regions(lambda k: frames[k], np.zeros((6, 2)), 0.04, gap=gap)
    tracks = find_tracks(graph)
    held = sorted(k for track in tracks for k in track.regions)
    assert held == list(range(len(graph.regions)))
    for number, track in enumerate(tracks):
        times = [graph.regions[k].frame for k in track.regions]
        assert times == sorted(set(times))
        assert number not in track.parents and number not in track.children
    rows = list_all(frames, gap)
    assert not rows.duplicated(["track", "frame"]).any()
    assert not rows[rows.label > 0].duplicated(["frame", "label"]).any()
