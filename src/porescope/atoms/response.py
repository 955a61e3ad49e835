"""The image of one atom, fitted to an image whose sites are known, and what the image says of each site.

Everything is a function of the spatial frequency, in which the noise is independent: the image of an atom
is a sum of Gaussians, the noise that of the residual. Frequencies are in cycles per pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import map_coordinates
from scipy.optimize import nnls
from scipy.sparse import coo_array, csr_array

from porescope.micrograph import Micrograph

#: Gaussians whose sum is the image of an atom: standard deviations [lattice constants]. The narrow ones are
#: the core of the probe, the wide ones its tails.
_WIDTHS = (0.1, 0.16, 0.24, 0.36, 0.55, 0.85, 1.4)
#: Range of spatial frequencies that are used [1/lattice constant]: slower changes are contamination.
_SLOWEST, _FASTEST = 0.2, 2.6
#: Width of the bins over which spectra are averaged: for the image of an atom, and for the noise
#: [1/lattice constant].
_BIN, _NOISE_BIN = 1 / 64, 1 / 8
#: Width of the frame's edge over which the image is faded out, so that its spectrum has no streaks
#: [lattice constants].
_FADED = 3.0
#: Share of pixels from which the darkest or the brightest value counts as saturated.
_SATURATED = 0.002
#: Value beyond which a pixel is no sheet: above the 99th percentile, in distances of the 1st from the 99th.
_GLARE = 1.0
#: Relative weight that keeps the sum of Gaussians small where the image does not determine it.
_RIDGE = 1e-6
#: Range of contrasts of the two sublattices that are fitted.
_CONTRASTS = (0.03, 4.0)
#: Number of fits: each fills saturated pixels anew, moves the sites, and measures the noise.
_ROUNDS = 3
#: Largest move of all sites in one fit [px].
_FARTHEST = 1.5


class Response(NamedTuple):
    """The image of an atom, and what an image of shape (M, N) says of atoms."""

    positions: NDArray[np.float64]  # (K, 2), of the sites, moved to where they fit best [px]
    contrast: float  # of a site of the second sublattice over one of the first
    window: NDArray[np.float32]  # (M, N), weight of each pixel: 1, less at the edges
    evidence: NDArray[np.float64]  # (M, N), the residual matched with an atom of the first sublattice
    expected: NDArray[np.float64]  # (M, N), the same for all that is fitted
    overlap: NDArray[np.float64]  # (R, C), the same for the image of one atom, in the middle


@dataclass
class _Transform:
    """The part of an image's Fourier transform that is used: n of its frequencies."""

    shape: tuple[int, ...]  # of the image
    size: list[int]  # of the transform
    window: NDArray[np.float32]  # (M, N), 1, faded to 0 at the edges
    chosen: NDArray[np.bool_]  # frequencies in the range
    ky: NDArray[np.float64]  # (n,) [1/px]
    kx: NDArray[np.float64]  # (n,)

    @classmethod
    def prepare(cls, shape: tuple[int, ...], cell: float) -> _Transform:
        """Choose size, window and frequencies for an image and a lattice constant [px]."""
        fades = []
        for n in shape:
            ramp = min(int(_FADED * cell), n // 4)
            edge = 0.5 - 0.5 * np.cos(np.pi * (np.arange(ramp) + 0.5) / max(ramp, 1))
            fades.append(np.concatenate([edge, np.ones(n - 2 * ramp), edge[::-1]]))
        size = [fft.next_fast_len(n + int(_FADED * cell), real=True) for n in shape]
        ky, kx = np.meshgrid(fft.fftfreq(size[0]), fft.rfftfreq(size[1]), indexing="ij")
        k = np.hypot(ky, kx)
        chosen = (k * cell > _SLOWEST) & (k < min(0.5, _FASTEST / cell))
        window = np.outer(*fades).astype(np.float32)
        return cls(shape, size, window, chosen, ky[chosen], kx[chosen])

    def forward(self, image: NDArray[np.floating]) -> NDArray[np.complex128]:
        """_Transform an image."""
        return np.asarray(fft.rfft2(image, self.size)[self.chosen], np.complex128)

    def back(self, values: NDArray[np.complex128] | NDArray[np.float64]) -> NDArray[np.float64]:
        """_Transform back, to the size of the transform."""
        full = np.zeros(self.chosen.shape, values.dtype)
        full[self.chosen] = values
        return np.asarray(fft.irfft2(full, self.size), np.float64)

    def bins(self, width: float) -> NDArray[np.int64]:
        """Number of the bin of each frequency, by its length."""
        return np.asarray(np.hypot(self.ky, self.kx) / width, np.int64)


def fit_response(
    micrograph: Micrograph,
    cell: float,
    positions: NDArray[np.float64],
    second: NDArray[np.bool_],
    held: NDArray[np.float64],
) -> Response:
    """Fit the image of an atom to a micrograph.

    Parameters
    ----------
    micrograph : Micrograph
    cell : float
        Lattice constant [px].
    positions : ndarray, shape (K, 2)
        Of the sites (row, column) [px].
    second : ndarray of bool, shape (K,)
        Whether a site is on the second sublattice.
    held : ndarray of float, shape (K,)
        Share of a site's atoms that are there.

    Returns
    -------
    Response

    Notes
    -----
    Least squares over the frequencies, weighted by the inverse of the noise's spectrum, which is that of the
    residual. In HAADF no Gaussian is negative. Pixels that saturate, glare, or lie outside the field are
    filled with what the fit expects there.

    The evidence of a site is the residual's product with the image of an atom there, divided by the
    noise's power. For an atom that is missing it falls by the overlap of an atom with itself.
    """
    image = micrograph.filled
    transform = _Transform.prepare(image.shape, cell)
    unreliable = _find_unreliable(micrograph)
    base = float(np.median(image))
    contrast, weight = 0.5, np.ones(len(transform.ky))
    fitted = image
    for i in range(_ROUNDS):
        spread = interpolate(positions, image.shape)
        faded = held * (spread @ transform.window.ravel())
        atoms = [
            transform.forward((spread[part].T @ faded[part]).reshape(image.shape))
            for part in (~second, second)
        ]
        seen = transform.forward((fitted - base) * transform.window)
        kernel, contrast = _fit_kernel(transform, seen, atoms, weight, cell, contrast, micrograph.modality)
        model = kernel * (atoms[0] + contrast * atoms[1])
        residual = seen - model
        weight = 1 / _measure_noise(transform, residual, cell)
        if i < _ROUNDS - 1:
            positions = np.asarray(positions + _find_move(transform, model, residual, weight), np.float64)
            if unreliable is not None:
                all_atoms = (spread.T @ (held * np.where(second, contrast, 1.0))).reshape(image.shape)
                expected = transform.back(transform.forward(all_atoms) * kernel)
                fitted = _fill(image, unreliable, expected[: image.shape[0], : image.shape[1]])
    evidence, expected = (
        transform.back(kernel * weight * part)[: image.shape[0], : image.shape[1]]
        for part in (residual, model)
    )
    overlap = fft.fftshift(transform.back(kernel**2 * weight))
    return Response(positions, contrast, transform.window, evidence, expected, overlap)


def interpolate(positions: NDArray[np.float64], shape: tuple[int, ...]) -> csr_array:
    """Bilinear interpolation as a matrix, so that its transpose spreads weights over pixels.

    Parameters
    ----------
    positions : ndarray, shape (K, 2)
        (row, column) [px].
    shape : tuple of int
        Of the image; positions outside take its nearest pixels.

    Returns
    -------
    csr_array, shape (K, M · N)

    Examples
    --------
    >>> image = np.arange(12.0).reshape(3, 4)
    >>> interpolate(np.array([[1.5, 0.25]]), image.shape) @ image.ravel()
    array([6.25])
    """
    corner = np.floor(positions).astype(np.int64)
    part = positions - corner
    columns, shares = [], []
    for dy in (0, 1):
        for dx in (0, 1):
            y, x = (np.clip(corner[:, i] + d, 0, shape[i] - 1) for i, d in ((0, dy), (1, dx)))
            columns.append(y * shape[1] + x)
            shares.append(np.abs(1 - dy - part[:, 0]) * np.abs(1 - dx - part[:, 1]))
    rows = np.tile(np.arange(len(positions)), 4)
    size = (len(positions), shape[0] * shape[1])
    return csr_array(coo_array((np.concatenate(shares), (rows, np.concatenate(columns))), shape=size))


def _fit_kernel(
    transform: _Transform,
    seen: NDArray[np.complex128],
    atoms: list[NDArray[np.complex128]],
    weight: NDArray[np.float64],
    cell: float,
    contrast: float,
    modality: str,
) -> tuple[NDArray[np.float64], float]:
    """The image of an atom at each frequency, and the contrast of the second sublattice, by turns."""
    bins = transform.bins(_BIN / cell)
    first, second = atoms

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(bins, values * weight), np.float64)

    own, other = total(np.abs(first) ** 2), total(np.abs(second) ** 2)
    mixed = total((first * second.conj()).real)
    wanted = [total((seen * each.conj()).real) for each in atoms]
    k = (np.arange(len(own)) + 0.5) * _BIN / cell
    basis = np.exp(-2 * (np.pi * np.outer(_WIDTHS, k) * cell) ** 2)
    for _ in range(4):
        power = own + 2 * contrast * mixed + contrast**2 * other
        matrix, right = (basis * power) @ basis.T, basis @ (wanted[0] + contrast * wanted[1])
        matrix += _RIDGE * np.trace(matrix) / len(matrix) * np.eye(len(matrix))
        if modality == "haadf":
            root = np.linalg.cholesky(matrix)
            amplitudes = nnls(root.T, np.linalg.solve(root, right))[0]
        else:
            amplitudes = np.asarray(np.linalg.solve(matrix, right), np.float64)
        kernel = amplitudes @ basis
        cross, squares = (kernel**2 * mixed).sum(), [(kernel**2 * p).sum() for p in (own, other)]
        right_hand = [(kernel * w).sum() for w in wanted]
        pair = np.linalg.lstsq(
            np.array([[squares[0], cross], [cross, squares[1]]]), np.array(right_hand), rcond=None
        )[0]
        contrast = float(np.clip(pair[1] / (pair[0] or 1e-30), *_CONTRASTS))
    return np.asarray(kernel[bins], np.float64), contrast


def _measure_noise(
    transform: _Transform, residual: NDArray[np.complex128], cell: float
) -> NDArray[np.float64]:
    """Power of the noise at each frequency: mean over a ring and its two neighbours."""
    bins = transform.bins(_NOISE_BIN / cell)
    power, count = np.bincount(bins, np.abs(residual) ** 2), np.bincount(bins)
    level = np.log(power / np.maximum(count, 1) + 1e-30) * count
    three = np.ones(3)
    smooth = np.convolve(level, three, "same") / np.maximum(np.convolve(count, three, "same"), 1)
    return np.asarray(np.exp(smooth)[bins], np.float64)


def _find_move(
    transform: _Transform,
    model: NDArray[np.complex128],
    residual: NDArray[np.complex128],
    weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """The move of all sites that the residual asks for, shape (2,) [px]."""
    slopes = np.array([-2j * np.pi * k * model for k in (transform.ky, transform.kx)])
    matrix = ((slopes * weight) @ slopes.conj().T).real
    move = np.linalg.lstsq(matrix, ((slopes.conj() * weight) @ residual).real, rcond=None)[0]
    return np.asarray(np.clip(move, -_FARTHEST, _FARTHEST), np.float64)


def _find_unreliable(micrograph: Micrograph) -> NDArray[np.int8] | None:
    """-1 where a pixel is saturated in the dark, 1 in the bright, 2 where it shows no sheet; None if none."""
    image = micrograph.filled
    kind = np.zeros(image.shape, np.int8)
    low, high = np.percentile(image[::4, ::4], (1, 99))
    kind[image > high + _GLARE * (high - low)] = 2
    for sign, value in ((-1, image.min()), (1, image.max())):
        saturated = image == value
        if saturated.mean() > _SATURATED:
            kind[saturated] = sign
    if micrograph.field is not None:
        kind[~micrograph.field] = 2
    return kind if kind.any() else None


def _fill(
    image: NDArray[np.float32], kind: NDArray[np.int8], expected: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Fill unreliable pixels with what is expected; saturated ones only if it lies beyond their value."""
    level = expected + float(np.median((image - expected)[kind == 0]) if (kind == 0).any() else 0.0)
    darker, brighter = np.minimum(image, level), np.maximum(image, level)
    return np.select([kind == -1, kind == 1, kind == 2], [darker, brighter, level], image).astype(np.float32)


def look_up(overlap: NDArray[np.float64], apart: NDArray[np.float64]) -> NDArray[np.float64]:
    """Overlap of the images of two atoms.

    Parameters
    ----------
    overlap : ndarray, shape (R, C)
        Of a `Response`.
    apart : ndarray, shape (K, 2)
        Distance of the atoms (row, column) [px].

    Returns
    -------
    ndarray, shape (K,)
    """
    reach = min(int(np.abs(apart).max(initial=0)) + 4, *(n // 2 - 1 for n in overlap.shape))
    middle = np.array(overlap.shape) // 2
    part = overlap[tuple(slice(m - reach, m + reach + 1) for m in middle)]
    return np.asarray(map_coordinates(part, (apart + reach).T, order=3, mode="nearest"), np.float64)
