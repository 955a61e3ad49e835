"""The paper's pipeline as a detector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from porescope.labels import Detection
from porescope.lattice import Lattice
from porescope.micrograph import Micrograph
from porescope.recipes.recipe import Recipe, load_recipe
from porescope.recipes.segmentation import segment

#: Name of the recipe that is used where none is named.
_DEFAULT_RECIPE = "ws2"


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
        """
        return Detection(segment(micrograph, self.recipe))
