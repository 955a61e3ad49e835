from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from porescope import read, read_all
from porescope.files import ReadError
from porescope.files.mrc import load_mrc

IMAGE = np.random.default_rng(0).integers(-100, 100, (30, 40))

pytestmark = pytest.mark.filterwarnings("ignore:.*FileIO")  # rosettasciio leaves the file open


def _write(path: Path, data: np.ndarray, order: str = "<", size: float = 0.4, **fields: Any) -> Path:
    """Write an MRC file (MRC2014) with pixels of ``size`` Å; ``fields`` replace words of the header."""
    mode = {"i1": 0, "u1": 0, "i2": 1, "f4": 2, "u2": 6}[data.dtype.str[1:]]
    nz, ny, nx = (1, *data.shape)[-3:]
    words: dict[int, Any] = dict(enumerate((nx, ny, nz, mode, 0, 0, 0, nx, ny, nz)))
    words |= {10: nx * size, 11: ny * size, 12: size, 16: 1, 17: 2, 18: 3, 27: 20140}
    words |= {19: float(data.min()), 20: float(data.max()), 21: float(data.mean())}
    words |= {int(key[1:]): value for key, value in fields.items()}
    head = bytearray(1024)
    for at, value in words.items():
        struct.pack_into(order + ("f" if isinstance(value, float) else "i"), head, 4 * at, value)
    head[208:212], head[212:214] = b"MAP ", b"\x44\x44" if order == "<" else b"\x11\x11"
    path.write_bytes(bytes(head) + data.astype(data.dtype.newbyteorder(order)).tobytes())
    return path


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i1", "i2", "f4"])
@pytest.mark.parametrize("lazy", [False, True])
def test_both_byte_orders_and_signs(tmp_path: Path, order: str, dtype: str, lazy: bool) -> None:
    path = _write(tmp_path / "a.mrc", np.stack([IMAGE, IMAGE + 5]).astype(dtype), order)
    (signal,) = load_mrc(path, lazy)
    assert np.array_equal(signal.data[1], IMAGE + 5) and signal.n_frames == 2
    assert [m.pixel_size for m in read_all(path)] == [pytest.approx((0.04, 0.04))] * 2


def test_unsigned_bytes_by_their_extrema_their_mean_or_imods_flag(tmp_path: Path) -> None:
    image = (IMAGE + 120).astype("u1")
    for fields in ({}, {"w19": 0.0, "w20": -1.0, "w38": 1146047817, "w39": 0}, {"w19": 0.0, "w20": 100.0}):
        path = _write(tmp_path / "a.mrc", image, **fields)
        m = read(path)
        assert np.array_equal(m.image, image) and m.acquisition.remark is None
    path = _write(tmp_path / "a.mrc", image, w19=0.0, w20=-1.0)  # nothing is said
    assert "signed" in (read(path).acquisition.remark or "")


def test_pixel_sizes_that_are_none(tmp_path: Path) -> None:
    image = IMAGE.astype("f4")
    for fields in ({"w7": 0, "w8": 0}, {"w10": 0.0, "w11": 0.0}):
        with pytest.raises(ReadError, match="no pixel size"):
            read(_write(tmp_path / "a.mrc", image, **fields))
    assert "exactly 1 Å" in (read(_write(tmp_path / "a.mrc", image, size=1.0)).acquisition.remark or "")


def test_rows_along_x_are_turned(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mrc", IMAGE.astype("f4"), w16=2, w17=1, w7=30, w8=40, w10=12.0, w11=16.0)
    m = read(path)
    assert np.array_equal(m.image, IMAGE.T) and m.pixel_size == pytest.approx((0.04, 0.04))


@pytest.mark.parametrize(("field", "word"), [("w3", "mode"), ("w16", "axis")])
def test_what_is_not_read_gets_a_sentence(tmp_path: Path, field: str, word: str) -> None:
    with pytest.raises(ReadError, match=rf"a\.mrc .*{word}"):
        read(_write(tmp_path / "a.mrc", IMAGE.astype("f4"), **{field: 3 if field == "w16" else 101}))


def test_a_cut_file_says_both_lengths(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mrc", IMAGE.astype("f4"))
    content = path.read_bytes()
    for length in (500, 2000):
        path.write_bytes(content[:length])
        with pytest.raises(ReadError, match=rf"cut off.*{length} of \d+ bytes"):
            read(path)
