"""Simulated series of micrographs: movies of growing pores, tile sheets with stage positions."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from porescope.materials import MATERIALS
from porescope.micrograph import Micrograph
from porescope.simulation.drawing import Simulation, expose
from porescope.simulation.random_scenes import make_generator
from porescope.simulation.scene import Scene, place_pores
from porescope.simulation.sheets import MARGIN, pick
from porescope.simulation.specimen import Specimen, prepare
from porescope.simulation.truth import find_truth


class Tile(NamedTuple):
    """One micrograph of a tile sheet with its recorded and its true stage position."""

    simulation: Simulation
    stage_nm: tuple[float, float]  # (row, column) of the first pixel, as recorded
    true_nm: tuple[float, float]  # the true position


def draw_tiles(
    scene: Scene,
    tiles: tuple[int, int],
    rng: np.random.Generator,
    *,
    overlap: float = 0.1,
    error: float = 0.2,
    name: str = "tile",
) -> list[Tile]:
    """Draw overlapping micrographs of one sheet.

    Parameters
    ----------
    scene : Scene
        Shape of one micrograph, pores of the whole sheet.
    tiles : tuple of int
        Rows and columns of micrographs.
    rng : Generator
    overlap : float
        Overlap of neighbours, as a fraction of their sides.
    error : float
        Standard deviation of the error of the stage position, in each direction [nm].
    name : str
        Start of the micrographs' names: ``NAME_ROW_COLUMN``.

    Returns
    -------
    list of Tile
        Row by row.
    """
    rows, columns = (n * k for n, k in zip(scene.shape, tiles, strict=True))
    scene = replace(scene, pores=place_pores(replace(scene, shape=(rows, columns)), rng))
    extent = np.array(scene.shape) * scene.pixel_size
    height, width = (
        int(np.ceil(n * (1 + (k - 1) * (1 - overlap)) + 8 * error / scene.pixel_size))
        for n, k in zip(scene.shape, tiles, strict=True)
    )
    specimen = prepare(replace(scene, shape=(height, width)), rng)
    drawn = []
    for row, column in np.ndindex(*tiles):
        stage = np.array([row, column]) * extent * (1 - overlap) + 4 * error
        true = np.clip(
            stage + rng.normal(0, error, 2), 0, np.array([height, width]) * scene.pixel_size - extent
        )
        simulation = _view(scene, specimen, true, rng, f"{name}_{row}_{column}")
        drawn.append(Tile(simulation, (float(stage[0]), float(stage[1])), (float(true[0]), float(true[1]))))
    return drawn


def draw_movie(
    scene: Scene,
    frames: int,
    seed: int,
    *,
    drift: ArrayLike = (0.03, 0.02),
    growth: float = 1.0,
    missing: ArrayLike | None = None,
    name: str = "movie",
) -> list[Simulation]:
    """Draw the frames of a movie: the pores of one sheet grow while the sheet drifts.

    Parameters
    ----------
    scene : Scene
        The first frame, in which the places of its pores count.
    frames : int
        Number of frames.
    seed : int
        Random seed.
    drift : array_like, shape (2,) or (frames, 2)
        Drift per frame (row, column), or where the first pixel of each frame lies in the sheet [nm].
    growth : float
        Atoms that each pore loses per frame.
    missing : array_like of int, shape (frames, n), optional
        In place of ``growth``: how many atoms each pore lacks in each frame; 0 where it is not there yet.
        The scene lists the pores.
    name : str
        Start of the micrographs' names: ``NAME_FRAME``, with four digits.

    Returns
    -------
    list of Simulation
        The outlines of pores are not ragged, so that atoms which are lost stay lost.
    """
    placed = place_pores(scene, np.random.default_rng(seed))
    path = np.array(drift, float)
    path = path * np.arange(frames)[:, None] if path.ndim == 1 else path - path[0]
    low = path.min(axis=0)  # the sheet begins there in the first frame
    path -= low
    placed = tuple(
        replace(p, centre=(float(p.centre[0] - low[0]), float(p.centre[1] - low[1]))) for p in placed
    )
    height, width = (
        int(np.ceil(n + p / scene.pixel_size)) + 1 for n, p in zip(scene.shape, path.max(axis=0), strict=True)
    )
    if missing is None:
        steps = (growth * np.arange(frames)).astype(int)[:, None]
        missing = np.array([pore.missing or 0 for pore in placed]) + steps
    numbers = np.asarray(missing)
    drawn = []
    for k in range(frames):
        pores = tuple(
            replace(pore, missing=int(n) if pore.missing else None, ragged=0.0)
            for pore, n in zip(placed, numbers[k], strict=True)
            if n > 0 or not pore.missing
        )
        # Every frame's sheet is drawn from the same random numbers, so that lost atoms stay lost.
        sheet = make_generator("movie", 0, seed)
        specimen = prepare(replace(scene, shape=(height, width), pores=pores), sheet)
        drawn.append(_view(scene, specimen, path[k], make_generator("movie", 1 + k, seed), f"{name}_{k:04d}"))
    return drawn


def _view(
    scene: Scene, specimen: Specimen, origin: NDArray[np.float64], rng: np.random.Generator, name: str
) -> Simulation:
    """Image a part of a specimen; its first pixel is at ``origin`` [nm]."""
    size, extent = scene.pixel_size, np.array(scene.shape) * scene.pixel_size
    top, left = np.floor(origin / size + 1e-9).astype(int)
    here = (slice(top, top + scene.shape[0]), slice(left, left + scene.shape[1]))

    def inside(positions: NDArray[np.float64]) -> NDArray[np.bool_]:
        return np.asarray(((positions > -MARGIN) & (positions < extent + MARGIN)).all(axis=1))

    layers = []
    for layer in specimen.layers:
        moved = layer._replace(positions=layer.positions - origin)
        kept = inside(moved.positions)
        layers.append(pick(moved, kept))
    loose = specimen.loose - origin
    kept = inside(loose)
    part = Specimen(
        tuple(layers),
        loose[kept],
        specimen.loose_number[kept],
        specimen.carbon[here],
        specimen.disorder[here],
    )
    material = MATERIALS[scene.material]
    image = expose(scene, part, rng)
    truth = find_truth(material, part.layers, scene.shape, size)
    micrograph = Micrograph(image, (size, size), modality=scene.modality, name=name)
    return Simulation(micrograph, truth.labels, truth.area_nm2, truth.missing_atoms, part.layers[0], material)
