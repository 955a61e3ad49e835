"""Compare the simulator with abTEM's multislice of the same atoms: the correlations in docs/network.md.

pip install '.[multislice]' && python benchmarks/multislice.py [FOLDER for pictures]
python benchmarks/multislice.py --detect [FOLDER]     (run the network on multislice HRTEM images)
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import abtem
import ase
import cv2
import numpy as np

from porescope import Micrograph, score
from porescope.lattice import find_lattice
from porescope.materials import ATOMIC_NUMBER, MATERIALS, Material
from porescope.network import Network
from porescope.simulation import Optics, Pore, find_truth
from porescope.simulation.optics import WAVELENGTH, image_atoms
from porescope.simulation.sheets import Atoms, cut_pores, make_sheet

SIDE, PIXEL = 3.2, 0.04  # side of the sheet and pixel size [nm]
SEMIANGLE = 30.0  # convergence semi-angle of the probe [mrad]
SOURCE = 0.035  # standard deviation of the source [nm]
LIMIT = 0.040  # information limit of HRTEM [rad]


def build(
    material: Material, pores: Sequence[Pore], side: float, rng: np.random.Generator
) -> tuple[Atoms, ase.Atoms]:
    """Build a square sheet with pores: porescope's atoms, and the same as ASE atoms."""
    atoms = make_sheet(material, np.array([side, side]), rng)
    atoms = cut_pores(material, atoms, pores, rng)
    inside = ((atoms.positions >= 0) & (atoms.positions < side)).all(axis=1)
    atoms = Atoms(*(values[inside] for values in atoms))
    symbols = {number: element for element, number in ATOMIC_NUMBER.items()}
    elements, places = [], []
    for (y, x), second, n, number in zip(*atoms, strict=True):
        heights = ((0.0,) if not second or material.stack == 1 else (-1.0, 1.0))[:n]
        for height in heights:
            elements.append(symbols[int(number)])
            places.append((10 * x, 10 * y, 4 + 10 * height * material.half_thickness))
    return atoms, ase.Atoms(elements, places, cell=(10 * side, 10 * side, 8.0), pbc=True)


def scan(model: ase.Atoms, defocus: dict[str, float]) -> dict[str, np.ndarray]:
    """Simulate multislice STEM and HRTEM images at 80 kV."""
    potential = abtem.Potential(model, sampling=0.1, slice_thickness=1.0, projection="infinite")
    grid = abtem.GridScan((0, 0), (10 * SIDE, 10 * SIDE), sampling=10 * PIXEL, endpoint=False)
    images = {}
    for modality, detector in (
        ("haadf", abtem.AnnularDetector(60, 125)),
        ("bf", abtem.AnnularDetector(0, 4)),
        ("abf", abtem.AnnularDetector(15, 30)),
    ):
        probe = abtem.Probe(energy=80e3, semiangle_cutoff=SEMIANGLE, defocus=10 * defocus[modality])
        measured = probe.scan(potential, scan=grid, detectors=detector).compute(progress_bar=False)
        images[modality] = cv2.GaussianBlur(np.asarray(measured.array).T, (0, 0), SOURCE / PIXEL)
    images["hrtem"] = expose_hrtem(potential, SIDE, defocus["hrtem"])
    return images


def expose_hrtem(potential: abtem.Potential, side: float, defocus: float) -> np.ndarray:
    """Simulate a multislice HRTEM image at 80 kV with pixels of 0.04 nm."""
    wave = abtem.PlaneWave(energy=80e3).multislice(potential)
    # Envelope: abTEM has exp(-(π spread angle² / 2 λ)²), porescope exp(-2 (angle / limit)⁴).
    spread = np.sqrt(8) * WAVELENGTH / (np.pi * LIMIT**2)
    lens = abtem.CTF(
        energy=80e3,
        defocus=10 * defocus,
        Cs=-20e3 * 10,
        semiangle_cutoff=80,
        focal_spread=10 * spread,
    )
    image = wave.apply_ctf(lens).intensity().compute(progress_bar=False)
    step = round(len(image.array) * PIXEL / side)
    return np.asarray(image.array).T[::step, ::step]


def detect(folder: Path | None) -> None:
    """Score the network on multislice HRTEM images with Poisson noise."""
    side, margin, dose = 10.4, 10, 1e6  # nm, px, electrons per nm²
    at = itertools.product((2.2, 5.2, 8.2), (2.2, 5.2, 8.2))
    missing = (2, 4, 15, 3, 6, 40, 2, 9, 25)
    pores = [Pore(centre, missing=n) for centre, n in zip(at, missing, strict=True)]
    print("| material | defocus [nm] | found | false | diameter, median ratio |\n|---|---|---|---|---|")
    for name, material in MATERIALS.items():
        for defocus in (-6.0, 6.0):
            rng = np.random.default_rng(11)
            atoms, model = build(material, pores, side, rng)
            potential = abtem.Potential(model, sampling=0.1, slice_thickness=1.0, projection="infinite")
            expected = expose_hrtem(potential, side, defocus)
            truth = find_truth(material, [atoms], expected.shape, PIXEL).labels
            inner = (slice(margin, -margin),) * 2  # the sheet is not periodic: leave out its edges
            image = rng.poisson(dose * PIXEL**2 * expected).astype(np.float32)[inner]
            micrograph = Micrograph(image, PIXEL, modality="hrtem")
            labels = Network().find(micrograph, find_lattice(micrograph)).labels
            result = score(truth[inner], labels, min_iou=0.3)
            ratio = f"{np.median(result.diameter_ratios):.2f}" if result.found else "–"
            of = result.found + result.missed
            print(
                f"| {name} | {-defocus:+.0f} | {result.found} of {of} | {result.false} | {ratio} |",
                flush=True,
            )
            if folder:
                outlined = cv2.cvtColor(_grey(image), cv2.COLOR_GRAY2BGR)
                mask = cv2.resize((labels > 0).astype(np.uint8), outlined.shape[1::-1])
                outlines = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
                cv2.drawContours(outlined, outlines, -1, (0, 0, 255), 1)
                cv2.imwrite(str(folder / f"detect_{name}_{-defocus:+.0f}.png"), outlined)


def compare(folder: Path | None) -> None:
    """Print the correlation of the simulator's images with multislice ones."""
    # abTEM's defocus is positive for underfocus, porescope's has the other sign.
    defocus = {"haadf": 0.0, "bf": 4.0, "abf": 0.0, "hrtem": -6.0}
    print("| material | " + " | ".join(defocus) + " |\n|---|---|---|---|---|")
    rng = np.random.default_rng(7)
    for name in ("WS2", "MoS2", "graphene", "hBN"):
        material = MATERIALS[name]
        pores = [Pore((1.8, 1.9), missing=7), Pore((0.8, 0.8), missing=1)]
        atoms, model = build(material, pores, SIDE, rng)
        points = np.repeat(atoms.positions, atoms.occupancy, axis=0)
        number = np.repeat(atoms.number, atoms.occupancy)
        bare = np.zeros((round(SIDE / PIXEL),) * 2, np.float32)
        cells, rows = [], []
        for modality, truth in scan(model, defocus).items():
            angle = 1e3 * LIMIT if modality == "hrtem" else SEMIANGLE
            spherical = -20e3 if modality == "hrtem" else 0.0
            lens = Optics(angle, -defocus[modality], spherical=spherical, source=SOURCE, tail=0.0)
            ours = image_atoms(points, number, bare, PIXEL, modality, lens)
            inner = (slice(10, -10), slice(10, -10))
            cells.append(f"{np.corrcoef(truth[inner].ravel(), ours[inner].ravel())[0, 1]:.3f}")
            rows.append(np.hstack([_grey(truth), _grey(ours)]))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
        if folder:
            cv2.imwrite(str(folder / f"multislice_{name}.png"), np.vstack(rows))


def _grey(image: np.ndarray) -> np.ndarray:
    low, high = np.percentile(image, (0.5, 99.5))
    grey = np.clip((image - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return cv2.resize(grey, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)


if __name__ == "__main__":
    given = sys.argv[1:]
    run = detect if "--detect" in given else compare
    folders = [Path(g) for g in given if g != "--detect"]
    run(folders[0] if folders else None)
