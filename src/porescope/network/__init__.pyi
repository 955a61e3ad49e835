from .confidence import EVIDENCE, UNRATED, rate_regions
from .detector import Network, look_at, propose_regions
from .excess import EXCESS_COLUMNS, find_nearest, list_excess
from .maps import map_probabilities
from .model import MODES, SHIPPED, SHIPPED_SHA256, describe_image, find_mode, load_model
from .runtimes import INPUTS, PRECISIONS
from .scale import CELL_PX, choose_scale
from .views import present, rescale, standardize

__all__ = [
    "CELL_PX",
    "EVIDENCE",
    "EXCESS_COLUMNS",
    "INPUTS",
    "MODES",
    "Network",
    "PRECISIONS",
    "SHIPPED",
    "SHIPPED_SHA256",
    "UNRATED",
    "choose_scale",
    "describe_image",
    "find_mode",
    "find_nearest",
    "list_excess",
    "load_model",
    "look_at",
    "map_probabilities",
    "present",
    "propose_regions",
    "rate_regions",
    "rescale",
    "standardize",
]
