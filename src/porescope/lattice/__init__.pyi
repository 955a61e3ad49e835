from .amplitude import RESOLUTION, LatticeGaps, map_amplitude
from .calibration import calibrate, check_calibration, warn_of_pixel_sizes
from .finding import Lattice, find_lattice
from .occupancy import Occupancy, judge_sites
from .sites import Crystal, Sites, build_structure, find_crystal, find_sites
from .vacancies import Vacancies, map_vacancies
from .waves import mix_coarsely

__all__ = [
    "Crystal",
    "Lattice",
    "LatticeGaps",
    "Occupancy",
    "RESOLUTION",
    "Sites",
    "Vacancies",
    "build_structure",
    "calibrate",
    "check_calibration",
    "find_crystal",
    "find_lattice",
    "find_sites",
    "judge_sites",
    "map_amplitude",
    "map_vacancies",
    "mix_coarsely",
    "warn_of_pixel_sizes",
]
