"""Random scenes, as varied as real micrographs, for training and benchmarks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.materials import MATERIALS, Material, find_material
from porescope.modalities import has_bright_holes
from porescope.simulation.contamination import mean_signal, thick_carbon
from porescope.simulation.membranes import FORMS, WAVELENGTH, Membrane
from porescope.simulation.optics import Optics
from porescope.simulation.recording import Recording
from porescope.simulation.scene import Scene
from porescope.simulation.sheets import Pore

#: Keys of the purposes of random generators; "interactive" is ``porescope simulate --wild``.
PURPOSES = {"training": 1, "validation": 2, "benchmark": 3, "interactive": 4, "movie": 5}

#: Least width of a frame that shows a support film, whose holes are of a micrometre [nm].
_HOLE_NM = 800.0


def make_generator(purpose: str, index: int, seed: int = 0) -> np.random.Generator:
    """Make the random generator of one image.

    Parameters
    ----------
    purpose : str
        A key of `PURPOSES`.
    index : int
        Number of the image.
    seed : int
        Random seed.

    Returns
    -------
    Generator
        Independent of the generators of all other purposes, indices and seeds, and of
        ``numpy.random.default_rng(seed)``, which `simulate` uses.

    Examples
    --------
    >>> a, b = (make_generator(purpose, 0).random() for purpose in ("training", "benchmark"))
    >>> a == b
    False
    """
    # Without a spawn key, [1, 0, 0] would give the stream of the seed 1: trailing zeros do not count.
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PURPOSES[purpose], index)))


def draw_scene(
    rng: np.random.Generator,
    shape: tuple[int, int],
    cell_px: float,
    *,
    material: str | None = None,
    modality: str | None = None,
) -> Scene:
    """Draw a random scene.

    Parameters
    ----------
    rng : Generator
    shape : tuple of int
        Rows and columns.
    cell_px : float
        Lattice constant [px].
    material, modality : str, optional
        Random by default.

    Returns
    -------
    Scene

    Raises
    ------
    ValueError
        If the material or modality is unknown.
    """
    material = material or str(rng.choice(list(MATERIALS)))
    modality = modality or str(rng.choice(["haadf", "bf", "abf", "hrtem"], p=[0.42, 0.18, 0.08, 0.32]))
    sheet = find_material(material)
    pixel_size = sheet.constant / cell_px
    extent = np.array(shape) * pixel_size
    scene = Scene(
        material=material,
        shape=shape,
        pixel_size=pixel_size,
        modality=modality,
        pores=draw_pores(rng, extent) if rng.random() < 0.7 else (),
        angle=float(rng.uniform(0, np.pi / 3)),
        optics=_draw_optics(rng, modality),
        recording=draw_recording(rng, modality),
        clarity=_log(rng, 4, 80) if rng.random() < 0.85 else _log(rng, 1.3, 4),
        **_draw_defects(rng, sheet),
        **_draw_contamination(rng, modality, sheet),
    )
    if scene.amorphous == 1:
        scene = replace(scene, pores=())
    if cell_px >= 3.5:
        return scene
    return _without_lattice(rng, scene)


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _sometimes(rng: np.random.Generator, chance: float, low: float, high: float) -> float:
    """Draw, with a probability, a number whose logarithm is uniform; else 0."""
    return _log(rng, low, high) if rng.random() < chance else 0.0


def draw_pores(rng: np.random.Generator, extent: NDArray[np.float64]) -> tuple[Pore, ...]:
    """Draw pores from a single vacancy up to larger than the frame.

    Parameters
    ----------
    rng : Generator
    extent : ndarray, shape (2,)
        Height and width of the frame [nm].

    Returns
    -------
    tuple of Pore
    """
    pores: list[Pore] = []
    for _ in range(1 + rng.poisson(min(0.03 * extent.prod(), 12.0))):
        centre = rng.uniform(0, extent)
        missing: int | None = None
        radius = 0.0
        kind = rng.random()
        if kind < 0.55:
            missing = int(rng.choice([1, 2, 3, 4], p=[0.35, 0.25, 0.2, 0.2]))
        elif kind < 0.92:
            missing = int(_log(rng, 5, 80))
        elif kind < 0.975 or len(pores) > 1:
            radius = _log(rng, 1.0, 3.0)
        else:
            radius = _log(rng, 2.5, 0.8 * float(max(extent)) + 2.5)
            centre = rng.uniform(-0.4 * extent, 1.4 * extent)
        smooth = rng.random() < 0.5
        pores.append(
            Pore(
                centre=(float(centre[0]), float(centre[1])),
                missing=missing,
                radius=radius,
                aspect=1.0 if rng.random() < 0.5 else float(rng.uniform(1, 3)),
                angle=float(rng.uniform(0, 2 * np.pi)),
                ripple=() if smooth else tuple(rng.normal(0, 0.15, 4).clip(-0.2, 0.2).tolist()),
                corners=bool(rng.random() < 0.15),
                ragged=float(rng.uniform(0, 0.5)),
                through=bool(rng.random() < 0.6),
            )
        )
    return tuple(pores)


def _draw_optics(rng: np.random.Generator, modality: str) -> Optics:
    """Draw a lens, from well focused to poorly focused."""
    astigmatism, angle = abs(float(rng.normal(0, 1.2))), float(rng.uniform(0, np.pi))
    source = _log(rng, 0.02, 0.07)
    if modality == "hrtem":
        defocus = float(rng.choice([-1, 1]) * rng.uniform(2, 12))
        return Optics(
            semiangle_mrad=float(rng.uniform(30, 46)),
            defocus=defocus,
            astigmatism=astigmatism,
            astigmatism_angle=angle,
            spherical=float(rng.uniform(-30e3, 10e3)),
        )
    focus = float(rng.normal(0, 2.5))
    if modality == "bf":
        focus = -float(rng.uniform(2, 8)) * (1 if rng.random() < 0.9 else -1)
    return Optics(
        semiangle_mrad=float(rng.uniform(20, 33)),
        defocus=focus,
        astigmatism=astigmatism,
        astigmatism_angle=angle,
        spherical=float(rng.normal(0, 1000)),
        source=source,
        tail=float(rng.uniform(0, 0.45)),
        tail_width=float(rng.uniform(0.15, 0.6)),
    )


def draw_recording(rng: np.random.Generator, modality: str) -> Recording:
    """Draw the recording of an image.

    Parameters
    ----------
    rng : Generator
    modality : {"haadf", "bf", "abf", "hrtem"}

    Returns
    -------
    Recording
    """
    scanned = modality != "hrtem"
    dark, bright = 0.0, 0.0
    if rng.random() < 0.3:
        dark, bright = float(rng.uniform(0, 0.03)), float(rng.uniform(0, 0.06))
        if rng.random() < 0.3:
            dark = float(rng.uniform(0, 0.35))
    bits = 8 if rng.random() < 0.45 else 16
    return Recording(
        background=float(rng.uniform(0, 1)),
        jitter=float(rng.uniform(0, 0.7)) if scanned and rng.random() < 0.5 else 0.0,
        flicker=float(rng.uniform(0, 0.04)) if scanned and rng.random() < 0.3 else 0.0,
        blur=float(rng.uniform(0.2, 1.0)) if not scanned or rng.random() < 0.2 else 0.0,
        clip=(dark, bright),
        bits=bits,
        gamma=float(rng.uniform(0.6, 1.6)) if bits == 8 and rng.random() < 0.3 else 1.0,
        gradient=abs(float(rng.normal(0, 0.15))) if rng.random() < 0.3 else 0.0,
        streaks=float(rng.uniform(0, 0.08)) if modality == "haadf" and rng.random() < 0.25 else 0.0,
        jpeg=int(rng.integers(60, 97)) if bits == 8 and rng.random() < 0.3 else None,
        bar=bool(rng.random() < (0.05 if modality == "haadf" else 0.1)),
        frame=int(rng.integers(2, 12)) if rng.random() < 0.02 else 0,
    )


#: Common dopants, by `Material.both_count`.
_DOPANTS = {False: ("Mo", "W", "Nb", "Cr", "Re", "Fe"), True: ("C", "N", "O", "Si")}


def _draw_defects(rng: np.random.Generator, sheet: Material) -> dict[str, Any]:
    """Draw the defects that are not pores: arguments of a `Scene`."""
    strain = rng.normal(0, 0.008, 4) if rng.random() < 0.5 else np.zeros(4)
    return {
        "strain": tuple(strain.tolist()),
        "grain_angle": float(rng.uniform(0.1, 1.0)) if rng.random() < 0.1 else None,
        "twist": float(rng.uniform(0, 0.6)) if rng.random() < 0.07 else None,
        "twist_cover": float(rng.uniform(0.2, 1.0)),
        "chalcogen_vacancies": _sometimes(rng, 0.5, 0.002, 0.08),
        "dopant": str(rng.choice(_DOPANTS[sheet.both_count])),
        "dopants": 1.0 if rng.random() < 0.04 else _sometimes(rng, 0.25, 0.002, 0.06),
        "alloy": str(rng.choice([e for e in ("S", "Se", "Te", "O") if e != sheet.second])),
        "alloyed": _draw_alloy(rng) if sheet.stack > 1 else 0.0,
        "adatom": str(rng.choice(["C", "Si", "S", "O", "Fe", sheet.first])),
        "adatoms": _sometimes(rng, 0.4, 0.02, 0.6),
        "rim_atoms": float(rng.uniform(0, 0.6)) if rng.random() < 0.3 else 0.0,
        "relaxation": float(rng.uniform(0, 0.03)),
        "amorphous": float(rng.choice([rng.uniform(0.05, 0.7), 1.0])) if rng.random() < 0.12 else 0.0,
    }


def _draw_alloy(rng: np.random.Generator) -> float:
    """Draw the alloyed fraction of the chalcogen sites: none, some, or all (another compound)."""
    return 1.0 if rng.random() < 0.04 else _sometimes(rng, 0.2, 0.005, 0.5)


def _draw_contamination(rng: np.random.Generator, modality: str, sheet: Material) -> dict[str, Any]:
    """Draw contamination: arguments of a `Scene`; thickness relative to what hides the sheet."""
    thick = thick_carbon(modality, sheet)
    # In HAADF a speck on graphene is as bright as one on WS2.
    most = max(thick, 1.0) if modality == "haadf" else thick
    return {
        "contamination": _sometimes(rng, 0.7, 0.02, 0.5) * thick,
        "patches": _sometimes(rng, 0.4, 0.3, 8.0) * most,
        # Up to 92 %: clean windows in contamination are negatives to learn from.
        "patch_cover": float(rng.uniform(0.03, 0.55) if rng.random() < 0.6 else rng.uniform(0.55, 0.92)),
        "grain_size": _log(rng, 0.4, 4.0),
        "rim": _sometimes(rng, 0.25, 0.2, 3.0) * thick,
    }


def _without_lattice(rng: np.random.Generator, scene: Scene) -> Scene:
    """Adapt a scene to pixels too coarse for the lattice: larger pores, a sufficient dose."""
    extent = np.array(scene.shape) * scene.pixel_size
    pores = []
    for _ in range(rng.poisson(4)):
        at = rng.uniform(0, extent)
        radius = _log(rng, 3.5 * scene.pixel_size, 0.25 * float(extent.min()))
        waves = tuple(rng.normal(0, 0.12, 4).clip(-0.2, 0.2).tolist())
        pores.append(
            Pore((float(at[0]), float(at[1])), radius=radius, ripple=waves, aspect=rng.uniform(1, 2))
        )
    share = mean_signal(MATERIALS[scene.material]) if scene.modality == "haadf" else 0.02
    dose = _log(rng, 4, 200) / scene.pixel_size**2 / share
    return replace(
        scene,
        pores=tuple(pores),
        clarity=None,
        twist=None,
        dose=dose,
        grain_size=scene.grain_size * 4,
    )


def vary_membrane(
    rng: np.random.Generator,
    shape: tuple[int, int],
    modality: str | None = None,
    pores: int | None = None,
    pixel_size: float | None = None,
    thick: bool | None = None,
) -> Membrane:
    """Draw the parameters of a membrane at random.

    Parameters
    ----------
    rng : Generator
    shape : tuple of int
        Rows and columns.
    modality : str, optional
        Default: HAADF, or in one of three BF or HRTEM.
    pores : int, optional
        Default: 50 to 600, less in a frame of fewer than 1024² pixels; 1 to 30 in a SiN membrane.
    pixel_size : float, optional
        [nm]; default: 0.4 to 5.
    thick : bool, optional
        Whether it is a SiN membrane, without film, folds and carbon; default: in one of four.

    Returns
    -------
    Membrane
    """
    modality = modality or str(rng.choice(["haadf", "bf", "hrtem"], p=[0.66, 0.17, 0.17]))
    size = pixel_size or float(np.exp(rng.uniform(np.log(0.4), np.log(5))))
    by_chance = rng.random() < 0.25
    thick = by_chance if thick is None else thick
    share = shape[0] * shape[1] / 2**20
    most = 30 if thick else max(30, int(600 * share**0.7))
    count = int(np.exp(rng.uniform(np.log(1 if thick else min(50, most / 2)), np.log(most))))
    given = count if pores is None else pores
    bright = has_bright_holes(modality) or modality == "hrtem"
    film = not thick and rng.random() < 0.5
    scene = Membrane(
        shape=shape, pixel_size=size, modality=modality, pores=given,
        porosity=float(np.exp(rng.uniform(np.log(0.02), np.log(0.4 if count > 20 else 0.1)))),
        spread=float(rng.uniform(0.05, 0.55)),
        forms=tuple(rng.choice(FORMS, rng.integers(1, 4), p=[0.4, 0.3, 0.1, 0.2]).tolist()),
        touching=float(rng.choice([0, 0, rng.uniform(0, 0.3)])),
        texture=float(rng.uniform(0, 0.05)),
        absorption=float(rng.uniform(0.5, 1.2) if thick else rng.uniform(0.12, 0.5)),
        phase=float(rng.uniform(0.2, 1.0)) if bright else 0.0,
        defocus=float(rng.normal(0, 1) * (3 * size) ** 2 / WAVELENGTH) if rng.random() < 0.6 else 0.0,
        background=float(rng.choice([rng.uniform(0, 0.3), rng.uniform(0.3, 2)])),
        blur=float(rng.uniform(0.4, 2.0 if thick else 1.4)),
        noise=float(np.exp(rng.uniform(np.log(0.03), np.log(0.5)))),
        recording=vary_recording(rng),
    )  # fmt: skip
    if thick:
        return replace(scene, rim=float(rng.choice([0, rng.uniform(0, 0.3)])))
    if film:
        scene = replace(
            scene, support_holes=int(rng.integers(1, 4)), support=float(rng.uniform(1.5, 8)),
            bare_hole=bool(rng.random() < 0.3), pixel_size=pixel_size or max(size, _HOLE_NM / min(shape)),
        )  # fmt: skip
    return replace(
        scene,
        carbon=float(rng.uniform(0.3, 1.5)),
        carbon_cover=float(rng.choice([0, rng.uniform(0.02, 0.4)])),
        folds=int(rng.choice([0, 0, 1, 3])),
        layers=int(rng.choice([0, 0, 1, 2])),
        tear=pores is None and bool(rng.random() < 0.15),
        rim=float(rng.choice([0, rng.uniform(0, 0.6)])),
    )


def vary_recording(rng: np.random.Generator) -> Recording:
    """Draw at random how the image of a membrane is recorded.

    Parameters
    ----------
    rng : Generator

    Returns
    -------
    Recording
    """
    eight = rng.random() < 0.4
    clip = (float(rng.uniform(0, 0.01)), float(rng.uniform(0, 0.01))) if rng.random() < 0.3 else (0.0, 0.0)
    return Recording(
        jitter=float(rng.choice([0, 0, rng.uniform(0, 0.4)])),
        flicker=float(rng.choice([0, 0, rng.uniform(0, 0.02)])),
        gradient=float(rng.choice([0, rng.uniform(0, 0.3)])),
        clip=clip,
        bits=8 if eight else 16,
        gamma=float(rng.uniform(0.7, 1.4)) if eight else 1.0,
        jpeg=int(rng.integers(60, 96)) if eight and rng.random() < 0.5 else None,
        bar=bool(rng.random() < 0.3),
    )
