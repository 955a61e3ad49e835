"""Pictures: overlays, the lattice, the paths of a climb."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.files.names import write_whole
from porescope.lattice.finding import Lattice, measure_spectrum
from porescope.lattice.sites import Sites, map_amplitude
from porescope.micrograph import Micrograph

if TYPE_CHECKING:
    import pandas as pd

#: Okabe and Ito's palette, which the colour-blind can tell apart, as RGB.
ORANGE = (230, 159, 0)
BLUE = (86, 180, 233)

RGB = NDArray[np.uint8]


def draw_image(micrograph: Micrograph, size: int = 768) -> tuple[RGB, float]:
    """Draw a micrograph in grey with a scale bar.

    Parameters
    ----------
    micrograph : Micrograph
    size : int
        The longer side is scaled to this [px].

    Returns
    -------
    picture : ndarray of uint8, shape (H, W, 3)
        Grey from the 0.1st to the 99.9th percentile.
    zoom : float
        Picture pixels per image pixel.
    """
    image = micrograph.image
    zoom = size / max(image.shape)
    sample = image[:: max(1, image.shape[0] // 512), :: max(1, image.shape[1] // 512)]
    low, high = np.percentile(sample, (0.1, 99.9))
    gray = np.clip((image - low) * (255 / max(high - low, 1e-30)), 0, 255).astype(np.uint8)
    shape = [max(1, round(n * zoom)) for n in image.shape]
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    picture = cv2.cvtColor(cv2.resize(gray, shape[::-1], interpolation=how), cv2.COLOR_GRAY2RGB)
    _draw_scale_bar(picture, micrograph.pixel_size[1] / zoom)
    return picture, zoom


def draw_overlay(
    micrograph: Micrograph,
    labels: NDArray[np.integer],
    size: int = 768,
    numbers: bool = True,
    standard: NDArray[np.integer] | None = None,
) -> RGB:
    """Draw a micrograph with the outline and the label of each pore, and a scale bar.

    Parameters
    ----------
    micrograph : Micrograph
    labels : ndarray of int, shape (M, N)
    size : int
        The longer side of the picture [px].
    numbers : bool
        Whether to write the labels, which are left out beyond 99 pores.
    standard : ndarray of int, shape (M, N), optional
        Outlined in blue.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)

    Examples
    --------
    >>> import numpy as np
    >>> draw_overlay(Micrograph(np.eye(40, 20), 0.1), np.eye(40, 20, dtype=int), 80).shape
    (80, 40, 3)
    """
    picture, _ = draw_image(micrograph, size)
    if standard is not None:
        _draw_outlines(picture, standard, BLUE)
    boxes = _draw_outlines(picture, labels, ORANGE)
    if numbers and len(boxes) < 100:
        for label, (top, _, _, right) in boxes.items():
            x = min(right + 3, picture.shape[1] - 14 * len(str(label)))
            _write(picture, str(label), (x, max(top + 4, 14)), 0.45, ORANGE)
    return picture


def _draw_outlines(
    picture: RGB, labels: NDArray[np.integer], color: tuple[int, int, int]
) -> dict[int, tuple[int, int, int, int]]:
    """Outline each region; give their boxes (top, left, bottom, right) in the picture."""
    # Outlines come from the enlarged label image, so that they follow the pixels' edges.
    large = cv2.resize(
        labels.astype(np.float32), picture.shape[1::-1], interpolation=cv2.INTER_NEAREST
    ).astype(np.int32)
    boxes = find_boxes(large)
    for label, (top, left, bottom, right) in boxes.items():
        mask = (large[top:bottom, left:right] == label).astype(np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top))
        cv2.drawContours(picture, outlines, -1, color, 1, cv2.LINE_AA)
    return boxes


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


def find_boxes(labels: NDArray[np.int32]) -> dict[int, tuple[int, int, int, int]]:
    """Top, left, bottom and right of each region [px]."""
    from scipy.ndimage import find_objects

    return {
        label: (s[0].start, s[1].start, s[0].stop, s[1].stop)
        for label, s in enumerate(find_objects(labels), start=1)
        if s is not None  # type: ignore[redundant-expr]  # absent labels are None
    }


def choose_bar(width_nm: float) -> float:
    """Length of a scale bar for an image this wide: 1, 2 or 5 times a power of ten [nm].

    Examples
    --------
    >>> choose_bar(24), choose_bar(0.8)
    (5.0, 0.2)
    """
    target = width_nm / 4
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target)


def _draw_scale_bar(picture: RGB, pixel_nm: float) -> None:
    height, width = picture.shape[:2]
    if min(height, width) < 60:
        return
    bar = choose_bar(width * pixel_nm)
    length, margin = round(bar / pixel_nm), round(0.03 * min(height, width))
    thick = max(3, round(0.008 * height))
    corner = (margin, height - margin - thick)
    end = (margin + length, height - margin)
    cv2.rectangle(picture, (corner[0] - 1, corner[1] - 1), (end[0] + 1, end[1] + 1), (0, 0, 0), -1)
    cv2.rectangle(picture, corner, end, (255, 255, 255), -1)
    text = f"{bar:g} nm" if bar < 1000 else f"{bar / 1000:g} um"
    _write(picture, text, (margin, corner[1] - 6), max(0.5, height / 1200), (255, 255, 255))


def _write(picture: RGB, text: str, at: tuple[int, int], scale: float, color: tuple[int, int, int]) -> None:
    """Write text with a dark edge, so that it reads on any grey."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, text, at, font, scale, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, text, at, font, scale, color, 1, cv2.LINE_AA)


def draw_ascent(
    surface: NDArray[np.float64],
    axes: dict[str, NDArray[np.float64]],
    path: pd.DataFrame,
    title: str,
    file: Path,
) -> None:
    """Draw the paths of a climb over the objective of the exhaustive search, two fields a panel.

    Parameters
    ----------
    surface : ndarray, shape (*axes,)
        The objective; each panel shows its best over the fields it does not show.
    axes : dict
    path : pandas.DataFrame
        As `Climb.path`.
    title : str
    file : Path
        A PNG file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(axes)
    n = len(names)
    # Every field is in a panel; of an odd number the last but one is in two.
    pairs = [(i, i + 1) for i in range(0, n - 1, 2)] + ([(n - 2, n - 1)] if n % 2 and n > 1 else [])
    figure = Figure(figsize=(6.4 * max(len(pairs), 1), 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.atleast_1d(figure.subplots(1, max(len(pairs), 1)))
    if n == 1:
        panels[0].plot(axes[names[0]], surface, color="#3a4552")
        panels[0].plot(path[names[0]], path["objective"], "*", color="#D55E00", label="steps of the climbs")
        panels[0].set(xlabel=names[0], ylabel="objective")
    for ax, (i, j) in zip(panels, pairs, strict=False):
        others = tuple(k for k in range(len(names)) if k not in (i, j))
        image = ax.pcolormesh(
            axes[names[i]], axes[names[j]], surface.max(axis=others).T, cmap="viridis", shading="nearest"
        )
        for restart, steps in path.groupby("restart"):
            line = ax.plot(steps[names[i]], steps[names[j]], "-", color="white", lw=1.4, alpha=0.9)
            ax.plot(*steps[[names[i], names[j]]].iloc[0], "o", color="white", ms=5, mec="black", mew=0.6)
            ax.plot(*steps[[names[i], names[j]]].iloc[-1], "*", color="#D55E00", ms=13, mec="white", mew=0.8,
                    label="end of a climb" if restart == 0 else None)  # fmt: skip
            line[0].set_label("path from its random start" if restart == 0 else None)
        ax.set_xlabel(names[i])
        ax.set_ylabel(names[j])
        figure.colorbar(image, ax=ax, label="objective, best over the other fields")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, facecolor="#9aa3ad")
    figure.suptitle(title, fontsize=12)
    with write_whole(file) as part:
        figure.savefig(part, dpi=110, format="png")
