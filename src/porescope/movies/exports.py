"""Tracks in the formats of other programs: napari's table, TrackMate's XML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from porescope.movies.linking import Graph

if TYPE_CHECKING:
    import pandas as pd

#: Features of TrackMate's spots and links: name, what it is, its dimension, whether it is a whole number.
_SPOT_FEATURES = (
    ("QUALITY", "Quality", "QUALITY", False), ("POSITION_X", "X", "POSITION", False),
    ("POSITION_Y", "Y", "POSITION", False), ("POSITION_Z", "Z", "POSITION", False),
    ("POSITION_T", "T", "TIME", False), ("FRAME", "Frame", "NONE", True),
    ("RADIUS", "Radius", "LENGTH", False), ("VISIBILITY", "Visibility", "NONE", True),
)  # fmt: skip
_EDGE_FEATURES = (
    ("SPOT_SOURCE_ID", "Source spot ID", "NONE", True), ("SPOT_TARGET_ID", "Target spot ID", "NONE", True),
    ("LINK_COST", "Edge cost", "COST", False),
)  # fmt: skip
_TRACK_FEATURES = (("TRACK_ID", "Track ID", "NONE", True), ("NUMBER_SPOTS", "Spots", "NONE", True))


def save_napari(file: Path, rows: pd.DataFrame) -> None:
    """Write the table that napari's layer of tracks takes: track, frame, row and column.

    Parameters
    ----------
    file : Path
    rows : DataFrame
        Each pore in each frame that shows it, with ``track``, ``frame``, ``y_px`` and ``x_px``.
    """
    table = rows[["track", "frame", "y_px", "x_px"]].sort_values(["track", "frame"])
    table.set_axis(["track_id", "t", "y", "x"], axis=1).to_csv(file, index=False, float_format="%.6g")


def list_links(spots: pd.DataFrame, graph: Graph) -> list[tuple[int, int]]:
    """List the spots that follow each other, also over merges and splits.

    Parameters
    ----------
    spots : DataFrame
        One row for each region of the graph, with ``frame`` and ``label``.
    graph : Graph

    Returns
    -------
    list of tuple
        Two rows of ``spots``, counted from 0.
    """
    at = {key: k for k, key in enumerate(zip(spots.frame, spots.label, strict=True))}
    keys = [at[region.frame, region.label] for region in graph.regions]
    return [(keys[one], keys[two]) for one, twos in enumerate(graph.after) for two in twos]


def save_trackmate(file: Path, rows: pd.DataFrame, links: list[tuple[int, int]], pixel_nm: float) -> None:
    """Write an XML file that Fiji's TrackMate opens.

    Parameters
    ----------
    file : Path
    rows : DataFrame
        Each pore in each frame that shows it, with ``frame``, ``time_s``, ``y_px``, ``x_px`` and
        ``equivalent_diameter_nm``. Where times are unknown a frame is the unit.
    links : list of tuple
        As `list_links` returns them.
    pixel_nm : float
    """
    timed = bool(np.isfinite(rows.time_s).all())
    root = ElementTree.Element("TrackMate", version="7.11.1")
    unit = "sec" if timed else "frame"
    model = ElementTree.SubElement(root, "Model", spatialunits="nm", timeunits=unit)
    declared = ElementTree.SubElement(model, "FeatureDeclarations")
    for kind, features in (("Spot", _SPOT_FEATURES), ("Edge", _EDGE_FEATURES), ("Track", _TRACK_FEATURES)):
        group = ElementTree.SubElement(declared, f"{kind}Features")
        for name, words, dimension, whole in features:
            ElementTree.SubElement(
                group, "Feature", feature=name, name=words, shortname=words, dimension=dimension,
                isint=str(whole).lower(),
            )  # fmt: skip
    _add_spots(model, rows, timed, pixel_nm)
    _add_tracks(model, len(rows), links)
    settings = ElementTree.SubElement(root, "Settings")
    frames = int(rows.frame.max()) + 1 if len(rows) else 0
    ElementTree.SubElement(
        settings, "ImageData", filename="", folder="", width="0", height="0", nslices="1",
        nframes=str(frames), pixelwidth=f"{pixel_nm:.8g}", pixelheight=f"{pixel_nm:.8g}", voxeldepth="1.0",
        timeinterval="1.0",
    )  # fmt: skip
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(file, encoding="UTF-8", xml_declaration=True)


def _add_spots(model: ElementTree.Element, rows: pd.DataFrame, timed: bool, pixel_nm: float) -> None:
    spots = ElementTree.SubElement(model, "AllSpots", nspots=str(len(rows)))
    columns = ["track", "frame", "time_s", "y_px", "x_px", "equivalent_diameter_nm"]
    by_frame: dict[int, list[tuple[int, dict[str, Any]]]] = {}
    for number, values in enumerate(rows[columns].to_numpy(float).tolist()):
        row = dict(zip(columns, values, strict=True))
        by_frame.setdefault(int(row["frame"]), []).append((number, row))
    for frame in sorted(by_frame):
        group = ElementTree.SubElement(spots, "SpotsInFrame", frame=str(frame))
        for number, row in by_frame[frame]:
            time = row["time_s"] if timed else frame
            ElementTree.SubElement(
                group, "Spot", ID=str(number), name=f"track {row['track']:.0f}", QUALITY="1.0",
                POSITION_X=f"{row['x_px'] * pixel_nm:.6g}", POSITION_Y=f"{row['y_px'] * pixel_nm:.6g}",
                POSITION_Z="0.0", POSITION_T=f"{time:.6g}", FRAME=str(frame),
                RADIUS=f"{row['equivalent_diameter_nm'] / 2:.6g}", VISIBILITY="1",
            )  # fmt: skip


def _add_tracks(model: ElementTree.Element, n_spots: int, links: list[tuple[int, int]]) -> None:
    """TrackMate's tracks are all that hangs together, also by merges and splits."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    tracks = ElementTree.SubElement(model, "AllTracks")
    shown = ElementTree.SubElement(model, "FilteredTracks")
    if not links:
        return
    one, two = np.array(links).T
    graph = coo_array((np.ones(len(links), np.int8), (one, two)), shape=(n_spots, n_spots))
    group = connected_components(graph, directed=False)[1]
    sizes = np.bincount(group)
    for number, name in enumerate(np.unique(group[one]).tolist()):
        track = ElementTree.SubElement(
            tracks, "Track", name=f"Track_{number}", TRACK_ID=str(number), NUMBER_SPOTS=str(sizes[name])
        )
        for k in np.flatnonzero(group[one] == name).tolist():
            ElementTree.SubElement(
                track, "Edge", SPOT_SOURCE_ID=str(one[k]), SPOT_TARGET_ID=str(two[k]), LINK_COST="0.0"
            )
        ElementTree.SubElement(shown, "TrackID", TRACK_ID=str(number))
