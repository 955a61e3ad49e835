from .confidence import UNRATED, gather_evidence
from .detector import Network, look_at
from .model import INPUTS, MODES, SHIPPED, SHIPPED_SHA256, describe_image, find_mode, load_model
from .scale import CELL_PX, choose_scale
from .views import find_marks, present, rescale, standardize

__all__ = [
    "CELL_PX",
    "INPUTS",
    "MODES",
    "Network",
    "SHIPPED",
    "SHIPPED_SHA256",
    "UNRATED",
    "choose_scale",
    "describe_image",
    "find_marks",
    "find_mode",
    "gather_evidence",
    "load_model",
    "look_at",
    "present",
    "rescale",
    "standardize",
]
