"""The scene: every parameter of a simulated micrograph except the random seed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from porescope.materials import MATERIALS, find_material
from porescope.modalities import check_modality
from porescope.simulation.contamination import thick_carbon
from porescope.simulation.optics import Optics
from porescope.simulation.recording import Recording
from porescope.simulation.sheets import Pore

#: Lenses of an aberration-corrected microscope at 80 kV, by modality, at the focus with the clearest atoms.
OPTICS = {
    "haadf": Optics(),
    "bf": Optics(defocus=-4.0, semiangle_mrad=25.0),
    "abf": Optics(),
    "hrtem": Optics(defocus=6.0, spherical=-20e3, semiangle_mrad=38.0),
}


@dataclass(frozen=True)
class Scene:
    """Parameters of a simulated micrograph. Lengths are in nm, angles in rad.

    Raises
    ------
    ValueError
        If the material or modality is unknown, or a size, number or dose is out of range.

    Examples
    --------
    >>> Scene("MoS2", modality="bf").lens.defocus
    -4.0
    """

    material: str = "WS2"  # a key of `materials.MATERIALS`
    shape: tuple[int, int] = (512, 512)  # (rows, columns)
    pixel_size: float = 0.04
    pores: int | tuple[Pore, ...] = 5  # a number: that many round pores at random positions
    max_missing: int = 20  # most missing atoms of a pore, if ``pores`` is a number
    dose: float = 5e5  # electrons per nm²
    modality: str = "haadf"  # haadf, bf, abf or hrtem
    contamination: float | None = None  # mean thickness of a carbon film; None: see `film`
    optics: Optics | None = None  # the lens; None: the modality's in `OPTICS`
    angle: float | None = None  # orientation of the lattice; None: random
    strain: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # yy, yx, xy, xx: strain, drift, shear
    grain_angle: float | None = None  # misorientation of a second grain; None: a single crystal
    twist: float | None = None  # twist angle of a second layer; None: a monolayer
    twist_cover: float = 1.0  # fraction of the frame under the second layer
    chalcogen_vacancies: float = 0.0  # fraction of the chalcogen sites
    dopant: str = ""  # element on the first sublattice
    dopants: float = 0.0  # fraction of that sublattice's sites (metal, or C and B)
    alloy: str = ""  # element on the second sublattice
    alloyed: float = 0.0  # fraction of that sublattice's sites
    adatom: str = "C"
    adatoms: float = 0.0  # areal density [nm⁻²]
    rim_atoms: float = 0.0  # fraction of edge sites with a metal adatom
    relaxation: float = 0.0  # standard deviation of edge atoms' displacements, in each direction
    amorphous: float = 0.0  # fraction of the frame
    patches: float = 0.0  # thickness of carbon patches
    patch_cover: float = 0.0  # fraction of the frame under patches
    grain_size: float = 1.5  # correlation length of contamination: standard deviation of a Gaussian
    rim: float = 0.0  # thickness of carbon along the edges of pores
    recording: Recording = field(default_factory=Recording)
    clarity: float | None = None  # lattice contrast over noise per unit cell; replaces ``dose``

    def __post_init__(self) -> None:
        """Check the values."""
        find_material(self.material)
        check_modality(self.modality)
        sizes = (*self.shape, self.pixel_size, self.dose, self.max_missing)
        if not all(s > 0 for s in sizes) or (not isinstance(self.pores, tuple) and self.pores < 0):
            raise ValueError("shape, pixel_size, dose and max_missing must be above 0, pores not below")

    @property
    def lens(self) -> Optics:
        """The lens: ``optics``, or the modality's default lens."""
        return self.optics or OPTICS[self.modality]

    @property
    def film(self) -> float:
        """Mean thickness of the carbon film [nm]: ``contamination``, or 10 % of what hides the sheet."""
        if self.contamination is not None:
            return self.contamination
        return 0.1 * thick_carbon(self.modality, MATERIALS[self.material])


def place_pores(scene: Scene, rng: np.random.Generator) -> tuple[Pore, ...]:
    """Place the pores of a scene that gives only their number.

    Parameters
    ----------
    scene : Scene
    rng : Generator
        Not used where the scene lists its pores.

    Returns
    -------
    tuple of Pore
        The listed pores, or round ones of 1 to ``max_missing`` missing atoms. Small pores are more
        frequent: the logarithm of the number of missing atoms is uniform. Pores keep a distance from the
        border and, where there is room, from each other.
    """
    if isinstance(scene.pores, tuple):
        return scene.pores
    n, extent = scene.pores, np.array(scene.shape) * scene.pixel_size
    centres: list[NDArray[np.float64]] = []
    distance = 0.7 * np.sqrt(extent.prod() / max(n, 1))
    while len(centres) < n:
        margin = np.minimum(0.8, extent / 4)
        point = rng.uniform(margin, extent - margin)
        if not centres or np.hypot(*(np.array(centres) - point).T).min() > distance:
            centres.append(point)
        distance *= 0.98
    most = np.log(scene.max_missing + 1)
    return tuple(Pore((float(y), float(x)), int(np.exp(rng.uniform(0, most)))) for y, x in centres)
