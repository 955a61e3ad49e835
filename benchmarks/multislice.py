"""The simulator beside abTEM's multislice of the same atoms: the correlations in docs/accuracy.md.

pip install 'porescope[multislice]' && python benchmarks/multislice.py [FOLDER for pictures]
"""

from __future__ import annotations

import sys
from pathlib import Path

import abtem
import ase
import cv2
import numpy as np

from porescope.materials import ATOMIC_NUMBER, MATERIALS, Material
from porescope.optics import WAVELENGTH, Optics, image_atoms
from porescope.sheets import Atoms, Pore, cut_pores, make_sheet

SIDE, PIXEL = 3.2, 0.04  # nm
SEMIANGLE = 30.0  # mrad
SOURCE = 0.035  # nm
LIMIT = 0.040  # information limit of HRTEM [rad]


def build(material: Material, rng: np.random.Generator) -> tuple[Atoms, ase.Atoms]:
    """Lay a sheet with a pore and a vacancy: porescope's atoms and ASE's."""
    extent = np.array([SIDE, SIDE])
    atoms = make_sheet(material, extent, rng)
    pores = [Pore((1.8, 1.9), missing=7), Pore((0.8, 0.8), missing=1)]
    atoms = cut_pores(material, atoms, pores, rng)
    inside = ((atoms.positions >= 0) & (atoms.positions < SIDE)).all(axis=1)
    atoms = Atoms(*(values[inside] for values in atoms))
    symbols = {number: element for element, number in ATOMIC_NUMBER.items()}
    elements, places = [], []
    for (y, x), second, n, number in zip(*atoms, strict=True):
        heights = ((0.0,) if not second or material.stack == 1 else (-1.0, 1.0))[:n]
        for height in heights:
            elements.append(symbols[int(number)])
            places.append((10 * x, 10 * y, 4 + 10 * height * material.half_thickness))
    return atoms, ase.Atoms(elements, places, cell=(10 * SIDE, 10 * SIDE, 8.0), pbc=True)


def scan(model: ase.Atoms, defocus: dict[str, float]) -> dict[str, np.ndarray]:
    """Multislice STEM and HRTEM images at 80 kV."""
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
    wave = abtem.PlaneWave(energy=80e3).multislice(potential)
    # A focal spread damps as our envelope does: π λ spread = 2 / limit².
    spread = 2 * WAVELENGTH / (np.pi * LIMIT**2)
    lens = abtem.CTF(
        energy=80e3,
        defocus=10 * defocus["hrtem"],
        Cs=-20e3 * 10,
        semiangle_cutoff=80,
        focal_spread=10 * spread,
    )
    image = wave.apply_ctf(lens).intensity().compute(progress_bar=False)
    step = round(len(image.array) * PIXEL / SIDE)
    images["hrtem"] = np.asarray(image.array).T[::step, ::step]
    return images


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    # abTEM's defocus is positive for underfocus, as the wave's phase has it; ours has the other sign.
    defocus = {"haadf": 0.0, "bf": 4.0, "abf": 0.0, "hrtem": -6.0}
    print("| material | " + " | ".join(defocus) + " |\n|---|---|---|---|---|")
    rng = np.random.default_rng(7)
    for name in ("WS2", "MoS2", "graphene", "hBN"):
        material = MATERIALS[name]
        atoms, model = build(material, rng)
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
    main()
