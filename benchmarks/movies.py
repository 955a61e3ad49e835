"""What `porescope track` reaches on simulated movies: prints the tables of docs/movies.md.

python benchmarks/movies.py tracks [KIND …]   # whole movies: drift, tracks, growth against the truth
python benchmarks/movies.py drift      # drift alone, many movies; the bands that were tried
python benchmarks/movies.py linking    # time of the overlap table and of laptrack
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tifffile
from scipy.ndimage import center_of_mass
from scipy.stats import theilslopes
from typer.testing import CliRunner

from porescope.cli.app import app
from porescope.movies import drift as drifting
from porescope.movies import find_drift, find_tracks, link_regions
from porescope.simulation import Pore, Scene, Simulation, draw_movie

FIRST_SEED = 1_700_000  # tests use small seeds
PIXEL = 0.04
KINDS = ("growing", "merging", "circling", "fast")


class Movie(NamedTuple):
    frames: list[Simulation]
    path_nm: np.ndarray  # (K, 2)
    centres_nm: np.ndarray  # (n, 2)

    @property
    def images(self) -> np.ndarray:
        return np.stack([frame.micrograph.image for frame in self.frames])


def draw(kind: str, seed: int, noise: float = 1.0, material: str = "WS2", modality: str = "haadf") -> Movie:
    """30 frames of 256², 30 px of drift with jitter; two drift by 1.7 nm, more than a pore, a frame."""
    rng = np.random.default_rng(seed)
    n = 14 if kind == "fast" else 30
    k = np.arange(n)
    around = rng.uniform(0, 2 * np.pi)
    path = np.array([np.sin(around), np.cos(around)]) * (k[:, None] / (n - 1)) ** 1.2 * 30 * PIXEL
    path = path + rng.normal(0, 0.5 * PIXEL, path.shape)
    if kind == "growing":
        pores = [Pore((3.0, 3.0), 3), Pore((3.5, 7.2), 6), Pore((7.3, 4.6), 10), Pore((7.6, 8.3), 1)]
        steps = [0.5 * k + 3, 1.0 * k + 6, 1.5 * k + 10, np.where(k < 12, 0, 1 + 0.7 * (k - 12))]
    elif kind == "merging":
        pores = [Pore((5.0, 4.2), 8), Pore((5.0, 6.0), 8), Pore((2.2, 8.0), 5)]
        steps = [8 + 1.2 * k, 8 + 1.2 * k, 5 + 0.5 * k]
    elif kind == "circling":
        turn = 2 * np.arcsin(1.7 / 4) * k + around
        path = 2.0 * np.stack([np.sin(turn), np.cos(turn)], axis=1) + rng.normal(0, 0.5 * PIXEL, (n, 2))
        places = np.array([(3.6, 3.7), (3.8, 6.5), (6.6, 4.9)]) - path[0]
        pores = [Pore((float(y), float(x)), m) for (y, x), m in zip(places, (3, 6, 10), strict=True)]
        steps = [0.5 * k + 3, 1.0 * k + 6, 1.5 * k + 10]
    else:
        places = [(3, 3), (3.5, 7.2), (7.3, 4.6), (12, 14), (17, 20), (21, 25), (15, 8), (24, 18), (20, 13)]
        pores = [Pore((float(y), float(x)), 5) for y, x in [*places, (10, 9), (14, 12), (18, 17), (23, 23)]]
        steps = [5 + 2.0 * k for _ in pores]
        path = np.cumsum(np.array([1.1, 1.25]) + rng.normal(0, 0.08, (n, 2)), axis=0)
    scene = Scene(material, (256, 256), PIXEL, tuple(pores), dose=5e5 / noise**2, modality=modality)
    frames = draw_movie(scene, n, seed, drift=path, missing=np.stack(steps, axis=1).astype(int))
    return Movie(frames, path - path[0], np.array([pore.centre for pore in pores]))


def follow(
    movie: Movie, missed: int | None = None, modality: str = "haadf"
) -> tuple[dict[str, pd.DataFrame], float]:
    """The tables of the command, and its time [s]; ``missed`` is a frame of nothing but noise."""
    images = movie.images.astype(np.uint16)
    if missed is not None:
        images[missed] = np.random.default_rng(0).poisson(images[missed].mean(), images[missed].shape)
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder, "movie.tif"), Path(folder, "out")
        resolution = (1 / PIXEL, 1 / PIXEL)
        axes = {"unit": "nm", "axes": "TYX"}
        tifffile.imwrite(path, images, imagej=True, resolution=resolution, metadata=axes)
        options = ["--no-images", "-q", "--dose-rate", "1e5", "--frame-time", "1", "--material", "WS2"]
        options += ["--modality", modality]
        start = time.perf_counter()
        result = CliRunner().invoke(app, ["track", str(path), "-o", str(out), *options])
        seconds = time.perf_counter() - start
        assert result.exit_code == 0, result.output
        return {name: pd.read_csv(out / f"{name}.csv") for name in ("drift", "tracks", "pores")}, seconds


class Truth(NamedTuple):
    frame: int
    place_nm: np.ndarray
    area_nm2: float
    pores: tuple[int, ...]  # of the scene


def list_truth(movie: Movie) -> list[Truth]:
    """True pores of all frames; one that has merged stands for all whose centres it covers."""
    truths = []
    for k, frame in enumerate(movie.frames):
        numbers = range(1, int(frame.labels.max()) + 1)
        at = np.rint((movie.centres_nm - movie.path_nm[k]) / PIXEL).astype(int)
        inside = ((at >= 0) & (at < frame.labels.shape)).all(axis=1)
        for label in numbers:
            middle = np.array(center_of_mass(frame.labels == label)) * PIXEL + movie.path_nm[k]
            held = [i for i in np.flatnonzero(inside) if frame.labels[tuple(at[i])] == label]
            nearest = int(np.hypot(*(movie.centres_nm - middle).T).argmin())
            truths.append(Truth(k, middle, float(frame.area_nm2[label - 1]), tuple(held) or (nearest,)))
    return truths


class Verdict(NamedTuple):
    drift_px: float  # largest error
    lost: int  # frames without a place
    found: int  # true pores in true frames that are in a track
    true: int
    wrong: int  # tracks that hold different pores, or pores that are in several tracks
    growth: list[float]  # relative errors, of tracks with an interval
    covered: int  # of these, intervals that hold the truth


def judge(movie: Movie, tables: dict[str, pd.DataFrame], missed: int | None = None) -> Verdict:
    apart = np.hypot(*(tables["drift"][["y_nm", "x_nm"]].to_numpy() - movie.path_nm).T) / PIXEL
    truths = [t for t in list_truth(movie) if t.frame != missed]
    seen = tables["tracks"][tables["tracks"].label > 0]
    pores_of: dict[int, list[Truth]] = {}
    for row in seen.itertuples():
        near = [
            (np.hypot(*(t.place_nm - (row.y_nm, row.x_nm))), i)
            for i, t in enumerate(truths)
            if t.frame == row.frame
        ]
        distance, i = min(near, default=(np.inf, -1))
        pores_of.setdefault(row.track, []).append(
            truths[i] if distance < 0.4 else Truth(row.frame, np.zeros(2), 0, ())
        )
    sets = {track: {t.pores for t in its} for track, its in pores_of.items()}
    owners: dict[tuple[int, ...], int] = {}
    for its in sets.values():
        for pores in its:
            owners[pores] = owners.get(pores, 0) + 1
    wrong = sum(len(its) > 1 for its in sets.values()) + sum(n - 1 for p, n in owners.items() if p)
    wrong += owners.get((), 0)
    errors, covered = [], 0
    for row in tables["pores"].itertuples():
        if not np.isfinite(row.growth_nm2_per_frame):
            continue
        its = [
            t
            for t, r in zip(pores_of[row.track], seen[seen.track == row.track].itertuples(), strict=True)
            if r.event != "border"
        ]
        true = theilslopes([t.area_nm2 for t in its], [t.frame for t in its])[0]
        errors.append(row.growth_nm2_per_frame / true - 1)
        covered += row.growth_nm2_per_frame_low <= true <= row.growth_nm2_per_frame_high
    found = sum(len(its) for its in pores_of.values())
    return Verdict(
        float(np.nanmax(apart)), int(np.isnan(apart).sum()), found, len(truths), wrong, errors, covered
    )


def try_tracks(kinds: list[str], n_seeds: int, first_seed: int, modality: str) -> None:
    print(
        "| movie | noise | largest error of the drift [px] | frames lost | pores found | wrong tracks "
        "| error of growth: median, largest | intervals that hold | time [s] |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in kinds:
        for noise in (1.0, 2.0):
            verdicts, seconds = [], 0.0
            missed = 9 if "missed" in kind else None
            for seed in range(first_seed, first_seed + n_seeds):
                movie = draw(kind.split(",")[0], seed, noise, modality=modality)
                tables, taken = follow(movie, missed, modality)
                verdicts.append(judge(movie, tables, missed))
                seconds += taken
            errors = np.abs([e for v in verdicts for e in v.growth])
            drift, lost, found, true, wrong, _, covered = zip(*verdicts, strict=True)
            held = f"{sum(covered)} of {len(errors)}"
            print(
                f"| {kind} | {noise:g} | {max(drift):.3f} | {sum(lost)} | {sum(found)} of {sum(true)} "
                f"| {sum(wrong)} | {np.median(errors):.1%}, {errors.max():.1%} | {held} "
                f"| {seconds / n_seeds:.1f} |",
                flush=True,
            )


def try_drift(n_seeds: int = 4) -> None:
    bands = (drifting.BAND_NM, (0.1, 0.8), (0.2, 0.8), (0.3, 0.8), (0.2, 1.5))
    movies = [
        (kind, noise, draw(kind, seed, noise))
        for kind in KINDS
        for noise in (1.0, 2.0)
        for seed in range(FIRST_SEED + 100, FIRST_SEED + 100 + n_seeds)
    ]
    print("| band [nm] | movie | noise | movies with a hop | largest error without [px] | least margin |")
    print("|---|---|---|---|---|---|")
    for band in bands:
        drifting.BAND_NM = band
        for kind in KINDS:
            for noise in (1.0, 2.0):
                worst, margins = [], []
                for movie in (m for name, level, m in movies if (name, level) == (kind, noise)):
                    images = movie.images
                    found = find_drift(
                        lambda k, images=images: (images[k], None), len(images), PIXEL, constant_nm=0.315
                    )
                    worst.append(np.hypot(*(found.places_nm - movie.path_nm).T).max() / PIXEL)
                    margins.append(np.nanmin(found.margin))
                held = [w for w in worst if w < 2]
                hops = f"{len(worst) - len(held)} of {len(worst)}"
                print(
                    f"| {band[0]:g}–{band[1]:g} | {kind} | {noise:g} | {hops} "
                    f"| {max(held, default=np.nan):.3f} | {min(margins):.1f} |",
                    flush=True,
                )


def try_linking(n_frames: int = 300, n_pores: int = 100) -> None:
    import warnings

    rng = np.random.default_rng(FIRST_SEED)
    y, x = np.mgrid[:512, :512]
    rows = int(np.ceil(np.sqrt(n_pores)))
    step = 512 / rows
    centres = np.argwhere(np.ones((rows, rows)))[:n_pores] * step + step / 2
    stack = np.zeros((n_frames, 512, 512), np.int32)
    for label, (cy, cx) in enumerate(centres, start=1):
        y0, x0 = int(cy - step / 2), int(cx - step / 2)
        part = np.s_[y0 : y0 + int(step), x0 : x0 + int(step)]
        away = np.hypot(y[part] - cy, x[part] - cx)
        for k in range(n_frames):
            if rng.random() > 0.02:  # a pore in fifty is missed
                stack[k][part][away < 4 + 0.03 * k + rng.normal(0, 0.3)] = label
    print("| linker | CPU time [s] | tracks |")
    print("|---|---|---|")
    start = time.process_time()
    graph = link_regions(lambda k: stack[k], np.zeros((n_frames, 2)), PIXEL)
    print(f"| overlap table | {time.process_time() - start:.1f} | {len(find_tracks(graph))} |", flush=True)
    from laptrack import OverLapTrack

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.process_time()
        linker = OverLapTrack(
            cutoff=0.9,
            gap_closing_cutoff=0.9,
            gap_closing_max_frame_count=2,
            splitting_cutoff=0.9,
            merging_cutoff=0.9,
        )
        table = linker.predict_overlap_dataframe(stack)[0]
    print(f"| laptrack.OverLapTrack | {time.process_time() - start:.1f} | {table.track_id.nunique()} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["tracks", "drift", "linking"])
    parser.add_argument("kinds", nargs="*", default=[*KINDS, "growing, frame 9 missed"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--modality", default="haadf")
    chosen = parser.parse_args()
    if chosen.what == "tracks":
        try_tracks(chosen.kinds, chosen.seeds, chosen.first_seed, chosen.modality)
    else:
        {"drift": try_drift, "linking": try_linking}[chosen.what]()
