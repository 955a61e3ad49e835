"""Label images by ParticleSpy and SegSpy, of the images that `others.py --export` wrote.

In an environment with `pip install particlespy SegSpy` and without porescope:

python benchmarks/particle_programs.py IMAGES LABELS     (writes LABELS/ParticleSpy and LABELS/SegSpy)

Both look for particles on a plain ground. Of each program's settings those are taken that do best on the
published images: threshold and width of smoothing for ParticleSpy; threshold and refinement for SegSpy.
"""

import sys
from pathlib import Path

import hyperspy.api as hs
import numpy as np
import tifffile
from particlespy.particle_analysis import parameters
from particlespy.segptcls import process
from SegSpy import SegConfig, SegmentationRegistry
from skimage.measure import label
from skimage.morphology import remove_small_objects

#: Smallest area that counts as a pore [nm²].
_SMALLEST = 0.08


def run_particlespy(signal, pixel_size):
    settings = parameters()
    smallest = round(_SMALLEST / pixel_size**2)
    settings.generate(threshold="yen", gaussian=0.1 / pixel_size, invert=True, min_size=smallest)
    return process(signal, settings)


def run_segspy(signal, pixel_size):
    config = SegConfig(threshold_method="otsu", use_grabcut_refinement=False)
    mask = SegmentationRegistry.get("traditional_cv").segment(signal, config)
    return remove_small_objects(label(mask > 0), round(_SMALLEST / pixel_size**2))


if __name__ == "__main__":
    images, labels = map(Path, sys.argv[1:])
    for name, run in {"ParticleSpy": run_particlespy, "SegSpy": run_segspy}.items():
        (labels / name).mkdir(parents=True)
        for path in sorted(images.glob("*.tif")):
            with tifffile.TiffFile(path) as file:
                image, (n, d) = file.asarray(), file.pages[0].tags["XResolution"].value
            found = run(hs.signals.Signal2D(image.astype(float)), 1e7 * d / n)
            tifffile.imwrite(labels / name / path.name, np.asarray(found, np.int32))
