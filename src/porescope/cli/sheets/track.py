"""The command track: the pores of a movie, each followed through its frames."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from porescope.cli.console import PROGRESS, choose_level, put, say, show_progress, stop, take_options_of
from porescope.cli.detect import detect
from porescope.cli.options import open_as_asked

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from porescope.movies import Clock, Drift, Graph, Movie, Nucleation, Track
    from porescope.runs import Run

app = typer.Typer()

#: Folder of the run of ``porescope detect`` in that of a movie.
_RUN = "detect"
#: Margin of a frame below which it may lie off by a lattice vector.
_UNSURE = 2.0
#: Kinds of `FILES` that the command writes.
_KINDS = ("drift", "tracks", "pores", "napari", "trackmate", "growth", "kymograph", "film")
#: Lattice constant where no frame shows a lattice [nm].
_CONSTANT_NM = 0.28


@app.command()
@take_options_of(detect)
def track(
    dose_rate: Annotated[
        float | None,
        typer.Option(
            "--dose-rate",
            metavar="E_PER_NM2_S",
            help="Dose rate in e/nm²/s, averaged over frame and time. Default: as the files say.",
        ),
    ] = None,
    frame_time: Annotated[
        float | None,
        typer.Option(
            "--frame-time", metavar="S", help="Time from frame to frame in s. Default: as the files say."
        ),
    ] = None,
    gap: Annotated[
        int,
        typer.Option(min=0, help="Number of frames in a row that may miss a pore without ending its track."),
    ] = 2,
    most_drift: Annotated[
        float | None,
        typer.Option(
            "--most-drift",
            metavar="NM",
            help="How far in nm a frame may lie from where those before it let it expect. Default: a third "
            "of its shorter side.",
        ),
    ] = None,
    film: Annotated[
        bool, typer.Option("--film/--no-film", help="Write the movie with its tracks as MP4.")
    ] = True,
    **options: Any,
) -> None:
    """Follow the pores of a movie: drift, tracks, growth. Takes the options of detect."""
    from porescope.files import FILES, find_files
    from porescope.movies import open_movie
    from porescope.runs import check_folder, check_results, read_run

    out = options["out"]
    given = {"dose-rate": dose_rate, "frame-time": frame_time, "most-drift": most_drift}
    try:
        for name, value in given.items():
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"--{name} must be a number above 0, not {value:g}")
        if options["signal"] == "all":
            raise ValueError("--signal all gives several movies; name one signal")
        check_folder(out)
        check_results(out, "track", [FILES[k] for k in _KINDS], options["overwrite"] or options["resume"])
        paths = find_files(options["inputs"], say, recursive=options["recursive"])
        movie = open_movie(paths, lambda path: open_as_asked(path, options))
    except (ValueError, OSError) as error:
        stop(error)
    out.mkdir(parents=True, exist_ok=True)
    failed = False
    try:
        detect(**{**options, "out": out / _RUN})
    except typer.Exit as ended:
        if ended.exit_code != 1:
            raise
        failed = True  # some frames; the others are followed
    try:
        run = read_run(out / _RUN)
        followed = _follow(movie, run, options, given, gap)
        _write(followed, movie, {**given, "gap": gap, "film": film}, options)
    except (ValueError, OSError) as error:
        stop(error)
    if not options["quiet"]:
        for line in followed.lines:
            put(line)
        for line in followed.warnings:
            say(f"Warning: {line}.")
        put(f"in {out}: {', '.join(sorted(p.name for p in out.iterdir()))}")
    if failed:
        raise typer.Exit(1)


class _Followed(NamedTuple):
    drift: Drift
    clock: Clock
    graph: Graph
    tracks: list[Track]
    rows: pd.DataFrame
    lives: pd.DataFrame
    births: Nucleation
    spots: pd.DataFrame  # of each region: frame, label, track, place in its frame
    images: list[dict[Any, Any] | None]  # rows of ``images.csv``, of each frame
    pixel_nm: float
    lines: list[str]
    warnings: list[str]


def _follow(
    movie: Movie, run: Run, options: dict[str, Any], given: dict[str, float | None], gap: int
) -> _Followed:
    """Find the drift, link the pores, and describe them."""
    import numpy as np

    from porescope.movies import count_births, describe_lives, find_tracks, link_regions, list_rows
    from porescope.runs import read_labels

    images = _list_images(movie, run)
    done = [row for row in images if row is not None]
    if len(done) < 2:
        raise ValueError(
            f"fewer than two frames could be processed; {options['out'] / _RUN / 'images.csv'} says why"
        )
    pixel = float(np.median([row["pixel_size_nm"] for row in done]))
    constants = [c for row in done if np.isfinite(c := row["lattice_constant_nm"])]
    # A lattice that is off by the pixel size is so in the frames, too.
    constant = float(np.median(constants)) if constants else max(_CONSTANT_NM, 4 * pixel)
    drift, clock = _register(movie, images, pixel, constant, options, given)
    folder = options["out"] / _RUN

    def load(frame: int) -> NDArray[np.integer] | None:
        row = images[frame]
        return None if row is None else read_labels(folder, row)

    graph = link_regions(load, drift.places_nm / pixel, pixel, gap=gap)
    measured = _measure(run, images, drift, pixel)
    tracks = find_tracks(graph)
    rows = list_rows(tracks, graph, measured, clock.time_s, clock.dose_e_nm2)
    lives = describe_lives(tracks, rows)
    sides = np.array(movie.shape) * pixel
    births = count_births(tracks, graph, drift.places_nm, sides, clock.dose_e_nm2)
    keys = rows.loc[rows.label > 0, ["track", "frame", "label", "time_s", "equivalent_diameter_nm"]]
    places = measured[["y_px", "x_px"]].rename_axis(["frame", "label"]).reset_index()
    spots = keys.merge(places, on=["frame", "label"])
    lines = _describe(movie, drift, clock, lives, births)
    warnings = _doubt(drift, clock, images, bool(constants))
    return _Followed(drift, clock, graph, tracks, rows, lives, births, spots, images, pixel, lines, warnings)


def _list_images(movie: Movie, run: Run) -> list[dict[Any, Any] | None]:
    """The row of ``images.csv`` of each frame that was processed."""
    from porescope.files import printable

    done = run.images[run.images.status == "ok"].to_dict("records")
    known = {(str(row["file"]), int(row["frame"])): row for row in done}
    return [
        known.get((printable(file), frame)) for file, frame in zip(movie.files, movie.frames, strict=True)
    ]


def _register(
    movie: Movie,
    images: list[dict[Any, Any] | None],
    pixel: float,
    constant: float,
    options: dict[str, Any],
    given: dict[str, float | None],
) -> tuple[Drift, Clock]:
    """Where the frames lie, and when they were taken."""
    import numpy as np

    from porescope.field import look_for_field
    from porescope.movies import find_drift, set_clock

    time, rate = np.full((2, len(movie)), np.nan)

    def load(frame: int) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None] | None:
        if images[frame] is None:
            return None
        micrograph = look_for_field(movie.read(frame))
        acquisition = micrograph.acquisition
        time[frame] = np.nan if acquisition.time_s is None else acquisition.time_s
        recorded = acquisition.dose_rate_e_nm2_s
        rate[frame] = np.nan if recorded is None else recorded
        return micrograph.filled, micrograph.field

    shown = choose_level(options["quiet"], options["verbose"]) == PROGRESS
    with show_progress("finding the drift", len(movie), shown) as advance:
        drift = find_drift(
            load, len(movie), pixel, constant_nm=constant, reach_nm=given["most-drift"], on_progress=advance
        )
    return drift, set_clock(time, rate, given["frame-time"], given["dose-rate"])


def _measure(run: Run, images: list[dict[Any, Any] | None], drift: Drift, pixel: float) -> pd.DataFrame:
    """What is known of each region, with one pixel size for all frames, by frame and label."""
    import numpy as np

    number = {(row["image"], row["frame"]): k for k, row in enumerate(images) if row is not None}
    scale = {k: pixel / row["pixel_size_nm"] for k, row in enumerate(images) if row is not None}
    frame = [number.get(key, -1) for key in zip(run.pores.image, run.pores.frame, strict=True)]
    pores = run.pores.assign(frame=frame)
    pores = pores[pores.frame >= 0]
    factor = pores.frame.map(scale).to_numpy(float)
    at = pores[["y_px", "x_px"]].to_numpy(float) * pixel + drift.places_nm[pores.frame.to_numpy(int)]
    measured = pores.assign(
        y_nm=at[:, 0], x_nm=at[:, 1],
        area_nm2=pores.area_nm2 * np.square(factor),
        equivalent_diameter_nm=pores.equivalent_diameter_nm * factor,
        touches_border=pores.touches_border.astype(bool),
    )  # fmt: skip
    return measured.set_index(["frame", "label"])


def _describe(movie: Movie, drift: Drift, clock: Clock, lives: pd.DataFrame, births: Nucleation) -> list[str]:
    """What is said at the end."""
    import numpy as np

    from porescope.cli.sheets.tables import write_range

    placed = np.isfinite(drift.places_nm).all(axis=1)
    reach = np.hypot(*np.ptp(drift.places_nm[placed], axis=0)) if placed.any() else np.nan
    ends = lives.ends.value_counts()
    told = ", ".join(f"{n} {what}" for what, n in ends.items())
    lines = [
        f"{len(movie)} frames, {int(placed.sum())} placed; the sheet drifts by {reach:.3g} nm; largest "
        f"residual {np.nanmax(drift.residual_nm, initial=0):.3f} nm",
        f"{clock.source}",
        f"{len(lives)} tracks, {int(lives.seen_once.sum())} of them seen once"
        + (f"; they end by: {told}" if told else ""),
    ]
    if np.isfinite(births.per_um2_e_nm2.value):
        rate = write_range(*births.per_um2_e_nm2, " per µm² and e/nm²")
    else:
        rate = write_range(*births.per_um2_frame, " per µm² and frame")
    lines.append(f"births: {births.n_births}, {rate}; {births.n_once} more seen once are not counted")
    unit = "e_nm2" if np.isfinite(clock.dose_e_nm2).any() else "frame"
    known = lives[f"growth_nm2_per_{unit}"].dropna()
    if len(known):
        words = "per e/nm²" if unit == "e_nm2" else "a frame, as the dose is unknown"
        lines.append(f"growth of {len(known)} tracks: median {known.median():.4g} nm² {words}")
    return lines


def _doubt(drift: Drift, clock: Clock, images: list[dict[Any, Any] | None], has_lattice: bool) -> list[str]:
    """Warnings."""
    import numpy as np

    warnings = []
    failed = [k for k, row in enumerate(images) if row is None]
    placed = np.isfinite(drift.places_nm).all(axis=1)
    lost = [k for k in np.flatnonzero(~placed).tolist() if k not in failed]
    if failed:
        warnings.append(f"{len(failed)} frames could not be processed: {_name(failed)}")
    if lost:
        warnings.append(f"{len(lost)} frames fit to no other and are left out: {_name(lost)}")
    unsure = np.flatnonzero(drift.margin < _UNSURE).tolist()
    if unsure:
        warnings.append(
            f"{len(unsure)} frames may lie off by a lattice vector, as they show little but the lattice "
            f"(margin below {_UNSURE:g} in drift.csv): {_name(unsure)}"
        )
    if not has_lattice:
        warnings.append("no frame shows a lattice: the drift rests on the pores and what else is there")
    if not np.isfinite(clock.dose_e_nm2).any():
        warnings.append(
            "the dose is unknown, so growth is told per frame only: give --dose-rate and, where the files do "
            "not say it, --frame-time"
        )
    return warnings


def _name(numbers: list[int]) -> str:
    """The first few numbers."""
    return ", ".join(map(str, numbers[:8])) + ", …" * (len(numbers) > 8)


def _list_drift(drift: Drift, clock: Clock) -> pd.DataFrame:
    """The rows of ``drift.csv``."""
    import pandas as pd

    return pd.DataFrame(
        {
            "frame": range(len(drift.margin)), "y_nm": drift.places_nm[:, 0], "x_nm": drift.places_nm[:, 1],
            "n_references": drift.n_references, "residual_nm": drift.residual_nm,
            "time_s": clock.time_s, "dose_e_nm2": clock.dose_e_nm2, "margin": drift.margin,
        }
    )  # fmt: skip


def _write(followed: _Followed, movie: Movie, said: dict[str, Any], options: dict[str, Any]) -> None:
    from porescope.files import FILES
    from porescope.movies import list_links, save_napari, save_trackmate
    from porescope.runs import write_results

    births, out = followed.births, options["out"]
    found = {
        "n_frames": len(movie), "n_tracks": len(followed.tracks), "pixel_size_nm": followed.pixel_nm,
        "n_births": births.n_births, "n_seen_once": births.n_once,
        **{
            f"nucleation_{name}{end}": value if value == value else None
            for name in ("per_um2_frame", "per_um2_e_nm2")
            for end, value in zip(("", "_low", "_high"), getattr(births, name), strict=True)
        },
        "clock": followed.clock.source,
    }  # fmt: skip
    files = [out / _RUN / FILES[kind] for kind in ("pores", "images")]
    said = {name.replace("-", "_"): value for name, value in said.items()}
    with write_results(out, "track", ["porescope", *sys.argv[1:]], files, {**said, **found}) as folder:
        for kind, table in (
            ("drift", _list_drift(followed.drift, followed.clock)),
            ("tracks", followed.rows),
            ("pores", followed.lives),
        ):
            table.to_csv(folder / FILES[kind], index=False, float_format="%.8g")
        save_napari(folder / FILES["napari"], followed.spots)
        links = list_links(followed.spots, followed.graph)
        save_trackmate(folder / FILES["trackmate"], followed.spots, links, followed.pixel_nm)
        _draw(followed, movie, said["film"], folder, options)


def _draw(followed: _Followed, movie: Movie, film: bool, folder: Path, options: dict[str, Any]) -> None:
    """Write the plots and the film."""
    from importlib.util import find_spec

    from porescope.files import FILES, explain_missing
    from porescope.pictures import draw_growth, draw_kymograph, write_film

    def load(frame: int) -> NDArray[np.float32] | None:
        return None if followed.images[frame] is None else movie.read(frame).filled

    places = followed.drift.places_nm
    draw_growth(followed.rows, followed.lives, folder / FILES["growth"])
    draw_kymograph(load, places, followed.lives, followed.pixel_nm, folder / FILES["kymograph"])
    if film and find_spec("imageio_ffmpeg") is None:
        say(f"No film is written: {explain_missing('a film', 'imageio-ffmpeg', 'movies')}.")
    elif film:
        shown = choose_level(options["quiet"], options["verbose"]) == PROGRESS
        with (
            write_film(folder / FILES["film"]) as add,
            show_progress("writing the film", len(movie), shown) as advance,
        ):
            for frame in range(len(movie)):
                _add_to_film(frame, followed, movie, options["out"] / _RUN, add)
                advance(frame + 1)


def _add_to_film(frame: int, followed: _Followed, movie: Movie, run: Path, add: Callable[..., None]) -> None:
    import numpy as np

    from porescope.pictures import make_film_frame
    from porescope.runs import read_labels

    row = followed.images[frame]
    if row is None:  # it may not be readable
        return
    its = followed.spots[followed.spots.frame == frame]
    track_of = dict(zip(its.label.tolist(), its.track.tolist(), strict=True))
    time, dose = followed.clock.time_s[frame], followed.clock.dose_e_nm2[frame]
    words = [f"frame {frame}", f"{time:.4g} s" * bool(np.isfinite(time))]
    words += [f"{dose:.3g} e/nm2" * bool(np.isfinite(dose))]
    if not np.isfinite(followed.drift.places_nm[frame]).all():
        words.append("fits to no other frame")
    add(make_film_frame(movie.read(frame), read_labels(run, row), track_of, "  ".join(filter(None, words))))
