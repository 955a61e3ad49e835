from __future__ import annotations

from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from porescope import read, read_all
from porescope.files import ReadError
from porescope.files.arrays import arrange_axes
from porescope.reading import open_images

HERE = Path("a.npy")
GREY = np.random.default_rng(0).integers(0, 255, (40, 50)).astype(np.uint8)


@given(st.permutations([1, 40, 50]).filter(lambda s: s.index(40) < s.index(50)))
def test_axes_of_one_element_are_dropped(shape: list[int]) -> None:
    assert np.array_equal(arrange_axes(HERE, GREY.reshape(shape)), GREY)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("planes", [3, 4])
@pytest.mark.parametrize("axis", [-1, 0])
def test_grey_colours_of_any_type_are_one_image(tmp_path: Path, dtype: str, planes: int, axis: int) -> None:
    colours = np.stack([GREY.astype(dtype)] * planes)
    if planes == 4:
        colours[3] = 255
    np.save(tmp_path / "a.npy", np.moveaxis(colours, 0, axis))
    assert np.array_equal(read(tmp_path / "a.npy", pixel_size=1).image, GREY)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((40, 50, 6), "u2"), ((40, 50, 3), "f4"), ((40, 50, 4), "u2"), ((40, 50, 2), "u1"), ((3, 40, 50), "u1")],
)
def test_an_order_that_nobody_can_know_is_asked_for(shape: tuple[int, ...], dtype: str) -> None:
    data = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    with pytest.raises(ReadError, match=r"\(rows, columns\), frames as \(frames, rows, columns\)"):
        arrange_axes(HERE, data)


@pytest.mark.parametrize("shape", [(3, 40, 50), (6, 40, 50), (200, 40, 50), (6, 50, 26), (40, 50)])
def test_frames_first_are_frames(shape: tuple[int, ...]) -> None:
    data = np.random.default_rng(0).normal(size=shape)
    assert arrange_axes(HERE, data) is data


def test_true_colours_become_grey_with_a_word(tmp_path: Path) -> None:
    colours = np.zeros((40, 50, 3), np.uint8)
    colours[..., 1] = 100
    np.save(tmp_path / "a.npy", colours)
    m = read(tmp_path / "a.npy", pixel_size=1)
    assert m.image[0, 0] == pytest.approx(58.7) and "false colours" in (m.acquisition.remark or "")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_every_kind_of_png_is_the_same_image(tmp_path: Path, mode: str) -> None:
    picture = (
        Image.fromarray(GREY.astype(np.uint16)) if mode == "I;16" else Image.fromarray(GREY).convert(mode)
    )
    if mode == "P":  # indices in another order than the grey values
        order = np.random.default_rng(1).permutation(256)
        picture = Image.fromarray(np.argsort(order)[GREY].astype(np.uint8), "P")
        picture.putpalette(np.repeat(order.astype(np.uint8), 3).tobytes())
    picture.save(tmp_path / "a.png")
    m = read(tmp_path / "a.png", pixel_size=1)
    assert np.array_equal(m.image, GREY) and m.acquisition.remark is None


def test_a_cmyk_jpeg_is_one_image(tmp_path: Path) -> None:
    Image.fromarray(np.stack([GREY] * 3, -1)).convert("CMYK").save(tmp_path / "a.jpg", quality=100)
    assert read(tmp_path / "a.jpg", pixel_size=1).image == pytest.approx(GREY, abs=10)


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_pictures_with_frames(tmp_path: Path, suffix: str) -> None:
    frames = [Image.fromarray(np.roll(GREY, k, axis=0)) for k in range(4)]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], duration=100)
    got = list(read_all(tmp_path / f"a.{suffix}", pixel_size=1))
    assert [m.frame for m in got] == [0, 1, 2, 3]
    assert all(np.array_equal(m.image, np.roll(GREY, k, axis=0)) for k, m in enumerate(got))


def test_transparent_pixels_are_outside_the_field(tmp_path: Path) -> None:
    colours = np.stack([GREY, GREY, GREY, np.full_like(GREY, 255)], -1)
    colours[30:, :, 3] = 0
    Image.fromarray(colours).save(tmp_path / "a.png")
    m = read(tmp_path / "a.png", pixel_size=1)
    assert m.field is not None and m.field[:30].all() and not m.field[30:].any()


def write_film(path: Path, frames: np.ndarray, **options: object) -> None:
    pixels = "gray" if frames.ndim == 3 else "rgb24"
    shape = frames.shape[2:0:-1]
    writer = imageio_ffmpeg.write_frames(str(path), shape, pix_fmt_in=pixels, macro_block_size=1, **options)
    writer.send(None)
    for frame in frames:
        writer.send(np.ascontiguousarray(frame))
    writer.close()


def test_frames_of_a_film_are_decoded_when_asked_for(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = np.kron(rng.integers(0, 255, (5, 6, 8)), np.ones((1, 8, 8))).astype(np.uint8)
    exact, lossy = tmp_path / "a.avi", tmp_path / "a.mp4"
    write_film(exact, frames, codec="ffv1", pix_fmt_out="gray")
    write_film(lossy, frames, quality=9)
    images = open_images(exact, pixel_size=0.04)
    assert len(images) == 5
    for k in (3, 0, 4, 4, 1):
        assert np.array_equal(images.read(k).image, frames[k])
    images = open_images(lossy, pixel_size=0.04)
    assert len(images) == 5 and np.abs(images.read(2).image - frames[2]).mean() < 6
    remark = images.read(0).acquisition.remark
    assert remark is not None and "compression" in remark and "colours" not in remark
    assert images.read(3).acquisition.time_s is None  # that of its showing is none


def test_a_film_in_colours_is_read_as_grey_and_says_so(tmp_path: Path) -> None:
    grey = np.kron(np.random.default_rng(1).integers(0, 200, (3, 6, 8)), np.ones((1, 8, 8))).astype(np.uint8)
    write_film(tmp_path / "a.mp4", np.stack([grey, grey // 2, 255 - grey], axis=-1), quality=9)
    remark = open_images(tmp_path / "a.mp4", pixel_size=0.04).read(1).acquisition.remark
    assert remark is not None and "colours are read as grey" in remark


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    secret, film = tmp_path / "secret.txt", tmp_path / "a.mp4"
    secret.write_text("nobody reads this")
    film.write_text(f"#EXTM3U\n#EXTINF:1,\n{secret}\n")
    with pytest.raises(ReadError, match=r"a.mp4 is no film that FFmpeg reads, or is cut off; copy it again"):
        open_images(film, pixel_size=0.04)
    write_film(tmp_path / "b.mp4", np.zeros((3, 32, 32), np.uint8))
    with pytest.raises(ReadError, match=r"b.mp4 has no pixel size; give it with --pixel-size"):
        open_images(tmp_path / "b.mp4")


def test_pictures_in_one_png_are_frames(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 20, 30)).astype(np.uint8)
    first, *others = map(Image.fromarray, frames)
    for name in ("a.png", "a.apng"):
        first.save(tmp_path / name, format="PNG", save_all=True, append_images=others)
        images = open_images(tmp_path / name, pixel_size=0.04)
        assert [np.array_equal(images.read(k).image, frames[k]) for k in range(len(images))] == [True] * 3
