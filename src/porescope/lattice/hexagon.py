"""The geometry of a hexagonal lattice, given two reciprocal vectors 60° apart [cycles/px]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def list_spots(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """List the three spots of a hexagon, given two reciprocal vectors.

    Parameters
    ----------
    frequencies : ndarray, shape (2, 2)
        60° apart [cycles/px].

    Returns
    -------
    ndarray, shape (3, 2)
        [cycles/px]
    """
    one, two = frequencies
    return np.array([one, two, two - one])


def combine(vectors: NDArray[np.float64], p: float, q: float) -> NDArray[np.float64]:
    """Combine two vectors g₁ and g₂, 60° apart, to p g₁ + q g₂, and the same turned by 60°.

    Parameters
    ----------
    vectors : ndarray, shape (2, 2)
    p, q : float

    Returns
    -------
    ndarray, shape (2, 2)
    """
    one, two = vectors
    return np.array([p * one + q * two, p * two + q * (two - one)])


def rotate(vector: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Rotate a vector (row, column), from the row axis towards the column axis.

    Parameters
    ----------
    vector : ndarray, shape (2,) or (2, K)
    degrees : float

    Returns
    -------
    ndarray of the same shape
    """
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s], [s, c]]) @ vector


def measure_constant(frequencies: NDArray[np.float64]) -> float:
    """Measure the lattice constant: that of the hexagonal cell of the same area.

    Parameters
    ----------
    frequencies : ndarray, shape (2, 2)
        [cycles/px]

    Returns
    -------
    float
        [px]
    """
    return float(np.sqrt(2 / np.sqrt(3) / abs(np.linalg.det(frequencies))))


def measure_distortion(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how far a hexagon is stretched: its largest stretch over the smallest, minus one.

    Parameters
    ----------
    frequencies : ndarray, shape (..., 2, 2)
        Two reciprocal vectors, 60° apart where there is no distortion [any unit].

    Returns
    -------
    ndarray, shape (...)
        0 for a perfect hexagon, √3 − 1 for a square.

    Examples
    --------
    >>> float(measure_distortion(np.array([[1.0, 0.0], [0.0, 1.0]])).round(3))
    0.732
    """
    one, two = frequencies[..., 0, :], frequencies[..., 1, :]
    sides = sum((side**2).sum(axis=-1) for side in (one, two, two - one))
    area = np.abs(one[..., 0] * two[..., 1] - one[..., 1] * two[..., 0])
    # Of a triangle with the stretches p and q: (p/q + q/p) / 2 = Σ side² / (4 √3 area).
    mean = np.maximum(sides / (2 * np.sqrt(3) * np.maximum(area, 1e-30)), 1.0)
    return np.asarray(mean + np.sqrt(mean**2 - 1) - 1, np.float64)


def find_stretch(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the stretch that makes a perfect hexagon of the same area this one, without turning it.

    Parameters
    ----------
    frequencies : ndarray, shape (2, 2)
        Two reciprocal vectors, 60° apart where there is no distortion [cycles/px].

    Returns
    -------
    ndarray, shape (2, 2)
        Symmetric, of determinant 1: frequencies of the perfect hexagon times this are those given.

    Examples
    --------
    >>> perfect = np.array([[0.1, 0.0], [0.05, 0.05 * np.sqrt(3)]])
    >>> find_stretch(perfect @ np.diag([1.25, 0.8])).round(3).tolist()
    [[1.25, 0.0], [0.0, 0.8]]
    """
    side = np.sign(np.linalg.det(frequencies)) or 1.0
    perfect = np.array([[1.0, 0.0], [0.5, side * np.sqrt(3) / 2]])
    _, stretches, right = np.linalg.svd(np.linalg.solve(perfect, frequencies))
    return np.asarray((right.T * stretches / np.sqrt(stretches.prod())) @ right, np.float64)


def measure_uncertainty(frequencies: NDArray[np.float64], deviation: float, shape: tuple[int, ...]) -> float:
    """Estimate the relative standard deviation of a lattice constant: noise, distortion and pixels.

    Stretching an image along one axis changes the constant about as much as the standard deviation of the
    three constants that the three spots give. The image's side is known to 1/√12 px.

    Parameters
    ----------
    frequencies : ndarray, shape (2, 2)
        [cycles/px]
    deviation : float
        Relative standard deviation by noise.
    shape : tuple of int
        The image's.

    Returns
    -------
    float

    Examples
    --------
    >>> regular = np.array([[0.1, 0.0], [0.05, 0.05 * np.sqrt(3)]])
    >>> round(measure_uncertainty(regular, 0.0, (100, 120)), 4)
    0.0029
    """
    lengths = 1 / np.hypot(*list_spots(frequencies).T)
    distortion = lengths.std(ddof=1) / lengths.mean()
    return float(np.linalg.norm([deviation, distortion, 1 / np.sqrt(12) / min(shape)]))
