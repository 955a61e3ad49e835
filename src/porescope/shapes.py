"""The shape of a pore by its outline: round, triangular, hexagonal, elongated, ragged, or a point vacancy."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.labels import EDGE, find_boxes

Floats = NDArray[np.float64]

#: Classes of shape, in the order in which the rules ask.
SHAPES = ("point vacancy", "elongated", "ragged", "triangular", "hexagonal", "round")
#: Largest equivalent diameter of a point vacancy, where its atoms are not counted [nm].
_POINT_NM = 0.4
#: Axial ratio from which a pore is elongated.
_LEAST_RATIO = 1.5
#: Solidity below which it is ragged, and the deviation from the smooth shape above which it is (root mean
#: square, relative to the radius).
_LEAST_SOLIDITY, _ROUGHEST = 0.85, 0.055
#: Share of a regular polygon's own descriptor from which a pore is one.
_LEAST_TRIANGULAR, _LEAST_HEXAGONAL = 0.4, 0.4
#: Number of points to which an outline is resampled.
_POINTS = 128


class Descriptors(NamedTuple):
    """Fourier descriptors of an outline, and its solidity."""

    axial_ratio: float  # long over short axis of the ellipse with the same second moments
    triangular: float  # share of a regular triangle's third descriptor
    hexagonal: float  # share of a regular hexagon's sixth descriptor
    roughness: float  # deviation from these, relative to the radius (root mean square)
    solidity: float


def describe_outline(outline: Floats) -> Descriptors:
    """Describe a closed outline.

    Parameters
    ----------
    outline : ndarray, shape (n, 2)
        Corners (row, column), in any unit that is the same in both directions.

    Returns
    -------
    Descriptors

    Notes
    -----
    The outline at equal steps of its length, as complex numbers, is the sum of terms c_k·exp(2πiks). c₁ is
    the mean circle; a regular polygon of n corners has c₁₋ₙ = c₁/(n − 1)² and c₁₊ₙ = c₁/(n + 1)² (compare
    Zahn and Roskies 1972, doi:10.1109/TC.1972.5008949).

    Examples
    --------
    >>> square = np.array([[0.0, 0], [0, 1], [1, 1], [1, 0]])
    >>> found = describe_outline(square)
    >>> round(found.axial_ratio, 2), round(found.triangular, 2), round(found.solidity, 2)
    (1.0, 0.0, 1.0)
    """
    closed = np.vstack([outline, outline[:1]])
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.linspace(0, length[-1], _POINTS, endpoint=False)
    y, x = (np.interp(at, length, column) for column in closed.T)
    c = np.fft.fft(x + 1j * y) / _POINTS
    if abs(c[1]) < abs(c[-1]):  # clockwise
        c = np.fft.fft(x - 1j * y) / _POINTS
    radius = abs(c[1])
    triangular, hexagonal = 4 * abs(c[-2]) / radius, 25 * abs(c[-5]) / radius
    # What the mean circle, the ellipse and the sharper terms of the polygons leave.
    left = np.abs(np.delete(c, [0, 1, -1, -2, -5, 4, 7])) / radius
    corners = outline.astype(np.float32)
    moments = cv2.moments(corners)
    spread = np.linalg.eigvalsh([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]])
    solidity = abs(cv2.contourArea(corners)) / max(float(cv2.contourArea(cv2.convexHull(corners))), 1e-30)
    return Descriptors(
        float(np.sqrt(np.abs(spread).max() / max(np.abs(spread).min(), 1e-30))),
        float(triangular),
        float(hexagonal),
        float(np.sqrt((left**2).sum())),
        float(solidity),
    )


def classify_shape(found: Descriptors, diameter_nm: float, missing_atoms: float = np.nan) -> str:
    """Choose the class of a shape.

    Parameters
    ----------
    found : Descriptors
    diameter_nm : float
        Equivalent diameter [nm].
    missing_atoms : float
        Number of missing atoms; NaN if it is not known.

    Returns
    -------
    str
        One of `SHAPES`. A point vacancy lacks one atom or, where atoms are not counted, is smaller than
        0.4 nm. Elongated: the axial ratio is 1.5 or more. Ragged: solidity below 0.85, or a deviation of
        more than 5.5 % of the radius from a smooth shape. Triangular, hexagonal: 0.4 of a regular
        polygon's own descriptor. Else round.
    """
    is_point = missing_atoms == 1 if missing_atoms == missing_atoms else diameter_nm < _POINT_NM
    rules = (
        is_point,
        found.axial_ratio >= _LEAST_RATIO,
        found.solidity < _LEAST_SOLIDITY or found.roughness > _ROUGHEST,
        found.triangular >= _LEAST_TRIANGULAR,
        found.hexagonal >= _LEAST_HEXAGONAL,
        True,
    )
    return next(name for name, holds in zip(SHAPES, rules, strict=True) if holds)


def trace_outline(inside: NDArray[np.bool_], probability: NDArray[np.floating] | None = None) -> Floats:
    """Trace the outline of one region between pixels.

    Parameters
    ----------
    inside : ndarray of bool, shape (M, N)
        The region, with a margin around it.
    probability : ndarray of float, shape (M, N), optional
        The detector's probability of a pore, whose contour at 0.5 is traced; default: that of the region
        itself, smoothed by 0.7 px.

    Returns
    -------
    ndarray, shape (n, 2)
        The longest closed contour (row, column) [px]; empty if there is none.
    """
    from skimage.measure import find_contours

    mask = np.pad(np.asarray(inside, np.float32), 3)
    if probability is None:
        field = cv2.GaussianBlur(mask, (0, 0), 0.7)
    else:
        reach = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        field = np.pad(np.asarray(probability, np.float32), 3) * reach
    contours = find_contours(field, EDGE)
    if not contours:
        return np.empty((0, 2))
    longest = max(contours, key=lambda c: float(np.hypot(*np.diff(c, axis=0).T).sum()))
    return np.asarray(longest[:-1] - 3, float)


def classify_shapes(
    labels: NDArray[np.int32],
    probability: NDArray[np.floating] | None,
    pixel_size: tuple[float, float],
    numbers: NDArray[np.integer],
    diameter_nm: NDArray[np.float64],
    missing_atoms: NDArray[np.float64],
    whole: NDArray[np.bool_],
) -> NDArray[Any]:
    """Classify the shape of each pore by its outline.

    Parameters
    ----------
    labels : ndarray of int, shape (M, N)
    probability : ndarray of float, shape (M, N), or None
    pixel_size : tuple of float
        (row, column) [nm].
    numbers : ndarray of int, shape (n,)
        Labels of the pores.
    diameter_nm, missing_atoms : ndarray of float, shape (n,)
        As in the table.
    whole : ndarray of bool, shape (n,)
        Whether a pore lies whole in the image; others have no shape.

    Returns
    -------
    ndarray of object, shape (n,)
        One of `SHAPES`, or None.
    """
    shapes = np.full(len(numbers), None, object)
    boxes = find_boxes(labels)
    for k, number in enumerate(numbers.tolist()):
        if not whole[k]:
            continue
        top, left, bottom, right = boxes[number]
        near = slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2)
        part = None if probability is None else np.asarray(probability[near], np.float32)
        outline = trace_outline(labels[near] == number, part)
        if len(outline) > 3:
            found = describe_outline(outline * pixel_size)
            shapes[k] = classify_shape(found, float(diameter_nm[k]), float(missing_atoms[k]))
    return shapes
