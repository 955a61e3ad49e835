"""Simulated micrographs with known pores: for tests, the demo and training.

Atoms on a hexagonal lattice, some of them missing, seen in HAADF, BF or HRTEM.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from porescope.materials import (
    ATOMIC_NUMBER,
    BOND_WIDTH,
    MATERIALS,
    OPENING_RADIUS,
    RADIUS,
    Material,
)
from porescope.micrograph import Micrograph

#: Truth is drawn this fine before it is averaged to pixels [nm].
TRUTH_STEP = 0.005


class Atoms(NamedTuple):
    """Sites of a sheet, those of missing atoms too."""

    positions: NDArray[np.float64]  # (K, 2), row before column [nm]
    second: NDArray[np.bool_]  # on the second sublattice
    occupancy: NDArray[np.int64]  # atoms left on the site


class Simulation(NamedTuple):
    """A micrograph and the truth about it."""

    micrograph: Micrograph
    labels: NDArray[np.int32]
    area_nm2: NDArray[np.float64]  # of each label
    missing_atoms: NDArray[np.int64]  # of each label: metal, or C, B and N
    atoms: Atoms
    material: Material


def simulate(
    material: str = "WS2",
    *,
    shape: tuple[int, int] = (512, 512),
    pixel_size: float = 0.04,
    pores: int = 5,
    max_missing: int = 20,
    dose: float = 5e5,
    modality: str = "haadf",
    seed: int = 0,
    name: str = "simulated",
) -> Simulation:
    """Draw a micrograph of a sheet with pores.

    Parameters
    ----------
    material : str
        One of `MATERIALS`.
    shape : tuple of int
        Rows and columns.
    pixel_size : float
        [nm]
    pores : int
        How many to make; they do not overlap where there is room.
    max_missing : int
        A pore lacks from 1 to this many atoms (metal, or C, B and N), small ones more often.
    dose : float
        Electrons per nm².
    modality : {"haadf", "bf", "hrtem"}
    seed : int
    name : str

    Returns
    -------
    Simulation

    Notes
    -----
    HAADF contrast goes as Z^1.7 (Krivanek et al. 2010, doi:10.1038/nature08879, find Z^1.64). HRTEM
    is a weak phase object seen through the contrast transfer function of a corrected microscope at
    80 kV (Kirkland 2010, doi:10.1007/978-1-4419-6533-2); BF is taken as what is missing in a wider
    HAADF. A pore is the plane not covered by atoms and bonds, opened by a small disc, that holds a
    missing atom.

    Examples
    --------
    >>> simulation = simulate(shape=(128, 160), pores=2, seed=1)
    >>> simulation.labels.max(), simulation.micrograph.image.shape
    (np.int32(2), (128, 160))
    """
    if material not in MATERIALS:
        raise ValueError(f"material must be one of {', '.join(MATERIALS)}, not {material!r}")
    if min(shape) < 1 or pixel_size <= 0 or dose <= 0 or pores < 0 or max_missing < 1:
        raise ValueError("shape, pixel_size, dose and max_missing must be above 0, pores not below")
    draw = {"haadf": _image_haadf, "bf": _image_bf, "hrtem": _image_hrtem}.get(modality)
    if draw is None:
        raise ValueError(f"modality must be haadf, bf or hrtem, not {modality!r}")
    rng = np.random.default_rng(seed)
    sheet = MATERIALS[material]
    extent = np.array(shape) * pixel_size
    atoms = make_sheet(sheet, extent, rng)
    centres = _place(pores, extent, rng)
    for centre in centres:
        missing = int(np.floor(np.exp(rng.uniform(0, np.log(max_missing + 1)))))
        atoms = make_pore(sheet, atoms, centre, missing, rng)
    labels, areas, counts = find_truth(sheet, atoms, shape, pixel_size)
    image = draw(sheet, atoms, shape, pixel_size, dose, rng)
    micrograph = Micrograph(image, (pixel_size, pixel_size), modality=modality, name=name)
    return Simulation(micrograph, labels, areas, counts, atoms, sheet)


def make_sheet(sheet: Material, extent: NDArray[np.float64], rng: np.random.Generator) -> Atoms:
    """Lay a whole sheet over an area (height, width) [nm], turned at random, with a margin."""
    a, margin = sheet.constant, 0.5
    reach = float(np.hypot(*extent)) + 2 * margin
    n = int(np.ceil(reach / (a * np.sqrt(3) / 2))) + 1
    i, j = np.mgrid[-n : n + 1, -n : n + 1].reshape(2, -1)
    first = np.stack([j * a * np.sqrt(3) / 2, (i + j / 2) * a], axis=1)
    second = first + np.array([a / (2 * np.sqrt(3)), a / 2])
    angle = rng.uniform(0, np.pi / 3)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.concatenate([first, second]) @ turn.T + extent / 2 + rng.uniform(-a, a, 2)
    is_second = np.arange(len(points)) >= len(first)
    inside = ((points > -margin) & (points < extent + margin)).all(axis=1)
    occupancy = np.where(is_second, sheet.stack, 1)
    return Atoms(points[inside], is_second[inside], occupancy[inside])


def _place(n: int, extent: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Choose centres away from the border and from each other."""
    best = np.empty((0, 2))
    distance = 0.7 * np.sqrt(extent.prod() / max(n, 1))
    while len(best) < n:
        margin = np.minimum(0.8, extent / 4)
        point = rng.uniform(margin, extent - margin)
        if len(best) == 0 or np.hypot(*(best - point).T).min() > distance:
            best = np.vstack([best, point])
        distance *= 0.98
    return best


def make_pore(
    sheet: Material, atoms: Atoms, centre: NDArray[np.float64], missing: int, rng: np.random.Generator
) -> Atoms:
    """Take ``missing`` atoms (metal, or C, B, N) out around a point, and what they held."""
    occupancy = atoms.occupancy.copy()
    counted = (sheet.both_count | ~atoms.second) & (occupancy > 0)
    distance = np.hypot(*(atoms.positions - centre).T)
    # Edges are ragged by a fraction of a cell.
    ragged = distance + rng.normal(0, 0.25 * sheet.constant, len(distance)) * (missing > 2)
    order = np.argsort(np.where(counted, ragged, np.inf))[:missing]
    occupancy[order] = 0
    if sheet.both_count:
        _drop_dangling(atoms.positions, occupancy, sheet.constant, at_least=2)
        return atoms._replace(occupancy=occupancy)
    left = _count_neighbours(atoms.positions, occupancy * ~atoms.second, sheet.constant)
    loose = atoms.second & ((left <= 1) | ((left == 2) & (rng.random(len(left)) < 0.3)))
    occupancy[loose] = 0
    return atoms._replace(occupancy=occupancy)


def _count_neighbours(
    positions: NDArray[np.float64], occupancy: NDArray[np.int64], constant: float
) -> NDArray[np.int64]:
    """Nearest sites that hold an atom; sites beyond the sheet's margin count as held."""
    tree = cKDTree(positions)
    pairs = tree.query_pairs(constant / np.sqrt(3) * 1.2, output_type="ndarray")
    count = np.full(len(positions), 3)
    for here, there in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
        np.subtract.at(count, here, (occupancy[there] == 0).astype(int))
    return count


def _drop_dangling(
    positions: NDArray[np.float64], occupancy: NDArray[np.int64], constant: float, at_least: int
) -> None:
    """Take out, in place, atoms with fewer neighbours than ``at_least``, until none is left."""
    while True:
        dangling = (occupancy > 0) & (_count_neighbours(positions, occupancy, constant) < at_least)
        if not dangling.any():
            return
        occupancy[dangling] = 0


def find_truth(
    sheet: Material, atoms: Atoms, shape: tuple[int, int], pixel_size: float
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int64]]:
    """Find the pores of a sheet by their definition.

    Returns
    -------
    labels : ndarray of int32, shape (M, N)
        A pixel belongs to the pore that covers half of it or more.
    area_nm2 : ndarray, shape (n,)
        Area of each pore inside the frame.
    missing_atoms : ndarray of int, shape (n,)
        Metal, or C, B and N.
    """
    fine = max(1, round(pixel_size / TRUTH_STEP))
    step = pixel_size / fine
    labels = np.zeros(shape, np.int32)
    areas, counts = [], []
    gone = atoms.positions[(atoms.occupancy == 0) & (sheet.both_count | ~atoms.second)]
    for members in _group(gone, 2.2 * sheet.constant):
        low = np.floor(np.maximum(members.min(axis=0) - 0.6, 0) / pixel_size).astype(int)
        high = np.ceil((members.max(axis=0) + 0.6) / pixel_size).astype(int)
        high = np.minimum(high, shape)
        if (high <= low).any():
            continue
        origin = low * pixel_size - pixel_size / 2 + step / 2
        free = _draw_free(sheet, atoms, origin, (high - low) * fine, step)
        n, pieces = cv2.connectedComponents(free, connectivity=8)
        at = np.rint((members - origin) / step).astype(int)
        inside = ((at >= 0) & (at < free.shape)).all(axis=1)
        hit = pieces[at[inside, 0], at[inside, 1]]
        for piece in range(1, n):
            if (hit == piece).any():
                mask = (pieces == piece).reshape(high[0] - low[0], fine, high[1] - low[1], fine)
                cover = mask.mean(axis=(1, 3)) >= 0.5
                if cover.any():
                    areas.append(mask.sum() * step**2)
                    counts.append(int((hit == piece).sum()))
                    labels[low[0] : high[0], low[1] : high[1]][cover] = len(areas)
    return labels, np.array(areas), np.array(counts, int)


def _group(points: NDArray[np.float64], reach: float) -> list[NDArray[np.float64]]:
    """Split points into groups whose neighbours are within reach."""
    if len(points) == 0:
        return []
    from scipy.sparse.csgraph import connected_components

    graph = cKDTree(points).sparse_distance_matrix(cKDTree(points), reach)
    n, group = connected_components(graph + graph.T)
    return [points[group == g] for g in range(n)]


def _draw_free(
    sheet: Material,
    atoms: Atoms,
    origin: NDArray[np.float64],
    size: NDArray[np.int64],
    step: float,
) -> NDArray[np.uint8]:
    """Draw the plane that neither atoms nor bonds cover, opened, on a fine grid."""
    free = np.ones(tuple(size), np.uint8)
    held = atoms.occupancy > 0
    far = origin + size * step
    near = ((atoms.positions > origin - 0.4) & (atoms.positions < far + 0.4)).all(axis=1) & held
    points, second = atoms.positions[near], atoms.second[near]
    # OpenCV's drawing takes fixed-point positions, x before y.
    shift = 8
    fixed = np.rint((points - origin) / step * 2**shift).astype(int)[:, ::-1]
    pairs = cKDTree(points).query_pairs(sheet.constant / np.sqrt(3) * 1.2, output_type="ndarray")
    for i, j in pairs:
        cv2.line(
            free, fixed[i].tolist(), fixed[j].tolist(), 0, round(BOND_WIDTH / step) - 1, cv2.LINE_8, shift
        )
    for at, is_second in zip(fixed.tolist(), second, strict=True):
        radius = RADIUS[sheet.second if is_second else sheet.first]
        cv2.circle(free, at, round((radius / step - 0.5) * 2**shift), 0, -1, cv2.LINE_8, shift)
    r = round(OPENING_RADIUS / step)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * r + 1, 2 * r + 1))
    return np.asarray(cv2.morphologyEx(free, cv2.MORPH_OPEN, disc))


def _image_haadf(
    sheet: Material,
    atoms: Atoms,
    shape: tuple[int, int],
    pixel_size: float,
    dose: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Counts of a probe with tails over atoms under uneven contamination, with Poisson noise."""
    signal = _scatter(sheet, atoms, shape, pixel_size, 1.7, (0.07, 0.25, 0.35))
    # A pixel over the sheet scatters 2 % of its electrons on average.
    relative = signal / signal.mean() + 0.12 * _draw_dirt(shape, pixel_size, rng) + 0.3
    expected = dose * pixel_size**2 * 0.02 * np.maximum(relative, 0)
    return np.asarray(rng.poisson(expected), np.float32)


def _image_bf(
    sheet: Material,
    atoms: Atoms,
    shape: tuple[int, int],
    pixel_size: float,
    dose: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Counts of a bright-field detector: atoms and contamination are dark, holes bright."""
    signal = _scatter(sheet, atoms, shape, pixel_size, 1.2, (0.08, 0.25, 0.35))
    relative = 1 - 0.12 * signal / signal.mean() - 0.02 * _draw_dirt(shape, pixel_size, rng)
    return np.asarray(rng.poisson(dose * pixel_size**2 * np.maximum(relative, 0)), np.float32)


#: Electron wavelength at 80 kV [nm].
WAVELENGTH_80KV = 0.004176
#: Phase that an atom adds, per atomic number, summed over its area [rad nm²]: chosen for contrast of
#: some per cent, not calculated.
PHASE_PER_Z = 4e-5


def _image_hrtem(
    sheet: Material,
    atoms: Atoms,
    shape: tuple[int, int],
    pixel_size: float,
    dose: float,
    rng: np.random.Generator,
    *,
    defocus: float = 6.0,
    spherical: float = -20e3,
    limit: float = 0.11,
) -> NDArray[np.float32]:
    """Counts of a camera: a weak phase object through the contrast transfer function.

    ``defocus`` and ``spherical`` aberration in nm; the envelope falls to 1/e² at ``limit`` [nm].
    """
    pad = int(np.ceil(1.0 / pixel_size))
    size = (shape[0] + 2 * pad, shape[1] + 2 * pad)
    charge = np.array([ATOMIC_NUMBER[sheet.first], ATOMIC_NUMBER[sheet.second]], float)
    weight = PHASE_PER_Z * charge[atoms.second.astype(int)] * atoms.occupancy / pixel_size**2
    phase = cv2.GaussianBlur(
        splat(atoms.positions / pixel_size + pad, weight, size), (0, 0), 0.025 / pixel_size
    )
    dirt = cv2.GaussianBlur(rng.normal(size=size).astype(np.float32), (0, 0), 0.06 / pixel_size)
    cover = np.clip(
        cv2.GaussianBlur(rng.normal(size=size).astype(np.float32), (0, 0), 1.5 / pixel_size), 0, None
    )
    phase += 0.15 * phase.std() * dirt / dirt.std() * cover / cover.max()
    ky, kx = np.fft.fftfreq(size[0], pixel_size), np.fft.rfftfreq(size[1], pixel_size)
    k2 = ky[:, None] ** 2 + kx[None] ** 2
    chi = np.pi * WAVELENGTH_80KV * k2 * (defocus + 0.5 * spherical * WAVELENGTH_80KV**2 * k2)
    transfer = np.sin(chi) * np.exp(-2 * (k2 * limit**2) ** 2)
    wave = np.fft.irfft2(np.fft.rfft2(phase) * transfer, size)
    relative = 1 + 2 * wave[pad:-pad, pad:-pad]
    return np.asarray(rng.poisson(dose * pixel_size**2 * np.maximum(relative, 0)), np.float32)


def _scatter(
    sheet: Material,
    atoms: Atoms,
    shape: tuple[int, int],
    pixel_size: float,
    power: float,
    probe: tuple[float, float, float],
) -> NDArray[np.float32]:
    """Signal of atoms, of weight Z^power, under a probe (core, tail [nm], share of the tail)."""
    pad = int(np.ceil(0.8 / pixel_size))
    weights = np.array([ATOMIC_NUMBER[sheet.first], ATOMIC_NUMBER[sheet.second]]) ** power
    weight = weights[atoms.second.astype(int)] * atoms.occupancy
    points = splat(atoms.positions / pixel_size + pad, weight, (shape[0] + 2 * pad, shape[1] + 2 * pad))
    core = cv2.GaussianBlur(points, (0, 0), probe[0] / pixel_size)
    tail = cv2.GaussianBlur(points, (0, 0), probe[1] / pixel_size)
    return np.asarray(((1 - probe[2]) * core + probe[2] * tail)[pad:-pad, pad:-pad])


def _draw_dirt(shape: tuple[int, int], pixel_size: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Uneven contamination: smooth over 1.5 nm, of mean 0 and deviation 1."""
    noise = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 1.5 / pixel_size)
    return np.asarray(noise / noise.std())


def splat(
    points: NDArray[np.float64], weight: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Add weights at sub-pixel points (row, column) [px], shared by the four nearest pixels."""
    image = np.zeros(shape, np.float64)
    corner = np.floor(points).astype(int)
    part = points - corner
    for dy in (0, 1):
        for dx in (0, 1):
            share = np.abs(1 - dy - part[:, 0]) * np.abs(1 - dx - part[:, 1])
            y, x = corner[:, 0] + dy, corner[:, 1] + dx
            ok = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
            np.add.at(image, (y[ok], x[ok]), (share * weight)[ok])
    return np.asarray(image, np.float32)
