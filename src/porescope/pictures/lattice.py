"""Picture of an image's lattice: its power spectrum, its amplitude, its sites."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from porescope.lattice.amplitude import RESOLUTION
from porescope.lattice.finding import Lattice, mix
from porescope.lattice.sites import Sites
from porescope.micrograph import Micrograph
from porescope.pictures.overlays import BLUE, ORANGE, RGB, draw_image

#: Largest and smallest side of a panel, whatever the image's [px].
_LARGEST, _SMALLEST = 420, 240


def draw_lattice(micrograph: Micrograph, lattice: Lattice, sites: Sites | None) -> RGB:
    """Draw three panels: the power spectrum with its spots, the lattice's amplitude, the sites.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice
    sites : Sites or None
        Empty sites are orange, metal atoms blue; with None this panel is left out.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Panels of the image's own size, but from 240 to 420 px a side.
    """
    size = min(max(*micrograph.image.shape, _SMALLEST), _LARGEST)
    panels = [_draw_spectrum(lattice, size), _draw_amplitude(lattice, size)]
    heads = ["spectrum, first-order spots", "amplitude of the lattice"]
    if sites is not None:
        panels.append(_draw_sites(micrograph, sites, size))
        heads.append("sites: atoms blue, empty orange")
    framed = []
    for panel, head in zip(panels, heads, strict=True):
        frame = np.full((size + 26, size + 8, 3), 255, np.uint8)
        frame[26 : 26 + panel.shape[0], : panel.shape[1]] = panel
        cv2.putText(frame, head, (2, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 50, 60), 1, cv2.LINE_AA)
        framed.append(frame)
    return np.hstack(framed)


def _draw_spectrum(lattice: Lattice, size: int) -> RGB:
    ratio = lattice.spectrum.ratio
    shape = np.array(ratio.shape)
    reach = 2.2 * float(np.hypot(*lattice.frequencies[0]))
    low = np.maximum(np.floor((0.5 - reach) * shape), 0).astype(int)
    cut = ratio[low[0] : shape[0] - low[0], low[1] : shape[1] - low[1]]
    power = np.log(cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA) + 0.1)
    gray = np.clip((power + 1) * 45, 0, 255).astype(np.uint8)
    picture = cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)
    middle = (shape // 2 - low + 0.5) * size / np.array(cut.shape)
    for spot in (*lattice.spots, *-lattice.spots):
        y, x = middle + spot * shape * size / np.array(cut.shape)
        cv2.circle(picture, (round(x), round(y)), 9, ORANGE, 2, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def _draw_amplitude(lattice: Lattice, size: int) -> RGB:
    """Amplitude of the lattice at the picture's resolution."""
    shape = lattice.flat.shape
    zoom = min(size / max(shape), 1.0)
    small = [max(round(n * zoom), 1) for n in shape]
    sigma = max(RESOLUTION * lattice.constant_px * zoom, 0.3)
    power = np.zeros(small, np.float32)
    for spot in lattice.spots:
        # The area average removes what is finer than a pixel of the picture, the Gaussian the other spots.
        wave = cv2.resize(mix(lattice.flat, spot), small[::-1], interpolation=cv2.INTER_AREA)
        wave = cv2.GaussianBlur(wave, (0, 0), sigma)
        power += wave[..., 0] ** 2 + wave[..., 1] ** 2
    amplitude = np.sqrt(power)
    amplitude /= max(float(np.percentile(amplitude, 75)), 1e-30)
    gray = (np.clip(amplitude / 1.3, 0, 1) * 255).astype(np.uint8)
    zoom = size / max(small)
    large = cv2.resize(gray, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.applyColorMap(large, cv2.COLORMAP_VIRIDIS)[..., ::-1], np.uint8)


def _draw_sites(micrograph: Micrograph, sites: Sites, size: int) -> RGB:
    """Draw the part of the sheet around an empty site, large enough to tell the sites apart."""
    rows, columns = micrograph.image.shape
    empty = sites.positions[sites.empty & ~sites.second]
    middle = np.median(empty, axis=0) if len(empty) else np.array([rows, columns]) / 2
    if len(empty):
        middle = empty[np.hypot(*(empty - middle).T).argmin()]
    spacing = np.sqrt(rows * columns / max((~sites.second).sum(), 1))
    half = min(12 * spacing, min(rows, columns) / 2)
    low = np.clip(np.round(middle - half), 0, np.array([rows, columns]) - 2 * half).astype(int)
    side = max(int(2 * half), 2)
    part = replace(micrograph, image=micrograph.image[low[0] : low[0] + side, low[1] : low[1] + side])
    picture, zoom = draw_image(part, size)
    for (y, x), second, is_empty in zip(
        (sites.positions - low + 0.5) * zoom, sites.second, sites.empty, strict=True
    ):
        if not second and 0 <= y < size and 0 <= x < size:
            radius, color = (6, ORANGE) if is_empty else (3, BLUE)
            cv2.circle(picture, (round(x), round(y)), radius, color, 2 if is_empty else 1, cv2.LINE_AA)
    return picture
