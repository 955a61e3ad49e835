from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from porescope.movies import open_movie, set_clock
from porescope.reading import ImageFile, open_images


def opened(path: Path) -> ImageFile:
    return open_images(path, pixel_size=0.04)


def test_numbered_files_are_frames_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        np.save(tmp_path / f"f{number}.npy", np.full((6, 8), number, float))
    np.save(tmp_path / "g.npy", np.arange(2 * 6 * 8, dtype=float).reshape(2, 6, 8))
    movie = open_movie(sorted(tmp_path.glob("*.npy")), opened)
    assert [f"{f.stem}:{k}" for f, k in zip(movie.files, movie.frames, strict=True)] == [
        "f1:0", "f9:0", "f10:0", "g:0", "g:1",
    ]  # fmt: skip
    assert movie.shape == (6, 8) and movie.read(2).image[0, 0] == 10 and movie.read(4).image[0, 0] == 48


def test_what_is_no_movie_is_refused(tmp_path: Path) -> None:
    one, other, bad = tmp_path / "a.npy", tmp_path / "b.npy", tmp_path / "c.npy"
    np.save(one, np.ones((6, 8)))
    np.save(other, np.ones((6, 9)))
    bad.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"b.npy has frames of 6 x 9 pixels, others of 6 x 8"):
        open_movie([one, other], opened)
    with pytest.raises(ValueError, match=r"a.npy holds one image; a movie has two frames"):
        open_movie([one], opened)
    with pytest.raises(ValueError, match=r"no frame can be read: c.npy"):
        open_movie([bad], opened)
    # A frame that cannot be read leaves its place.
    assert len(open_movie([bad, one, one], opened)) == 3


def test_the_clock() -> None:
    unknown = np.full(3, np.nan)
    recorded = np.array([100.0, np.nan, 103.0])
    clock = set_clock(recorded, np.array([np.nan, 2e3, 2e3]), None, None)
    np.testing.assert_allclose(clock.time_s, [0, np.nan, 3])
    np.testing.assert_allclose(clock.dose_e_nm2, [0, np.nan, 6e3])
    assert "from the files" in clock.source
    assert np.isnan(set_clock(unknown, unknown, None, 1e5).dose_e_nm2).all()
    assert np.isnan(set_clock(recorded, unknown, 0.1, None).dose_e_nm2).all()
    np.testing.assert_allclose(set_clock(recorded, unknown, 0.1, 10.0).dose_e_nm2, [0, 1, 2])
    # Frames with the same clock, as of a header that was copied, tell no time.
    assert np.isnan(set_clock(np.full(3, 5.0), unknown, None, None).time_s).all()
