from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
import tifffile
from helpers import run

from porescope.movies import LIFE_COLUMNS, TRACK_COLUMNS
from porescope.simulation import Pore, Scene, Simulation, draw_movie

PIXEL = 0.04
OPTIONS = ("--no-images", "--workers", 1)


def save(path: Path, frames: list[Simulation], missed: int | None = None) -> Path:
    stack = np.stack([frame.micrograph.image for frame in frames]).astype(np.uint16)
    if missed is not None:
        stack[missed] = np.random.default_rng(0).poisson(stack[missed].mean(), stack[missed].shape)
    axes = {"unit": "nm", "axes": "TYX"}
    tifffile.imwrite(path, stack, imagej=True, resolution=(1 / PIXEL, 1 / PIXEL), metadata=axes)
    return path


class Growing:
    """Two pores that grow, one that appears; one frame is nothing but noise."""

    def __init__(self, folder: Path) -> None:
        k = np.arange(12)
        pores = (Pore((2.0, 2.0), 4), Pore((4.8, 2.6), 12), Pore((2.6, 5.2), 2))
        missing = np.stack([4 + k, 12 + 1.5 * k, np.where(k < 4, 0, 2 + k)], axis=1).astype(int)
        self.path_nm = k[:, None] * np.array([0.09, -0.06])
        self.frames = draw_movie(
            Scene(shape=(170, 175), pores=pores), 12, 5, drift=self.path_nm, missing=missing
        )
        self.file, self.out = save(folder / "growing.tif", self.frames, missed=7), folder / "out"
        clock = ("--dose-rate", "2e5", "--frame-time", 0.5)
        self.result = run("track", self.file, "-o", self.out, *OPTIONS, *clock, "--material", "WS2")

    def read(self, name: str) -> pd.DataFrame:
        return pd.read_csv(self.out / name)


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Growing:
    return Growing(tmp_path_factory.mktemp("growing"))


def test_the_drift_is_found_and_a_frame_of_noise_left_out(growing: Growing) -> None:
    assert growing.result.exit_code == 0, growing.result.output
    assert "1 frames fit to no other and are left out: 7" in growing.result.output
    drift = growing.read("drift.csv")
    columns = ["frame", "y_nm", "x_nm", "n_references", "residual_nm", "time_s", "dose_e_nm2", "margin"]
    assert list(drift) == columns
    assert np.flatnonzero(drift.y_nm.isna()).tolist() == [7] and drift.n_references[7] == 0
    apart = np.hypot(*(drift[["y_nm", "x_nm"]].to_numpy() - growing.path_nm).T) / PIXEL
    assert np.nanmax(apart) < 0.3


def test_each_pore_has_one_track_over_the_missed_frame(growing: Growing) -> None:
    rows, pores = growing.read("tracks.csv"), growing.read("pores.csv")
    assert list(rows) == list(TRACK_COLUMNS) and list(pores) == list(LIFE_COLUMNS)
    assert len(pores) == 3 and not pores.seen_once.any()
    assert pores.first_frame.tolist() == [0, 0, 4] and (pores.last_frame == 11).all()
    assert set(rows.frame[rows.event == "gap"]) == {7} and (rows.event == "gap").sum() == 3
    assert pores[["y_nm", "x_nm"]].to_numpy() == pytest.approx(
        np.array([[2, 2], [4.8, 2.6], [2.6, 5.2]]), abs=0.2
    )
    assert rows.dose_e_nm2.max() == pytest.approx(11 * 0.5 * 2e5)
    assert "births: 1," in growing.result.output


def test_growth_is_that_of_the_truth(growing: Growing) -> None:
    pores = growing.read("pores.csv")
    for row, centre in zip(pores.itertuples(), ((2.0, 2.0), (4.8, 2.6), (2.6, 5.2)), strict=True):
        true = []
        for k in range(row.first_frame, 12):
            frame = growing.frames[k]
            at = np.rint((np.array(centre) - growing.path_nm[k]) / PIXEL).astype(int)
            true.append(frame.area_nm2[frame.labels[tuple(at)] - 1])
        expected = np.polyfit(range(row.first_frame, 12), true, 1)[0]
        assert row.growth_nm2_per_frame == pytest.approx(expected, rel=0.1)
        assert row.growth_nm2_per_e_nm2 == pytest.approx(row.growth_nm2_per_frame / 1e5)
        assert row.growth_nm2_per_frame_low < row.growth_nm2_per_frame < row.growth_nm2_per_frame_high


def test_the_other_files_are_whole(growing: Growing) -> None:
    out = growing.out
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["analysis"] == "track" and record["state"] == "finished" and record["n_tracks"] == 3
    tables, pictures = (
        ["drift.csv", "napari_tracks.csv", "pores.csv", "tracks.csv"],
        ["growth.png", "kymograph.png"],
    )
    assert record["dose_rate"] == 2e5
    assert record["outputs"] == sorted([*tables, *pictures, "trackmate.xml", "tracks.mp4"])
    assert imageio_ffmpeg.count_frames_and_secs(str(out / "tracks.mp4"))[0] == 12
    n_seen = int((growing.read("tracks.csv").label > 0).sum())
    assert len(growing.read("napari_tracks.csv")) == n_seen
    spots = list(ElementTree.parse(out / "trackmate.xml").getroot().iter("Spot"))
    assert len(spots) == n_seen


def test_results_are_not_overwritten_unasked_and_resumed(growing: Growing) -> None:
    again = run("track", growing.file, "-o", growing.out, *OPTIONS, "--material", "WS2")
    assert again.exit_code == 2 and "earlier track" in again.output
    pores = growing.read("pores.csv")
    options = ("--resume", "--no-film", "--gap", 0, "--material", "WS2")
    resumed = run("track", growing.file, "-o", growing.out, *OPTIONS, *options)
    assert resumed.exit_code == 0, resumed.output
    assert "the dose is unknown, so growth is told per frame only" in resumed.output
    after = growing.read("pores.csv")
    assert after.growth_nm2_per_e_nm2.isna().all()
    np.testing.assert_allclose(after.growth_nm2_per_frame, pores.growth_nm2_per_frame)


def test_pores_that_merge(tmp_path: Path) -> None:
    k = np.arange(10)
    pores = (Pore((3.4, 2.5), 8), Pore((3.4, 4.3), 8))
    missing = np.stack([8 + 2.2 * k, 8 + 2.2 * k], axis=1).astype(int)
    frames = draw_movie(
        Scene(shape=(170, 175), pores=pores, dose=1.25e5), 10, 3, drift=(0.06, 0.05), missing=missing
    )
    n_true = [len(frame.area_nm2) for frame in frames]
    merged = n_true.index(1)
    assert 5 <= merged <= 8 and set(n_true[merged:]) == {1}
    out = tmp_path / "out"
    result = run("track", save(tmp_path / "m.tif", frames), "-o", out, *OPTIONS, "--no-film")
    assert result.exit_code == 0, result.output
    lives = pd.read_csv(out / "pores.csv", dtype={"parents": str, "children": str})
    lives[["parents", "children", "censored"]] = lives[["parents", "children", "censored"]].fillna("")
    assert lives.children.tolist() == ["2", "2", ""] and lives.parents.tolist() == ["", "", "0 1"]
    assert abs(lives.first_frame[2] - merged) <= 1 and lives.censored.tolist() == ["merge", "merge", ""]
    rows = pd.read_csv(out / "tracks.csv")
    assert rows[rows.event == "merge"].frame.tolist() == [lives.first_frame[2]]


def test_bad_input_is_told_in_a_sentence(tmp_path: Path, growing: Growing) -> None:
    one, large = tmp_path / "one.tif", tmp_path / "large.tif"
    for path, shape in ((one, (40, 40)), (large, (40, 50))):
        tifffile.imwrite(
            path, np.ones(shape, np.uint8), imagej=True, resolution=(25, 25), metadata={"unit": "nm"}
        )
    empty, bare = tmp_path / "empty.mp4", tmp_path / "bare.npy"
    empty.write_bytes(b"")
    np.save(bare, np.random.default_rng(0).normal(size=(5, 40, 40)))
    out = tmp_path / "out"
    for arguments, what in (
        ((one,), "one.tif holds one image; a movie has two frames or more"),
        ((one, large), "a movie has frames of one size"),
        ((empty,), "empty.mp4 is empty (0 bytes)"),
        ((bare,), "no pixel size; give it with --pixel-size"),
        ((growing.file, "--dose-rate", "-1e5"), "--dose-rate must be a number above 0, not -100000"),
        ((growing.file, "--frame-time", 0), "--frame-time must be a number above 0, not 0"),
        ((growing.file, "--signal", "all"), "name one signal"),
        ((tmp_path / "none.dm4",), "names no file"),
    ):
        result = run("track", *arguments, "-o", out)
        assert result.exit_code == 2 and what in " ".join(result.output.split()), result.output
        assert not out.exists()


def test_frames_of_noise_give_empty_tables_and_a_warning(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).poisson(50, (3, 90, 100)).astype(np.uint16)
    axes = {"unit": "nm", "axes": "TYX"}
    tifffile.imwrite(tmp_path / "n.tif", noise, imagej=True, resolution=(25, 25), metadata=axes)
    out = tmp_path / "out"
    result = run("track", tmp_path / "n.tif", "-o", out, *OPTIONS)
    assert result.exit_code == 0, result.output
    assert "3 frames fit to no other" in result.output and "no frame shows a lattice" in result.output
    assert len(pd.read_csv(out / "pores.csv")) == 0 and list(pd.read_csv(out / "tracks.csv")) == list(
        TRACK_COLUMNS
    )
