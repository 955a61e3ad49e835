from .claims import explain_claim
from .exports import save_geojson, save_labels, save_rois, save_structure
from .formats import ReadError, choose_images, header_pixel_size, load_signals, require_pixel_size
from .headers import Header
from .names import (
    DETECT_ENDINGS,
    ENDINGS,
    FILES,
    PARTS,
    PICTURES,
    TUNING_FILES,
    describe_counts,
    escape_hidden,
    find_files,
    name_files,
    printable,
)
from .writing import hash_file, remove_unfinished, write_whole

__all__ = [
    "DETECT_ENDINGS",
    "ENDINGS",
    "FILES",
    "Header",
    "PARTS",
    "PICTURES",
    "ReadError",
    "TUNING_FILES",
    "choose_images",
    "describe_counts",
    "escape_hidden",
    "explain_claim",
    "find_files",
    "hash_file",
    "header_pixel_size",
    "load_signals",
    "name_files",
    "printable",
    "remove_unfinished",
    "require_pixel_size",
    "save_geojson",
    "save_labels",
    "save_rois",
    "save_structure",
    "write_whole",
]
