"""Simulated micrographs with known pores: for tests, the demo and training.

A `Scene` says what is drawn; `draw` lays its sheet, images it, records it and finds the truth.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.materials import MATERIALS, Material
from porescope.micrograph import Micrograph
from porescope.simulation.contamination import (
    draw_rims,
    mean_signal,
)
from porescope.simulation.optics import CARBON_DENSITY, image_atoms, splat
from porescope.simulation.recording import record
from porescope.simulation.scene import Scene, make_scene
from porescope.simulation.sheets import (
    Atoms,
)
from porescope.simulation.specimen import Specimen, prepare
from porescope.simulation.truth import find_truth

#: A dose chosen for clarity gives at most so many counts a pixel.
MOST_COUNTS = 1e6


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
