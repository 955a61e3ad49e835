"""Simulated micrographs with known pores, for tests, the demo and training.

`simulate` draws a `Scene`: it makes the specimen, images it, records the image and finds the true pores.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.materials import MATERIALS, Material
from porescope.micrograph import Micrograph
from porescope.simulation.contamination import draw_rims, mean_signal
from porescope.simulation.optics import CARBON_DENSITY, image_atoms, splat
from porescope.simulation.recording import record
from porescope.simulation.scene import Scene
from porescope.simulation.sheets import Atoms
from porescope.simulation.specimen import Specimen, prepare
from porescope.simulation.truth import find_truth
from porescope.simulation.visibility import fill_pores, measure_snr

#: Most electrons per pixel at a dose that `Scene.clarity` sets.
_MOST_COUNTS = 1e6


class Simulation(NamedTuple):
    """A simulated micrograph and its true pores."""

    micrograph: Micrograph
    labels: NDArray[np.int32]  # (M, N), label image of the pores
    area_nm2: NDArray[np.float64]  # (n,), area of each pore
    missing_atoms: NDArray[Any]  # (n,), missing metal atoms of each pore, or C, B and N; NaN: not known
    atoms: Atoms  # of the first layer; none where no atoms are drawn
    material: Material
    snr: NDArray[np.float64] | None = None  # (n,), ideal signal-to-noise ratio, as `measure_snr` gives it


class _Exposure(NamedTuple):
    """An image before it is recorded."""

    expected: NDArray[np.float32]  # (M, N), fraction of the electrons that each pixel counts
    grains: NDArray[np.float32]  # (M + 2P, N + 2P), carbon atoms in each pixel, with a margin
    dose: float  # electrons per nm²
    background: float  # fraction of the electrons counted without a specimen


def simulate(
    scene: Scene = Scene(),  # noqa: B008 (frozen)
    *,
    seed: int = 0,
    name: str = "simulated",
) -> Simulation:
    """Simulate a micrograph of a sheet with pores.

    Parameters
    ----------
    scene : Scene
        Material, modality, pores, lens, dose and all other parameters.
    seed : int
        Random seed.
    name : str
        Name of the micrograph.

    Returns
    -------
    Simulation

    Notes
    -----
    `optics.image_atoms` describes the physics and its sources, `truth.find_truth` the definition of a pore.

    Examples
    --------
    >>> simulation = simulate(Scene(shape=(128, 160), pores=2), seed=1)
    >>> simulation.labels.max(), simulation.micrograph.image.shape
    (np.int32(2), (128, 160))
    """
    return draw(scene, np.random.default_rng(seed), name)


def draw(
    scene: Scene, rng: np.random.Generator, name: str = "simulated", *, rated: bool = False
) -> Simulation:
    """Simulate a micrograph with a given random generator.

    Parameters
    ----------
    scene : Scene
    rng : Generator
    name : str
        Name of the micrograph.
    rated : bool
        Whether to measure each pore's ideal signal-to-noise ratio, ``Simulation.snr``. The image is the same.

    Returns
    -------
    Simulation
    """
    material = MATERIALS[scene.material]
    specimen = prepare(scene, rng)
    exposure = _form(scene, specimen, rng)
    image = _record(scene, exposure, rng)
    truth = find_truth(material, specimen.layers, scene.shape, scene.pixel_size)
    size = (scene.pixel_size, scene.pixel_size)
    micrograph = Micrograph(image, size, modality=scene.modality, name=name)
    snr = _rate(scene, specimen, exposure, truth.labels) if rated else None
    atoms = specimen.layers[0]
    return Simulation(micrograph, truth.labels, truth.area_nm2, truth.missing_atoms, atoms, material, snr)


def _rate(
    scene: Scene, specimen: Specimen, exposure: _Exposure, labels: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Ideal signal-to-noise ratio of each pore, before scan errors and digitisation."""
    whole = fill_pores(MATERIALS[scene.material], specimen, labels, scene.pixel_size)
    electrons = exposure.dose * scene.pixel_size**2
    expected, filled = (
        electrons * (image + np.float32(exposure.background))
        for image in (exposure.expected, _image(scene, whole, exposure.grains))
    )
    return measure_snr(expected, filled, labels, scene.recording.readout)


def expose(scene: Scene, specimen: Specimen, rng: np.random.Generator) -> NDArray[np.float32]:
    """Image a specimen and record the image.

    Parameters
    ----------
    scene : Scene
        Its lens, dose, recording and rims are used.
    specimen : Specimen
    rng : Generator

    Returns
    -------
    ndarray of float32, shape (M, N)
        Counts, or grey levels 0–255.
    """
    return _record(scene, _form(scene, specimen, rng), rng)


def _record(scene: Scene, exposure: _Exposure, rng: np.random.Generator) -> NDArray[np.float32]:
    return record(
        exposure.expected,
        scene.pixel_size,
        scene.recording,
        rng,
        dose=exposure.dose,
        background=exposure.background,
    )


def _form(scene: Scene, specimen: Specimen, rng: np.random.Generator) -> _Exposure:
    """Image a specimen, contamination included, and choose the dose."""
    presence = _map_presence(scene, specimen)
    carbon = np.asarray(specimen.carbon * presence, np.float32)
    if scene.rim > 0:
        carbon += np.float32(scene.rim) * draw_rims(presence, scene.pixel_size)
    carbon = np.pad(carbon, _measure_margin(scene), mode="symmetric")
    grains = rng.poisson(np.maximum(carbon, 0) * CARBON_DENSITY * scene.pixel_size**2).astype(np.float32)
    expected = _image(scene, specimen, grains)
    material = MATERIALS[scene.material]
    background = scene.recording.background * mean_signal(material) if scene.modality == "haadf" else 0.0
    dose = scene.dose if scene.clarity is None else _choose_dose(scene, expected, presence, background)
    return _Exposure(expected, grains, dose, background)


def _measure_margin(scene: Scene) -> int:
    """Margin [px] that takes up the wrap-around of coherent imaging."""
    return int(np.ceil(0.6 / scene.pixel_size))


def _image(scene: Scene, specimen: Specimen, grains: NDArray[np.float32]) -> NDArray[np.float32]:
    """Image a specimen and carbon atoms without noise."""
    pad = _measure_margin(scene)
    held = [np.repeat(layer.positions, layer.occupancy, axis=0) for layer in specimen.layers]
    numbers = [np.repeat(layer.number, layer.occupancy) for layer in specimen.layers]
    points = np.concatenate([*held, specimen.loose]) + pad * scene.pixel_size
    number = np.concatenate([*numbers, specimen.loose_number])
    expected = image_atoms(points, number, grains, scene.pixel_size, scene.modality, scene.lens)
    return expected[pad:-pad, pad:-pad]


def _choose_dose(
    scene: Scene, expected: NDArray[np.float32], presence: NDArray[np.float32], background: float
) -> float:
    """Choose the dose at which the lattice's contrast is ``clarity`` times the noise per unit cell."""
    constant = MATERIALS[scene.material].constant
    sheet = presence > 0.9
    if sheet.mean() < 0.05:
        sheet[:] = True
    smooth = cv2.GaussianBlur(expected, (0, 0), constant / scene.pixel_size)
    contrast = max(float((expected - smooth)[sheet].std()), 1e-9)
    level = max(float(expected[sheet].mean()) + background, 1e-9)
    dose = (scene.clarity or 0.0) ** 2 * level / contrast**2 / constant**2
    # Without contrast the dose would be infinite.
    return float(min(dose, _MOST_COUNTS / level / scene.pixel_size**2))


def _map_presence(scene: Scene, specimen: Specimen) -> NDArray[np.float32]:
    """Map where there is a sheet: 1, and 0 inside pores of more than a few atoms."""
    material = MATERIALS[scene.material]
    sigma = 0.45 * material.constant / scene.pixel_size
    pad = int(np.ceil(2 * sigma))
    shape = (scene.shape[0] + 2 * pad, scene.shape[1] + 2 * pad)
    positions = np.concatenate([a.positions[a.occupancy > 0] for a in specimen.layers])
    sites = splat(positions / scene.pixel_size + pad, np.ones(len(positions)), shape)
    whole = 2 / (material.constant**2 * np.sqrt(3) / 2) * scene.pixel_size**2
    density = cv2.GaussianBlur(sites, (0, 0), sigma)[pad:-pad, pad:-pad] / whole
    return np.asarray(np.clip((density - 0.2) / 0.35, 0, 1), np.float32)
