"""The materials: lattice constants, atoms, scattering, radii."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Material:
    """A hexagonal sheet with two sublattices."""

    constant: float  # lattice constant [nm]
    first: str  # element of the first sublattice
    second: str  # element of the second sublattice
    stack: int = 1  # atoms per site of the second sublattice: 2 chalcogens in a 1H sheet
    half_thickness: float = 0.0  # distance between the metal's plane and a chalcogen's [nm]

    @property
    def both_count(self) -> bool:
        """Whether missing atoms of both sublattices make a pore (graphene, hBN)."""
        return self.stack == 1

    def contrast(self, modality: str) -> float:
        """Contrast of a site of the second sublattice over one of the first.

        Parameters
        ----------
        modality : {"haadf", "bf", "abf", "hrtem"}

        Returns
        -------
        float
            Ratio of the cross-sections in HAADF, else of the phase shifts: in MoSe2 the selenium is the
            brighter, in hBN the nitrogen is in HAADF and the boron otherwise.
        """
        table = HAADF_CROSS_SECTION if modality == "haadf" else PHASE
        return self.stack * table[self.second] / table[self.first]


#: Materials by name.
MATERIALS = {
    "WS2": Material(0.3153, "W", "S", 2, 0.157),
    "MoS2": Material(0.3160, "Mo", "S", 2, 0.156),
    "WSe2": Material(0.3282, "W", "Se", 2, 0.167),
    "MoSe2": Material(0.3288, "Mo", "Se", 2, 0.167),
    "graphene": Material(0.2461, "C", "C"),
    "hBN": Material(0.2504, "B", "N"),
}
#: Lattice constant below which a sheet is graphene or hBN [nm].
LIGHT_CONSTANT = 0.27


def find_material(name: str) -> Material:
    """Find a material by its name.

    Parameters
    ----------
    name : str
        A key of `MATERIALS`.

    Returns
    -------
    Material

    Raises
    ------
    ValueError
        If there is no such material.

    Examples
    --------
    >>> find_material("hBN").constant
    0.2504
    """
    if name not in MATERIALS:
        raise ValueError(f"material must be one of {', '.join(MATERIALS)}, not {name!r}")
    return MATERIALS[name]


#: Atomic numbers of the elements that can be simulated.
ATOMIC_NUMBER = {
    "B": 5, "C": 6, "N": 7, "O": 8, "Si": 14, "S": 16, "Cr": 24, "Fe": 26, "Cu": 29, "Se": 34,
    "Nb": 41, "Mo": 42, "Te": 52, "W": 74, "Re": 75, "Au": 79,
}  # fmt: skip

#: Cross-section of an atom for scattering by 60–200 mrad at 80 kV [nm²]: integral of
#: the scattering factors of Lobato and Van Dyck 2014 (doi:10.1107/S205327331401643X); grows as Z^1.8.
HAADF_CROSS_SECTION = {
    "B": 5.1e-6, "C": 7.3e-6, "N": 1.00e-5, "O": 1.32e-5, "Si": 3.76e-5, "S": 4.64e-5, "Cr": 9.84e-5,
    "Fe": 1.152e-4, "Cu": 1.424e-4, "Se": 1.873e-4, "Nb": 2.511e-4, "Mo": 2.613e-4, "Te": 3.816e-4,
    "W": 7.155e-4, "Re": 7.302e-4, "Au": 7.896e-4,
}  # fmt: skip

#: Phase shift of an 80 kV electron wave by an atom, integrated over its area [rad nm²]: interaction
#: constant × projected potential, from the same source.
PHASE = {
    "B": 1.350e-3, "C": 1.212e-3, "N": 1.086e-3, "O": 0.979e-3, "Si": 2.817e-3, "S": 2.537e-3,
    "Cr": 3.569e-3, "Fe": 3.459e-3, "Cu": 2.703e-3, "Se": 3.540e-3, "Nb": 5.382e-3, "Mo": 5.230e-3,
    "Te": 5.387e-3, "W": 6.100e-3, "Re": 5.967e-3, "Au": 5.106e-3,
}  # fmt: skip
#: Gaussian width [nm] of an atom's phase (standard deviation), chosen for the best agreement of BF and
#: HRTEM images with multislice ones (`benchmarks/multislice.py`).
PHASE_WIDTH = 0.030

#: Radii of atoms in the definition of a pore [nm]: Slater 1964 (doi:10.1063/1.1725697); carbon:
#: covalent radius of Cordero et al. 2008 (doi:10.1039/b801115j), rounded.
RADIUS = {
    "W": 0.135, "Mo": 0.145, "Se": 0.115, "S": 0.100, "C": 0.077, "B": 0.085, "N": 0.065,
    "O": 0.060, "Si": 0.110, "Cr": 0.140, "Fe": 0.140, "Cu": 0.135, "Nb": 0.145, "Te": 0.140,
    "Re": 0.135, "Au": 0.135,
}  # fmt: skip
#: Longest bond, in nearest-neighbour distances.
LONGEST_BOND = 1.2
