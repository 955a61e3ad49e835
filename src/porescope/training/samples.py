"""Training samples, simulated or from labelled micrographs, at the network's scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.files import find_files
from porescope.lattice import find_lattice, map_vacancies
from porescope.materials import MATERIALS
from porescope.micrograph import Micrograph
from porescope.network import CELL_PX, choose_scale, describe_image, present, rescale
from porescope.reading import read
from porescope.simulation import (
    Pore,
    Scene,
    draw_scene,
    expose,
    find_truth,
    make_generator,
    prepare,
    thick_carbon,
)
from porescope.standards import find_standards, read_standard

#: Side of a simulated sample, and of the crop that one training step takes from it [px].
SIDE, CROP = 256, 192
#: Grid step [nm] on which the truth is drawn, for samples of 0.04 nm/px or finer.
_TRUTH_STEP = 0.01
#: Share of the scenes with pores that have none but small ones, and most missing atoms of these.
_ONLY_SMALL, _MOST_MISSING = 0.25, 4
#: Share of the scenes that are HRTEM beyond those drawn so, and share of these that are of a light sheet: its
#: small pores are the hardest.
_HRTEM, _LIGHT = 0.3, 0.35
#: Share of the scenes that are stretched and sheared, and the largest part of it: distortions of up to 20 %.
_DISTORTED, _STRAIN = 0.2, 0.1
#: Value of `Sample.unusable` where it is not known whether the sheet is hidden.
UNKNOWN = 255
#: Pixel weights: a pore smaller than _EVEN_AREA [px] weighs _EVEN_AREA / area, at most _MAX_WEIGHT.
_EVEN_AREA, _MAX_WEIGHT = 400.0, 3.0
#: Diameter of the disc by which a pore's weight extends into its surroundings [px].
_WEIGHT_DISC = 9


class Sample(NamedTuple):
    """An image with its truth for training, at the network's scale; all maps have shape (M, N).

    Attributes
    ----------
    image : ndarray of float16, shape (3, M, N)
        The network's input, as `views.present` makes it.
    cover : ndarray of uint8
        Share of each pixel that is pore, × 255.
    weight : ndarray of uint8
        Weight of each pixel in the loss, × 16.
    unusable : ndarray of uint8
        1 where contamination or disorder hides the sheet, else 0; `UNKNOWN` without truth.
    about : ndarray of float32, shape (modes,)
        Modality and lattice constant as the network is told them, from `model.describe`.
    """

    image: NDArray[np.float16]
    cover: NDArray[np.uint8]
    weight: NDArray[np.uint8]
    unusable: NDArray[np.uint8]
    about: NDArray[np.float32]


def _make_sample(purpose: str, seed: int, index: int) -> Sample:
    """Simulate a random micrograph and rescale it to the network's scale.

    Parameters
    ----------
    purpose : {"training", "validation"}
        Selects the random stream, as in `random_scenes.make_generator`.
    seed, index : int
        Seed of the stream, and number of the sample in it.

    Returns
    -------
    Sample
        Of `SIDE` × `SIDE` px.
    """
    rng = make_generator(purpose, index, seed)
    # Lattice constants [px]: in the sample, a little off CELL_PX as measured ones are, and as recorded.
    cell = CELL_PX * float(rng.uniform(0.75, 1.35) if rng.random() < 0.2 else np.exp(rng.normal(0, 0.05)))
    recorded = cell
    kind = rng.random()
    modality = told = None
    unresolved = kind < 0.07
    if unresolved:
        recorded = cell = float(rng.uniform(1.2, 3.5))
        # Without lattice or phase contrast, thickness alone decides between bright and dark.
        modality = "haadf" if rng.random() < 0.6 else "abf"
        told = "hrtem" if modality == "abf" and rng.random() < 0.5 else modality
    elif kind < 0.35:
        recorded = float(rng.uniform(4.5, 8))
    elif kind < 0.55:
        recorded = float(rng.uniform(8, 13))
    side = round(SIDE * recorded / cell)
    special = purpose == "training" and not unresolved
    material = None
    if special and rng.random() < _HRTEM:
        modality = "hrtem"
        material = str(rng.choice(["graphene", "hBN"])) if rng.random() < _LIGHT else None
    scene = draw_scene(rng, (side, side), recorded, material=material, modality=modality)
    return render_sample(vary(scene, rng) if special else scene, rng, told=told, resolved=not unresolved)


def vary(scene: Scene, rng: np.random.Generator) -> Scene:
    """Change some of the training scenes: nothing but small pores, a distorted scan.

    Parameters
    ----------
    scene : Scene
    rng : Generator

    Returns
    -------
    Scene
        One without pores gets none.
    """
    if scene.pores and rng.random() < _ONLY_SMALL:
        scene = replace(scene, pores=_draw_small(rng, np.array(scene.shape) * scene.pixel_size))
    if rng.random() < _DISTORTED:
        scene = replace(scene, strain=tuple(rng.uniform(-_STRAIN, _STRAIN, 4).tolist()))
    return scene


def _draw_small(rng: np.random.Generator, extent: NDArray[np.float64]) -> tuple[Pore, ...]:
    """Draw pores of one to a few missing atoms."""
    count = 1 + rng.poisson(min(0.03 * extent.prod(), 8.0))
    places = rng.uniform(0, extent, (count, 2)).tolist()
    return tuple(
        Pore((y, x), missing=int(rng.integers(_MOST_MISSING)) + 1, through=bool(rng.random() < 0.6))
        for y, x in places
    )


def render_sample(
    scene: Scene, rng: np.random.Generator, *, told: str | None = None, resolved: bool = True
) -> Sample:
    """Simulate the micrograph of a square scene and rescale it, with its truth, to `SIDE` px.

    Parameters
    ----------
    scene : Scene
    rng : Generator
    told : str, optional
        Modality that the network is told; the scene's if not given.
    resolved : bool
        Whether the lattice is resolved, so that the network may be told a lattice constant.

    Returns
    -------
    Sample
        Of `SIDE` × `SIDE` px.
    """
    sheet, shape = MATERIALS[scene.material], (SIDE, SIDE)
    told = told or scene.modality
    specimen = prepare(scene, rng)
    exposed = expose(scene, specimen, rng)
    z = _map_vacancies(exposed, scene.pixel_size, told) if resolved else None
    image = present(rescale(exposed, shape), told, z=None if z is None else rescale(z, shape))
    pixel_size = scene.pixel_size * scene.shape[0] / SIDE
    # Positions count from the centre of the first pixel, which moves when the pixel size changes.
    shift = (scene.pixel_size - pixel_size) / 2
    layers = [layer._replace(positions=layer.positions + shift) for layer in specimen.layers]
    step = min(_TRUTH_STEP * max(pixel_size / 0.04, 1.0), pixel_size / 3)
    truth = find_truth(sheet, layers, shape, pixel_size, step=step)
    hidden = specimen.disorder | (specimen.carbon > thick_carbon(scene.modality, sheet))
    unusable = (rescale(hidden.astype(np.float32), shape) > 0.5) & (truth.cover < 0.5)
    return Sample(
        image.astype(np.float16),
        np.rint(truth.cover * 255).astype(np.uint8),
        weigh(truth.labels),
        unusable.astype(np.uint8),
        describe_image(told, _mismeasure(sheet.constant, rng) if resolved else None),
    )


def _map_vacancies(
    image: NDArray[np.float32], pixel_size: float, modality: str
) -> NDArray[np.float32] | None:
    """The vacancy map of a simulated image, if its lattice is found."""
    micrograph = Micrograph(image, (pixel_size, pixel_size), modality)
    lattice = find_lattice(micrograph)
    return None if lattice is None else np.asarray(map_vacancies(micrograph, lattice).z, np.float32)


def _mismeasure(constant: float, rng: np.random.Generator) -> float | None:
    """Lattice constant [nm] as measured: mostly 3 % off, or by a wrong pixel size, or None (unknown)."""
    kind = rng.random()
    if kind < 0.2:
        return None
    return constant * float(rng.uniform(0.75, 1.3) if kind < 0.35 else np.exp(rng.normal(0, 0.03)))


def weigh(labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Weigh the pixels of small pores and their surroundings higher in the loss.

    Parameters
    ----------
    labels : ndarray of int32, shape (M, N)
        Label image of the true pores.

    Returns
    -------
    ndarray of uint8, shape (M, N)
        16 × weight: 16 far from small pores, at most 48.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.zeros((1, 30), np.int32)
    >>> labels[0, 10:20] = 1
    >>> weigh(labels)[0, [0, 7, 10]].tolist()
    [16, 48, 48]
    """
    weight = np.ones(labels.shape, np.float32)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_WEIGHT_DISC, _WEIGHT_DISC))
    areas = np.bincount(labels.ravel())
    for label in np.argsort(-areas[1:]) + 1:  # largest first, so that the smallest prevail
        if 0 < areas[label] < _EVEN_AREA:
            near = cv2.dilate((labels == label).astype(np.uint8), disc) > 0
            weight[near] = min(_EVEN_AREA / areas[label], _MAX_WEIGHT)
    return np.rint(16 * weight).astype(np.uint8)


def make_samples(purpose: str, seed: int, indices: Sequence[int]) -> list[Sample]:
    """Simulate several samples for a network; the task of a worker process.

    Parameters
    ----------
    purpose : {"training", "validation"}
    seed : int
    indices : sequence of int
        Numbers of the samples.

    Returns
    -------
    list of Sample
    """
    cv2.setNumThreads(1)
    return [_make_sample(purpose, seed, i) for i in indices]


def read_samples(folder: Path, *, modality: str = "auto") -> list[Sample]:
    """Read labelled micrographs and their standards from a folder.

    Parameters
    ----------
    folder : Path
        Holds each image with its standard: ``A.dm3`` with ``A_standard.png``.
    modality : str
        Of the images, as for `read`.

    Returns
    -------
    list of Sample
        One for each image, of at least `CROP` px a side; ``unusable`` is `UNKNOWN` throughout.

    Raises
    ------
    ValueError
        If no image in the folder has a standard, or a file cannot be read.
    """
    samples = []
    for image, standard in find_standards(find_files([folder]), folder).items():
        micrograph = read(image, modality=modality)
        labels = read_standard(standard, micrograph.image.shape)
        lattice = find_lattice(micrograph)
        scale = choose_scale(micrograph, lattice, None)
        shape = (round(labels.shape[0] * scale.factor), round(labels.shape[1] * scale.factor))
        z = None if lattice is None else map_vacancies(micrograph, lattice).z
        z = None if z is None else rescale(np.asarray(z, np.float32), shape)
        scaled = present(rescale(micrograph.image, shape), micrograph.modality, z=z)
        cover = rescale((labels > 0).astype(np.float32), shape).clip(0, 1)
        numbers = cv2.resize(labels.astype(np.float32), shape[::-1], interpolation=cv2.INTER_NEAREST)
        weight = weigh(numbers.astype(np.int32))
        pads = [(0, max(0, CROP - n)) for n in shape]
        samples.append(
            Sample(
                np.pad(scaled, [(0, 0), *pads], mode="reflect").astype(np.float16),
                np.pad(np.rint(cover * 255).astype(np.uint8), pads),
                np.pad(weight, pads),  # padding has weight 0
                np.full([max(n, CROP) for n in shape], UNKNOWN, np.uint8),
                describe_image(micrograph.modality, scale.constant_nm),
            )
        )
    if not samples:
        raise ValueError(f"{folder} holds no image with a standard beside it, like A.dm3 and A_standard.png")
    return samples
