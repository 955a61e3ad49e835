"""Picture of an image's lattice: its power spectrum, its amplitude, its sites."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.atoms import Sites
from porescope.lattice import RESOLUTION, Lattice, mix_coarsely
from porescope.micrograph import Micrograph
from porescope.pictures.greys import draw_greys
from porescope.pictures.lettering import cover_text
from porescope.pictures.overlays import BLUE, ORANGE, draw_scale_bar
from porescope.pictures.panels import open_figure, show_map, show_micrograph, show_scale_bar

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Largest and smallest side of a panel, whatever the image's [px].
_LARGEST, _SMALLEST = 420, 240
#: Height of the headings, size of their letters, space between panels, width of a colour bar with its
#: numbers [px].
_HEAD, _LETTERS, _GAP, _SIDE = 42, 14, 10, 58
#: Value at the upper end of the amplitude's colour bar [amplitude of the intact sheet].
_HIGHEST = 1.3
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


class _Spectrum(NamedTuple):
    """The middle of a power spectrum."""

    power: NDArray[np.float32]  # logarithm of the power over the background
    spots: NDArray[np.float64]  # (6, 2) of the first order: (row, column) in `power` [px]
    reach: NDArray[np.float64]  # (2,) frequency at its upper and left edge [1/px of the image]


class _Crop(NamedTuple):
    """A part of the sheet, large enough to tell its sites apart."""

    top: int
    left: int
    side: int  # [px]


def draw_lattice(
    micrograph: Micrograph, lattice: Lattice, sites: Sites | None, ax: Axes | None = None
) -> _Indexed:
    """Draw three panels: the power spectrum with its spots, the lattice's amplitude, the sites.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice
    sites : Sites or None
        Empty sites are orange, metal atoms blue; with None this panel is left out. It shows a part of the
        sheet, which is framed in the panel of the amplitude.
    ax : matplotlib.axes.Axes, optional
        In whose place to show the panels too, in nm and 1/nm.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        Rows of `PALETTE`. Panels have the image's own size, but from 240 to 420 px a side.
    """
    size = min(max(*micrograph.image.shape, _SMALLEST), _LARGEST)
    spectrum = _cut_spectrum(lattice)
    amplitude = _measure_amplitude(lattice, size)
    crop = None if sites is None else _choose_crop(micrograph, sites)
    reach = float(np.min(spectrum.reach / np.array(micrograph.pixel_size)))
    width = micrograph.image.shape[1] * micrograph.pixel_size[1]
    panels = [
        (
            _draw_spectrum(spectrum, size),
            ("power spectrum (logarithm)", f"±{reach:.3g} /nm, first order circled"),
        ),
        (
            _draw_amplitude(micrograph, amplitude, size, crop),
            ("amplitude of the lattice", f"1: intact sheet; {width:.3g} nm wide"),
        ),
    ]
    if sites is not None and crop is not None:
        left, top = crop.left * micrograph.pixel_size[1], crop.top * micrograph.pixel_size[0]
        side = crop.side * micrograph.pixel_size[0]
        where = f"the framed part: x {left:.1f} to {left + side:.1f}, y {top:.1f} to {top + side:.1f} nm"
        panels.append(
            (_draw_sites(micrograph, sites, size, crop), ("sites: atoms blue, empty orange", where))
        )
    if ax is not None:
        _show(ax, micrograph, spectrum, amplitude, sites, crop)
    framed = []
    for panel, heads in panels:
        frame = np.full((size + _HEAD, panel.shape[1] + _GAP), _GREYS - 1, np.uint8)
        frame[_HEAD : _HEAD + panel.shape[0], : panel.shape[1]] = panel
        for i, head in enumerate(heads):
            _write(frame, head, (3 + 19 * i, 2))
        framed.append(frame)
    return np.hstack(framed)


def _write(frame: _Indexed, text: str, corner: tuple[int, int]) -> None:
    """Write dark text on white."""
    ink = cover_text(text, _LETTERS)
    place = frame[corner[0] : corner[0] + ink.shape[0], corner[1] : corner[1] + ink.shape[1]]
    place -= np.rint(ink[: place.shape[0], : place.shape[1]] * 52).astype(np.uint8)


def _cut_spectrum(lattice: Lattice) -> _Spectrum:
    ratio = lattice.spectrum.ratio
    shape = np.array(ratio.shape)
    reach = 2.2 * float(np.hypot(*lattice.frequencies[0]))
    low = np.maximum(np.floor((0.5 - reach) * shape), 0).astype(int)
    cut = ratio[low[0] : shape[0] - low[0], low[1] : shape[1] - low[1]]
    spots = np.array([shape // 2 - low + spot * shape for spot in (*lattice.spots, *-lattice.spots)])
    return _Spectrum(cut, spots, (shape // 2 - low) / shape)


def _draw_spectrum(spectrum: _Spectrum, size: int) -> _Indexed:
    large = cv2.resize(spectrum.power, (size, size), interpolation=cv2.INTER_AREA)
    power = np.log(np.asarray(large) + 0.1)
    picture = np.asarray(np.clip((power + 1) * 45 * _GREYS / 256, 0, _GREYS - 1), np.uint8)
    for y, x in (spectrum.spots + 0.5) * size / np.array(spectrum.power.shape):
        cv2.circle(picture, (round(x), round(y)), 9, _ORANGE, 2)
    return picture


def _measure_amplitude(lattice: Lattice, size: int) -> NDArray[np.float32]:
    """Amplitude of the lattice at the picture's resolution; 1 is that of the intact sheet."""
    shape = lattice.image.shape
    zoom = min(size / max(shape), 1.0)
    small = [max(round(n * zoom), 1) for n in shape]
    sigma = max(RESOLUTION * lattice.constant_px * zoom, 0.3)
    power = np.zeros(small, np.float32)
    # The area average removes what is finer than a pixel of the picture, the Gaussian the other spots.
    for wave in mix_coarsely(lattice.flattened, lattice.spots, [(small[0], small[1])] * 3):
        smooth = cv2.GaussianBlur(wave, (0, 0), sigma)
        power += smooth[..., 0] ** 2 + smooth[..., 1] ** 2
    amplitude = np.sqrt(power)
    amplitude /= max(float(np.percentile(amplitude, 75)), 1e-30)
    return np.asarray(amplitude, np.float32)


def _draw_amplitude(
    micrograph: Micrograph, amplitude: NDArray[np.float32], size: int, crop: _Crop | None
) -> _Indexed:
    zoom = size / max(amplitude.shape)
    large = cv2.resize(amplitude, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    colours = _GREYS + np.clip(np.asarray(large) / _HIGHEST, 0, 1) * (_COLOURS - 1)
    picture = np.full((size, large.shape[1] + _SIDE), _GREYS - 1, np.uint8)
    picture[: large.shape[0], : large.shape[1]] = colours
    if crop is not None:
        scale = size / max(micrograph.image.shape)
        ends = [(round(v * scale), round(w * scale)) for v, w in
                ((crop.left, crop.top), (crop.left + crop.side, crop.top + crop.side))]  # fmt: skip
        cv2.rectangle(picture[:, : large.shape[1]], ends[0], (ends[1][0] - 1, ends[1][1] - 1), 0, 3)
        cv2.rectangle(picture[:, : large.shape[1]], ends[0], (ends[1][0] - 1, ends[1][1] - 1), _GREYS - 1, 1)
    left, height = large.shape[1] + 8, max(min(large.shape[0] - 16, 300), 20)
    steps = _GREYS + np.linspace(1, 0, height) * (_COLOURS - 1)
    picture[8 : 8 + height, left : left + 16] = steps[:, None].astype(np.uint8)
    for value in (0.0, 0.5, 1.0) if height >= 60 else (0.0, 1.0):
        y = 8 + round((1 - value / _HIGHEST) * (height - 1))
        picture[y, left + 16 : left + 20] = 12
        _write(picture, f"{value:g}", (y - 8 if y > 8 else 0, left + 22))
    return picture


def _choose_crop(micrograph: Micrograph, sites: Sites) -> _Crop:
    """Choose the part of the sheet around an empty site, large enough to tell the sites apart."""
    rows, columns = micrograph.image.shape
    empty = sites.positions[sites.empty & ~sites.second]
    middle = np.median(empty, axis=0) if len(empty) else np.array([rows, columns]) / 2
    if len(empty):
        middle = empty[np.hypot(*(empty - middle).T).argmin()]
    spacing = np.sqrt(rows * columns / max((~sites.second).sum(), 1))
    half = min(12 * spacing, min(rows, columns) / 2)
    low = np.clip(np.round(middle - half), 0, np.array([rows, columns]) - 2 * half).astype(int)
    return _Crop(int(low[0]), int(low[1]), max(int(2 * half), 2))


def _cut(micrograph: Micrograph, crop: _Crop) -> Micrograph:
    where = np.s_[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
    return replace(micrograph, image=micrograph.filled[where], field=None)


def _list_sites(sites: Sites, crop: _Crop) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Places (row, column) of the first sublattice in a part of the sheet [px], and which are empty."""
    places = sites.positions - (crop.top, crop.left) + 0.5
    shown = ~sites.second & (places >= 0).all(axis=1) & (places < crop.side).all(axis=1)
    return places[shown], sites.empty[shown]


def _draw_sites(micrograph: Micrograph, sites: Sites, size: int, crop: _Crop) -> _Indexed:
    part = _cut(micrograph, crop)
    sheet, zoom = draw_greys(part, size)
    picture = (sheet[..., 0] // (256 // _GREYS)).astype(np.uint8)
    for (y, x), is_empty in zip(*_list_sites(sites, crop), strict=True):
        radius, color = (6, _ORANGE) if is_empty else (3, _BLUE)
        cv2.circle(picture, (round(x * zoom), round(y * zoom)), radius, color, 2 if is_empty else 1)
    box = draw_scale_bar(sheet, part.pixel_size[1] / zoom)
    if box is not None:  # it lies over the atoms
        where = np.s_[box[0] : box[2], box[1] : box[3]]
        picture[where] = sheet[where][..., 0] // (256 // _GREYS)
    return picture


def _show(
    ax: Axes,
    micrograph: Micrograph,
    spectrum: _Spectrum,
    amplitude: NDArray[np.float32],
    sites: Sites | None,
    crop: _Crop | None,
) -> None:
    """Show the panels with matplotlib, in the place of an axes."""
    from matplotlib.patches import Rectangle

    figure = open_figure(ax, (9, 3))
    axes = figure.subplots(1, 2 if crop is None else 3)
    reach = spectrum.reach / np.array(micrograph.pixel_size)
    around = (-reach[1], reach[1], reach[0], -reach[0])
    power = axes[0].imshow(
        np.log10(spectrum.power + 0.1), extent=around, cmap="gray", vmin=-1, interpolation="nearest"
    )
    places = (spectrum.spots / np.array(spectrum.power.shape) * 2 - 1) * reach
    axes[0].scatter(*places[:, ::-1].T, s=50, facecolors="none", edgecolors="#E69F00")
    axes[0].set(xlabel="frequency [1/nm]", title="power spectrum")
    figure.colorbar(power, ax=axes[0], label="log₁₀ (power / background)", shrink=0.8)
    shown = show_map(axes[1], micrograph, amplitude, cmap="viridis", vmin=0, vmax=_HIGHEST)
    show_scale_bar(axes[1], micrograph)
    axes[1].set_title("amplitude of the lattice")
    figure.colorbar(shown, ax=axes[1], label="amplitude / that of the intact sheet", shrink=0.8)
    if sites is None or crop is None:
        return
    dy, dx = micrograph.pixel_size
    frame: dict[str, Any] = {"fill": False, "edgecolor": "white", "linewidth": 1}
    axes[1].add_patch(Rectangle((crop.left * dx, crop.top * dy), crop.side * dx, crop.side * dy, **frame))
    show_micrograph(axes[2], _cut(micrograph, crop))
    places, empty = _list_sites(sites, crop)
    for which, style in ((~empty, {"s": 3, "linewidths": 0.35}), (empty, {"s": 16, "linewidths": 0.9})):
        colour = tuple(c / 255 for c in (ORANGE if style["s"] > 3 else BLUE))
        x, y = places[which, 1] * dx, places[which, 0] * dy
        axes[2].scatter(x, y, facecolors="none", edgecolors=[colour], **style)
    axes[2].set_title("framed part: atoms blue,\nempty sites orange")
