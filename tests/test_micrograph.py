from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from porescope import Micrograph, Recipe, census, detect, measure, read
from porescope.files import Header, ReadError
from porescope.lattice import calibrate, find_lattice
from porescope.micrograph import Acquisition, _dose_rate
from porescope.reading import read_all
from porescope.recipes import Threshold
from porescope.runs import Job
from porescope.runs.image import process_image
from porescope.simulation import Scene, simulate


def test_read_names_read_all_for_several_images(data: Path) -> None:
    with pytest.raises(ReadError, match="read_all"):
        read(data / "formats" / "fei_example_tem_stack.emd")


def test_pixel_size_and_modality_can_be_given(data: Path) -> None:
    m = read(data / "formats" / "test-1.dm3", pixel_size=0.5, modality="bf")
    assert m.pixel_size == (0.5, 0.5) and m.modality == "bf"
    assert m.acquisition.pixel_size_source == "argument" and m.acquisition.pixel_size_header is None


def test_a_micrograph_made_in_python_can_be_processed(tmp_path: Path) -> None:
    micrograph = Micrograph(np.random.default_rng(0).normal(size=(40, 50)), 0.05)
    assert micrograph.acquisition == Acquisition()
    row = process_image(micrograph, "", Job(tmp_path, Threshold(Recipe()), lattice=False)).row
    assert row["file"] is None and np.isnan(row["pixel_size_header_nm"])
    assert row["pixel_size_source"] == "argument" and "taken as HAADF" not in row["message"]


def test_the_dose_rate_is_of_the_whole_frame() -> None:
    # 1 e/s over 2 nm² is half an electron per nm² and s.
    assert _dose_rate(Header(beam_current_na=1.602176634e-10), 2.0) == pytest.approx(0.5)
    assert _dose_rate(Header(), 2.0) is None


def test_the_lattice_corrects_the_dose_rate_with_the_area() -> None:
    drawn = simulate(Scene("WS2", shape=(200, 260)), seed=1).micrograph
    row, column = drawn.pixel_size
    wrong = replace(
        drawn, pixel_size=(row * 1.1, column * 1.1), acquisition=Acquisition(dose_rate_e_nm2_s=100.0)
    )
    lattice = find_lattice(wrong)
    assert lattice is not None
    right = calibrate(wrong, lattice, "WS2")
    known = right.acquisition
    assert known.pixel_size_source == "lattice" and known.pixel_size_recipe == wrong.pixel_size
    assert known.dose_rate_e_nm2_s == pytest.approx(100.0 * wrong.pixel_area / right.pixel_area)
    assert right.pixel_size == pytest.approx((row, column), rel=0.01)
    again = calibrate(right, find_lattice(right), "WS2")
    assert again.acquisition.pixel_size_recipe == wrong.pixel_size


def test_rows_come_before_columns(tmp_path: Path) -> None:
    image = np.arange(15, dtype=np.uint16).reshape(3, 5)
    for name, save in {
        "a.png": lambda p: Image.fromarray(image).save(p),
        "a.npy": lambda p: np.save(p, image),
        "a.tif": lambda p: tifffile.imwrite(p, image),
    }.items():
        save(tmp_path / name)
        assert np.array_equal(read(tmp_path / name, pixel_size=1).image, image), name


def test_anisotropic_pixels_within_half_a_percent() -> None:
    assert Micrograph(np.ones((2, 3)), (0.0507141, 0.0507018)).pixel_size == (0.0507141, 0.0507018)
    with pytest.raises(ValueError, match=r"0\.05 nm a row by 0\.051 nm a column"):
        Micrograph(np.ones((2, 3)), (0.05, 0.051))


def test_nan_and_inf_are_counted() -> None:
    image = np.ones((4, 5))
    image[0, :2], image[1, 0] = np.nan, -np.inf
    with pytest.raises(ValueError, match="2 NaN and 1 infinite"):
        Micrograph(image, 1.0)


def test_pixels_outside_the_field_are_filled_with_its_median() -> None:
    image = np.array([[1, 3, 5, 900], [2, 4, np.nan, -np.inf], [np.inf, 800, 800, 700]], np.float64)
    field = np.zeros((3, 4), bool)
    field[:2, :2] = field[0, 2] = True
    m = Micrograph(image, 0.05, field=field)
    assert m.image.tolist() == [[1, 3, 5, 900], [2, 4, 3, 3], [3, 800, 800, 700]]
    assert m.filled.tolist() == [[1, 3, 5, 3], [2, 4, 3, 3], [3, 3, 3, 3]]
    assert m.image.dtype == m.filled.dtype == np.float32 and m.filled is m.filled
    assert np.isnan(image[1, 2])  # the caller's array stays as it was
    same = replace(m, name="b")
    assert np.array_equal(same.filled, m.filled) and np.array_equal(same.field, field)


def test_a_field_that_is_everywhere_is_none() -> None:
    m = Micrograph(np.ones((2, 3)), 0.05, field=np.ones((2, 3), bool))
    assert m.field is None and m.filled is m.image
    assert Micrograph(np.ones((2, 3)), 0.05).field is None


def test_fields_that_do_not_fit_are_refused() -> None:
    image = np.ones((2, 3))
    with pytest.raises(ValueError, match="boolean"):
        Micrograph(image, 0.05, field=np.ones((2, 3), int))
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        Micrograph(image, 0.05, field=np.ones((3, 2), bool))
    with pytest.raises(ValueError, match="no data"):
        Micrograph(image, 0.05, field=np.zeros((2, 3), bool))
    image[0, 0] = np.nan
    field = np.ones((2, 3), bool)
    field[1, 2] = False
    with pytest.raises(ValueError, match="1 NaN and 0 infinite"):
        Micrograph(image, 0.05, field=field)


@example(image=np.float32([[3e38, 3e38, np.nan]]), field=np.array([[True, True, False]]))
@given(
    hnp.arrays(np.float32, (4, 7), elements=st.floats(width=32) | st.just(np.nan)), hnp.arrays(bool, (4, 7))
)
def test_the_stored_image_is_finite_everywhere(image: np.ndarray, field: np.ndarray) -> None:
    try:
        m = Micrograph(image, 0.05, field=field)
    except ValueError:
        assert not field.any() or not np.isfinite(image[field]).all()
        return
    assert np.isfinite(m.image).all() and np.isfinite(m.filled).all()
    assert np.array_equal(m.image[field], image[field]) and np.array_equal(m.filled[field], image[field])


@pytest.mark.parametrize("bad", [0, -1, np.nan, np.inf])
def test_impossible_pixel_sizes_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="pixel_size must be above 0"):
        Micrograph(np.ones((2, 3)), bad)


dtypes = st.one_of(hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes())
images = dtypes.flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=40).filter(lambda s: s[0] != s[1] or s == (1, 1)),
        elements=hnp.from_dtype(dtype, allow_nan=False, allow_infinity=False),
        fill=None,
    )
)


@example(image=np.array([[1e-41, 0]], np.float32), scaling="published")
@example(image=np.pad(np.zeros((6, 9), np.float32), 12, constant_values=1), scaling="physical")
@given(image=images, scaling=st.sampled_from(["published", "physical"]))
def test_any_finite_image_gives_a_table_or_a_clear_error(image: np.ndarray, scaling: str) -> None:
    try:
        micrograph = Micrograph(image, 0.04)
    except ValueError as error:
        assert "finite in float32" in str(error)
        assert np.abs(image.astype(np.float64)).max() > np.finfo(np.float32).max
        return
    table = measure(micrograph, detect(micrograph, Recipe(scaling=scaling, area=1)))
    assert (table.area_px > 0).all() and not (table.circularity <= 0).any()  # of a pixel it is not known
    sizes = ["y_nm", "x_nm", "area_nm2", "equivalent_diameter_nm", "feret_diameter_max_nm", "perimeter_nm"]
    assert table[[*sizes, "solidity"]].notna().all(axis=None)


def test_nan_along_the_border_are_outside_the_field_and_nan_inside_are_refused(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).normal(50, 5, (4, 30, 40)).astype(np.float32)
    frames[1, :3], frames[1, :, -5:] = np.nan, np.nan  # alignment
    frames[2, 12:18] = np.nan  # blanked rows
    np.save(tmp_path / "movie.npy", frames)
    good, cut, rows, last = read_all(tmp_path / "movie.npy", pixel_size=0.1)
    assert good.field is None and last.field is None and rows.field is not None
    np.testing.assert_array_equal(cut.field, np.isfinite(frames[1]))
    assert np.isfinite(cut.image).all() and rows.window == (slice(0, 30), slice(0, 40))
    assert cut.window == (slice(3, 30), slice(0, 35))
    for lost in (np.s_[15, 20], np.s_[0, 0], np.s_[10:20, 10:20], np.s_[:]):
        image = frames[0].copy()
        image[lost] = np.nan
        np.save(tmp_path / "bad.npy", image)
        with pytest.raises(ReadError, match=r"bad\.npy: image must be finite in float32, but has \d+ NaN"):
            read(tmp_path / "bad.npy", pixel_size=0.1)
        with pytest.raises(ValueError, match="must be finite"):
            Micrograph(image, 0.1)


def test_a_signal_of_hyperspy_brings_its_calibration_along(tmp_path: Path) -> None:
    import hyperspy.api as hs

    signal = hs.signals.Signal2D(np.random.default_rng(0).normal(50, 5, (3, 40, 60)).astype(np.float32))
    for axis, (scale, unit) in zip(signal.axes_manager.signal_axes, ((0.4, "Å"), (0.4, "Å")), strict=True):
        axis.scale, axis.units = scale, unit
    signal.metadata.General.title = "BF of the edge"
    one = signal.inav[1]
    micrograph = Micrograph.from_hyperspy(one)
    assert micrograph.pixel_size == pytest.approx((0.04, 0.04)) and micrograph.modality == "bf"
    assert micrograph.name == "BF of the edge" and micrograph.acquisition.pixel_size_source == "header"
    assert np.array_equal(micrograph.image, one.data) and micrograph.image.shape == (40, 60)
    assert Micrograph.from_hyperspy(one, modality="haadf").acquisition.modality_source == "argument"
    with pytest.raises(ValueError, match="holds 3 images; give one of them"):
        Micrograph.from_hyperspy(signal)
    one.axes_manager[0].units = "1/nm"
    with pytest.raises(ValueError, match="reciprocal units"):
        Micrograph.from_hyperspy(one)


def test_an_array_of_xarray_brings_its_calibration_along() -> None:
    import xarray

    image = np.random.default_rng(0).normal(50, 5, (40, 60))
    coords = {
        "y": ("y", 3 + 50 * np.arange(40), {"units": "pm"}),
        "x": ("x", np.arange(60) * 50.0, {"units": "pm"}),
    }
    micrograph = Micrograph.from_xarray(xarray.DataArray(image, coords, ("y", "x"), name="hrtem 7"))
    assert micrograph.pixel_size == pytest.approx((0.05, 0.05)) and micrograph.modality == "hrtem"
    swapped = xarray.DataArray(image.T, coords, ("x", "y"))
    assert Micrograph.from_xarray(swapped).image.shape == (40, 60)
    with pytest.raises(ValueError, match="no pixel size"):
        Micrograph.from_xarray(xarray.DataArray(image, dims=("y", "x")))


def test_what_a_notebook_shows_has_no_pixels() -> None:
    micrograph = Micrograph(np.ones((30, 40)), 0.05, name="<b>A", frame=3)
    assert repr(micrograph) == "Micrograph('<b>A', frame 3, 30 × 40 px, (0.05, 0.05) nm, haadf)"
    assert micrograph._repr_html_().startswith("<code>Micrograph(&#x27;&lt;b&gt;A")


def test_a_plain_array_gets_a_sentence() -> None:
    image = np.ones((30, 40))
    for call in (detect, census, lambda array: measure(array, np.zeros((30, 40), int))):
        with pytest.raises(
            ValueError, match=r"needs a Micrograph, not ndarray: give Micrograph\(image, pixel"
        ):
            call(image)
