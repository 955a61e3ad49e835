from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from porescope.movies import Graph, Region, list_links, save_napari, save_trackmate


def make_spots(timed: bool = True) -> pd.DataFrame:
    frame = [0, 0, 1, 2]
    return pd.DataFrame(
        {
            "track": [0, 1, 2, 2], "frame": frame, "label": [1, 2, 1, 1],
            "time_s": np.array(frame) * 0.5 if timed else np.nan,
            "y_px": [10.0, 20.0, 15.0, 15.5], "x_px": [1.0, 2.0, 3.0, 4.0],
            "equivalent_diameter_nm": [1.0, 1.2, 2.0, 2.2],
        }
    )  # fmt: skip


def test_links_go_over_merges() -> None:
    graph = Graph()
    for frame, label in ((0, 1), (0, 2), (1, 1), (2, 1)):
        graph.add(Region(frame, label, np.zeros(2, int), np.ones((1, 1), bool), False))
    for one, two in ((0, 2), (1, 2), (2, 3)):
        graph.link(one, two)
    assert list_links(make_spots(), graph) == [(0, 2), (1, 2), (2, 3)]


def test_trackmate_has_spots_edges_and_tracks(tmp_path: Path) -> None:
    file = tmp_path / "t.xml"
    save_trackmate(file, make_spots(), [(0, 2), (1, 2), (2, 3)], 0.04)
    model = ElementTree.parse(file).getroot().find("Model")
    assert model is not None and model.attrib == {"spatialunits": "nm", "timeunits": "sec"}
    spots = {s.attrib["ID"]: s.attrib for s in model.iter("Spot")}
    assert len(spots) == 4 and spots["3"]["POSITION_T"] == "1" and spots["3"]["RADIUS"] == "1.1"
    assert (float(spots["0"]["POSITION_Y"]), float(spots["0"]["POSITION_X"])) == (0.4, 0.04)
    (track,) = model.iter("Track")
    assert track.attrib["NUMBER_SPOTS"] == "4" and len(track.findall("Edge")) == 3
    assert all(e.attrib["SPOT_SOURCE_ID"] in spots for e in model.iter("Edge"))
    assert [t.attrib["TRACK_ID"] for t in model.iter("TrackID")] == ["0"]
    declared = {f.attrib["feature"] for f in model.iter("Feature")}
    assert set(spots["0"]) - {"ID", "name"} <= declared
    save_trackmate(file, make_spots(timed=False), [], 0.04)
    model = ElementTree.parse(file).getroot().find("Model")
    assert model is not None and model.attrib["timeunits"] == "frame"
    assert [s.attrib["POSITION_T"] for s in model.iter("Spot")] == ["0", "0", "1", "2"]


def test_naparis_table_is_sorted_by_track_and_frame(tmp_path: Path) -> None:
    save_napari(tmp_path / "t.csv", make_spots()[::-1])
    table = pd.read_csv(tmp_path / "t.csv")
    assert list(table) == ["track_id", "t", "y", "x"]
    assert table.to_numpy().tolist() == [[0, 0, 10, 1], [1, 0, 20, 2], [2, 1, 15, 3], [2, 2, 15.5, 4]]
