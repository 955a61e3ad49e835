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
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.files import write_whole
from porescope.micrograph import Micrograph
from porescope.pictures.greys import to_gray
from porescope.pictures.panels import list_outlines, new_figure, save_figure
from porescope.recipes import Choice, read_off

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours of the images: Okabe and Ito's palette, which the colour-blind can tell apart.
_PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

#: Largest number of values shown of an outer and of an inner axis; longer axes are thinned out evenly.
_MOST_OUTER, _MOST_INNER = 8, 19
#: Largest size of the pictures in the page [bytes], number of values of points in it, and of images whose
#: values are listed.
_MOST_BYTES, _MOST_VALUES, _MOST_LISTED = 600_000, 200_000, 20


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


def draw_cvvp(choice: Choice, path: Path | None = None, ax: Axes | None = None) -> Axes:
    """Draw the plot as a picture, with the sentences of `read_off` below it.

    Parameters
    ----------
    choice : Choice
    path : Path, optional
        The file to write: PNG, SVG or PDF.
    ax : matplotlib.axes.Axes, optional
        Where to draw, without the sentences; default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    layout = lay_out(choice)
    width, height = np.ptp(layout.x) + 4, np.ptp(layout.y) + 4
    alone = ax is None
    if ax is None:
        scale = 13 / max(width, height, 24)
        # Not laid out: its texts lie outside, and the picture is as large as they need.
        ax = new_figure((width * scale, height * scale), layout="none").add_axes((0, 0, 1, 1))
    window = ax.get_window_extent()
    # Length of a step in the plot [pt].
    dot = 72 / ax.figure.dpi * min(window.width / width, window.height / height)
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
            ax.figure.colorbar(shown, ax=ax, label=label, shrink=0.4, pad=0.06)
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
    words = "\n".join(read_off(choice)) if alone else ""
    notes = ax.annotate(
        words, (0, 0), (0, -46), "axes fraction", "offset points",
        va="top", fontsize=9, color="#3a4552",
    )  # fmt: skip
    for text in (title, notes, *legend.get_texts()):
        text.set_parse_math(False)  # names of images may hold dollar signs
    if path is not None:
        save_figure(ax.figure, path, bbox_inches="tight", pad_inches=0.2)
    return ax


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


class ShownImage(NamedTuple):
    """One image as the page shows it."""

    name: str
    micrograph: Micrograph
    standard: NDArray[np.integer]  # (M, N)
    found: list[NDArray[np.integer]]  # (M, N) each, at the best points


def write_page(choice: Choice, images: Sequence[ShownImage], path: Path) -> None:
    """Write the plot as a page that shows a point's values under the pointer and its recipe on a click.

    Parameters
    ----------
    choice : Choice
    images : sequence of ShownImage
        The first images of the search. Each is stored once; outlines are drawn over it.
    path : Path
        The HTML file to write.
    """
    from importlib.resources import files

    from jinja2 import Environment, PackageLoader, StrictUndefined

    search, values = choice.search, choice.values
    layout = lay_out(choice)
    rows = [
        {
            "rank": i + 1,
            "numbers": {name: search.recipe_at(p).numbers()[name] for name in search.axes},
            "mean": float(values[:, p].mean()),
            "worst": float(values[:, p].min()),
            "scores": values[:, p].tolist(),
            "at": next(iter(np.flatnonzero(layout.points == p).tolist()), None),
        }
        for i, p in enumerate(choice.best.tolist())
    ]
    n = len(search.names)
    colours = _PALETTE if n <= len(_PALETTE) else ()
    environment = Environment(
        loader=PackageLoader("porescope.pictures", "."), autoescape=True, undefined=StrictUndefined
    )
    html = environment.get_template("cvvp.html.j2").render(
        title=choice.title, notes=read_off(choice), rows=rows, fixed=layout.fixed, n_more=n - len(images),
        series=[{"name": name, "color": c} for name, c in zip(search.names, colours, strict=False)],
        images=[_encode(image, _MOST_BYTES // max(len(images), 1)) for image in images],
        # Without "<" the data cannot close the script element around it.
        data=json.dumps(_pack(choice, layout)).replace("<", "\\u003c"),
        script=files("porescope.pictures").joinpath("cvvp.js").read_text("utf-8"),
    )  # fmt: skip
    with write_whole(path) as part:
        part.write_text(html, encoding="utf-8")


def _pack(choice: Choice, layout: Layout) -> dict[str, Any]:
    """What the script needs; long rows of numbers as Base64 of 8-bit or of 16-bit integers."""
    search, over = choice.search, choice.succeeds[:, layout.points]
    n_images, n_points = over.shape
    known = values = choice.values[:, layout.points]
    known = values[: max(1, min(_MOST_VALUES // n_points, _MOST_LISTED))]
    low, high = float(known.min()), float(known.max())
    scaled = np.rint((known - low) * (65535 / max(high - low, 1e-30)))
    bits = (over * 2 ** np.arange(n_images)[:, None] if n_images <= len(_PALETTE) else over).sum(axis=0)
    series = zip(search.names, _PALETTE, strict=False) if n_images <= len(_PALETTE) else ()
    return {
        "x": _encode_numbers(layout.x, "<u2"), "y": _encode_numbers(layout.y, "<u2"),
        "at": _encode_numbers(np.stack(np.unravel_index(layout.points, search.shape)), "u1"),
        "values": _encode_numbers(scaled, "<u2"), "low": low, "high": high,
        "over": _encode_numbers(bits, "<u2"), "count": n_images, "images": search.names[: len(known)],
        "series": [{"name": name, "color": color} for name, color in series],
        "chosen": int(np.flatnonzero(layout.points == choice.point)[0]),
        "frames": layout.frames, "outer": layout.outer, "inner": layout.inner, "names": layout.names,
        "axes": list(search.axes), "steps": [axis.tolist() for axis in search.axes.values()],
        "recipe": search.recipe.numbers(),
    }  # fmt: skip


def _encode_numbers(values: NDArray[Any], dtype: str) -> str:
    return base64.b64encode(np.asarray(values).astype(dtype).tobytes()).decode()


def _encode(image: ShownImage, most_bytes: int) -> dict[str, Any]:
    """One image for the template: its picture of at most so many bytes, and its outlines as paths."""
    gray = to_gray(image.micrograph)
    side = min(max(gray.shape), 1024)
    content = b""
    while not content or (len(content) > most_bytes and side > 128):
        zoom = side / max(gray.shape)
        small = gray if zoom == 1 else cv2.resize(gray, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        for quality in (80, 60, 40):
            content = cv2.imencode(".webp", np.asarray(small), [cv2.IMWRITE_WEBP_QUALITY, quality])[
                1
            ].tobytes()
            if len(content) <= most_bytes:
                break
        side = side * 3 // 4
    return {
        "name": image.name, "height": gray.shape[0], "width": gray.shape[1],
        "picture": f"data:image/webp;base64,{base64.b64encode(content).decode()}",
        "standard": _write_path(image.standard), "found": [_write_path(labels) for labels in image.found],
    }  # fmt: skip


def _write_path(labels: NDArray[np.integer]) -> str:
    """Outlines of a label image as an SVG path, in pixels from the corner of the first one."""
    parts = []
    for _, outline in list_outlines(labels):
        corners = [f"{x:g} {y:g}" for y, x in outline[:-1]]
        parts.append(f"M{'L'.join(corners)}Z")
    return "".join(parts)
