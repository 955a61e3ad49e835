"""What the lattice tells of each place: how strong it is, where atoms should be and are not."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import regionprops

from porescope.lattice.finding import Lattice, find_lattice, flatten, mix, rotate
from porescope.materials import Material
from porescope.micrograph import Micrograph
from porescope.recipes.segmentation import BRIGHT_HOLES, label_regions

#: Resolutions of the amplitude map that are tried, finest first [lattice constants].
RESOLUTIONS = (0.6, 0.85, 1.2)
#: A pore's amplitude is this many standard deviations below the sheet's.
CLEAR_OF = 5.0
#: The smallest area without lattice [constants²]: where its intensity speaks for a hole, and where it
#: tells nothing, as in HRTEM, where carbon on a light sheet outdoes the lattice here and there.
SMALLEST, SMALLEST_UNSIGNED = 0.35, 1.25
#: The faintest intensity of a hole [deviations].
FAINTEST = 2.0


def _demodulate(flat: NDArray[np.float32], spots: NDArray[np.float64], sigma: float) -> NDArray[np.complex64]:
    """Local amplitude and phase of waves, averaged over a Gaussian [px]; shape (spots, M, N)."""
    out = np.empty((len(spots), *flat.shape), np.complex64)
    for wave, spot in zip(out, spots, strict=True):
        wave[:] = cv2.GaussianBlur(mix(flat, spot), (0, 0), sigma).view(np.complex64)[..., 0]
    return out


class AmplitudeMap(NamedTuple):
    """How strong the lattice is at each pixel."""

    amplitude: NDArray[np.float32]  # 1 is the sheet
    floor: float  # what noise alone gives
    spread: float  # standard deviation over the sheet


def map_amplitude(micrograph: Micrograph, lattice: Lattice, cells: float = 0.6) -> AmplitudeMap:
    """Map the strength of the lattice.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice
    cells : float
        Resolution: standard deviation of the Gaussian average [lattice constants].

    Returns
    -------
    AmplitudeMap
        The three first-order waves together, 1 where the sheet is whole.
    """
    flat = flatten(micrograph.image)
    sigma = cells * lattice.constant_px
    amplitude = _strength(flat, lattice.spots, sigma)
    # Between the spots of the first order, and no farther out, there is nothing but noise.
    between = np.array([rotate(spot, 30.0) for spot in lattice.spots])
    floor = float(np.median(_strength(flat, between, sigma)))
    # Half the frame may be void: the sheet is what the upper part shows.
    sheet, high = np.percentile(amplitude[::4, ::4], (75, 95))
    scale = max(float(sheet), 1e-30)
    return AmplitudeMap(amplitude / np.float32(scale), floor / scale, float(high - sheet) / scale)


def _strength(flat: NDArray[np.float32], spots: NDArray[np.float64], sigma: float) -> NDArray[np.float32]:
    waves = _demodulate(flat, spots, sigma)
    return np.asarray(np.sqrt((waves.real**2 + waves.imag**2).mean(axis=0)), np.float32)


def detect_by_lattice(micrograph: Micrograph, lattice: Lattice | None = None) -> NDArray[np.int32]:
    """Find pores as areas without lattice.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice, optional
        As `find_lattice` gives it.

    Returns
    -------
    ndarray of int32, shape (M, N)
        Label image; empty where the image shows no lattice.

    Notes
    -----
    A pore is where the amplitude falls below the middle between sheet and noise, and 5 standard
    deviations below the sheet; where noise leaves no room for that, the map is made coarser. Where
    the modality tells a hole's sign (HAADF dark, BF and ABF bright) it must also have it, which
    contamination, without lattice too, has not; and the edge is then put at half the step of the
    intensity.

    Examples
    --------
    >>> from porescope.simulation.drawing import simulate
    >>> int(detect_by_lattice(simulate(pores=3, max_missing=40, seed=3).micrograph).max())
    3
    """
    lattice = lattice or find_lattice(micrograph)
    if lattice is None:
        return np.zeros(micrograph.image.shape, np.int32)
    # The finest map in which the sheet stays clear of the noise.
    for cells in RESOLUTIONS:
        amplitude, floor, spread = map_amplitude(micrograph, lattice, cells)
        level = min((1 + floor) / 2, 1 - CLEAR_OF * spread)
        if level > 1.2 * floor:
            break
    else:
        return np.zeros(micrograph.image.shape, np.int32)
    labels = label_regions(amplitude < level)
    sign = {"haadf": -1.0, "bf": 1.0, "abf": 1.0}.get(micrograph.modality)
    cell = lattice.constant_px
    # Holes are bright from here on, where the modality tells a sign at all.
    signed = micrograph.image * np.float32(sign or 1)
    smooth = np.asarray(cv2.GaussianBlur(signed, (0, 0), 0.4 * cell), np.float32)
    even = cv2.GaussianBlur(flatten(micrograph.image), (0, 0), 0.4 * cell)
    faintest = FAINTEST * 1.4826 * float(np.median(np.abs(even - np.median(even))))
    margin = round(2 * cell)
    out = np.zeros(labels.shape, bool)
    for region in regionprops(labels):
        if region.area < (SMALLEST_UNSIGNED if sign is None else SMALLEST) * cell**2:
            continue
        top, left, bottom, right = region.bbox
        box = np.s_[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin]
        mask = labels[box] == region.label
        if sign is not None:
            mask = _trim(mask, smooth[box], round(0.6 * cell), faintest)
        out[box] |= mask
    return label_regions(out)


def _trim(
    mask: NDArray[np.bool_], smooth: NDArray[np.float32], reach: int, faintest: float
) -> NDArray[np.bool_]:
    """Put a region's edge at half the step of the intensity, within reach of where it was.

    What is not brighter than its surroundings by ``faintest`` is no hole: nothing is left of it.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    wide = cv2.dilate(mask.astype(np.uint8), disc)
    around = (cv2.dilate(wide, disc) > 0) & (wide == 0)
    outside = float(np.median(smooth[around])) if around.any() else float(np.median(smooth))
    if float(np.median(smooth[mask])) < outside + faintest:
        return np.zeros_like(mask)
    inside = float(np.percentile(smooth[mask], 90))
    trimmed = (wide > 0) & (smooth > (inside + outside) / 2)
    joined = label_regions(trimmed)
    touching = np.unique(joined[mask & trimmed])
    return np.isin(joined, touching[touching > 0])


class Sites(NamedTuple):
    """Sites of the atoms of both sublattices, in the image."""

    positions: NDArray[np.float64]  # (K, 2), row before column [px]
    places: NDArray[np.float64]  # (K, 2) the same in units of the real-space vectors
    second: NDArray[np.bool_]  # on the material's second sublattice, the chalcogens'
    empty: NDArray[np.bool_]  # without an atom


def find_sites(micrograph: Micrograph, lattice: Lattice, material: Material) -> Sites:
    """Find where atoms should be, following the distortion of the lattice.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice
    material : Material

    Returns
    -------
    Sites

    Notes
    -----
    The phases of the first-order waves give each pixel its place within a cell. The image folded
    into one cell shows where in the cell the atoms are: the brighter sublattice and its brighter
    neighbour; in graphene and hBN what surrounds the dark middle of the ring.

    Examples
    --------
    >>> from porescope.materials import MATERIALS
    >>> from porescope.simulation.drawing import simulate
    >>> drawn = simulate("WS2", shape=(200, 260), pores=1, max_missing=1, seed=1)
    >>> sites = find_sites(drawn.micrograph, find_lattice(drawn.micrograph), MATERIALS["WS2"])
    >>> int((sites.empty & ~sites.second).sum())
    1
    """
    flat = flatten(micrograph.image)
    if micrograph.modality in BRIGHT_HOLES:
        flat = -flat
    waves = _demodulate(flat, lattice.frequencies, 2.5 * lattice.constant_px)
    phase = [np.angle(wave) / (2 * np.pi) for wave in waves]
    origins = _find_origins(flat, lattice, phase, material)
    parts = [_lay_sites(lattice, waves, origin, flat.shape) for origin in origins]
    positions, places = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    second = np.repeat([False, True], [len(part[0]) for part in parts])
    smooth = cv2.GaussianBlur(flat, (0, 0), max(0.18 * lattice.constant_px, 0.5))
    at = np.rint(positions).astype(int)
    value = smooth[at[:, 0], at[:, 1]]
    empty = np.zeros(len(value), bool)
    for part in (second, ~second):
        empty[part] = value[part] < _split(value[part])
    return Sites(positions, places, second, empty)


def _find_origins(
    image: NDArray[np.float32], lattice: Lattice, phase: list[NDArray[np.floating]], material: Material
) -> list[NDArray[np.float64]]:
    """Places of the two sublattices within the cell, as shares of its vectors."""
    n = 24
    rows, columns = (np.arange(size) for size in image.shape)
    u, v = (
        np.floor((f[0] * rows[:, None] + f[1] * columns[None] + p) % 1 * n).astype(int) % n
        for f, p in zip(lattice.frequencies, phase, strict=True)
    )
    total = np.bincount((u * n + v).ravel(), image.ravel(), n * n)
    count = np.bincount((u * n + v).ravel(), minlength=n * n)
    folded = (total / np.maximum(count, 1)).reshape(n, n).astype(np.float32)
    folded = np.asarray(cv2.GaussianBlur(np.tile(folded, (3, 3)), (0, 0), 1.5)[n:-n, n:-n], np.float32)
    extreme = int(folded.argmin() if material.both_count else folded.argmax())
    spot = np.array(np.unravel_index(extreme, folded.shape))
    # The real-space vectors are 120° apart.
    others = [(spot + third) % n for third in ((n // 3, 2 * n // 3), (2 * n // 3, n // 3))]
    others.sort(key=lambda place: -folded[tuple(place)])
    chosen = others if material.both_count else [spot, others[0]]
    if not material.first_is_brighter:
        chosen.reverse()
    return [(place + 0.5) / n for place in chosen]


def _lay_sites(
    lattice: Lattice, waves: NDArray[np.complex64], origin: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Solve for the pixel of a site in every cell: frequency · r + phase(r) = cell + origin."""
    size = np.array(shape)
    corners = np.array([(0, 0), (0, size[1]), (size[0], 0), size], float) @ lattice.frequencies.T
    low, high = np.floor(corners.min(axis=0)).astype(int) - 2, np.ceil(corners.max(axis=0)).astype(int) + 2
    cells = low + np.indices(high - low).reshape(2, -1).T
    target = cells + origin
    inverse = np.linalg.inv(lattice.frequencies)
    r = target @ inverse.T
    for _ in range(6):
        y, x = np.clip(np.rint(r).astype(int), 0, size - 1).T
        phase = np.angle(waves[:, y, x]).T / (2 * np.pi)
        gap = r @ lattice.frequencies.T + phase - target
        # The phase is known up to whole turns: the nearest cell's site is meant.
        r = r - (gap - np.rint(gap)) @ inverse.T
    inside = ((r >= 0) & (r <= size - 1)).all(axis=1)
    return r[inside], target[inside]


def _split(values: NDArray[np.floating]) -> float:
    """A level below which a site is empty: halfway to the darkest, and clear of the noise."""
    typical = float(np.median(values))
    deviation = 1.4826 * float(np.median(np.abs(values - typical)))
    return min((typical + float(values.min())) / 2, typical - 3.5 * deviation)


def count_missing(
    sites: Sites, labels: NDArray[np.integer], lattice: Lattice, material: Material
) -> NDArray[np.float64]:
    """Number of atoms that each pore lacks: of the metal, or of C, B and N.

    Parameters
    ----------
    sites : Sites
    labels : ndarray of int, shape (M, N)
    lattice : Lattice
    material : Material

    Returns
    -------
    ndarray of float, shape (n,)
        In the order of the labels.

    Notes
    -----
    Sites within a pore count, and those at its edge (within a fifth of a constant) that are empty.
    """
    numbers = np.unique(labels[labels > 0])
    reach = max(1, round(0.2 * lattice.constant_px))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    wide = cv2.dilate(labels.astype(np.float32), disc).astype(np.int64)
    counted = material.both_count | ~sites.second
    y, x = np.rint(sites.positions[counted]).astype(int).T
    owner = np.where(labels[y, x] > 0, labels[y, x], np.where(sites.empty[counted], wide[y, x], 0))
    counts = np.bincount(owner, minlength=int(numbers.max(initial=0)) + 1)
    return counts[numbers].astype(float)


def build_structure(
    sites: Sites, labels: NDArray[np.integer], lattice: Lattice, material: Material
) -> tuple[list[str], NDArray[np.float64]]:
    """Build the perfect sheet without the atoms that lie in pores.

    Parameters
    ----------
    sites : Sites
    labels : ndarray of int, shape (M, N)
    lattice : Lattice
    material : Material

    Returns
    -------
    elements : list of str
    positions : ndarray, shape (K, 3)
        x, y, z [Å]; x runs along a row of the image, y along a column.

    Notes
    -----
    Scan distortion is taken out: atoms sit on the regular lattice nearest to the one measured.
    """
    perfect = np.array([[1.0, 0.0], [-0.5, np.sqrt(3) / 2]]) * material.constant * 10
    if np.linalg.det(lattice.vectors) < 0:
        perfect[:, 1] *= -1
    left, _, right = np.linalg.svd(np.linalg.inv(perfect) @ lattice.vectors)
    flat = (sites.places @ perfect @ (left @ right))[:, ::-1]
    flat -= flat.min(axis=0)
    y, x = np.rint(sites.positions).astype(int).T
    kept = labels[y, x] == 0
    elements: list[str] = []
    parts = []
    for second, element in ((False, material.first), (True, material.second)):
        heights = (
            (-material.half_thickness, material.half_thickness) if second and material.stack == 2 else (0.0,)
        )
        for height in heights:
            where = flat[kept & (sites.second == second)]
            elements += [element] * len(where)
            parts.append(np.column_stack([where, np.full(len(where), 10 * height)]))
    return elements, np.concatenate(parts)
