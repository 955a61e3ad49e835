"""What a recipe would find, while its sliders move. No window."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.desk.columns import describe_pores
from porescope.labels import measure_areas
from porescope.micrograph import Micrograph
from porescope.recipes import Recipe, segment
from porescope.scoring import score


class Answer(NamedTuple):
    """What a recipe would find in an image."""

    mask: NDArray[np.uint8]  # (M, N); 1 in pores
    text: str  # how many pores, how large, and how well they match the standard


def answer_recipe(
    micrograph: Micrograph, recipe: Recipe, standard: NDArray[np.int32] | None = None
) -> Answer:
    """Say what a recipe would find in a micrograph.

    Parameters
    ----------
    micrograph : Micrograph
    recipe : Recipe
    standard : ndarray of int32, shape (M, N), optional

    Returns
    -------
    Answer

    Examples
    --------
    >>> answer_recipe(Micrograph(np.ones((8, 9)), 0.05), Recipe()).text
    'no pores'
    """
    labels = segment(micrograph, recipe)
    areas = measure_areas(labels)[1:]
    text = describe_pores(np.sqrt(4 / np.pi * areas * micrograph.pixel_area))
    if standard is not None:
        scored = score(standard, labels)
        text += f"; against the standard: F1 {scored.f1:.2f}, {scored.found} found, "
        text += f"{scored.missed} missed, {scored.false} false"
    return Answer((labels > 0).view(np.uint8), text)
