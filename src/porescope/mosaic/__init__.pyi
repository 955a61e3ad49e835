from .density import Density, count_density
from .layout import Layout
from .merging import merge_pores
from .mosaic import STAGE_ERROR_NM, Mosaic, solve_mosaic
from .pyramid import check_zarr, write_pyramid
from .tiles import Tiles, find_stage, open_tiles

__all__ = [
    "Density",
    "Layout",
    "Mosaic",
    "STAGE_ERROR_NM",
    "Tiles",
    "check_zarr",
    "count_density",
    "find_stage",
    "merge_pores",
    "open_tiles",
    "solve_mosaic",
    "write_pyramid",
]
