"""The plot of an exhaustive search (the paper's CVVP), as a picture and as a page.

Two parameters span an outer grid of panels, and two more the inside of every panel; further parameters have
the chosen value. Dots in an image's colour mark the points at which it succeeds, rings those at which all
images do.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from porescope.files import write_whole
from porescope.recipes import Choice

#: Colours of the images: Okabe and Ito's palette, which the colour-blind can tell apart.
_PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

#: Largest number of values shown of an outer and of an inner axis; longer axes are thinned out evenly.
_MOST_OUTER, _MOST_INNER = 8, 19


@dataclass(frozen=True, eq=False)
class Layout:
    """Positions of the shown points in the plot, in steps of an inner axis."""

    points: NDArray[np.int64]  # (K,) numbers of the points, as `Search.recipe_at` takes them
    x: NDArray[np.float64]  # (K,)
    y: NDArray[np.float64]  # (K,)
    frames: list[tuple[float, float, float, float]]  # left, bottom, width and height of each panel
    outer: tuple[list[tuple[float, str]], list[tuple[float, str]]]  # labels (position, text) along x, along y
    inner: tuple[list[tuple[float, str]], list[tuple[float, str]]]  # likewise, some of the first panel's
    names: tuple[str, str]  # names of the inner axes along x and y; "" where there is none
    fixed: dict[str, float]  # parameters that no axis shows → chosen value


def lay_out(choice: Choice) -> Layout:
    """Lay out the points of a search in panels.

    Parameters
    ----------
    choice : Choice
        Parameters beyond four are shown at the value of its chosen point, which is always in the plot.

    Returns
    -------
    Layout
    """
    search = choice.search
    names = list(search.axes)
    at = dict(zip(names, (int(i) for i in np.unravel_index(choice.point, search.shape)), strict=True))
    wanted = [n for n in ("threshold", "area") if n in names]
    inner = wanted if len(wanted) == 2 else names[-2:]
    outer = [n for n in names if n not in inner][:2]
    shown = {n: _thin(len(search.axes[n]), _MOST_INNER, at[n]) for n in inner}
    shown |= {n: _thin(len(search.axes[n]), _MOST_OUTER, at[n]) for n in outer}
    fixed = {n: np.array([at[n]]) for n in names if n not in shown}
    # With fewer than four axes the missing ones have the single position 0.
    xi, yi = (*inner, None)[:2]
    xo, yo = (*outer, None, None)[:2]
    size = [len(shown[n]) if n else 1 for n in (xi, yi, xo, yo)]
    grids = np.meshgrid(*({**shown, **fixed}[n] for n in names), indexing="ij")
    places = np.meshgrid(*(np.arange(len({**shown, **fixed}[n])) for n in names), indexing="ij")
    place = dict(zip(names, (p.ravel() for p in places), strict=True))
    zero = np.zeros(places[0].size, int)
    pitch = size[0] + 1.0, size[1] + 1.0
    x = place.get(xi or "", zero) + pitch[0] * place.get(xo or "", zero)
    y = place.get(yi or "", zero) + pitch[1] * place.get(yo or "", zero)
    frames = [
        (i * pitch[0] - 0.75, j * pitch[1] - 0.75, size[0] + 0.5, size[1] + 0.5)
        for i in range(size[2])
        for j in range(size[3])
    ]

    def ticks(name: str | None, pitch: float, middle: float, label: str) -> list[tuple[float, str]]:
        if name is None:
            return []
        values = search.axes[name][shown[name]]
        return [(i * pitch + middle, f"{label}{value:g}") for i, value in enumerate(values)]

    return Layout(
        points=np.ravel_multi_index([g.ravel() for g in grids], search.shape),
        x=x.astype(float),
        y=y.astype(float),
        frames=frames,
        outer=(
            ticks(xo, pitch[0], (size[0] - 1) / 2, f"{xo} "),
            ticks(yo, pitch[1], (size[1] - 1) / 2, f"{yo} "),
        ),
        inner=(_thin_labels(ticks(xi, 1, 0, "")), _thin_labels(ticks(yi, 1, 0, ""))),
        names=(xi or "", yi or ""),
        fixed={n: float(search.axes[n][i[0]]) for n, i in fixed.items()},
    )


def _thin(n: int, most: int, keep: int) -> NDArray[np.int64]:
    """Choose at most ``most`` of n indices, evenly spread and with ``keep`` among them."""
    if n <= most:
        return np.arange(n)
    step = int(np.ceil(n / most))
    return np.arange(keep % step, n, step)


def read_off(choice: Choice) -> list[str]:
    """Put into words what the plot shows.

    Parameters
    ----------
    choice : Choice

    Returns
    -------
    list of str
        Sentences: at how many points all images succeed; which image is the outlier, without which most
        points would succeed; which parameter has the narrowest range of good values; and, where no point
        suits all images, what to try.
    """
    search, over = choice.search, choice.succeeds
    successes = over.sum(axis=0)
    n_images, n_points = over.shape
    n_all = int((successes == n_images).sum())
    where = f"all {n_images} images" if n_images > 1 else "the one image"
    lines = [f"{n_all:,} of {n_points:,} points succeed (> {choice.mark:g}) on {where}."]
    if n_images > 1:
        without = np.array([((successes - o) == n_images - 1).sum() for o in over])
        outlier = int(np.argmax(without))
        lines.append(
            f"{search.names[outlier]} limits most: without it {without[outlier]:,} points would succeed; "
            f"alone it succeeds at {int(over[outlier].sum()):,}."
        )
    top = successes == successes.max()
    widths = {}
    for i, (name, axis) in enumerate(search.axes.items()):
        held = axis[np.unique(np.unravel_index(np.flatnonzero(top), search.shape)[i])]
        if len(axis) > 1:
            widths[name] = ((held[-1] - held[0]) / (axis[-1] - axis[0]), held)
    if widths:
        name, (share, held) = min(widths.items(), key=lambda item: item[1][0])
        lines.append(
            f"{name} must be chosen most carefully: points with {int(successes.max())} of {n_images} images "
            f"lie from {held[0]:g} to {held[-1]:g}, {share:.0%} of its range."
        )
    if n_all == 0:
        lines += _advise(choice)
    return lines


def _advise(choice: Choice) -> list[str]:
    """Suggest what to try where no point suits all images."""
    search, values, best = choice.search, choice.values, choice.point
    at = np.unravel_index(best, search.shape)
    ends = [
        f"{name} ({axis[i]:g})"
        for (name, axis), i in zip(search.axes.items(), at, strict=True)
        if len(axis) > 1 and i in (0, len(axis) - 1)
    ]
    worst = values.min(axis=0)
    poor = int(np.argmin(values[:, best]))
    here = ", ".join(f"{name} {axis[i]:g}" for (name, axis), i in zip(search.axes.items(), at, strict=True))
    wider = (
        f"the best point is at the end of {', '.join(ends)}" if ends else "though the best point is at no end"
    )
    return [
        f"No point suits all images. Widen the ranges: {wider}.",
        f"Take finer steps around the best point: {here}.",
        f"Lower the success mark: the best that all images reach together is {worst.max():.3g}.",
        f"Tune {search.names[poor]} apart ({values[poor, best]:.3g} at the best point), "
        "or look at its standard again.",
    ]


def draw_cvvp(choice: Choice, path: Path) -> None:
    """Draw the plot as a picture, with the sentences of `read_off` below it.

    Parameters
    ----------
    choice : Choice
    path : Path
        The PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    layout = lay_out(choice)
    width, height = np.ptp(layout.x) + 4, np.ptp(layout.y) + 4
    scale = 13 / max(width, height, 24)
    dot = 72 * scale  # length of a step in the plot [pt]
    figure = Figure(figsize=(width * scale, height * scale))
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    for left, bottom, w, h in layout.frames:
        ax.add_patch(Rectangle((left, bottom), w, h, facecolor="#f4f5f7", edgecolor="#c3c9d1", lw=0.6))
    over = choice.succeeds[:, layout.points]
    ax.scatter(layout.x, layout.y, s=(0.10 * dot) ** 2, color="#b5bcc6", linewidths=0)
    handles = []
    for x, y, color, label in _place_dots(choice.search.names, layout, over):
        if isinstance(color, str):
            ax.scatter(x, y, s=(0.34 * dot) ** 2, color=color, linewidths=0)
            handles.append(Line2D([], [], ls="", marker="o", ms=6, color=color, label=label))
        else:
            shown = ax.scatter(x, y, s=(0.6 * dot) ** 2, c=color, linewidths=0, vmin=1, vmax=len(over))
            figure.colorbar(shown, ax=ax, label=label, shrink=0.4, pad=0.06)
    full, chosen = over.all(axis=0), layout.points == choice.point
    for where, size, color, marker, label in (
        (full, 0.95, "#1b2430", "o", "all images"),
        (chosen, 1.3, "#D55E00", "s", "chosen"),
    ):
        x, y = layout.x[where], layout.y[where]
        ax.scatter(x, y, s=(size * dot) ** 2, facecolors="none", edgecolors=color, marker=marker)
        handles.append(Line2D([], [], ls="", marker=marker, ms=11, mfc="none", mec=color, label=label))
    _label_axes(ax, layout)
    title = ax.set_title(choice.title, loc="left", fontsize=13, pad=44)
    legend = ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1.02), ncols=10, frameon=False, fontsize=9
    )
    notes = ax.annotate(
        "\n".join(read_off(choice)), (0, 0), (0, -46), "axes fraction", "offset points",
        va="top", fontsize=9, color="#3a4552",
    )  # fmt: skip
    for text in (title, notes, *legend.get_texts()):
        text.set_parse_math(False)  # names of images may hold dollar signs
    with write_whole(path) as part:
        figure.savefig(part, dpi=110, format="png", bbox_inches="tight", pad_inches=0.2)


def _place_dots(
    names: Sequence[str], layout: Layout, over: NDArray[np.bool_]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], Any, str]]:
    """Place the dots: x, y, colour and label of each series.

    Up to eight images have a series each, around their points. More images share one, coloured by the number
    of images that succeed.
    """
    n = len(names)
    if n > len(_PALETTE):
        some = over.any(axis=0)
        return [(layout.x[some], layout.y[some], over.sum(axis=0)[some], "images that succeed")]
    radius = 0.0 if n == 1 else 0.25
    series: list[tuple[NDArray[np.float64], NDArray[np.float64], Any, str]] = []
    for name, color, succeeds, i in zip(names, _PALETTE, over, range(n), strict=False):
        angle = 2 * np.pi * i / n + np.pi / 2
        x, y = layout.x + radius * np.cos(angle), layout.y + radius * np.sin(angle)
        series.append((x[succeeds], y[succeeds], color, name))
    return series


def _thin_labels(labels: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """Four to seven labels of a panel's axis, so that they do not overlap."""
    return labels[:: max(1, len(labels) // 4)]


def _label_axes(ax: Any, layout: Layout) -> None:
    """Write the values of the inner axes along the first panel, those of the outer axes along the edges."""
    ax.set_aspect("equal")
    ax.margins(0.01)
    for spine in ax.spines.values():
        spine.set_visible(False)
    top = max(bottom + height for _, bottom, _, height in layout.frames)
    right = max(left + width for left, _, width, _ in layout.frames)
    for axis, inner in zip((ax.xaxis, ax.yaxis), layout.inner, strict=True):
        axis.set_ticks([p for p, _ in inner], [t for _, t in inner], fontsize=7)
        axis.set_tick_params(length=2)
    for place, text in layout.outer[0]:
        ax.text(place, top + 0.3, text, ha="center", va="bottom", fontsize=9)
    for place, text in layout.outer[1]:
        ax.text(right + 0.3, place, text, ha="left", va="center", fontsize=9, rotation=270)
    fixed = "".join(f", {name} = {value:g}" for name, value in layout.fixed.items())
    ax.set_xlabel(f"{layout.names[0]} in each panel{fixed}", loc="left", fontsize=9)
    ax.set_ylabel(f"{layout.names[1]} in each panel" if layout.names[1] else "", loc="bottom", fontsize=9)


def write_page(choice: Choice, overlays: Sequence[Sequence[bytes]], path: Path) -> None:
    """Write the plot as a page that shows a point's values under the pointer and its recipe on a click.

    Parameters
    ----------
    choice : Choice
    overlays : sequence of sequence of bytes
        JPEG pictures of the images at each best point.
    path : Path
        The HTML file to write.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    search, values = choice.search, choice.values
    layout = lay_out(choice)
    over = choice.succeeds[:, layout.points]
    numbers = [search.recipe_at(int(p)).numbers() for p in layout.points]
    data = {
        "x": layout.x.tolist(),
        "y": layout.y.tolist(),
        "point": [[numbers[i][name] for name in search.axes] for i in range(len(numbers))],
        "values": values[:, layout.points].T.round(4).tolist(),
        "marks": [
            {"x": x.tolist(), "y": y.tolist(), "name": label,
             "color": color if isinstance(color, str) else color.tolist()}
            for x, y, color, label in _place_dots(search.names, layout, over)
        ],
        "all": np.flatnonzero(over.all(axis=0)).tolist(),
        "best": np.flatnonzero(layout.points == choice.point).tolist(),
        "frames": layout.frames,
        "outer": layout.outer,
        "inner": layout.inner,
        "inner_names": layout.names,
        "axes": list(search.axes),
        "images": search.names,
        "recipe": search.recipe.numbers(),
    }  # fmt: skip
    rows = [
        {
            "rank": i + 1,
            "numbers": {name: search.recipe_at(p).numbers()[name] for name in search.axes},
            "mean": float(values[:, p].mean()),
            "worst": float(values[:, p].min()),
            "pictures": [f"data:image/jpeg;base64,{base64.b64encode(o).decode()}" for o in overlays[i]],
        }
        for i, p in enumerate(choice.best.tolist())
    ]
    environment = Environment(
        loader=PackageLoader("porescope.pictures", "."), autoescape=True, undefined=StrictUndefined
    )
    # Without "<" the data cannot close the script element around it.
    text = json.dumps(data).replace("<", "\\u003c")
    html = environment.get_template("cvvp.html.j2").render(
        title=choice.title, notes=read_off(choice), rows=rows, names=search.names,
        data=text, plotly=get_plotlyjs(), fixed=layout.fixed,
    )  # fmt: skip
    with write_whole(path) as part:
        part.write_text(html, encoding="utf-8")
