"""Picture of an image's lattice: its power spectrum, its amplitude, its sites."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.atoms import Sites
from porescope.lattice import RESOLUTION, Lattice, mix_coarsely
from porescope.micrograph import Micrograph
from porescope.pictures.overlays import BLUE, ORANGE, draw_image

#: Largest and smallest side of a panel, whatever the image's [px].
_LARGEST, _SMALLEST = 420, 240
#: Picture of shape (H, W) whose pixels are rows of `PALETTE`: a quarter of the size of an RGB file.
_Indexed = NDArray[np.uint8]
#: Rows of the palette: 64 greys, 64 colours of viridis, orange, blue.
_GREYS, _COLOURS = 64, 64
_ORANGE, _BLUE = 128, 129


def _make_palette() -> NDArray[np.uint8]:
    greys = np.linspace(0, 255, _GREYS)[:, None].repeat(3, axis=1)
    steps = np.linspace(0, 255, _COLOURS).astype(np.uint8)[:, None]
    viridis = cv2.applyColorMap(steps, cv2.COLORMAP_VIRIDIS)[:, 0, ::-1]
    return np.vstack([greys, viridis, [ORANGE, BLUE]]).astype(np.uint8)


#: Colours of the picture, shape (130, 3) (RGB).
PALETTE = _make_palette()


def draw_lattice(micrograph: Micrograph, lattice: Lattice, sites: Sites | None) -> _Indexed:
    """Draw three panels: the power spectrum with its spots, the lattice's amplitude, the sites.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice
    sites : Sites or None
        Empty sites are orange, metal atoms blue; with None this panel is left out.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Rows of `PALETTE`. Panels have the image's own size, but from 240 to 420 px a side.
    """
    size = min(max(*micrograph.image.shape, _SMALLEST), _LARGEST)
    panels = [_draw_spectrum(lattice, size), _draw_amplitude(lattice, size)]
    heads = ["spectrum, first-order spots", "amplitude of the lattice"]
    if sites is not None:
        panels.append(_draw_sites(micrograph, sites, size))
        heads.append("sites: atoms blue, empty orange")
    framed = []
    for panel, head in zip(panels, heads, strict=True):
        frame = np.full((size + 26, size + 8), _GREYS - 1, np.uint8)
        frame[26 : 26 + panel.shape[0], : panel.shape[1]] = panel
        cv2.putText(frame, head, (2, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 12, 1, cv2.LINE_AA)
        framed.append(frame)
    return np.hstack(framed)


def _draw_spectrum(lattice: Lattice, size: int) -> _Indexed:
    ratio = lattice.spectrum.ratio
    shape = np.array(ratio.shape)
    reach = 2.2 * float(np.hypot(*lattice.frequencies[0]))
    low = np.maximum(np.floor((0.5 - reach) * shape), 0).astype(int)
    cut = ratio[low[0] : shape[0] - low[0], low[1] : shape[1] - low[1]]
    power = np.log(np.asarray(cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA)) + 0.1)
    picture = np.asarray(np.clip((power + 1) * 45 * _GREYS / 256, 0, _GREYS - 1), np.uint8)
    middle = (shape // 2 - low + 0.5) * size / np.array(cut.shape)
    for spot in (*lattice.spots, *-lattice.spots):
        y, x = middle + spot * shape * size / np.array(cut.shape)
        cv2.circle(picture, (round(x), round(y)), 9, _ORANGE, 2)
    return picture


def _draw_amplitude(lattice: Lattice, size: int) -> _Indexed:
    """Draw the amplitude of the lattice at the picture's resolution."""
    shape = lattice.image.shape
    zoom = min(size / max(shape), 1.0)
    small = [max(round(n * zoom), 1) for n in shape]
    sigma = max(RESOLUTION * lattice.constant_px * zoom, 0.3)
    power = np.zeros(small, np.float32)
    # The area average removes what is finer than a pixel of the picture, the Gaussian the other spots.
    for wave in mix_coarsely(lattice.image, lattice.spots, [(small[0], small[1])] * 3, lattice.field):
        smooth = cv2.GaussianBlur(wave, (0, 0), sigma)
        power += smooth[..., 0] ** 2 + smooth[..., 1] ** 2
    amplitude = np.sqrt(power)
    amplitude /= max(float(np.percentile(amplitude, 75)), 1e-30)
    zoom = size / max(small)
    large = cv2.resize(amplitude, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    return np.asarray(_GREYS + np.clip(large / 1.3, 0, 1) * (_COLOURS - 1), np.uint8)


def _draw_sites(micrograph: Micrograph, sites: Sites, size: int) -> _Indexed:
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
    cut = np.s_[low[0] : low[0] + side, low[1] : low[1] + side]
    part = replace(micrograph, image=micrograph.filled[cut], field=None)
    drawn, zoom = draw_image(part, size)
    picture = (drawn[..., 0] // (256 // _GREYS)).astype(np.uint8)
    for (y, x), second, is_empty in zip(
        (sites.positions - low + 0.5) * zoom, sites.second, sites.empty, strict=True
    ):
        if not second and 0 <= y < size and 0 <= x < size:
            radius, color = (6, _ORANGE) if is_empty else (3, _BLUE)
            cv2.circle(picture, (round(x), round(y)), radius, color, 2 if is_empty else 1)
    return picture
