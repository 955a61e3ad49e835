from .channels import choose_signals
from .exports import save_geojson, save_labels, save_rois, save_structure
from .formats import check_claim, load_signals
from .headers import Header
from .names import (
    DETECT_ENDINGS,
    ENDINGS,
    FILES,
    NEXT,
    PARTS,
    PICTURES,
    TUNING_FILES,
    describe_counts,
    escape_hidden,
    find_files,
    keep_names,
    list_stems,
    name_files,
    name_stem,
    printable,
)
from .objects import describe_hyperspy, describe_xarray
from .signals import (
    ReadError,
    Signal,
    doubt_pixel_size,
    doubt_size,
    header_pixel_size,
    read_frame,
    require_pixel_size,
)
from .units import nanometres
from .writing import explain_error, hash_file, remove_unfinished, write_folder, write_whole

__all__ = [
    "DETECT_ENDINGS",
    "ENDINGS",
    "FILES",
    "Header",
    "NEXT",
    "PARTS",
    "PICTURES",
    "ReadError",
    "Signal",
    "TUNING_FILES",
    "check_claim",
    "choose_signals",
    "describe_counts",
    "describe_hyperspy",
    "describe_xarray",
    "doubt_pixel_size",
    "doubt_size",
    "escape_hidden",
    "explain_error",
    "find_files",
    "hash_file",
    "header_pixel_size",
    "list_stems",
    "load_signals",
    "keep_names",
    "name_files",
    "name_stem",
    "nanometres",
    "printable",
    "read_frame",
    "remove_unfinished",
    "require_pixel_size",
    "save_geojson",
    "save_labels",
    "save_rois",
    "save_structure",
    "write_folder",
    "write_whole",
]
