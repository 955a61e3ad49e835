"""The paper's pipeline as a detector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from porescope.labels import Detection
from porescope.lattice import Lattice
from porescope.micrograph import Micrograph
from porescope.recipes.recipe import Recipe, load_recipe
from porescope.recipes.segmentation import recipe_pixel_size, segment

#: Name of the recipe that is used where none is named.
_DEFAULT_RECIPE = "ws2"
#: Factor by which a pixel size may lie outside those that a recipe was tuned on.
_FAR = 1.5


@dataclass(frozen=True)
class Threshold:
    """Detector: the paper's pipeline with a recipe.

    Parameters
    ----------
    recipe : Recipe
        Default: the shipped recipe ``ws2``.

    Examples
    --------
    >>> import numpy as np
    >>> int(Threshold(Recipe(grid=4)).find(Micrograph(np.ones((8, 9)), 0.05)).labels.max())
    0
    """

    recipe: Recipe = field(default_factory=lambda: load_recipe(_DEFAULT_RECIPE))

    method: ClassVar[str] = "threshold"
    needs_lattice: ClassVar[bool] = False

    def describe(self) -> dict[str, Any]:
        """Describe the detector for ``run.json``: the recipe in full.

        Returns
        -------
        dict
        """
        return {
            "method": self.method,
            "recipe_name": self.recipe.name,
            "recipe": self.recipe.numbers(),
            "recipe_provenance": dict(self.recipe.provenance),
        }

    def find(
        self, micrograph: Micrograph, lattice: Lattice | None = None, material: str | None = None
    ) -> Detection:
        """Find pores.

        Parameters
        ----------
        micrograph : Micrograph
        lattice : Lattice, optional
        material : str, optional
            Neither is used.

        Returns
        -------
        Detection
            Its message warns of a pixel size far from those that the recipe was tuned on.
        """
        message = _compare_pixel_size(self.recipe, recipe_pixel_size(micrograph))
        return Detection(segment(micrograph, self.recipe), message=message)


def _compare_pixel_size(recipe: Recipe, pixel_size: float) -> str:
    """Warn if a pixel size [nm] is far from those in the recipe's provenance; empty if not, or if unknown."""
    sizes = recipe.provenance.get("pixel_sizes_nm")
    known = [s for s in sizes if isinstance(s, (int, float)) and s > 0] if isinstance(sizes, list) else []
    if not known or min(known) / _FAR <= pixel_size <= max(known) * _FAR:
        return ""
    tuned = "–".join(f"{s:.3g}" for s in sorted({min(known), max(known)}))
    return (
        f"the recipe {recipe.name} was tuned at {tuned} nm per pixel and this image has {pixel_size:.3g} nm, "
        "so its pores are doubtful (tune a recipe on such images, or use the default method)"
    )
