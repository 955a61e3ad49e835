from .drift import Drift, find_drift
from .exports import list_links, save_napari, save_trackmate
from .frames import Clock, Movie, open_movie, set_clock
from .growth import LIFE_COLUMNS, Nucleation, count_births, describe_lives, fit_slope
from .linking import Graph, Region, link_regions
from .tracks import TRACK_COLUMNS, Track, find_tracks, list_rows

__all__ = [
    "Clock",
    "Drift",
    "Graph",
    "LIFE_COLUMNS",
    "Movie",
    "Nucleation",
    "Region",
    "TRACK_COLUMNS",
    "Track",
    "count_births",
    "describe_lives",
    "find_drift",
    "find_tracks",
    "fit_slope",
    "link_regions",
    "list_links",
    "list_rows",
    "open_movie",
    "save_napari",
    "save_trackmate",
    "set_clock",
]
