"""What the table and the sliders say: pores as they are now, what a recipe would find. No window."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.corrections import Edits, compare_labels, join_rows
from porescope.desk.columns import describe_pores
from porescope.desk.session import Place, Session
from porescope.files import explain_error
from porescope.labels import clear_outside, measure_areas
from porescope.measurement import PORE_COLUMNS, measure_columns
from porescope.micrograph import Micrograph
from porescope.recipes import Recipe, segment
from porescope.runs import ImageResult
from porescope.scoring import score

if TYPE_CHECKING:
    import pandas as pd


class Measured(NamedTuple):
    """The pores of an image as they are on the desk now."""

    table: pd.DataFrame  # with the columns of ``pores.csv``
    edits: Edits  # its labels are those of the table


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


def answer_place(session: Session, place: Place, recipe: Recipe) -> Answer:
    """Say what a recipe would find in an image on the desk, and how well it matches its standard.

    Parameters
    ----------
    session : Session
    place : Place
    recipe : Recipe

    Returns
    -------
    Answer
    """
    result = session.results.get(place)
    micrograph = result.micrograph if result else session.read(place)
    try:
        return answer_recipe(micrograph, recipe, session.load_standard(place, micrograph))
    except (ValueError, OSError) as error:  # a standard that is none
        answer = answer_recipe(micrograph, recipe)
        return answer._replace(text=f"{answer.text}; {explain_error(error)}")


def measure_edited(result: ImageResult, labels: NDArray[np.int32]) -> Measured:
    """Measure the pores of a label image that was edited; those that stay keep their rows.

    Parameters
    ----------
    result : ImageResult
        What was found.
    labels : ndarray of int32, shape (M, N)
        As they are now.

    Returns
    -------
    Measured
    """
    import pandas as pd

    edits = compare_labels(result.labels, clear_outside(labels, result.micrograph.field))
    if not edits.any:
        return Measured(result.pores, edits)
    measured = measure_columns(result.micrograph, edits.labels, None, result.crystal)
    kept = result.pores[result.pores.label.isin(edits.kept)]
    return Measured(pd.DataFrame(join_rows(kept, measured, edits)).astype(PORE_COLUMNS), edits)
