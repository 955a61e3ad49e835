from .definition import cover, find_pieces
from .occupancy import Occupancy, judge_crystal, judge_sites
from .sites import Crystal, Sites, build_structure, find_crystal, find_sites

__all__ = [
    "Crystal",
    "Occupancy",
    "Sites",
    "build_structure",
    "cover",
    "find_crystal",
    "find_pieces",
    "find_sites",
    "judge_crystal",
    "judge_sites",
]
