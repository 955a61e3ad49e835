"""The lattice of an image: its spectrum, its strength, its sites."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from porescope.lattice.amplitude import map_amplitude
from porescope.lattice.finding import Lattice, measure_spectrum
from porescope.lattice.sites import Sites
from porescope.micrograph import Micrograph
from porescope.pictures.overlays import BLUE, ORANGE, RGB, draw_image

if TYPE_CHECKING:
    pass


def draw_lattice(micrograph: Micrograph, lattice: Lattice, sites: Sites | None, size: int = 420) -> RGB:
    """Draw three panels: the spectrum with its spots, the lattice's amplitude, the sites.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice
    sites : Sites or None
        Empty ones are drawn in orange, the metal's in blue; None leaves their panel out.
    size : int
        Longer side of a panel [px].

    Returns
    -------
    ndarray of uint8, shape (size + caption, 2 or 3 · size, 3)
    """
    panels = [_draw_spectrum(micrograph, lattice, size), _draw_amplitude(micrograph, lattice, size)]
    heads = ["spectrum, first-order spots", "strength of the lattice"]
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


def _draw_spectrum(micrograph: Micrograph, lattice: Lattice, size: int) -> RGB:
    power = np.log(measure_spectrum(micrograph.image).ratio + 0.1)
    shape = np.array(power.shape)
    reach = 2.2 * float(np.hypot(*lattice.frequencies[0]))
    low = np.maximum(np.floor((0.5 - reach) * shape), 0).astype(int)
    cut = power[low[0] : shape[0] - low[0], low[1] : shape[1] - low[1]]
    gray = np.clip((cut + 1) * 45, 0, 255).astype(np.uint8)
    picture = cv2.cvtColor(cv2.resize(gray, (size, size), interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2RGB)
    middle = (shape // 2 - low + 0.5) * size / np.array(cut.shape)
    for spot in (*lattice.spots, *-lattice.spots):
        y, x = middle + spot * shape * size / np.array(cut.shape)
        cv2.circle(picture, (round(x), round(y)), 9, ORANGE, 2, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def _draw_amplitude(micrograph: Micrograph, lattice: Lattice, size: int) -> RGB:
    amplitude = map_amplitude(micrograph, lattice).amplitude
    colored = cv2.applyColorMap((np.clip(amplitude / 1.3, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    zoom = size / max(amplitude.shape)
    return np.asarray(
        cv2.resize(colored, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)[..., ::-1], np.uint8
    )


def _draw_sites(micrograph: Micrograph, sites: Sites, size: int) -> RGB:
    """The part of the sheet around the empty sites, large enough to tell the sites apart."""
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
