"""What is done to every image of a run, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from porescope.network.confidence import LEAST_CONFIDENCE
from porescope.recipes.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd


#: Columns of ``images.csv``, in order, with their types.
IMAGE_COLUMNS = {
    "image": "str", "frame": "int64", "file": "str", "sha256": "str",
    "height_px": "Int64", "width_px": "Int64", "modality": "str",
    "pixel_size_nm": "float64", "pixel_size_header_nm": "float64", "pixel_size_source": "str",
    "lattice_constant_nm": "float64", "n_pores": "Int64", "n_border": "Int64",
    "density_per_um2": "float64", "porosity": "float64", "median_diameter_nm": "float64",
    "clean_fraction": "float64", "method": "str", "status": "str", "message": "str",
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """What is done to every file of a run."""

    out: Path
    recipe: Recipe | None = None  # with one the method is threshold
    method: str = "network"
    model: Path | None = None  # in place of the shipped network
    turned: bool = False  # whether the network sees each image in its eight orientations
    least_confidence: float = LEAST_CONFIDENCE  # what is less sure to be a pore is left out
    lattice: bool = True  # whether to look for one
    material: str | None = None
    calibrate: bool = False  # by the lattice
    structure: bool = False
    modality: str = "auto"
    pixel_size: float | None = None
    overlays: bool = True
    rois: bool = False
    geojson: bool = False

    def __post_init__(self) -> None:
        if self.recipe is not None:
            object.__setattr__(self, "method", "threshold")


class Result(NamedTuple):
    """What came of one image: its row, its pores' columns, files written, pictures."""

    row: dict[str, Any]
    pores: dict[str, NDArray[Any]]
    outputs: list[str]
    pictures: tuple[bytes, ...] | None


class Census(NamedTuple):
    """The tables of a run, and pictures (JPEG: image, overlay) of its first images by stem."""

    images: pd.DataFrame
    pores: pd.DataFrame
    outputs: list[str]
    pictures: dict[str, tuple[bytes, ...]]
