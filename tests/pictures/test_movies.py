from __future__ import annotations

from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from porescope.micrograph import Micrograph
from porescope.movies import LIFE_COLUMNS, TRACK_COLUMNS
from porescope.pictures import draw_growth, draw_kymograph, make_film_frame, write_film


def make_tables(n: int = 6, dosed: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = pd.DataFrame(
        {
            "track": 0, "frame": range(n), "label": 1,
            "dose_e_nm2": np.arange(n) * (1e5 if dosed else np.nan),
            "area_nm2": 1 + 0.1 * np.arange(n), "event": ["birth", *["growth"] * (n - 2), "border"],
        }
    ).reindex(columns=list(TRACK_COLUMNS))  # fmt: skip
    slope = {
        f"growth_nm2_per_{unit}{end}": 0.1 for unit in ("e_nm2", "frame") for end in ("", "_low", "_high")
    }
    life = {"track": 0, "n_frames": n, "y_nm": 1.0, "x_nm": 1.6, "first_area_nm2": 1, "last_area_nm2": 1.5}
    return rows, pd.DataFrame([{**life, **slope}]).reindex(columns=list(LIFE_COLUMNS))


@pytest.mark.parametrize("dosed", [True, False])
def test_growth_is_drawn_with_and_without_dose_and_pores(tmp_path: Path, dosed: bool) -> None:
    rows, lives = make_tables(dosed=dosed)
    draw_growth(rows, lives, tmp_path / "a.png")
    draw_growth(rows[:0], lives[:0], tmp_path / "b.png")
    shapes = [np.asarray(Image.open(tmp_path / name)).shape[:2] for name in ("a.png", "b.png")]
    assert shapes[0] == shapes[1] and min(shapes[0]) > 400


def test_a_kymograph_goes_through_the_pore_whatever_the_drift(tmp_path: Path) -> None:
    lives = make_tables()[1]
    places = np.array([[0, 0], [0, 0.4], [np.nan, np.nan], [0.4, 0], [0, 0], [5, 5]])
    asked = []

    def load(frame: int) -> np.ndarray | None:
        asked.append(frame)
        return None if frame == 4 else np.random.default_rng(0).normal(size=(60, 90)).astype(np.float32)

    draw_kymograph(load, places, lives, 0.04, tmp_path / "k.png")
    draw_kymograph(load, places, lives[:0], 0.04, tmp_path / "none.png")
    assert asked[:5] == [0, 1, 3, 4, 5] and (tmp_path / "k.png").stat().st_size > 4000
    assert (tmp_path / "none.png").is_file()


def test_a_film_of_an_odd_size_has_all_its_frames(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    image = np.random.default_rng(0).normal(size=(101, 173))
    labels = np.zeros((101, 173), int)
    labels[40:60, 50:80] = 1
    with write_film(file) as add:
        for k in range(4):
            picture = make_film_frame(Micrograph(image, 0.04), labels if k else None, {1: 8}, f"frame {k}")
            assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
            add(picture)
    assert imageio_ffmpeg.count_frames_and_secs(str(file))[0] == 4
    reader = imageio_ffmpeg.read_frames(str(file))
    assert next(reader)["size"] == picture.shape[1::-1]
    reader.close()


def test_a_film_that_is_not_whole_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match=r"a.mp4 holds 0 of 1 frames; say --no-film"),
        write_film(tmp_path / "a.mp4") as add,
    ):
        add(np.zeros((31, 33, 3), np.uint8))
    with pytest.raises(OSError, match=r"b.mp4 holds 0 of 0 frames"), write_film(tmp_path / "b.mp4"):
        pass
