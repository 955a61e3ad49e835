"""The shipped network as a detector: probability of a pore at each pixel, by onnxruntime."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.labels import EDGE, keep_regions, label_regions
from porescope.lattice.finding import Lattice
from porescope.micrograph import Micrograph
from porescope.network.confidence import LEAST_CONFIDENCE, gather_evidence, keep_pores, rate_regions
from porescope.network.model import Model, describe, load_model, predict
from porescope.network.scale import choose_scale, find_constant, measure_cell
from porescope.network.views import find_field, find_marks, present, rescale

#: Where the lattice is narrower than this [nm], graphene's or hBN's, pores come out a tenth too narrow
#: in the validation images: odds are so many times higher there.
NARROW, NARROW_ODDS = 0.27, 3.0


class Finding(NamedTuple):
    """What the network makes of a micrograph of shape (M, N)."""

    labels: NDArray[np.int32]
    confidence: NDArray[np.float64]  # of each label, calibrated
    probability: NDArray[np.float32]  # of a pore at each pixel
    unusable: NDArray[np.float32]  # probability that contamination or disorder hides the sheet
    message: str  # by what the image was scaled


class View(NamedTuple):
    """What the network sees of a micrograph."""

    image: NDArray[np.float32]  # (2, K, L), as `views.present` makes it, at the network's scale
    field: tuple[slice, slice]  # of the micrograph, without a frame
    message: str  # by what it was scaled


def look_at(micrograph: Micrograph, lattice: Lattice | None, material: str | None) -> View:
    """Bring a micrograph to what the network sees."""
    factor, message = choose_scale(micrograph, lattice, material)
    field = find_field(micrograph.image)
    inner = micrograph.image[field]
    height, width = (max(round(n * factor), 1) for n in inner.shape)
    return View(present(rescale(inner, (height, width)), micrograph.modality), field, message)


def find_pores(
    micrograph: Micrograph,
    *,
    lattice: Lattice | None = None,
    material: str | None = None,
    model: Model | None = None,
    turned: bool = False,
    least_confidence: float = LEAST_CONFIDENCE,
) -> Finding:
    """Find pores with the network.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice, optional
        As `find_lattice` gives it; the image is brought to its scale.
    material : str, optional
        Its lattice constant is the scale where no lattice was found.
    model : Model, optional
        The shipped one if not given.
    turned : bool
        Average over the image in its eight orientations: slower, more cautious; confidence was not
        fitted for it.
    least_confidence : float
        What is less sure to be a pore is left out.

    Returns
    -------
    Finding

    Examples
    --------
    >>> from porescope.simulation.drawing import simulate
    >>> from porescope.simulation.scene import Scene
    >>> drawn = simulate(Scene(shape=(150, 170), pores=1, max_missing=9), seed=4)
    >>> int(find_pores(drawn.micrograph).labels.max())
    1
    """
    model = load_model() if model is None else model
    image, field, message = look_at(micrograph, lattice, material)
    shape = micrograph.image.shape
    probability, unusable = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    constant = find_constant(lattice, material)
    maps = predict(image, describe(micrograph.modality, constant), model, turned)
    if constant is not None and constant < NARROW:
        maps[0] *= NARROW_ODDS / (1 + (NARROW_ODDS - 1) * maps[0])
    inside = probability[field].shape
    probability[field], unusable[field] = (rescale(m, inside).clip(0, 1) for m in maps)
    cell_px = measure_cell(micrograph, lattice, material)
    labels = find_regions(probability, micrograph.image, field, cell_px)
    evidence = gather_evidence(labels, probability, cell_px)
    confidence = rate_regions(evidence, micrograph.modality, model)
    kept = keep_pores(labels, confidence, least_confidence)
    return Finding(*kept, probability, unusable, message)


def find_regions(
    probability: NDArray[np.float32],
    image: NDArray[np.float32],
    field: tuple[slice, slice],
    cell_px: float,
) -> NDArray[np.int32]:
    """Label what is rather pore, but for marks; what the field cuts, only from two cells' area on.

    Less of a pore than that cannot be told from a lattice that ends.
    """
    labels = label_regions(probability >= EDGE)
    area = np.bincount(labels.ravel())
    kept = np.bincount(labels[find_marks(image)], minlength=len(area)) < 0.3 * area
    inner = labels[field]
    sides = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
    kept[sides] &= area[sides] >= 2 * cell_px**2 * np.sqrt(3) / 2
    return keep_regions(labels, kept[1:])
