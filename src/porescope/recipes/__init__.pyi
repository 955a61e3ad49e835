from .advice import read_off
from .choice import Choice, choose, cross_validate, find_metric, rank
from .climbing import CLIMBERS, Climb, gradient_ascent
from .detector import Threshold
from .recipe import Recipe, add_recipe, list_recipes, load_recipe, parameters, save_recipe
from .search import PAPER_AXES, Metric, Search, check_axes, grid_search, read_axis
from .segmentation import (
    average,
    convert_to_gray,
    equalize,
    median_gray,
    normalize,
    recipe_pixel_size,
    scale_recipe,
    segment,
    select,
    threshold,
)

__all__ = [
    "CLIMBERS",
    "Choice",
    "Climb",
    "Metric",
    "PAPER_AXES",
    "Recipe",
    "Search",
    "Threshold",
    "add_recipe",
    "average",
    "check_axes",
    "choose",
    "convert_to_gray",
    "cross_validate",
    "equalize",
    "find_metric",
    "gradient_ascent",
    "grid_search",
    "list_recipes",
    "load_recipe",
    "median_gray",
    "normalize",
    "parameters",
    "rank",
    "read_axis",
    "read_off",
    "recipe_pixel_size",
    "save_recipe",
    "scale_recipe",
    "segment",
    "select",
    "threshold",
]
