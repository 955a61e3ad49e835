from .ascent import gradient_ascent
from .detection import detect
from .measurement import measure
from .micrograph import Micrograph, read, read_all
from .recipe import Recipe
from .scoring import Score, score
from .segmentation import average, equalize, normalize, segment, select, threshold
from .standards import read_standard
from .tuning import grid_search

__version__: str
__all__ = [
    "Micrograph", "Recipe", "Score", "average", "detect", "equalize",
    "gradient_ascent", "grid_search", "measure", "normalize",
    "read", "read_all", "read_standard", "score", "segment", "select", "threshold",
]  # fmt: skip
