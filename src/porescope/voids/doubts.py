"""Doubts about what a method found, whichever it was: what the grey levels say against it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from porescope.labels import Detection, find_boxes
from porescope.lattice import find_median
from porescope.micrograph import Micrograph
from porescope.modalities import HOLE_SIGN
from porescope.voids.detector import Voids

#: Most pixels that are looked at: a larger image is looked at on a coarser grid.
_MOST_PIXELS = 2**20
#: Range over which grey values are averaged [nm], and its limits [px]: the atoms of a crystal are evened out.
_AVERAGED_NM, _AVERAGED_PX = 0.12, (1.5, 6.0)
#: Share of the field that is as dark as vacuum outside all pores from which that is told.
_MOST_OUTSIDE = 0.02
#: Deviation from vacuum up to which a pixel is as dark, relative to the contrast of sheet and vacuum.
_AS_DARK = 0.25
#: Smallest inside of a pore in which two grey levels are looked for [px], and most pores that are looked at.
_SMALLEST_INSIDE, _MOST_PORES = 200, 50
#: Distance of two grey levels inside a pore, in standard deviations of each and relative to the contrast,
#: and smallest share of the pore that each takes.
_APART, _CONTRAST, _SHARE = 6.0, 0.35, 0.1
#: Probabilities or levels between which the porosity is compared, and the factor from which that is told.
_LOOSE, _STRICT, _FACTOR = 0.25, 0.75, 2.0


def list_doubts(
    micrograph: Micrograph, found: Detection, crystal: bool = False, method: str = ""
) -> list[str]:
    """List the doubts about what was found in an image.

    Parameters
    ----------
    micrograph : Micrograph
    found : Detection
    crystal : bool
        Whether the image shows a lattice. In HRTEM a pore may then be dark or bright, and its grey level
        tells nothing.
    method : str
        Method by which it was found: what to try depends on it.

    Returns
    -------
    list of str
        Much of the field is as dark as vacuum outside all pores; a pore has two grey levels inside; the
        porosity changes by a factor with the threshold.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(90, 3, (200, 200))
    >>> image[20:60, 20:60], image[100:160, 100:160] = 10, 10
    >>> labels = np.zeros((200, 200), np.int32)
    >>> labels[20:60, 20:60] = 1
    >>> list_doubts(Micrograph(image, 1.0), Detection(labels))[0].split(":")[0]
    '8 % of the field is as dark as vacuum outside all pores'
    """
    sign = HOLE_SIGN[micrograph.modality]
    if (crystal and sign == 0) or not found.labels.any():
        return []
    step = int(np.ceil(np.sqrt(found.labels.size / _MOST_PIXELS)))
    coarse = np.s_[::step, ::step]
    labels = found.labels[coarse]
    image = micrograph.filled
    if step > 1:
        image = np.asarray(cv2.resize(image, labels.shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    probability = None if found.probability is None else found.probability[coarse]
    field = None if micrograph.field is None else micrograph.field[coarse]
    pixel = float(np.sqrt(micrograph.pixel_area)) * step
    sigma = float(np.clip(_AVERAGED_NM / pixel, *_AVERAGED_PX))
    smoothed = cv2.GaussianBlur(image, (0, 0), sigma)
    dark = np.asarray(smoothed if sign < 0 else -smoothed, np.float32)
    pores = (labels > 0).view(np.uint8)
    reach = int(np.ceil(2 * sigma))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    core = cv2.erode(pores, disc, borderValue=1).view(bool)
    clear = ~cv2.dilate(pores, disc).view(bool)
    if field is not None:
        clear &= field
    if np.count_nonzero(core) < _SMALLEST_INSIDE or not clear.any():
        return _doubt_threshold(probability)
    vacuum, sheet = float(find_median(dark[core])), float(find_median(dark[clear]))
    contrast = sheet - vacuum
    if contrast <= 0:
        return _doubt_threshold(probability)
    # Without a probability, the grey level between sheet (0) and vacuum (1), near the pores.
    depth = np.where(clear, 0, (sheet - dark) / contrast) if probability is None else probability
    return [
        *_doubt_outside(dark, clear, vacuum + _AS_DARK * contrast, field, method),
        *_doubt_inside(dark, np.where(core, labels, 0), contrast),
        *_doubt_threshold(depth),
    ]


def _doubt_outside(
    dark: NDArray[np.float32],
    clear: NDArray[np.bool_],
    level: float,
    field: NDArray[np.bool_] | None,
    method: str,
) -> list[str]:
    """Whether much of the field is as dark as vacuum outside all pores."""
    total = dark.size if field is None else np.count_nonzero(field)
    share = np.count_nonzero((dark < level) & clear) / total
    if share <= _MOST_OUTSIDE:
        return []
    what = f"{share:.0%} of the field is as dark as vacuum outside all pores".replace("%", " %")
    if method == Voids.method:
        return [f"{what}: taken for holes of the support film, which it surrounds or which are wide"]
    return [f"{what}: if the overlay shows pores there, try --method voids"]


def _doubt_inside(dark: NDArray[np.float32], cores: NDArray[np.integer], contrast: float) -> list[str]:
    """Whether pores have two grey levels inside."""
    boxes = find_boxes(cores.astype(np.int32))
    largest = sorted(
        boxes, key=lambda label: -(boxes[label][2] - boxes[label][0]) * (boxes[label][3] - boxes[label][1])
    )
    doubtful = []
    for label in largest[:_MOST_PORES]:
        top, left, bottom, right = boxes[label]
        here = np.s_[top:bottom, left:right]
        values = dark[here][cores[here] == label]
        if len(values) < _SMALLEST_INSIDE or float(np.ptp(values)) < _CONTRAST * contrast:
            continue
        low = values < threshold_otsu(values)
        share = float(low.mean())
        if not _SHARE <= share <= 1 - _SHARE:
            continue
        spread = max(float(values[low].std()), float(values[~low].std()))
        distance = float(values[~low].mean() - values[low].mean())
        if distance > max(_APART * spread, _CONTRAST * contrast):
            doubtful.append(label)
    if not doubtful:
        return []
    named = ", ".join(str(label) for label in sorted(doubtful)[:5]) + (", …" if len(doubtful) > 5 else "")
    return [
        f"{len(doubtful)} of the pores have two grey levels inside (label {named}), of which one may be "
        "sheet or film: look at the overlay, and try another method"
    ]


def _doubt_threshold(depth: NDArray[np.floating] | None) -> list[str]:
    """Whether the area of the pores changes by a factor with the threshold."""
    if depth is None:
        return []
    loose, strict = (int(np.count_nonzero(depth >= level)) for level in (_LOOSE, _STRICT))
    if loose <= _FACTOR * strict:
        return []
    factor = loose / max(strict, 1)
    return [
        f"the area of the pores changes by a factor of {factor:.1f} with the threshold: their edges are not "
        "sharp, so take sizes and porosity as rough, or try another method"
    ]
