"""Bright sites that are listed: adatoms and dopants found in simulated images, and false ones per image.

python benchmarks/excess.py                          # the table of docs/lattice.md, about a minute
python benchmarks/excess.py --purpose validation --images 6

Each image shows four pores at the usual dose. A bright site is found if one is listed within 0.2 nm; those
near the frame, where none is listed, do not count. A listed site is false if no heavy atom is within 0.2 nm.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from porescope.lattice import find_lattice
from porescope.materials import ATOMIC_NUMBER, MATERIALS
from porescope.network import Network, list_excess
from porescope.simulation import Scene, prepare, simulate

#: First seed of each purpose.
SEEDS = {"validation": 500, "benchmark": 900}
#: Distance within which a site is found [nm], and from the frame within which none counts [constants].
NEAR, FRAME = 0.2, 1.5
SIDE, CELL_PX = 400, 8.0
#: What the table's rows show: material, modality, and what is added to the sheet.
ROWS: tuple[tuple[str, str, dict[str, object]], ...] = tuple(
    (material, modality, added)
    for modality in ("haadf", "bf")
    for material, added in (
        ("WS2", {}),
        ("MoS2", {}),
        ("graphene", {}),
        ("WS2", {"adatom": "W", "adatoms": 0.04}),
        ("WS2", {"rim_atoms": 0.3}),
        ("MoS2", {"adatom": "Mo", "adatoms": 0.04}),
        ("MoS2", {"dopant": "W", "dopants": 0.01}),
        ("graphene", {"adatom": "Si", "adatoms": 0.05}),
        ("graphene", {"dopant": "Si", "dopants": 0.002}),
    )
)


class Count(NamedTuple):
    """What was found in one image."""

    there: int
    found: int
    false: int
    rings: int  # false ones within 0.5 nm of a pore


def count_sites(scene: Scene, seed: int) -> Count:
    """Count the bright sites of one image."""
    drawn = simulate(scene, seed=seed)
    truth = _list_truth(scene, seed)
    lattice = find_lattice(drawn.micrograph)
    listed = list_excess(drawn.micrograph, Network().find(drawn.micrograph, lattice), lattice)
    sites = np.stack([listed["y_nm"], listed["x_nm"]], axis=1) if listed else np.zeros((0, 2))
    margin = FRAME * MATERIALS[scene.material].constant
    extent = np.array(scene.shape) * scene.pixel_size
    inside = truth[((truth > margin) & (truth < extent - margin)).all(axis=1)]
    found = cKDTree(sites).query(inside)[0] <= NEAR if len(sites) else np.zeros(len(inside), bool)
    false = cKDTree(truth).query(sites)[0] > NEAR if len(truth) else np.ones(len(sites), bool)
    distance = cv2.distanceTransform((drawn.labels == 0).astype(np.uint8), cv2.DIST_L2, 5) * scene.pixel_size
    at = np.rint(sites[false] / scene.pixel_size).astype(int)
    return Count(len(inside), int(found.sum()), int(false.sum()), int((distance[tuple(at.T)] < 0.5).sum()))


def _list_truth(scene: Scene, seed: int) -> NDArray[np.float64]:
    """Positions of adatoms and dopants [nm], shape (K, 2)."""
    specimen = prepare(scene, np.random.default_rng(seed))  # as `simulate` begins
    sheet = specimen.layers[0]
    doped = np.zeros(len(sheet.positions), bool)
    if scene.dopant:
        doped = (sheet.number == ATOMIC_NUMBER[scene.dopant]) & (sheet.occupancy > 0)
    return np.concatenate([specimen.loose, sheet.positions[doped]])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--purpose", choices=SEEDS, default="benchmark")
    parser.add_argument("--images", type=int, default=6, help="number of images of each row")
    given = parser.parse_args()
    print("| modality | sheet | added | found | false per image | of these beside a pore |")
    print("|---|---|---|---|---|---|")
    for material, modality, added in ROWS:
        size = MATERIALS[material].constant / CELL_PX
        scene = Scene(material, (SIDE, SIDE), size, pores=4, modality=modality, **added)  # type: ignore[arg-type]
        seeds = range(SEEDS[given.purpose], SEEDS[given.purpose] + given.images)
        there, found, false, rings = np.sum([count_sites(scene, seed) for seed in seeds], axis=0).tolist()
        what = f"{scene.adatom} adatoms" if scene.adatoms else "nothing"
        what = f"{scene.dopant} dopants" if scene.dopants else what
        what = "adatoms at edges" if scene.rim_atoms else what
        hits = f"{found} of {there}" if there else "–"
        n = given.images
        print(f"| {modality.upper()} | {material} | {what} | {hits} | {false / n:.1f} | {rings / n:.1f} |")


if __name__ == "__main__":
    main()
