"""Simulated micrographs with known pores: for tests, the demo and training.

A `Scene` says what is drawn; `draw` lays its sheet, images it, records it and finds the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.files.formats import MODALITIES
from porescope.materials import ATOMIC_NUMBER, MATERIALS, Material
from porescope.micrograph import Micrograph
from porescope.simulation.contamination import (
    choose_area,
    draw_film,
    draw_patches,
    draw_rims,
    mean_signal,
    thick_carbon,
)
from porescope.simulation.optics import CARBON_DENSITY, Optics, image_atoms, splat
from porescope.simulation.recording import Recording, record
from porescope.simulation.sheets import (
    Atoms,
    Pore,
    count_neighbours,
    cut_pores,
    dope,
    drop_chalcogens,
    join_grains,
    make_amorphous,
    make_sheet,
    pick,
    relax_edges,
)
from porescope.simulation.truth import find_truth

#: Up to so many missing atoms a pore is not to be seen under thick contamination.
SMALL = 4
#: A dose chosen for clarity gives at most so many counts a pixel.
MOST_COUNTS = 1e6


@dataclass(frozen=True)
class Scene:
    """All that decides a simulated micrograph, but for chance. Lengths in nm."""

    material: str = "WS2"
    shape: tuple[int, int] = (512, 512)
    pixel_size: float = 0.04
    modality: str = "haadf"
    pores: tuple[Pore, ...] = ()
    angle: float | None = None  # of the lattice [rad]; by chance if None
    strain: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # drift, shear: yy, yx, xy, xx
    grain_angle: float | None = None  # of a second grain against the first [rad]
    twist: float | None = None  # of a second layer against the first [rad]
    twist_cover: float = 1.0  # share of the frame under the second layer
    chalcogen_vacancies: float = 0.0  # share of the sites
    dopant: str = ""
    dopants: float = 0.0  # share of the metal's sites (C's, B's)
    alloy: str = ""
    alloyed: float = 0.0  # share of the chalcogen's sites
    adatom: str = "C"
    adatoms: float = 0.0  # a nm²
    rim_atoms: float = 0.0  # share of edge sites with a metal atom beside
    relaxation: float = 0.0  # of edge atoms, standard deviation
    amorphous: float = 0.0  # share of the frame
    contamination: float = 0.0  # carbon's thickness, mean
    patches: float = 0.0  # thickness of patches with an edge
    patch_cover: float = 0.0  # their share of the frame
    grain_size: float = 1.5  # of contamination, standard deviation
    rim: float = 0.0  # thickness of contamination around pores
    optics: Optics = field(default_factory=Optics)
    recording: Recording = field(default_factory=Recording)
    clarity: float | None = None  # instead of a dose: lattice contrast over noise, a cell


class Simulation(NamedTuple):
    """A micrograph and the truth about it."""

    micrograph: Micrograph
    labels: NDArray[np.int32]
    area_nm2: NDArray[np.float64]  # of each label
    missing_atoms: NDArray[np.int64]  # of each label: metal, or C, B and N
    atoms: Atoms
    material: Material


class Specimen(NamedTuple):
    """What is put under the microscope."""

    layers: tuple[Atoms, ...]
    loose: NDArray[np.float64]  # adatoms (row, column) [nm]
    loose_number: NDArray[np.int64]
    carbon: NDArray[np.float32]  # thickness at each pixel [nm]
    disorder: NDArray[np.bool_]  # where the sheet is amorphous


def simulate(
    material: str = "WS2",
    *,
    shape: tuple[int, int] = (512, 512),
    pixel_size: float = 0.04,
    pores: int = 5,
    max_missing: int = 20,
    dose: float = 5e5,
    modality: str = "haadf",
    contamination: float | None = None,
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
    modality : {"haadf", "bf", "abf", "hrtem"}
    contamination : float, optional
        Mean thickness of amorphous carbon [nm]; by default a tenth of what hides the sheet.
    seed : int
    name : str

    Returns
    -------
    Simulation

    Raises
    ------
    ValueError
        If an argument is not in its range.

    Notes
    -----
    `optics.image_atoms` has the physics and its sources, `truth.find_truth` what a pore is.

    Examples
    --------
    >>> simulation = simulate(shape=(128, 160), pores=2, seed=1)
    >>> simulation.labels.max(), simulation.micrograph.image.shape
    (np.int32(2), (128, 160))
    """
    rng = np.random.default_rng(seed)
    scene = make_scene(
        rng,
        material=material,
        shape=shape,
        pixel_size=pixel_size,
        pores=pores,
        max_missing=max_missing,
        dose=dose,
        modality=modality,
        contamination=contamination,
    )
    return draw(scene, rng, name)


def make_scene(
    rng: np.random.Generator,
    *,
    material: str,
    shape: tuple[int, int],
    pixel_size: float,
    pores: int,
    max_missing: int,
    dose: float,
    modality: str,
    contamination: float | None = None,
) -> Scene:
    """Make the scene that `simulate` draws; the arguments are its own."""
    check_scene(material, modality)
    if min(shape) < 1 or pixel_size <= 0 or dose <= 0 or pores < 0 or max_missing < 1:
        raise ValueError("shape, pixel_size, dose and max_missing must be above 0, pores not below")
    if contamination is None:
        contamination = 0.1 * thick_carbon(modality, MATERIALS[material])
    return Scene(
        material=material,
        shape=shape,
        pixel_size=pixel_size,
        modality=modality,
        pores=place_pores(pores, max_missing, np.array(shape) * pixel_size, rng),
        contamination=contamination,
        optics=OPTICS[modality],
        recording=Recording(dose=dose),
    )


def check_scene(material: str, modality: str) -> None:
    """Refuse a material or modality that is not known."""
    if material not in MATERIALS:
        raise ValueError(f"material must be one of {', '.join(MATERIALS)}, not {material!r}")
    if modality not in MODALITIES:
        raise ValueError(f"modality must be one of {', '.join(MODALITIES)}, not {modality!r}")


#: Lenses of an aberration-corrected microscope at 80 kV, focused for the clearest atoms.
OPTICS = {
    "haadf": Optics(),
    "bf": Optics(defocus=-4.0, semiangle_mrad=25.0),
    "abf": Optics(),
    "hrtem": Optics(defocus=6.0, spherical=-20e3, semiangle_mrad=38.0),
}


def place_pores(
    n: int, max_missing: int, extent: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Pore, ...]:
    """Choose round pores of 1 to ``max_missing`` atoms away from the border and from each other."""
    centres: list[NDArray[np.float64]] = []
    distance = 0.7 * np.sqrt(extent.prod() / max(n, 1))
    while len(centres) < n:
        margin = np.minimum(0.8, extent / 4)
        point = rng.uniform(margin, extent - margin)
        if not centres or np.hypot(*(np.array(centres) - point).T).min() > distance:
            centres.append(point)
        distance *= 0.98
    most = np.log(max_missing + 1)
    return tuple(Pore((float(y), float(x)), int(np.exp(rng.uniform(0, most)))) for y, x in centres)


def draw(scene: Scene, rng: np.random.Generator, name: str = "simulated") -> Simulation:
    """Draw the micrograph of a scene, and its truth."""
    material = MATERIALS[scene.material]
    specimen = prepare(scene, rng)
    image = expose(scene, specimen, rng)
    truth = find_truth(material, specimen.layers, scene.shape, scene.pixel_size)
    size = (scene.pixel_size, scene.pixel_size)
    micrograph = Micrograph(image, size, modality=scene.modality, name=name)
    atoms = specimen.layers[0]
    return Simulation(micrograph, truth.labels, truth.area_nm2, truth.missing_atoms, atoms, material)


def prepare(scene: Scene, rng: np.random.Generator) -> Specimen:
    """Make the sheet of a scene, with its pores and defects, and what lies on it."""
    material = MATERIALS[scene.material]
    extent = np.array(scene.shape) * scene.pixel_size
    carbon = np.zeros(scene.shape, np.float32)
    sigma = scene.grain_size / scene.pixel_size
    if scene.contamination > 0:
        carbon += draw_film(scene.shape, scene.contamination, sigma, rng)
    if scene.patches > 0:
        patches = draw_patches(scene.shape, scene.patch_cover, sigma, scene.pixel_size, rng)
        carbon += scene.patches * patches
    disorder = choose_area(scene.shape, scene.amorphous, 1.5 / scene.pixel_size, rng)
    atoms = make_sheet(material, extent, rng, angle=scene.angle)
    if scene.grain_angle is not None:
        other = make_sheet(material, extent, rng, angle=(scene.angle or 0.0) + scene.grain_angle)
        around = rng.uniform(0, 2 * np.pi)
        normal = np.array([np.sin(around), np.cos(around)])
        atoms = join_grains(material, atoms, other, extent * rng.uniform(0.25, 0.75, 2), normal)
    layers = [atoms]
    if scene.twist is not None:
        layers.append(_lay_second(scene, material, extent, rng))
    pores = [p for p in scene.pores if _can_be_seen(p, scene, carbon, disorder)]
    strain = np.eye(2) + np.reshape(scene.strain, (2, 2))
    for i, layer in enumerate(layers):
        layer = drop_chalcogens(material, layer, scene.chalcogen_vacancies, rng)
        if scene.dopant:
            layer = dope(layer, scene.dopant, scene.dopants, False, rng)
        if scene.alloy:
            layer = dope(layer, scene.alloy, scene.alloyed, True, rng)
        layer = cut_pores(material, layer, [p for p in pores if i == 0 or p.through], rng)
        layer = relax_edges(material, layer, scene.relaxation, rng)
        if scene.amorphous > 0:
            layer = make_amorphous(layer, _look_up(disorder, layer.positions, scene.pixel_size), rng)
        layers[i] = layer._replace(positions=(layer.positions - extent / 2) @ strain.T + extent / 2)
    loose, number = _scatter_adatoms(scene, material, layers[0], extent, rng)
    return Specimen(tuple(layers), loose, number, carbon, disorder)


def _lay_second(
    scene: Scene, material: Material, extent: NDArray[np.float64], rng: np.random.Generator
) -> Atoms:
    """Make a twisted layer over a half plane that holds about its share of the frame."""
    layer = make_sheet(material, extent, rng, angle=(scene.angle or 0.0) + (scene.twist or 0.0))
    around = rng.uniform(0, 2 * np.pi)
    along = layer.positions @ np.array([np.sin(around), np.cos(around)])
    kept = along <= np.quantile(along, scene.twist_cover)
    return pick(layer, kept)


def _can_be_seen(pore: Pore, scene: Scene, carbon: NDArray[np.float32], disorder: NDArray[np.bool_]) -> bool:
    """Whether a pore is not hidden by contamination or disorder; large ones cannot be."""
    if pore.missing is None or pore.missing > 3 * SMALL:
        return True
    at = np.array([pore.centre])
    if _look_up(disorder, at, scene.pixel_size)[0]:
        return False
    hidden = carbon > 0.5 * thick_carbon(scene.modality, MATERIALS[scene.material])
    return pore.missing > SMALL or not _look_up(hidden, at, scene.pixel_size)[0]


def _look_up(mask: NDArray[np.bool_], positions: NDArray[np.float64], pixel_size: float) -> NDArray[np.bool_]:
    y, x = np.rint(positions / pixel_size).astype(int).T
    return np.asarray(mask[np.clip(y, 0, mask.shape[0] - 1), np.clip(x, 0, mask.shape[1] - 1)])


def _scatter_adatoms(
    scene: Scene, material: Material, atoms: Atoms, extent: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Put atoms on the sheet, and metal atoms on the edges of its pores."""
    n = rng.poisson(scene.adatoms * extent.prod())
    points = rng.uniform(0, extent, (n, 2))
    number = np.full(n, ATOMIC_NUMBER[scene.adatom])
    if scene.rim_atoms > 0:
        left = count_neighbours(atoms.positions, atoms.occupancy, material.constant)
        edge = (left < 3) & (atoms.occupancy > 0) & (rng.random(len(left)) < scene.rim_atoms)
        beside = atoms.positions[edge] + rng.normal(0, 0.06, (int(edge.sum()), 2))
        points = np.concatenate([points, beside])
        number = np.concatenate([number, np.full(len(beside), ATOMIC_NUMBER[material.first])])
    return points, number


def expose(scene: Scene, specimen: Specimen, rng: np.random.Generator) -> NDArray[np.float32]:
    """Image a specimen, and record it: shape (M, N), counts or grey levels."""
    material = MATERIALS[scene.material]
    presence = _map_presence(scene, specimen)
    carbon = np.asarray(specimen.carbon * presence, np.float32)
    if scene.rim > 0:
        carbon += np.float32(scene.rim) * draw_rims(presence, scene.pixel_size)
    # A wave's lens mixes what is far: the frame is imaged with a margin.
    pad = int(np.ceil(0.6 / scene.pixel_size))
    carbon = np.pad(carbon, pad, mode="symmetric")
    grains = rng.poisson(np.maximum(carbon, 0) * CARBON_DENSITY * scene.pixel_size**2).astype(np.float32)
    held = [np.repeat(layer.positions, layer.occupancy, axis=0) for layer in specimen.layers]
    numbers = [np.repeat(layer.number, layer.occupancy) for layer in specimen.layers]
    points = np.concatenate([*held, specimen.loose]) + pad * scene.pixel_size
    number = np.concatenate([*numbers, specimen.loose_number])
    expected = image_atoms(points, number, grains, scene.pixel_size, scene.modality, scene.optics)
    expected = expected[pad:-pad, pad:-pad]
    background = scene.recording.background * mean_signal(material) if scene.modality == "haadf" else 0.0
    recording = scene.recording
    if scene.clarity is not None:
        recording = replace(recording, dose=_choose_dose(scene, expected, presence, background))
    return record(expected, scene.pixel_size, recording, rng, background=background)


def _choose_dose(
    scene: Scene, expected: NDArray[np.float32], presence: NDArray[np.float32], background: float
) -> float:
    """Dose at which the sheet's contrast is ``clarity`` times the noise of a cell."""
    constant = MATERIALS[scene.material].constant
    sheet = presence > 0.9
    if sheet.mean() < 0.05:
        sheet[:] = True
    smooth = cv2.GaussianBlur(expected, (0, 0), constant / scene.pixel_size)
    contrast = max(float((expected - smooth)[sheet].std()), 1e-9)
    level = max(float(expected[sheet].mean()) + background, 1e-9)
    dose = (scene.clarity or 0.0) ** 2 * level / contrast**2 / constant**2
    # Where nothing has contrast no dose would do.
    return float(min(dose, MOST_COUNTS / level / scene.pixel_size**2))


def _map_presence(scene: Scene, specimen: Specimen) -> NDArray[np.float32]:
    """Where there is a sheet: 1, and 0 where a pore is larger than some atoms."""
    material = MATERIALS[scene.material]
    sigma = 0.45 * material.constant / scene.pixel_size
    pad = int(np.ceil(2 * sigma))
    shape = (scene.shape[0] + 2 * pad, scene.shape[1] + 2 * pad)
    positions = np.concatenate([a.positions[a.occupancy > 0] for a in specimen.layers])
    sites = splat(positions / scene.pixel_size + pad, np.ones(len(positions)), shape)
    whole = 2 / (material.constant**2 * np.sqrt(3) / 2) * scene.pixel_size**2
    density = cv2.GaussianBlur(sites, (0, 0), sigma)[pad:-pad, pad:-pad] / whole
    return np.asarray(np.clip((density - 0.2) / 0.35, 0, 1), np.float32)
