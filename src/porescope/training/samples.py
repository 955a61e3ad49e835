"""Fields that a network learns from: simulated ones, and labelled micrographs, at its scale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.files.names import find_files
from porescope.lattice.finding import find_lattice
from porescope.materials import MATERIALS
from porescope.micrograph import read
from porescope.network.model import describe
from porescope.network.scale import CELL_PX, choose_scale, find_constant
from porescope.network.views import present, rescale
from porescope.simulation.contamination import thick_carbon
from porescope.simulation.drawing import expose
from porescope.simulation.random_scenes import draw_scene, make_generator
from porescope.simulation.specimen import prepare
from porescope.simulation.truth import find_truth
from porescope.standards import find_standards, read_standard

#: Side of a simulated field, and of what is cut from it for a step [px].
FIELD, CROP = 256, 192
#: Truth for training is drawn this fine [nm].
STEP = 0.01
#: A pore's pixels weigh as many times more as it is smaller than this [px], at most `MOST_WEIGHT`.
EVEN_AREA, MOST_WEIGHT = 400.0, 3.0
#: Marks pixels of which it is not known whether they are usable.
UNKNOWN = 255


class Sample(NamedTuple):
    """A field for training, at the network's scale; maps of shape (M, N)."""

    image: NDArray[np.float16]  # (2, M, N), as `views.present` makes it
    cover: NDArray[np.uint8]  # 255 × share of the pixel that is pore
    weight: NDArray[np.uint8]  # 16 × weight of the pixel
    unusable: NDArray[np.uint8]  # 1: contamination or disorder hides the sheet
    about: NDArray[np.float32]  # what the network is told, as `network.describe` says it


def make_sample(purpose: str, seed: int, index: int) -> Sample:
    """Draw a field at random, rescaled as the network sees it."""
    rng = make_generator(purpose, index, seed)
    cell = CELL_PX * float(rng.uniform(0.75, 1.35) if rng.random() < 0.2 else np.exp(rng.normal(0, 0.05)))
    kind = rng.random()
    native = cell
    modality = told = None
    coarse = kind < 0.07
    if coarse:
        native = cell = float(rng.uniform(1.2, 3.5))
        # No lattice, no phase contrast: thickness alone makes an image bright or dark.
        modality = "haadf" if rng.random() < 0.6 else "abf"
        told = "hrtem" if modality == "abf" and rng.random() < 0.5 else modality
    elif kind < 0.35:
        native = float(rng.uniform(4.5, 8))
    elif kind < 0.55:
        native = float(rng.uniform(8, 13))
    side = round(FIELD * native / cell)
    scene = draw_scene(rng, (side, side), native, modality=modality)
    told = told or scene.modality
    specimen = prepare(scene, rng)
    image = present(rescale(expose(scene, specimen, rng), (FIELD, FIELD)), told)
    pixel_size = scene.pixel_size * side / FIELD
    shift = (scene.pixel_size - pixel_size) / 2
    layers = [layer._replace(positions=layer.positions + shift) for layer in specimen.layers]
    step = min(STEP * max(pixel_size / 0.04, 1.0), pixel_size / 3)
    truth = find_truth(MATERIALS[scene.material], layers, (FIELD, FIELD), pixel_size, step=step)
    thick = thick_carbon(scene.modality, MATERIALS[scene.material])
    hidden = (specimen.disorder | (specimen.carbon > thick)).astype(np.float32)
    unusable = (rescale(hidden, (FIELD, FIELD)) > 0.5) & (truth.cover < 0.5)
    return Sample(
        image.astype(np.float16),
        np.rint(truth.cover * 255).astype(np.uint8),
        weigh(truth.labels),
        unusable.astype(np.uint8),
        describe(told, None if coarse else _guess_constant(MATERIALS[scene.material].constant, rng)),
    )


def _guess_constant(constant: float, rng: np.random.Generator) -> float | None:
    """A lattice constant as it is measured [nm]: good, from wrong pixels, or not at all."""
    kind = rng.random()
    if kind < 0.2:
        return None
    return constant * float(rng.uniform(0.75, 1.3) if kind < 0.35 else np.exp(rng.normal(0, 0.03)))


def weigh(labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Weigh pixels so that a small pore, with what is around, counts almost as a large one does."""
    weight = np.ones(labels.shape, np.float32)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    areas = np.bincount(labels.ravel())
    for label in np.argsort(-areas[1:]) + 1:
        if 0 < areas[label] < EVEN_AREA:
            near = cv2.dilate((labels == label).astype(np.uint8), disc) > 0
            weight[near] = min(EVEN_AREA / areas[label], MOST_WEIGHT)
    return np.rint(16 * weight).astype(np.uint8)


def make_samples(purpose: str, seed: int, indices: Sequence[int]) -> list[Sample]:
    """Draw many fields; what a worker does."""
    cv2.setNumThreads(1)
    return [make_sample(purpose, seed, i) for i in indices]


def read_samples(folder: Path, *, modality: str = "auto") -> list[Sample]:
    """Read labelled micrographs from a folder, each with its standard beside it.

    Parameters
    ----------
    folder : Path
        ``A.dm3`` with ``A_standard.png``, and so on.
    modality : str
        As for `read`.

    Returns
    -------
    list of Sample
        Whether a pixel is usable is not known in them.

    Raises
    ------
    ValueError
        If no image in the folder has a standard.
    """
    samples = []
    for image, standard in find_standards(find_files([folder]), folder).items():
        micrograph = read(image, modality=modality)
        labels = read_standard(standard, micrograph.image.shape)
        lattice = find_lattice(micrograph)
        factor = choose_scale(micrograph, lattice, None)[0]
        shape = (round(labels.shape[0] * factor), round(labels.shape[1] * factor))
        scaled = present(rescale(micrograph.image, shape), micrograph.modality)
        cover = rescale((labels > 0).astype(np.float32), shape).clip(0, 1)
        numbers = cv2.resize(labels.astype(np.float32), shape[::-1], interpolation=cv2.INTER_NEAREST)
        weight = weigh(numbers.astype(np.int32))
        pads = [(0, max(0, CROP - n)) for n in shape]
        samples.append(
            Sample(
                np.pad(scaled, [(0, 0), *pads], mode="reflect").astype(np.float16),
                np.pad(np.rint(cover * 255).astype(np.uint8), pads),
                np.pad(weight, pads),  # what was added weighs nothing
                np.full([max(n, CROP) for n in shape], UNKNOWN, np.uint8),
                describe(micrograph.modality, find_constant(lattice, None)),
            )
        )
    if not samples:
        raise ValueError(f"{folder} holds no image with a standard beside it, like A.dm3 and A_standard.png")
    return samples
