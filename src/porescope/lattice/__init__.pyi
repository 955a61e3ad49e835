from .amplitude import RESOLUTION, LatticeGaps, find_grains, map_amplitude, measure_amplitude
from .calibration import calibrate, check_calibration, warn_of_pixel_sizes
from .finding import Lattice, find_lattice
from .sites import Sites, build_structure, count_missing, find_sites
from .vacancies import Vacancies, VacancyMap, map_vacancies
from .waves import mix_coarsely

__all__ = [
    "Lattice",
    "LatticeGaps",
    "RESOLUTION",
    "Sites",
    "Vacancies",
    "VacancyMap",
    "build_structure",
    "calibrate",
    "check_calibration",
    "count_missing",
    "find_grains",
    "find_lattice",
    "find_sites",
    "map_amplitude",
    "map_vacancies",
    "measure_amplitude",
    "mix_coarsely",
    "warn_of_pixel_sizes",
]
