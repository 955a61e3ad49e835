from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope import read, read_all
from porescope.files import ReadError
from porescope.files.entries import describe_signal
from porescope.files.signals import choose_images, header_pixel_size

STACK = np.random.default_rng(0).normal(size=(3, 20, 30)).astype(np.float32)


def _describe(data: np.ndarray, names: list[str], **axis: Any) -> Any:
    axes = [{"name": name, "units": "nm", "scale": 0.04, "navigate": False, **axis} for name in names]
    return describe_signal({"data": data, "axes": axes, "metadata": {}, "original_metadata": {}})


@given(st.permutations(["t", "y", "x"]))
def test_rows_and_columns_are_found_by_their_names(names: list[str]) -> None:
    stored = STACK.transpose(["tyx".index(name) for name in names])
    got = _describe(stored, names)
    assert np.array_equal(got.data, STACK)
    assert got.stacked == [True, False, False]


def test_a_spectrum_for_each_pixel_is_no_movie() -> None:
    axes = [{"name": name, "scale": 0.04, "navigate": name in "yx"} for name in ("y", "x", "channel")]
    got = describe_signal({"data": STACK.transpose(1, 2, 0), "axes": axes})
    with pytest.raises(ReadError, match="3-dimensional"):
        choose_images(Path("a.hspy"), [got])


def test_axes_of_one_element_are_dropped() -> None:
    got = _describe(STACK[:1, None], ["t", "z", "y", "x"])
    assert np.array_equal(got.data, STACK[0]) and len(got.units) == len(got.scales) == 2


@pytest.mark.parametrize(
    ("values", "size"),
    [(np.arange(30) * 0.04, 0.04), (-np.arange(30) * 0.04, 0.04), (np.arange(30.0) ** 2, None)],
)
def test_axes_given_as_values(values: np.ndarray, size: float | None) -> None:
    got = _describe(STACK[0], ["y", "x"], axis=values.astype(np.float32), scale=None)
    expected = None if size is None else pytest.approx((size, size), rel=1e-5)
    assert header_pixel_size(got) == expected


def test_an_axis_without_a_step_has_no_pixel_size() -> None:
    axes = [{"name": name, "units": "nm"} for name in "yx"]
    got = describe_signal({"data": STACK[0], "axes": axes})
    assert header_pixel_size(got) is None


def _write_berkeley(path: Path, data: np.ndarray, names: list[str], units: list[str]) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["version_major"], file.attrs["version_minor"] = 0, 2
        group = file.create_group("data/movie")
        group.attrs["emd_group_type"] = 1
        group["data"] = data
        for i, (name, unit) in enumerate(zip(names, units, strict=True)):
            dim = group.create_dataset(f"dim{i + 1}", data=np.arange(data.shape[i]) * 0.04)
            dim.attrs["name"], dim.attrs["units"] = name, unit
    return path


@pytest.mark.parametrize("names", [["time", "y", "x"], ["x", "y", "time"]])
@pytest.mark.parametrize("suffix", ["emd", "h5"])
def test_berkeley_movies(tmp_path: Path, names: list[str], suffix: str) -> None:
    data = STACK if names[0] == "time" else STACK.transpose(2, 1, 0)
    units = ["s" if name == "time" else "nm" for name in names]
    got = list(read_all(_write_berkeley(tmp_path / f"a.{suffix}", data, names, units)))
    assert all(np.array_equal(m.image, frame) for m, frame in zip(got, STACK, strict=True))
    assert [m.acquisition.time_s for m in got] == pytest.approx([0, 0.04, 0.08])
    assert got[0].pixel_size == pytest.approx((0.04, 0.04))


def test_berkeley_axes_without_names_are_doubted(tmp_path: Path) -> None:
    path = _write_berkeley(tmp_path / "a.emd", STACK[0], ["", ""], ["nm", "nm"])
    assert "may be swapped" in (read(path).acquisition.remark or "")


def _write_hyperspy(path: Path, signal_type: str, unit: str = "nm") -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["file_format"], file.attrs["file_format_version"] = "HyperSpy", "3.3"
        group = file.create_group("Experiments/a")
        group["data"] = STACK[0]
        for i in range(2):
            axis = group.create_group(f"axis-{i}")
            axis.attrs.update(
                _type="UniformDataAxis", name="yx"[i], units=unit, scale=0.4, offset=0.0,
                size=STACK.shape[1 + i], navigate=False,
            )  # fmt: skip
        for name in ("General", "Signal"):
            group.create_group(f"metadata/{name}")
        group["metadata/General"].attrs["title"] = ""
        group["metadata/Signal"].attrs["signal_type"] = signal_type
        group.create_group("original_metadata")
        group.create_group("learning_results")
    return path


@pytest.mark.parametrize(
    ("signal_type", "word"),
    [
        ("", None),
        ("DigiScan", None),
        ("EELS", "spectrum"),
        ("EDS_TEM", "spectrum"),
        ("electron_diffraction", "diffraction"),
    ],
)
def test_signal_types_of_hyperspy(tmp_path: Path, signal_type: str, word: str | None) -> None:
    for suffix in ("hspy", "h5"):
        path = _write_hyperspy(tmp_path / f"a.{suffix}", signal_type)
        if word is None:
            assert np.array_equal(read(path).image, STACK[0])
        else:
            with pytest.raises(ReadError, match=word):
                read(path)


@pytest.mark.parametrize("unit", ["\u00c5", "\u212b", "A\u030a", "Angstrom", "\\u00C5"])
def test_every_spelling_of_angstrom(tmp_path: Path, unit: str) -> None:
    assert read(_write_hyperspy(tmp_path / "a.hspy", "", unit)).pixel_size == pytest.approx((0.04, 0.04))
