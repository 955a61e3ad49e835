from .detection import detect
from .measurement import measure
from .micrograph import Micrograph
from .reading import read, read_all
from .recipes.climbing import gradient_ascent
from .recipes.recipe import Recipe
from .recipes.search import grid_search
from .recipes.segmentation import average, equalize, normalize, segment, select, threshold
from .runs.image import census
from .runs.run import read_run
from .scoring import Score, score
from .standards import read_standard

__version__: str
__all__ = [
    "Micrograph", "Recipe", "Score", "average", "census", "detect", "equalize",
    "gradient_ascent", "grid_search", "measure", "normalize",
    "read", "read_all", "read_run", "read_standard", "score", "segment", "select", "threshold",
]  # fmt: skip
