from .amplitude import RESOLUTION, LatticeGaps, find_grains, map_amplitude, measure_amplitude
from .calibration import calibrate, check_calibration, warn_of_pixel_sizes
from .finding import Lattice, find_lattice
from .occupancy import Occupancy, judge_sites
from .sites import Crystal, Sites, build_structure, find_crystal, find_sites
from .straightening import Straightening, map_back, plan_straightening, straighten
from .vacancies import Vacancies, VacancyMap, map_vacancies
from .waves import mix_coarsely

__all__ = [
    "Crystal",
    "Lattice",
    "LatticeGaps",
    "Occupancy",
    "RESOLUTION",
    "Sites",
    "Straightening",
    "Vacancies",
    "VacancyMap",
    "build_structure",
    "calibrate",
    "check_calibration",
    "find_crystal",
    "find_grains",
    "find_lattice",
    "find_sites",
    "judge_sites",
    "map_amplitude",
    "map_back",
    "map_vacancies",
    "measure_amplitude",
    "mix_coarsely",
    "plan_straightening",
    "straighten",
    "warn_of_pixel_sizes",
]
