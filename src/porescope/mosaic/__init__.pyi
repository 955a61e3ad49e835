from .density import Density, count_density
from .merging import SHEET_COLUMNS, Layout, merge_pores
from .mosaic import STAGE_ERROR_NM, STATES, Mosaic, check_stage, list_pairs, solve_mosaic
from .stage import lay_grid, read_stage
from .tiles import Tiles, find_stage, open_tiles

__all__ = [
    "Density",
    "Layout",
    "Mosaic",
    "SHEET_COLUMNS",
    "STAGE_ERROR_NM",
    "STATES",
    "Tiles",
    "check_stage",
    "count_density",
    "find_stage",
    "lay_grid",
    "list_pairs",
    "merge_pores",
    "open_tiles",
    "read_stage",
    "solve_mosaic",
]
