"""Pictures of what a detector computes: the pipeline's stages; the network's input and output."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from porescope.labels import find_boxes
from porescope.lattice import find_lattice
from porescope.micrograph import Micrograph
from porescope.network import Network, look_at
from porescope.pictures.greys import to_gray
from porescope.pictures.overlays import FAINT, ORANGE
from porescope.pictures.panels import list_extent, open_figure, save_figure, show_outlines, show_scale_bar
from porescope.recipes import (
    Recipe,
    average,
    convert_to_gray,
    equalize,
    median_gray,
    recipe_pixel_size,
    scale_recipe,
    segment,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: What the values of the network's input are.
_SCALED = "scaled grey"


def draw_stages(
    micrograph: Micrograph, recipe: Recipe, path: Path | None = None, ax: Axes | None = None
) -> Figure | SubFigure:
    """Draw the stages of the pipeline side by side, each with a line scan through a pore.

    Parameters
    ----------
    micrograph : Micrograph
    recipe : Recipe
    path : Path, optional
        The file to write: PNG, SVG or PDF.
    ax : matplotlib.axes.Axes, optional
        In whose place to draw; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.figure.SubFigure

    Notes
    -----
    The scan goes through the largest pore; without pores, through the darkest point of the averaged image.
    The threshold is drawn as it applies to this image, scaled by the image's median.
    """
    gray = convert_to_gray(micrograph)
    scaled = scale_recipe(recipe, recipe_pixel_size(micrograph), gray.shape, median_gray(gray))
    equal = equalize(gray, scaled.tiles, recipe.clip_limit)
    mean = average(equal, scaled.width)
    labels = segment(micrograph, recipe)
    row = _choose_row(labels, mean)
    heads = (
        "original",
        f"equalised, {scaled.tiles[0]} × {scaled.tiles[1]} tiles",
        f"averaged over {scaled.width} × {scaled.width} px",
        f"selected: {labels.max()} pores > {scaled.area:.0f} px²",
    )
    pictures = (gray, equal, mean, gray)
    extent = list_extent(micrograph)
    figure = open_figure(ax, (15, 6.6))
    axes = figure.subplots(2, 4, height_ratios=(2.4, 1), sharex="col")
    x = (np.arange(labels.shape[1]) + 0.5) * micrograph.pixel_size[1]
    for i, (picture, head) in enumerate(zip(pictures, heads, strict=True)):
        axes[0, i].imshow(picture, cmap="gray", extent=extent, interpolation="nearest", vmin=0, vmax=255)
        axes[0, i].axhline((row + 0.5) * micrograph.pixel_size[0], color="#56B4E9", lw=0.9, ls="--")
        axes[0, i].set_title(head, fontsize=11)
        show_scale_bar(axes[0, i], micrograph, labels)
        axes[1, i].set_xlabel("x [nm]")
        scan = (gray, equal, mean, np.where(labels > 0, mean, 255))[i][row]
        axes[1, i].plot(x, scan, color="#3a4552", lw=0.8)
        axes[1, i].fill_between(x, 0, 255, where=labels[row] > 0, color="#E69F00", alpha=0.3, lw=0)
        axes[1, i].set_ylim(0, 255)
    show_outlines(axes[0, 3], micrograph, labels, ORANGE, numbers=False)
    for scanned in axes[1, 2:]:
        scanned.axhline(scaled.threshold, color="#D55E00", lw=1.2)
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
    axes[1, 2].text(
        x[-1],
        scaled.threshold + 6,
        f"threshold {scaled.threshold:.0f}",
        ha="right",
        color="#D55E00",
        bbox=box,
    )
    axes[0, 0].set_ylabel("y [nm]")
    axes[1, 0].set_ylabel("grey (0–255)")
    name = recipe.name or "recipe"
    figure.suptitle(
        f"{micrograph.name}: {name}, grid {recipe.grid:g}, radius {recipe.radius:g}, "
        f"threshold {recipe.threshold:g}, area {recipe.area:g}, {recipe.scaling} scaling; "
        "dashed: the scan; orange: pores",
        fontsize=11,
        parse_math=False,
    )
    if path is not None:
        save_figure(figure, path, dpi=100)
    return figure


def _choose_row(labels: NDArray[np.int32], mean: NDArray[np.uint8]) -> int:
    """Choose the row of the scan: through the largest pore, else through the darkest point."""
    if labels.any():
        largest = np.bincount(labels.ravel())[1:].argmax() + 1
        return round(float(np.argwhere(labels == largest)[:, 0].mean()))
    return int(np.unravel_index(mean.argmin(), mean.shape)[0])


def draw_findings(
    micrograph: Micrograph, detector: Network, path: Path | None = None, ax: Axes | None = None
) -> Figure | SubFigure:
    """Draw the network's input and output side by side.

    Parameters
    ----------
    micrograph : Micrograph
    detector : Network
    path : Path, optional
        The file to write: PNG, SVG or PDF.
    ax : matplotlib.axes.Axes, optional
        In whose place to draw; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.figure.SubFigure

    Notes
    -----
    First row: the two channels of the input (the image, and the image with its lattice removed), the pores
    with their confidence and the candidates, and the largest pore enlarged. Second row: the probability of a
    pore and of a hidden sheet at each pixel, and the vacancy map where there is a lattice.
    """
    lattice = find_lattice(micrograph)
    found = detector.find(micrograph, lattice)
    assert found.probability is not None and found.unusable is not None and found.confidence is not None
    seen, (rows, columns), _ = look_at(micrograph, lattice)
    size = np.array(micrograph.image.shape) * micrograph.pixel_size
    whole = list_extent(micrograph)
    top, bottom = np.array([rows.start, rows.stop]) * micrograph.pixel_size[0]
    left, right = np.array([columns.start, columns.stop]) * micrograph.pixel_size[1]
    field = {"cmap": "gray", "extent": (left, right, bottom, top)}
    shape = " × ".join(map(str, seen.shape[1:]))
    figure = open_figure(ax, (19, 10 * min(max(size[0] / size[1], 0.6), 1.6)))
    axes = figure.subplots(2, 4)
    n_candidates = 0 if found.candidates is None else int(found.candidates.max())
    z = np.zeros((1, 1)) if found.vacancies is None else found.vacancies
    gray, greys = to_gray(micrograph), {"cmap": "gray", "vmin": 0, "vmax": 255}
    panels: list[tuple[NDArray[Any], str, dict[str, Any], str]] = [
        (seen[0], f"network input at {shape} px, pores dark", {**field, "vmin": -4, "vmax": 4}, _SCALED),
        (seen[1], "network input, lattice removed", {**field, "vmin": -3, "vmax": 3}, _SCALED),
        (gray, f"{len(found.confidence)} pores with confidence; faint: {n_candidates} candidates", greys, ""),
        (gray, "the largest pore", greys, ""),
        (found.probability, "probability of a pore", {"vmin": 0, "vmax": 1}, "probability"),
        (found.unusable, "probability that the sheet is hidden", {"vmin": 0, "vmax": 1}, "probability"),
        (z, "vacancy map", {"cmap": "inferno", "vmin": 0, "vmax": 10}, "standard deviations above noise"),
    ]
    axes[1, 3].set_visible(False)
    axes[1, 2].set_visible(found.vacancies is not None)
    for panel, (values, head, options, unit) in zip(axes.flat, panels, strict=False):
        shown = panel.imshow(values, **{"extent": whole, "interpolation": "nearest", **options})
        panel.set_title(head, fontsize=11)
        panel.set_xlabel("x [nm]")
        panel.set_ylabel("y [nm]")
        if unit and panel.get_visible():
            figure.colorbar(shown, ax=panel, label=unit, shrink=0.8)
    for panel in axes[0, 2:]:
        if found.candidates is not None:
            show_outlines(panel, micrograph, found.candidates, FAINT, numbers=False)
        show_outlines(panel, micrograph, found.labels, ORANGE, numbers=False)
    show_scale_bar(axes[0, 2], micrograph, found.labels)
    _show_pores(axes[0, 2:], micrograph, found.labels, found.confidence)
    figure.suptitle(
        f"{micrograph.name}: the network, {found.message or 'scaled by the lattice'}",
        fontsize=12,
        parse_math=False,
    )
    if path is not None:
        save_figure(figure, path, dpi=100)
    return figure


def _show_pores(
    axes: Sequence[Axes],
    micrograph: Micrograph,
    labels: NDArray[np.int32],
    confidences: NDArray[np.float64],
) -> None:
    """Write the confidence of each pore into the first axes, and enlarge the largest in the second."""
    from matplotlib.patheffects import withStroke

    size = np.array(micrograph.image.shape) * micrograph.pixel_size
    edge = [withStroke(linewidth=2, foreground="black")]
    boxes = [np.array(box).reshape(2, 2) * micrograph.pixel_size for box in find_boxes(labels).values()]
    for confidence, ((top, _), (_, right)) in zip(confidences, boxes, strict=True):
        at = (min(right, 0.92 * size[1]), max(top, 0.05 * size[0]))
        axes[0].text(*at, f"{confidence:.2f}", color="#E69F00", fontsize=9, va="bottom", path_effects=edge)
    largest = max(boxes, key=lambda box: float(np.ptp(box, axis=0).max()), default=None)
    if largest is not None:
        half = min(0.8 * float(np.ptp(largest, axis=0).max()) + 0.6, float(size.min()) / 2)
        middle = np.clip(largest.mean(axis=0), half, size - half)
        axes[1].set(xlim=middle[1] + half * np.array([-1, 1]), ylim=middle[0] + half * np.array([1, -1]))
    axes[1].set_visible(largest is not None)
