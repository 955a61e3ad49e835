from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from helpers import run, save_simulated

from porescope import read
from porescope.files import ReadError
from porescope.files.claims import Claim, measure_claim, refuse_claim

SIDE = 200_000  # 40 GB as bytes, 480 GB as three images in float32


def _write_bomb(folder: Path, kind: str) -> Path:
    """Write a small file that claims a huge image."""
    path = folder / f"bomb.{kind}"
    if kind == "npy":
        header = {"descr": "|u1", "fortran_order": False, "shape": (SIDE, SIDE)}
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + SIDE * SIDE)  # sparse
    elif kind == "hspy":
        with h5py.File(path, "w") as file:
            file.create_dataset("Experiments/a/data", (SIDE, SIDE), "f8", chunks=(1000, 1000))
    else:
        tile = np.zeros((16, 16), np.uint8)
        tifffile.imwrite(path, tile, compression="zlib")
        with tifffile.TiffFile(path, mode="r+") as tiff:
            tiff.pages[0].tags["ImageWidth"].overwrite(60_000)
            tiff.pages[0].tags["ImageLength"].overwrite(60_000)
    return path


@pytest.mark.parametrize("kind", ["npy", "hspy"])
def test_a_file_that_claims_more_than_there_is_gets_a_sentence(tmp_path: Path, kind: str) -> None:
    path = _write_bomb(tmp_path, kind)
    with pytest.raises(
        ValueError, match=rf"bomb\.{kind} needs \d+\.\d GB of memory, but \d+\.\d GB are free"
    ):
        read(path, pixel_size=0.04)


def test_bombs_among_good_files_cost_only_their_own_rows(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for kind in ("npy", "hspy", "tif"):
        _write_bomb(tmp_path / "in", kind)
    save_simulated(tmp_path / "in", "good.tif")
    options = ["--method", "threshold", "--no-images", "--pixel-size", 0.04]
    result = run("detect", tmp_path / "in", "-o", tmp_path / "out", *options)
    assert result.exit_code == 1 and "3 pores in 1 image, 3 failed" in result.output


def test_claims_by_hand(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 40, 50), np.uint16))
    assert measure_claim(tmp_path / "a.npy") == (3 * 40 * 50 * 2, (2 + 3 * 4) * 40 * 50)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((40, 50), np.uint8))
    assert measure_claim(tmp_path / "a.tif") == (40 * 50, (1 + 3 * 4) * 40 * 50)
    (tmp_path / "a.hspy").write_bytes(b"no HDF5")
    assert measure_claim(tmp_path / "a.hspy") == (7, 0)


def test_of_a_large_stack_one_image_must_fit_and_of_a_large_image_all(tmp_path: Path) -> None:
    refuse_claim(tmp_path, Claim(2**60, 2**20))
    with pytest.raises(ReadError, match=r"needs 1073741824\.1 GB of memory, but \d+\.\d GB are free; crop"):
        refuse_claim(tmp_path, Claim(2**26, 2**60))
