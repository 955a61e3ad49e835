"""Detectors: any callable micrograph → label image; here one is chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from porescope.micrograph import Micrograph
from porescope.recipe import Recipe, load_recipe
from porescope.segmentation import segment

#: Recipe of the threshold method where none is named.
DEFAULT_RECIPE = "ws2"


def detect(micrograph: Micrograph, recipe: Recipe | None = None) -> NDArray[np.int32]:
    """Find the pores of a micrograph.

    Parameters
    ----------
    micrograph : Micrograph
    recipe : Recipe, optional
        Parameters of the paper's pipeline; without one the default method is used, which today is
        the same pipeline with the recipe ``ws2``.

    Returns
    -------
    ndarray of int32, shape (M, N)
        Label image, 0 is background.

    Examples
    --------
    >>> import numpy as np
    >>> detect(Micrograph(np.ones((8, 9)), 0.05)).shape
    (8, 9)
    """
    return segment(micrograph, load_recipe(DEFAULT_RECIPE) if recipe is None else recipe)
