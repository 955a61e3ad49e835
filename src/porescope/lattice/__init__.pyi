from .amplitude import RESOLUTION, LatticeGaps, demodulate, find_grains, map_amplitude, measure_amplitude
from .calibration import calibrate, check_calibration, warn_of_pixel_sizes
from .finding import Lattice, find_lattice
from .medians import find_median
from .straightening import Straightening, map_back, plan_straightening, straighten
from .vacancies import Vacancies, VacancyMap, map_vacancies
from .waves import mix_coarsely

__all__ = [
    "Lattice",
    "LatticeGaps",
    "RESOLUTION",
    "Straightening",
    "Vacancies",
    "VacancyMap",
    "calibrate",
    "check_calibration",
    "demodulate",
    "find_grains",
    "find_lattice",
    "find_median",
    "map_amplitude",
    "map_back",
    "map_vacancies",
    "measure_amplitude",
    "mix_coarsely",
    "plan_straightening",
    "straighten",
    "warn_of_pixel_sizes",
]
