"""Maps of the network's probabilities over a micrograph, block by block where it is large."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.labels import HIDDEN
from porescope.lattice import Lattice, Straightening, map_back, plan_straightening, straighten
from porescope.materials import LIGHT_CONSTANT
from porescope.micrograph import Micrograph
from porescope.network.model import Model, describe_image, predict
from porescope.network.scale import Scale
from porescope.network.views import Levels, measure_levels, present, reflect_outside, rescale
from porescope.strips import LARGE

#: Factor on the odds of the pores of graphene and hBN. Without it their diameters come out a tenth too small
#: on the validation set.
_LIGHT_ODDS = 3.0
#: Largest side of a block, and its overlap with its neighbours on each side [px at the network's scale].
#: An image that fits into one block is looked at as a whole.
BLOCK, _OVERLAP = 2048, 128
#: Number of views of a network that sees the vacancy map.
_WITH_VACANCIES = 3
#: Step between the pixels by which several blocks are standardized. The lattice repeats every 8 px, so that
#: a step without a common divisor meets all of its phases.
_STEP = 5


class Maps(NamedTuple):
    """What the network says of each pixel of a micrograph of shape (M, N)."""

    probability: NDArray[np.floating]  # (M, N), of a pore; float16 in images above 16 megapixels
    unusable: NDArray[np.floating] | NDArray[np.bool_]  # (M, N), that the sheet is hidden; there bool


class _Block(NamedTuple):
    """Rows and columns of a part of an image: those that are looked at, and those whose result is kept."""

    wide: tuple[slice, slice]
    core: tuple[slice, slice]


def map_probabilities(
    micrograph: Micrograph,
    scale: Scale,
    model: Model,
    turned: bool = False,
    block: int = BLOCK,
    lattice: Lattice | None = None,
    z: NDArray[np.floating] | None = None,
) -> Maps:
    """Map the probability of a pore, and that the sheet is hidden; outside the field there is neither.

    Parameters
    ----------
    micrograph : Micrograph
    scale : Scale
    model : Model
    turned : bool
        As for `model.predict`.
    block : int
        Largest side of a block [px at the network's scale].
    lattice : Lattice, optional
        It tells how the scan is distorted: the network sees the straightened image, and the maps are brought
        back to the recorded one. In images of several blocks it sees the recorded one.
    z : ndarray of float, shape (M, N), optional
        Of the vacancy map, as `map_vacancies` returns it.

    Returns
    -------
    Maps
    """
    plan = plan_view(lattice, scale, block)
    if model.views < _WITH_VACANCIES:
        z = None
    if plan is not None:
        if z is not None:
            z = straighten(replace(micrograph, image=z.astype(np.float32), field=None), plan).filled
        straight = map_probabilities(straighten(micrograph, plan), scale, model, turned, block, z=z)
        maps = [map_back(values.astype(np.float32), plan) for values in straight]
        if micrograph.field is not None:
            maps[0][~micrograph.field], maps[1][~micrograph.field] = 0, 1
        return Maps(*maps)
    shape = micrograph.image.shape
    large = shape[0] * shape[1] > LARGE
    probability = np.zeros(shape, np.float16 if large else np.float32)
    unusable: NDArray[Any] = np.ones(shape, np.bool_ if large else np.float32)
    window = micrograph.window
    image, field = micrograph.filled[window], micrograph.field
    field = None if field is None else field[window]
    blocks = _cut_blocks(image.shape, scale.factor, block)
    levels = _measure_levels(image, field, blocks, scale.factor)
    about = describe_image(micrograph.modality, scale.constant_nm)
    for wide, core in blocks:
        part = reflect_outside(image[wide], None if field is None else field[wide])
        size = scale_shape(part.shape, scale.factor)
        stands_out = None if z is None else rescale(z[window][wide].astype(np.float32), size)
        seen = present(rescale(part, size), micrograph.modality, levels, stands_out)
        pore, hidden = predict(seen, about, model, turned)
        if scale.constant_nm is not None and scale.constant_nm < LIGHT_CONSTANT:
            pore *= _LIGHT_ODDS / (1 + (_LIGHT_ODDS - 1) * pore)
        inner = tuple(slice(c.start - w.start, c.stop - w.start) for c, w in zip(core, wide, strict=True))
        pore = rescale(pore, part.shape)[inner]
        probability[window][core] = np.clip(pore, 0, 1, out=pore)
        hidden = rescale(hidden, part.shape)[inner]
        unusable[window][core] = hidden >= HIDDEN if large else np.clip(hidden, 0, 1, out=hidden)
    if micrograph.field is not None:
        probability[~micrograph.field], unusable[~micrograph.field] = 0, 1
    return Maps(probability, unusable)


def plan_view(lattice: Lattice | None, scale: Scale, block: int = BLOCK) -> Straightening | None:
    """Plan how an image is straightened for the network.

    Parameters
    ----------
    lattice : Lattice or None
    scale : Scale
    block : int
        As for `map_probabilities`.

    Returns
    -------
    Straightening or None
        None if the network sees the image as it was recorded.
    """
    plan = plan_straightening(lattice)
    return plan if plan is not None and max(scale_shape(plan.size, scale.factor)) <= block else None


def scale_shape(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Shape of an image at the network's scale.

    Parameters
    ----------
    shape : tuple of int
        Of the image [px].
    factor : float
        Network pixels per image pixel.

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> scale_shape((100, 1), 0.25)
    (25, 1)
    """
    height, width = (max(round(n * factor), 1) for n in shape)
    return height, width


def _cut_blocks(shape: tuple[int, ...], factor: float, side: int) -> list[_Block]:
    """Cut an image into overlapping blocks of at most ``side`` px at the network's scale."""
    overlap = math.ceil(_OVERLAP / factor)
    parts = []
    for n, scaled in zip(shape, scale_shape(shape, factor), strict=True):
        count = 1 if scaled <= side else -(-scaled // (side - 2 * _OVERLAP))
        edges = np.linspace(0, n, count + 1).astype(int).tolist()
        parts.append(
            [(slice(max(a - overlap, 0), min(b + overlap, n)), slice(a, b)) for a, b in pairwise(edges)]
        )
    return [_Block((rows[0], columns[0]), (rows[1], columns[1])) for rows, columns in product(*parts)]


def _measure_levels(
    image: NDArray[np.float32], field: NDArray[np.bool_] | None, blocks: list[_Block], factor: float
) -> Levels:
    """Grey levels of an image at the network's scale; if there are several blocks, from one pixel of 25."""
    several = len(blocks) > 1
    samples = []
    for block in blocks:
        part = reflect_outside(image[block.core], None if field is None else field[block.core])
        scaled = rescale(part, scale_shape(part.shape, factor))
        samples.append(scaled[::_STEP, ::_STEP].ravel() if several else scaled)
    return measure_levels(np.concatenate(samples))
