"""Membranes at low magnification: sheets with many pores, of which no lattice shows, and SiN membranes.

A scene is drawn by thickness: vacuum, sheet, carbon, folds, support film. `draw_membrane` images it, and its
pores are known as they were drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.materials import MATERIALS
from porescope.micrograph import Micrograph
from porescope.simulation.contamination import choose_area
from porescope.simulation.drawing import Simulation
from porescope.simulation.recording import Recording, record
from porescope.simulation.sheets import Atoms

#: Forms of pores.
FORMS = ("triangle", "disc", "slit", "blob")
#: Steps of a pixel in which outlines are drawn, and OpenCV's bits for parts of such a step.
_FINE, _SHIFT = 4, 4
#: Smallest gap between pores that do not touch [px].
_GAP = 3
#: Widest neck between two touching pores, relative to the narrower one.
_NECK = 0.5
#: Largest share of a touching pore that others cover.
_OVERLAP = 0.06
#: Wavelength of the electrons at 200 kV [nm].
WAVELENGTH = 0.00251


@dataclass(frozen=True)
class Membrane:
    """Parameters of a simulated membrane. Thicknesses are relative to the sheet's.

    Examples
    --------
    >>> Membrane(pores=0).porosity
    0.1
    """

    shape: tuple[int, int] = (768, 768)  # (rows, columns)
    pixel_size: float = 1.0  # [nm]
    modality: str = "haadf"  # haadf, bf, abf or hrtem
    pores: int = 150  # number of pores, as far as there is room
    porosity: float = 0.1  # share of the sheet that the pores take
    spread: float = 0.35  # standard deviation of the logarithm of the diameters
    forms: tuple[str, ...] = FORMS
    touching: float = 0.1  # share of pores that touch another
    support_holes: int = 0  # number of holes in a support film; 0: no film
    bare_hole: bool = False  # whether one more hole of the film is without sheet
    support: float = 4.0
    carbon: float = 0.0
    carbon_cover: float = 0.0  # share of the frame under a network of carbon
    folds: int = 0
    layers: int = 0  # number of patches that are twice as thick
    tear: bool = False  # a tear of the sheet, drawn as a pore
    rim: float = 0.0  # thickness of carbon along the edges of pores
    texture: float = 0.0  # relative standard deviation of the sheet's thickness
    absorption: float = 0.25  # exponent by which the sheet weakens the beam (BF, HRTEM)
    phase: float = 0.0  # phase shift by the sheet [rad]: Fresnel fringes if there is a defocus
    defocus: float = 0.0  # [nm]
    background: float = 0.15  # vacuum's signal, relative to the sheet's (HAADF)
    blur: float = 0.7  # standard deviation of a Gaussian [px]
    noise: float = 0.2  # standard deviation of a pixel's noise, relative to the sheet's contrast
    recording: Recording = field(default_factory=Recording)


def draw_membrane(scene: Membrane, rng: np.random.Generator, name: str = "membrane") -> Simulation:
    """Simulate the micrograph of a membrane.

    Parameters
    ----------
    scene : Membrane
    rng : Generator
    name : str
        Name of the micrograph.

    Returns
    -------
    Simulation
        Without atoms; the missing atoms are NaN. Of touching pores each has its own label. A hole of the
        support film without sheet is no pore; a tear of the sheet is one.
    """
    film, bare = _draw_support(scene, rng)
    free = (film < 0.01) & (bare < 0.01)
    margin = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    free = cv2.erode(free.astype(np.uint8), margin, borderValue=1) > 0
    labels, areas, cover = _place_pores(scene, free, rng)
    thickness = _add_sheet(scene, film, np.clip(cover + bare, 0, 1), rng)
    image = _expose(scene, thickness, rng)
    micrograph = Micrograph(image, (scene.pixel_size, scene.pixel_size), modality=scene.modality, name=name)
    nothing = np.zeros(0, np.int64)
    atoms = Atoms(np.zeros((0, 2)), nothing.astype(bool), nothing, nothing)
    unknown = np.full(len(areas), np.nan)
    return Simulation(micrograph, labels, areas * scene.pixel_size**2, unknown, atoms, MATERIALS["WS2"])


def _draw_support(
    scene: Membrane, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cover of the support film, and of its holes that have no sheet."""
    film, bare = np.zeros(scene.shape, np.float32), np.zeros(scene.shape, np.float32)
    if not scene.support_holes:
        return film, bare
    film += 1
    side = min(scene.shape)
    holes = scene.support_holes + scene.bare_hole
    # One large hole, or several that share the frame.
    radius = side * (
        rng.uniform(0.36, 0.6) if holes == 1 else rng.uniform(0.8, 1.05) / 2 / np.sqrt(holes + 0.6)
    )
    centres = [np.array(scene.shape) / 2 + rng.normal(0, 0.06 * side, 2)]
    if holes > 1:
        turn = rng.uniform(0, 2 * np.pi)
        around = turn + 2 * np.pi * np.arange(holes) / holes
        away = 1.08 * radius / np.sin(np.pi / holes)
        centres = [centres[0] + away * np.array([np.sin(a), np.cos(a)]) for a in around]
    for index, centre in enumerate(centres):
        outline = _wave(radius * rng.uniform(0.9, 1.0), 0.01, 9, rng)
        hole, here = _fill(centre, outline, scene.shape)
        film[here] = np.minimum(film[here], 1 - hole)
        if scene.bare_hole and index == 0:
            bare[here] = hole
    return np.asarray(cv2.GaussianBlur(film, (0, 0), 1.0), np.float32), bare


def _wave(radius: float, amplitude: float, waves: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Corners of a wavy circle (row, column) around 0."""
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    ripple = sum(
        rng.normal(0, amplitude / np.sqrt(n)) * np.cos(n * angle + rng.uniform(0, 6)) for n in range(2, waves)
    )
    r = radius * np.exp(ripple)
    return np.stack([r * np.sin(angle), r * np.cos(angle)], axis=1)


def _outline(form: str, diameter: float, angle: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Corners of a pore around 0, of the area of a disc of this diameter [px]."""
    shape = _wave(1.0, {"disc": 0.015, "blob": 0.16}.get(form, 0.02), 6, rng)
    along = np.linspace(0, 2 * np.pi, len(shape), endpoint=False) - angle
    if form == "triangle":  # distance to the sides of a regular triangle, its corners rounded
        sides = [np.cos(along - 2 * np.pi * k / 3) for k in range(3)]
        shape *= (np.sum([np.maximum(s, 0) ** 9 for s in sides], axis=0) ** (-1 / 9))[:, None]
    if form == "slit":
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        shape = shape @ turn * np.array([1, rng.uniform(2.5, 5)]) @ turn.T
    area = cv2.contourArea(shape.astype(np.float32))
    return np.asarray(shape * diameter * np.sqrt(np.pi / 4 / area))


def _fill(
    centre: NDArray[np.float64], outline: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], tuple[slice, slice]]:
    """Share of each pixel within an outline, and where: in the whole frame if that is large."""
    corners = outline + centre
    low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2, 0, shape)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 3, 0, shape)
    if (high - low > 0.5 * np.array(shape)).any():
        low, high = np.zeros(2, int), np.array(shape)
    size = np.maximum(high - low, 0)
    if not size.all():
        return np.zeros((0, 0), np.float32), (slice(0, 0), slice(0, 0))
    fine = np.zeros(tuple(size * _FINE), np.uint8)
    at = ((corners - low + 0.5) * _FINE - 0.5) * 2**_SHIFT
    cv2.fillPoly(fine, [np.rint(at[:, ::-1]).astype(np.int32)], 255, cv2.LINE_8, _SHIFT)
    cover = cv2.resize(fine, (int(size[1]), int(size[0])), interpolation=cv2.INTER_AREA)
    return np.asarray(cover, np.float32) / np.float32(255), (
        slice(int(low[0]), int(high[0])),
        slice(int(low[1]), int(high[1])),
    )


def _place_pores(
    scene: Membrane, free: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float32]]:
    """Label image of the pores, their areas [px], and the share of each pixel that is pore."""
    labels, cover = np.zeros(scene.shape, np.int32), np.zeros(scene.shape, np.float32)
    taken = ~free
    areas: list[float] = []
    room = np.argwhere(free)
    if not scene.pores or not len(room):
        return labels, np.array(areas), cover
    logs = rng.normal(0, scene.spread, scene.pores).clip(-1.0, 1.0)
    mean = scene.porosity * len(room) / scene.pores
    diameters = np.sqrt(4 * mean / np.pi / np.exp(2 * logs).mean()) * np.exp(logs)
    diameters = np.sort(diameters.clip(8, 0.3 * min(scene.shape)))[::-1]
    shared_angle = rng.uniform(0, 2 * np.pi) if rng.random() < 0.5 else None
    shapes: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    if scene.tear:
        diameters[0] = 0.12 * min(scene.shape)
    for number, diameter in enumerate(diameters):
        form = "blob" if scene.tear and number == 0 else str(rng.choice(scene.forms))
        angle = rng.uniform(0, 2 * np.pi) if shared_angle is None else shared_angle + rng.normal(0, 0.05)
        outline = _outline(form, diameter, angle, rng)
        near = bool(shapes) and rng.random() < scene.touching
        for _ in range(60):
            if near:
                centre = _approach(outline, shapes[rng.integers(len(shapes))], rng, scene.shape)
            else:
                centre = room[rng.integers(len(room))] + rng.uniform(-0.5, 0.5, 2)
            part, here = _fill(centre, outline, scene.shape)
            own = (part >= 0.5) & (labels[here] == 0)
            if near:
                covered = np.count_nonzero((part >= 0.5) & (labels[here] > 0))
                fits = bool((free[here] | ~own).all()) and covered <= _OVERLAP * own.sum()
            else:
                grown = cv2.dilate(part, np.ones((2 * _GAP + 1, 2 * _GAP + 1))) > 0
                fits = not (taken[here] & grown).any()
            if fits and own.sum() > 30:
                break
            near = False if rng.random() < 0.1 else near
        else:
            continue
        before = cover[here].copy()
        cover[here] = np.maximum(before, part)
        areas.append(float((cover[here] - before).sum()))
        labels[here][own] = len(areas)
        taken[here] |= part > 0
        shapes.append((centre, outline))
    return labels, np.array(areas), cover


def _approach(
    outline: NDArray[np.float64],
    other: tuple[NDArray[np.float64], NDArray[np.float64]],
    rng: np.random.Generator,
    shape: tuple[int, int],
) -> NDArray[np.float64]:
    """Centre at which an outline overlaps another one a little."""
    angle = rng.uniform(0, 2 * np.pi)
    way = np.array([np.sin(angle), np.cos(angle)])
    frame = np.zeros((400, 400), np.uint8)
    reach = max(np.abs(outline).max(), np.abs(other[1]).max())
    scale = 90 / reach

    def fill(corners: NDArray[np.float64]) -> NDArray[np.uint8]:
        turned = np.rint(corners * scale + 200)[:, ::-1].astype(np.int32)
        return np.asarray(cv2.fillPoly(frame.copy(), [turned], 1), np.uint8)

    there = fill(other[1])
    widest = [2 * cv2.distanceTransform(one, cv2.DIST_L2, 3).max() for one in (there, fill(outline))]
    low, high = 0.0, 2 * reach
    for _ in range(9):
        middle = (low + high) / 2
        common = np.argwhere((fill(outline + middle * way) > 0) & (there > 0))
        # The corners of what they share are the ends of the neck.
        neck = max(cv2.minAreaRect(common.astype(np.float32))[1]) if len(common) else 0.0
        low, high = (middle, high) if neck > _NECK * min(widest) else (low, middle)
    return np.asarray(other[0] + high * way)


def _add_sheet(
    scene: Membrane, film: NDArray[np.float32], holes: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Thickness of all that the beam passes, relative to the sheet's."""
    side = min(scene.shape)
    sheet = np.ones(scene.shape, np.float32)
    if scene.texture:
        for sigma in (2.0, 0.05 * side):
            sheet += np.float32(scene.texture / 1.4) * _draw_grain(scene.shape, sigma, rng)
    for _ in range(scene.layers):
        sheet += choose_area(scene.shape, float(rng.uniform(0.05, 0.2)), 0.12 * side, rng)
    for _ in range(scene.folds):
        line = np.zeros(scene.shape, np.uint8)
        ends = np.rint(rng.uniform(-0.2, 1.2, (2, 2)) * scene.shape[::-1]).astype(int)
        cv2.line(line, ends[0].tolist(), ends[1].tolist(), 1, int(rng.integers(2, 8)))
        sheet += float(rng.uniform(0.8, 2)) * cv2.GaussianBlur(line.astype(np.float32), (0, 0), 0.8)
    if scene.carbon_cover:
        sheet += scene.carbon * _draw_network(scene.shape, scene.carbon_cover, rng)
    whole = 1 - holes
    if scene.rim:
        edge = cv2.GaussianBlur(holes, (0, 0), 2.0) * whole
        sheet += np.float32(2 * scene.rim) * edge
    return np.maximum(sheet, 0.1) * whole + scene.support * film * (1 - (holes > 0.99))


def _draw_grain(shape: tuple[int, int], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Random field of mean 0 and standard deviation 1, correlated over ``sigma`` px."""
    grain = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), sigma)
    return np.asarray(grain / grain.std(), np.float32)


def _draw_network(shape: tuple[int, int], cover: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Carbon as veins and clouds: thickness, 1 on average where there is any."""
    side = min(shape)
    sigma = side * float(rng.uniform(0.015, 0.06))
    noise = _draw_grain(shape, sigma, rng)
    if rng.random() < 0.6:
        noise = -np.abs(noise)  # veins along the zeros of a random field
    level = np.quantile(noise, 1 - cover)
    soft = float(rng.uniform(0.05, 0.4))
    rough = _draw_grain(shape, 3.0, rng)
    return np.asarray(np.clip((noise - level) / soft, 0, 1) * (1 + 0.15 * rough), np.float32)


def _expose(scene: Membrane, thickness: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Image a membrane by its thickness, and record the image."""
    if scene.modality == "haadf":
        signal: NDArray[np.floating] = thickness + scene.background
    else:
        signal = np.exp(-scene.absorption * thickness)
        if scene.defocus and scene.phase:
            signal = _defocus(scene, signal, thickness)
    blurred = np.asarray(cv2.GaussianBlur(np.asarray(signal, np.float32), (0, 0), scene.blur), np.float32)
    whole = 1 + scene.background if scene.modality == "haadf" else np.exp(-scene.absorption)
    empty = scene.background if scene.modality == "haadf" else 1.0
    # The dose at which Poisson noise is the wanted share of the contrast between sheet and vacuum.
    electrons = max(whole, empty) / (scene.noise * (whole - empty)) ** 2
    dose = electrons / scene.pixel_size**2
    return record(blurred, scene.pixel_size, scene.recording, rng, dose=dose)


def _defocus(
    scene: Membrane, intensity: NDArray[np.floating], thickness: NDArray[np.float32]
) -> NDArray[np.floating]:
    """Propagate the wave behind a membrane (Fresnel): fringes along its edges."""
    pad = 32
    wave = np.sqrt(intensity) * np.exp(-1j * scene.phase * thickness)
    wave = np.pad(wave, pad, mode="reflect")
    ky, kx = (np.fft.fftfreq(n, scene.pixel_size) for n in wave.shape)
    k2 = ky[:, None] ** 2 + kx[None] ** 2
    turned = np.exp(-1j * np.pi * WAVELENGTH * scene.defocus * k2)
    out = np.abs(np.fft.ifft2(np.fft.fft2(wave) * turned)) ** 2
    # The source's angle blurs the finer fringes.
    blurred = cv2.GaussianBlur(out.astype(np.float32), (0, 0), 1.0)
    return np.asarray(blurred[pad:-pad, pad:-pad])
