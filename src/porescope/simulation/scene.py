"""All that decides a simulated micrograph, but for chance."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from porescope.materials import MATERIALS
from porescope.modalities import check_modality
from porescope.simulation.contamination import (
    thick_carbon,
)
from porescope.simulation.optics import Optics
from porescope.simulation.recording import Recording
from porescope.simulation.sheets import (
    Pore,
)


@dataclass(frozen=True)
class Scene:
    """All that decides a simulated micrograph, but for chance. Lengths in nm."""

    material: str = "WS2"
    shape: tuple[int, int] = (512, 512)
    pixel_size: float = 0.04
    modality: str = "haadf"
    pores: tuple[Pore, ...] = ()
    angle: float | None = None  # of the lattice [rad]; by chance if None
    strain: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # drift, shear: yy, yx, xy, xx
    grain_angle: float | None = None  # of a second grain against the first [rad]
    twist: float | None = None  # of a second layer against the first [rad]
    twist_cover: float = 1.0  # share of the frame under the second layer
    chalcogen_vacancies: float = 0.0  # share of the sites
    dopant: str = ""
    dopants: float = 0.0  # share of the metal's sites (C's, B's)
    alloy: str = ""
    alloyed: float = 0.0  # share of the chalcogen's sites
    adatom: str = "C"
    adatoms: float = 0.0  # a nm²
    rim_atoms: float = 0.0  # share of edge sites with a metal atom beside
    relaxation: float = 0.0  # of edge atoms, standard deviation
    amorphous: float = 0.0  # share of the frame
    contamination: float = 0.0  # carbon's thickness, mean
    patches: float = 0.0  # thickness of patches with an edge
    patch_cover: float = 0.0  # their share of the frame
    grain_size: float = 1.5  # of contamination, standard deviation
    rim: float = 0.0  # thickness of contamination around pores
    optics: Optics = field(default_factory=Optics)
    recording: Recording = field(default_factory=Recording)
    clarity: float | None = None  # instead of a dose: lattice contrast over noise, a cell


def make_scene(
    rng: np.random.Generator,
    *,
    material: str,
    shape: tuple[int, int],
    pixel_size: float,
    pores: int,
    max_missing: int,
    dose: float,
    modality: str,
    contamination: float | None = None,
) -> Scene:
    """Make the scene that `simulate` draws; the arguments are its own."""
    check_scene(material, modality)
    if min(shape) < 1 or pixel_size <= 0 or dose <= 0 or pores < 0 or max_missing < 1:
        raise ValueError("shape, pixel_size, dose and max_missing must be above 0, pores not below")
    if contamination is None:
        contamination = 0.1 * thick_carbon(modality, MATERIALS[material])
    return Scene(
        material=material,
        shape=shape,
        pixel_size=pixel_size,
        modality=modality,
        pores=place_pores(pores, max_missing, np.array(shape) * pixel_size, rng),
        contamination=contamination,
        optics=OPTICS[modality],
        recording=Recording(dose=dose),
    )


def check_scene(material: str, modality: str) -> None:
    """Refuse a material or modality that is not known."""
    if material not in MATERIALS:
        raise ValueError(f"material must be one of {', '.join(MATERIALS)}, not {material!r}")
    check_modality(modality)


#: Lenses of an aberration-corrected microscope at 80 kV, focused for the clearest atoms.
OPTICS = {
    "haadf": Optics(),
    "bf": Optics(defocus=-4.0, semiangle_mrad=25.0),
    "abf": Optics(),
    "hrtem": Optics(defocus=6.0, spherical=-20e3, semiangle_mrad=38.0),
}


def place_pores(
    n: int, max_missing: int, extent: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Pore, ...]:
    """Choose round pores of 1 to ``max_missing`` atoms away from the border and from each other."""
    centres: list[NDArray[np.float64]] = []
    distance = 0.7 * np.sqrt(extent.prod() / max(n, 1))
    while len(centres) < n:
        margin = np.minimum(0.8, extent / 4)
        point = rng.uniform(margin, extent - margin)
        if not centres or np.hypot(*(np.array(centres) - point).T).min() > distance:
            centres.append(point)
        distance *= 0.98
    most = np.log(max_missing + 1)
    return tuple(Pore((float(y), float(x)), int(np.exp(rng.uniform(0, most)))) for y, x in centres)
