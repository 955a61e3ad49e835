"""What is done to every image of a run, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from porescope.detection import Automatic, Detector
from porescope.files import explain_missing
from porescope.lattice import LatticeGaps, Vacancies
from porescope.materials import find_material
from porescope.storage import Address

#: Columns of ``images.csv``, in order, with their types.
IMAGE_COLUMNS = {
    "image": "str", "frame": "int64", "file": "str", "sha256": "str",
    "height_px": "Int64", "width_px": "Int64", "modality": "str",
    "pixel_size_nm": "float64", "pixel_size_header_nm": "float64", "pixel_size_source": "str",
    "lattice_constant_nm": "float64", "n_pores": "Int64", "n_border": "Int64",
    "density_per_um2": "float64", "porosity": "float64", "median_diameter_nm": "float64",
    "clean_fraction": "float64", "method": "str", "status": "str", "message": "str",
    "field_fraction": "float64", "density_low_per_um2": "float64", "density_high_per_um2": "float64",
    "signal": "str", "scan_distortion": "float64", "row_jitter_nm": "float64", "reason": "str",
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """What is done to every image of a run.

    Parameters
    ----------
    out : Path
        Folder of the results.
    detector : Detector
    lattice : bool, optional
        Whether to look for the lattice; default: if anything needs it.
    material : str, optional
        One of `MATERIALS`.
    calibrate : bool
        Whether the lattice corrects the pixel size of the tables.
    structure : bool
        Whether to write the atoms of the sheet.
    modality : {"auto", "haadf", "bf", "abf", "hrtem"}
    pixel_size : float, optional
        In place of the files' own [nm].
    signal : str, optional
        Name of the detector or channel that is taken of files with several, or "all"; default: one for each
        field of view.
    overlays, rois, geojson, coco : bool
        Which files to write beside the label image.
    excess : bool
        Whether to mark bright sites in the overlays.
    store : Address, optional
        Folder in a store to which the results go; ``out`` is then its copy on this machine.

    Raises
    ------
    ValueError
        If the options contradict each other.
    """

    out: Path
    detector: Detector = field(default_factory=Automatic)
    lattice: bool | None = None
    material: str | None = None
    calibrate: bool = False
    structure: bool = False
    modality: str = "auto"
    pixel_size: float | None = None
    signal: str | None = None
    overlays: bool = True
    rois: bool = False
    geojson: bool = False
    coco: bool = False
    excess: bool = False
    store: Address | None = None

    def __post_init__(self) -> None:
        if self.pixel_size is not None and not 0 < self.pixel_size < float("inf"):
            raise ValueError(f"--pixel-size must be above 0 nm, not {self.pixel_size:g}")
        if self.excess and not self.overlays:
            raise ValueError("--excess marks bright sites in the overlays; leave out --no-images")
        if self.material is not None:
            find_material(self.material)
        if self.material is None and (self.calibrate or self.structure):
            option = "--calibrate lattice" if self.calibrate else "--structure"
            raise ValueError(f"{option} needs the crystal: say --material WS2")
        if self.structure and find_spec("ase") is None:
            raise ValueError(explain_missing("--structure", "ASE", "atoms"))
        if self.lattice is False and (self.calibrate or self.structure):
            raise ValueError("--no-lattice leaves nothing to calibrate by or to build a structure from")
        if self.lattice is False and isinstance(self.detector, (LatticeGaps, Vacancies)):
            raise ValueError(f"--method {self.detector.method} needs the lattice; leave out --no-lattice")

    def describe(self) -> dict[str, Any]:
        """Describe what changes the numbers of a run, for ``run.json`` and for ``--resume``.

        Returns
        -------
        dict

        Raises
        ------
        ValueError
            If the detector cannot be used.
        """
        return {
            "recipe_name": None,
            "recipe": {},
            "recipe_provenance": {},
            "model": None,
            "seed": None,
            **self.detector.describe(),
            "modality": self.modality,
            "pixel_size_nm": self.pixel_size,
            "signal": self.signal,
            "material": self.material,
            "calibrate": "lattice" if self.calibrate else "header",
            "lattice": self.wants_lattice,
        }

    @property
    def wants_lattice(self) -> bool:
        """Whether to look for the lattice."""
        if self.lattice is not None:
            return self.lattice
        return self.overlays or self.detector.needs_lattice or self.material is not None


class ImageRecord(NamedTuple):
    """What a run keeps of one image."""

    row: dict[str, Any]  # of ``images.csv``
    pores: dict[str, NDArray[Any]]  # columns of ``pores.csv``
    outputs: list[str]  # names of the files written
    n_images: int = 1  # number of images in its file
    candidates: Mapping[str, NDArray[Any]] = {}  # columns of ``candidates.csv``
    excess: Mapping[str, NDArray[Any]] = {}  # columns of ``excess.csv``
