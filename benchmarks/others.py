"""What 20 lines of scikit-image find on the images of docs/comparison.md, beside porescope's default.

python benchmarks/others.py                                      (the published images and 41 simulated ones)
python benchmarks/others.py --folder LABELS --name ParticleSpy   (label images that another program has made)
python benchmarks/others.py --export IMAGES                      (the images, as TIFF, for such a program)
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile
from accuracy import GRID, Tally, draw_image
from numpy.typing import NDArray
from skimage.filters import gaussian, threshold_yen
from skimage.measure import label
from skimage.morphology import remove_small_objects

from porescope import Micrograph, detect, read, read_standard, score
from porescope.cli.demo import find_data
from porescope.simulation import Simulation

#: Every n-th image of the simulated benchmark is used.
_EVERY = 4


def find_dark(micrograph: Micrograph, level: str) -> NDArray[np.int32]:
    """The 20 lines: smooth, take off the background, threshold, drop what is small, label.

    `level` is "yen", the automatic threshold that is best on the published images (of seven, with four widths
    and with two backgrounds), or "sigma": 3.25 robust standard deviations below the median, chosen there too.
    """
    size = micrograph.pixel_size[0]
    image = micrograph.image.astype(float)
    if micrograph.modality in ("bf", "abf"):
        image = -image
    flat = gaussian(image, 0.10 / size) - gaussian(image, (1.5 if level == "yen" else 0.8) / size)
    if level == "yen":
        dark = flat < threshold_yen(flat)
    else:
        middle = np.median(flat)
        dark = flat < middle - 3.25 * 1.4826 * np.median(np.abs(flat - middle))
    dark = remove_small_objects(dark, max_size=round(0.08 / size**2))
    return label(dark).astype(np.int32)


def list_published() -> Iterator[tuple[Micrograph, NDArray[np.int32]]]:
    """The published images and what was painted on them."""
    folder = find_data()
    for name in "ABCDE" if folder else "":
        micrograph = read(folder / f"{name}.dm3")
        yield micrograph, read_standard(folder / f"{name}_standard.png", micrograph.image.shape)


def list_simulated() -> list[Simulation]:
    """Every fourth image of the simulated benchmark."""
    return [draw_image(index, "benchmark") for index in range(0, len(GRID), _EVERY)]


def name_image(micrograph: Micrograph) -> str:
    """A name for a file: that of the image, which is a number if it was simulated."""
    return re.sub(r"\W+", "_", micrograph.name)


def print_scores(name: str, find: Callable[[Micrograph], NDArray[np.int32]], drawn: list[Simulation]) -> None:
    """Print the two rows of one method."""
    scores = [score(standard, find(micrograph)) for micrograph, standard in list_published()]
    if scores:
        pooled = sum(scores[1:], scores[0])
        f1 = np.mean([s.f1 for s in scores])
        n = pooled.found + pooled.missed
        print(f"| {name} | A–E | {pooled.found} of {n} | {pooled.false} | {f1:.2f} |")
    tally = Tally()
    for one in drawn:
        tally.add(one, find(one.micrograph))
    n, f1 = tally.found + tally.missed, np.mean(tally.pixel_f1)
    print(f"| {name} | simulated | {tally.found} of {n} | {tally.false} | {f1:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--name", default="other")
    parser.add_argument("--export", type=Path)
    given = parser.parse_args()
    simulated = list_simulated()
    if given.export:
        given.export.mkdir(parents=True)
        for micrograph in [m for m, _ in list_published()] + [one.micrograph for one in simulated]:
            image = -micrograph.image if micrograph.modality in ("bf", "abf") else micrograph.image
            resolution = (1e7 / micrograph.pixel_size[1], 1e7 / micrograph.pixel_size[0])
            path = given.export / f"{name_image(micrograph)}.tif"
            tifffile.imwrite(path, image, resolution=resolution, resolutionunit="CENTIMETER")
    else:
        print("| method | images | found | false | pixel F1 |\n|---|---|---|---|---|")
        if given.folder:
            folder = given.folder
            print_scores(given.name, lambda m: tifffile.imread(folder / f"{name_image(m)}.tif"), simulated)
        else:
            print_scores("scikit-image, Yen", lambda m: find_dark(m, "yen"), simulated)
            print_scores("scikit-image, 3.25 sigma", lambda m: find_dark(m, "sigma"), simulated)
            print_scores("porescope, default", detect, simulated)
