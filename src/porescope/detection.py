"""Detectors: any callable micrograph → label image; here one is chosen, and says why."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.lattice.amplitude import detect_by_lattice
from porescope.lattice.finding import Lattice, find_lattice
from porescope.micrograph import Micrograph
from porescope.network.confidence import LEAST_CONFIDENCE
from porescope.network.detector import find_pores
from porescope.network.model import load_model
from porescope.recipes.recipe import Recipe, load_recipe
from porescope.recipes.segmentation import segment

#: How pores can be found, the default first.
METHODS = ("network", "threshold", "lattice")
#: Recipe of the threshold method where none is named.
DEFAULT_RECIPE = "ws2"


class Detection(NamedTuple):
    """What a method found in a micrograph of shape (M, N)."""

    labels: NDArray[np.int32]
    probability: NDArray[np.float32] | None = None  # of a pore at each pixel
    confidence: NDArray[np.float64] | None = None  # of each label
    clean_fraction: float = float("nan")  # of the frame, free of contamination and disorder
    message: str = ""


def detect(micrograph: Micrograph, recipe: Recipe | None = None) -> NDArray[np.int32]:
    """Find the pores of a micrograph.

    Parameters
    ----------
    micrograph : Micrograph
    recipe : Recipe, optional
        Parameters of the paper's pipeline; without one the default method is used, the network.

    Returns
    -------
    ndarray of int32, shape (M, N)
        Label image, 0 is background.

    Examples
    --------
    >>> import numpy as np
    >>> detect(Micrograph(np.ones((40, 50)), 0.05)).shape
    (40, 50)
    """
    if recipe is not None:
        return segment(micrograph, recipe)
    return detect_by("network", micrograph, lattice=find_lattice(micrograph)).labels


def detect_by(
    method: str,
    micrograph: Micrograph,
    *,
    lattice: Lattice | None = None,
    recipe: Recipe | None = None,
    material: str | None = None,
    model: Path | None = None,
    turned: bool = False,
    least_confidence: float = LEAST_CONFIDENCE,
) -> Detection:
    """Find pores by a method of `METHODS`, with all that it tells of them.

    Parameters
    ----------
    method : str
    micrograph : Micrograph
    lattice : Lattice, optional
        As `find_lattice` gives it: the network's scale, and what the lattice method goes by.
    recipe : Recipe, optional
        Of the threshold method.
    material, model, turned, least_confidence
        Of the network: as in `network.find_pores`, the model by its file.

    Returns
    -------
    Detection
    """
    if method == "threshold":
        return Detection(segment(micrograph, recipe or load_recipe(DEFAULT_RECIPE)))
    if method == "lattice":
        return Detection(detect_by_lattice(micrograph, lattice))
    found = find_pores(
        micrograph,
        lattice=lattice,
        material=material,
        model=load_model(model),
        turned=turned,
        least_confidence=least_confidence,
    )
    clean = float((found.unusable < 0.5).mean())
    return Detection(found.labels, found.probability, found.confidence, clean, found.message)
