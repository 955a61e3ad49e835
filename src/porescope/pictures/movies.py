"""Pictures of a movie: the growth of its pores, a kymograph, a film with the tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.micrograph import Micrograph
from porescope.pictures.lettering import write
from porescope.pictures.overlays import draw_image, draw_outlines
from porescope.pictures.panels import open_figure, save_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: Colours of tracks, in turn: Okabe and Ito's palette, which the colour-blind can tell apart (RGB).
COLOURS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0),
    (204, 121, 167), (0, 114, 178), (205, 185, 40),
)  # fmt: skip
#: Most tracks that have a colour and a name in the plot of growth, and a strip in the kymograph.
_MOST_TRACKS, _MOST_STRIPS = 14, 6
#: Least half length of a strip of a kymograph, and its half width [nm]; it is as long as the pores ask for.
_STRIP_NM = (1.5, 0.1)
#: Longer side of a film [px], and its frames per second.
_FILM_SIZE, _FRAMES_PER_SECOND = 640, 8


def draw_growth(
    rows: pd.DataFrame, lives: pd.DataFrame, file: Path | None = None, ax: Axes | None = None
) -> Figure | SubFigure:
    """Draw the area of each pore against the dose, with the lines of its growth, and the rates beside.

    Parameters
    ----------
    rows : DataFrame
        Each pore in each frame, as `movies.list_rows` returns them.
    lives : DataFrame
        Each track, as `movies.describe_lives` returns them.
    file : Path, optional
        The file to write: PNG, SVG or PDF.
    ax : matplotlib.axes.Axes, optional
        In whose place to draw; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.figure.SubFigure
    """
    dosed = bool(rows.dose_e_nm2.notna().any())
    column, unit = ("dose_e_nm2", "e_nm2") if dosed else ("frame", "frame")
    x_name = "dose [e/nm²]" if dosed else "frame (the dose is unknown)"
    figure = open_figure(ax, (11, 4.8))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    shown = lives.sort_values("n_frames", ascending=False, kind="stable").track.head(_MOST_TRACKS).tolist()
    name = f"growth_nm2_per_{unit}"
    lives = lives.set_index("track")
    for track, its in rows[rows.label > 0].groupby("track"):
        named = track in shown
        colour = _colour(track) if named else "#c4c9ce"
        whole = its[its.event != "border"]
        label = str(track) if named else None
        left.plot(whole[column], whole.area_nm2, "o", ms=3, color=colour, label=label, zorder=2 + named)
        cut = its[its.event == "border"]
        left.plot(cut[column], cut.area_nm2, "x", ms=3, color=colour, alpha=0.6)
        slope = lives[name][track]
        if named and np.isfinite(slope):
            x = whole[column].to_numpy(float)
            middle = float(np.median(whole.area_nm2 - slope * x))
            left.plot(x[[0, -1]], middle + slope * x[[0, -1]], "-", lw=1, color=colour)
    left.set(xlabel=x_name, ylabel="area [nm²]", ylim=(0, None))
    if shown:
        left.legend(title="track", fontsize=7, title_fontsize=8, frameon=False, ncols=2)
    _draw_rates(right, lives, name, "nm² per e/nm²" if dosed else "nm² a frame")
    if file is not None:
        save_figure(figure, file)
    return figure


def _colour(track: Any) -> tuple[float, ...]:
    """Colour of a track, as matplotlib takes it."""
    return tuple(part / 255 for part in COLOURS[int(track) % len(COLOURS)])


def _draw_rates(ax: Any, lives: pd.DataFrame, name: str, unit: str) -> None:
    """The rate of each track with its interval, against the area at which it begins."""
    known = lives[lives[name].notna()]
    x, y = known.first_area_nm2.to_numpy(float), known[name].to_numpy(float)
    ax.vlines(x, known[f"{name}_low"], known[f"{name}_high"], color="#9aa3ad", lw=1)
    colours = [_colour(track) for track in known.index]
    ax.scatter(x, y, c=colours or None, s=18, zorder=3)
    for track, a, b in zip(known.index, x, y, strict=True):
        if len(known) <= _MOST_TRACKS:
            ax.annotate(str(track), (a, b), xytext=(5, 3), textcoords="offset points", fontsize=7)
    if not len(known):
        ax.text(0.5, 0.5, "no track is seen in five frames", ha="center", transform=ax.transAxes)
    ax.axhline(0, color="#9aa3ad", ls=":", lw=1)
    ax.set(xlabel="area at first [nm²]", ylabel=f"growth [{unit}], 95 % interval")


def draw_kymograph(
    load: Callable[[int], NDArray[np.float32] | None],
    places_nm: NDArray[np.float64],
    lives: pd.DataFrame,
    pixel_nm: float,
    file: Path | None = None,
    ax: Axes | None = None,
) -> Figure | SubFigure:
    """Draw a row through the middle of each of the largest pores, frame by frame.

    Parameters
    ----------
    load : callable
        Number of a frame → its image; called once for each frame that has a place, in order.
    places_nm : ndarray, shape (K, 2)
        First pixel of each frame in the sheet; NaN: the frame is left out.
    lives : DataFrame
        Each track, as `movies.describe_lives` returns them.
    pixel_nm : float
    file : Path, optional
        The file to write: PNG, SVG or PDF.
    ax : matplotlib.axes.Axes, optional
        In whose place to draw; default: a new figure.

    Returns
    -------
    matplotlib.figure.Figure or matplotlib.figure.SubFigure
    """
    chosen = lives.sort_values(["n_frames", "last_area_nm2"], ascending=False).head(_MOST_STRIPS)
    chosen = chosen.sort_values("track")
    largest = float(np.sqrt(4 / np.pi * chosen.last_area_nm2.max())) if len(chosen) else 0.0
    half, wide = (max(1, round(nm / pixel_nm)) for nm in (max(_STRIP_NM[0], largest), _STRIP_NM[1]))
    strips = np.full((max(len(chosen), 1), len(places_nm), 2 * half + 1), np.nan, np.float32)
    for frame in np.flatnonzero(np.isfinite(places_nm).all(axis=1)).tolist():
        image = load(frame)
        if image is None:
            continue
        for k, at in enumerate(chosen[["y_nm", "x_nm"]].to_numpy(float)):
            y, x = np.rint((at - places_nm[frame]) / pixel_nm).astype(int).tolist()
            rows = image[max(y - wide, 0) : max(y + wide + 1, 0)]
            columns = np.arange(x - half, x + half + 1)
            inside = (columns >= 0) & (columns < image.shape[1])
            if len(rows):
                strips[k, frame, inside] = rows[:, columns[inside]].mean(axis=0)
    figure = open_figure(ax, (2 + 1.8 * len(strips), 4.6))
    panels = figure.subplots(1, len(strips), squeeze=False, sharey=True)[0]
    known = strips[np.isfinite(strips)]
    low, high = np.percentile(known, (0.5, 99.5)) if len(known) else (0, 1)
    reach = (half + 0.5) * pixel_nm
    for panel, strip, track in zip(panels, strips, [*chosen.track, None], strict=False):
        extent = (-reach, reach, len(strip) - 0.5, -0.5)
        panel.imshow(
            strip, cmap="gray", vmin=low, vmax=high, extent=extent, aspect="auto", interpolation="nearest"
        )
        panel.set(title="no pore" if track is None else f"track {track}", xlabel="x [nm]")
    panels[0].set_ylabel("frame")
    if file is not None:
        save_figure(figure, file)
    return figure


def make_film_frame(
    micrograph: Micrograph,
    labels: NDArray[np.integer] | None,
    track_of: dict[int, int],
    caption: str,
) -> NDArray[np.uint8]:
    """Draw one frame with the outlines of its pores in the colours and with the numbers of their tracks.

    Parameters
    ----------
    micrograph : Micrograph
    labels : ndarray of int, shape (M, N), or None
        None: the frame was not processed.
    track_of : dict
        Label → track.
    caption : str
        Written in the upper left corner; in ASCII.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        With even sides, as films need them.
    """
    picture, _ = draw_image(micrograph, _FILM_SIZE)
    if labels is not None:
        for label, track in track_of.items():
            colour = COLOURS[track % len(COLOURS)]
            for _, (top, _, _, right) in draw_outlines(picture, labels == label, colour).items():
                x = min(right + 3, picture.shape[1] - 14 * len(str(track)))
                write(picture, str(track), (max(top - 8, 22), x), 14, colour)
    write(picture, caption, (4, 8), 14, (255, 255, 255))
    height, width = picture.shape[:2]
    return cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(np.uint8)


@contextmanager
def write_film(file: Path) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Write a film as MP4 (H.264), and make sure that it holds all frames.

    Parameters
    ----------
    file : Path

    Yields
    ------
    callable
        Takes the frames, one after the other: uint8, of one shape (H, W, 3) with even sides.

    Raises
    ------
    OSError
        If the file is empty or lacks frames in the end.
    """
    import imageio_ffmpeg

    writers: list[Any] = []
    count = 0

    def add(picture: NDArray[np.uint8]) -> None:
        nonlocal count
        if not writers:
            size = picture.shape[1::-1]
            writers.append(
                imageio_ffmpeg.write_frames(
                    str(file), size, fps=_FRAMES_PER_SECOND, macro_block_size=1, quality=5
                )
            )
            writers[0].send(None)
        writers[0].send(np.ascontiguousarray(picture))
        count += 1

    try:
        yield add
    finally:
        for writer in writers:
            writer.close()
    is_empty = (
        not file.is_file() or file.stat().st_size == 0
    )  # as FFmpeg leaves it where it failed in silence
    written = 0 if is_empty else imageio_ffmpeg.count_frames_and_secs(str(file))[0]
    if written != count or not count:
        raise OSError(f"the film {file.name} holds {written} of {count} frames; say --no-film")
