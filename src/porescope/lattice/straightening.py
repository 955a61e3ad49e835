"""The undistorted image: rows of a scan where they belong, the lattice's hexagon perfect; and back."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.lattice.finding import Lattice
from porescope.lattice.hexagon import find_stretch
from porescope.lattice.rows import RowOffsets, find_rows, slide_rows
from porescope.micrograph import Micrograph
from porescope.strips import STRIP

#: Distortion above which the hexagon is made perfect, and row jitter above which rows are put straight
#: [lattice constants]. Below, it gains the network nothing, or less than interpolation costs.
_DISTORTED, _JITTERED = 0.1, 0.04


class Straightening(NamedTuple):
    """How an image of shape (M, N) is straightened to one of another shape (K, L)."""

    rows: RowOffsets
    stretch: NDArray[
        np.float64
    ]  # (2, 2), symmetric, of determinant 1: from straight rows to the undistorted image
    shape: tuple[int, int]  # (M, N)
    size: tuple[int, int]  # (K, L)


def plan_straightening(lattice: Lattice | None, hexagon: bool = True) -> Straightening | None:
    """Plan how the image of a lattice is straightened.

    Parameters
    ----------
    lattice : Lattice or None
    hexagon : bool
        Whether the hexagon is made perfect where it is distorted, beside straight rows.

    Returns
    -------
    Straightening or None
        None if the image needs none: its distortion is below 10 % and its row jitter below 4 % of a lattice
        constant. None also for images of more than four megapixels.
    """
    if lattice is None or lattice.image.size > STRIP:
        return None
    distorted = hexagon and lattice.distortion > _DISTORTED
    if not distorted and lattice.rows.jitter <= _JITTERED * lattice.constant_px:
        return None
    stretch = find_stretch(lattice.frequencies) if distorted else np.eye(2)
    shape = lattice.image.shape
    height, width = np.ceil(np.abs(stretch) @ np.array(shape)).astype(int).tolist()
    return Straightening(lattice.rows, stretch, (shape[0], shape[1]), (height, width))


def straighten(micrograph: Micrograph, plan: Straightening) -> Micrograph:
    """Straighten a micrograph. The pixel size stays, because the area does.

    Parameters
    ----------
    micrograph : Micrograph
        Of shape (M, N).
    plan : Straightening

    Returns
    -------
    Micrograph
        Of shape (K, L). Beyond the recorded image it is mirrored.

    Examples
    --------
    >>> from porescope.lattice import find_lattice
    >>> from porescope.simulation import Scene, simulate
    >>> sheared = simulate(Scene(shape=(200, 240), pores=0, strain=(0, 0, 0.15, 0)), seed=1).micrograph
    >>> plan = plan_straightening(find_lattice(sheared))
    >>> bool(find_lattice(straighten(sheared, plan)).distortion < 0.02)
    True
    """
    y, x = (np.arange(n, dtype=np.float32) for n in plan.size)
    back = np.linalg.inv(plan.stretch).astype(np.float32)
    down, along = back @ np.stack(
        [np.repeat(y - (plan.size[0] - 1) / 2, len(x)), np.tile(x - (plan.size[1] - 1) / 2, len(y))]
    )
    down, along = (
        (part + (n - 1) / 2).reshape(plan.size) for part, n in zip((down, along), plan.shape, strict=True)
    )
    down = find_rows(down, plan.rows)
    inside = None
    if micrograph.field is not None:
        known = slide_rows(micrograph.field.astype(np.float32), plan.rows)
        inside = cv2.remap(known, along, down, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT) > 0.99
    slid = slide_rows(micrograph.filled, plan.rows)
    image = cv2.remap(slid, along, down, cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT)
    return replace(micrograph, image=np.asarray(image, np.float32), field=inside)


def map_back(values: NDArray[np.float32], plan: Straightening) -> NDArray[np.float32]:
    """Map values at the pixels of the straightened image to those of the recorded one.

    Parameters
    ----------
    values : ndarray of float32, shape (K, L)
    plan : Straightening

    Returns
    -------
    ndarray of float32, shape (M, N)
    """
    y, x = (np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in plan.shape)
    down = np.repeat((y + plan.rows.down.astype(np.float32))[:, None], len(x), axis=1)
    along = x[None] + plan.rows.along.astype(np.float32)[:, None]
    (a, b), (c, d) = plan.stretch.astype(np.float32)
    at = a * down + b * along, c * down + d * along
    at_y, at_x = (part + (n - 1) / 2 for part, n in zip(at, plan.size, strict=True))
    return np.asarray(cv2.remap(values, at_x, at_y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE), np.float32)
