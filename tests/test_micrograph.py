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

from porescope import Micrograph, Recipe, detect, measure, read, read_all
from porescope.files.formats import ReadError
from porescope.files.headers import Header
from porescope.lattice.calibration import calibrate
from porescope.lattice.finding import find_lattice
from porescope.micrograph import Acquisition, _dose_rate
from porescope.recipes.detector import Threshold
from porescope.runs.image import process_image
from porescope.runs.job import Job
from porescope.simulation.drawing import simulate
from porescope.simulation.scene import Scene

UM, PM = 1e3, 1e-3

# name: shape of each image, pixel size [nm], modality; or a word of the refusal
FORMATS: dict[str, tuple[list[tuple[int, int]], float, str] | str] = {
    "16_STOimage_1.ser": ([(1024, 1024)], 0.0100127, "haadf"),
    "16_STOimage.emi": ([(1024, 1024)], 0.0100127, "haadf"),
    "Acquisition_18.emd": ([(1024, 1024)], 0.0122465, "haadf"),
    "STEM HAADF Diffraction Micro.emd": ([(128, 128)], 0.0873708 * UM, "haadf"),
    "EMDReader_Image_FEI.emd": ([(512, 512)], 0.00530241 * UM, "haadf"),
    "fei_example_tem_stack.emd": ([(3, 3)] * 2, 8.17288 * PM, "hrtem"),
    "FFTComplexEven.emd": ([(128, 128)], 0.0271153 * UM, "haadf"),
    "multi_signal.dm3": ([(512, 512)], 0.0177516, "haadf"),
    "test_diffraction_pattern.dm3": "reciprocal",
    "test_fft_packed_complex8.dm4": "complex",
    "test-5.dm3": "complex",
    "08_carbon.dm3": "spectrum",
    "test-EELS_spectrum.dm3": "spectrum",
    "DMReader_Image_SI-Survey.dm3": "--pixel-size",
    "test-1.dm3": "--pixel-size",
    "test-2.dm4": "--pixel-size",
    "test_loading_image_saved_with_imageJ_no_scale.tif": "--pixel-size",
    "test-14.dm4": "boolean",
    "Fei HAADF-DE_location.dm3": ([(4, 16)], 0.00550607 * UM, "haadf"),
    "test_stackbuilder_imagestack.dm3": ([(2, 16)] * 3, 0.0599829 * UM, "haadf"),
    "test_loading_image_saved_with_imageJ_stack.tif": ([(68, 68)] * 2, 0.168675 * UM, "haadf"),
    "stem_abf_data_imagestack.hspy": ([(512, 512)] * 5, 0.00920240, "abf"),
    "test_STEM_image.dm3": ([(68, 68)], 0.248538, "haadf"),
    "test_loading_image_saved_with_DM.tif": ([(68, 68)], 0.168675 * UM, "haadf"),
    "test_loading_image_saved_with_imageJ.tif": ([(68, 68)], 0.168675 * UM, "haadf"),
    "test_dm_image_um_unit.dm3": ([(68, 68)], 0.168675 * UM, "hrtem"),
    "olympus_SIS.tif": ([(101, 112)], 0.023928, "haadf"),
    "HAADFscan.mrc": ([(16, 16)], 5.67913, "haadf"),
    "example_signal.emd": "3-dimensional",
}


@pytest.mark.filterwarnings("ignore")  # readers' remarks on foreign metadata
@pytest.mark.parametrize("name", FORMATS)
def test_reads_each_format_as_its_table_says(data: Path, name: str) -> None:
    expected = FORMATS[name]
    if isinstance(expected, str):
        with pytest.raises(ReadError, match=expected) as error:
            list(read_all(data / "formats" / name))
        assert name in str(error.value) and "\n" not in str(error.value)
        return
    shapes, size, modality = expected
    micrographs = list(read_all(data / "formats" / name))
    assert [m.image.shape for m in micrographs] == shapes
    assert all(m.pixel_size == pytest.approx((size, size), rel=1e-5) for m in micrographs)
    assert {m.modality for m in micrographs} == {modality}
    frames = [None] if len(shapes) == 1 else list(range(len(shapes)))
    assert [m.frame for m in micrographs] == frames


def test_every_format_file_has_a_line_here(data: Path) -> None:
    assert {p.name for p in (data / "formats").iterdir()} == set(FORMATS)


def test_one_image_three_ways_is_the_same(data: Path) -> None:
    names = (
        "test_dm_image_um_unit.dm3",
        "test_loading_image_saved_with_DM.tif",
        "test_loading_image_saved_with_imageJ.tif",
    )
    a, b, c = (read(data / "formats" / name).image for name in names)
    assert np.array_equal(a, b) and np.array_equal(a, c)


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
    row = process_image(micrograph, "", Job(tmp_path, Threshold(Recipe()), lattice=False), picture=False).row
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


def test_colours_become_grey(tmp_path: Path) -> None:
    image = np.zeros((3, 5, 3), np.uint8)
    image[1, 2] = 100  # grey stays exactly what it is
    Image.fromarray(image).save(tmp_path / "grey.png")
    assert read(tmp_path / "grey.png", pixel_size=1).image[1, 2] == 100
    image[1, 2] = (0, 100, 0)
    Image.fromarray(image).save(tmp_path / "green.png")
    assert read(tmp_path / "green.png", pixel_size=1).image[1, 2] == pytest.approx(58.7)


@pytest.mark.parametrize(
    ("unit", "resolution", "nm"),
    [
        ("CENTIMETER", 1e7 / 0.5, 0.5),
        ("INCH", 2.54e7 / 0.05, 0.05),
        ("INCH", 72, None),
        ("INCH", 96, None),
        ("INCH", 300, None),
        ("NONE", 20, None),
    ],
)
def test_resolution_tags_count_where_they_make_sense(
    tmp_path: Path, unit: str, resolution: float, nm: float | None
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((3, 4), np.uint8), resolution=(resolution,) * 2, resolutionunit=unit)
    if nm is None:
        with pytest.raises(ReadError, match="--pixel-size"):
            read(path)
    else:
        assert read(path).pixel_size == pytest.approx((nm, nm))


@pytest.mark.parametrize(("unit", "nm"), [("nm", 1), ("micron", 1e3), ("\\u00B5m", 1e3), ("pm", 1e-3)])
def test_imagej_units(tmp_path: Path, unit: str, nm: float) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, np.ones((3, 4), np.uint8), imagej=True, resolution=(20, 20), metadata={"unit": unit}
    )
    assert read(path).pixel_size == pytest.approx((nm / 20, nm / 20))


def test_ome_pixel_size(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    metadata = {"axes": "YX", "PhysicalSizeX": 40, "PhysicalSizeXUnit": "pm", "PhysicalSizeY": 0.00004}
    tifffile.imwrite(path, np.ones((3, 4), np.uint16), ome=True, metadata=metadata)
    assert read(path).pixel_size == pytest.approx((0.04, 0.04))


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


def test_unreadable_files_get_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"hello")
    (tmp_path / "b.dm3").write_bytes(b"")
    (tmp_path / "c.png").write_bytes(b"no picture at all")
    np.save(tmp_path / "d.npy", np.array([object()]), allow_pickle=True)
    (tmp_path / "e.prz").write_bytes(b"PK")
    for path in [*tmp_path.iterdir(), tmp_path / "missing.tif"]:
        with pytest.raises(ReadError, match=path.name):
            read(path)


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
@given(image=images, scaling=st.sampled_from(["published", "physical"]))
def test_any_finite_image_gives_a_table_or_a_clear_error(image: np.ndarray, scaling: str) -> None:
    try:
        micrograph = Micrograph(image, 0.04)
    except ValueError as error:
        assert "finite in float32" in str(error)
        assert np.abs(image.astype(np.float64)).max() > np.finfo(np.float32).max
        return
    table = measure(micrograph, detect(micrograph, Recipe(scaling=scaling, area=1)))
    assert (table.area_px > 0).all() and (table.circularity > 0).all()
    assert table.drop(columns=["missing_atoms", "confidence"]).notna().all(axis=None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["ws2/A.dm3", "formats/test_loading_image_saved_with_imageJ_stack.tif"])
def test_truncated_copies_are_refused_or_whole(data: Path, tmp_path: Path, name: str) -> None:
    """At 200 random lengths: no traceback, no hang, never fewer or other pixels."""
    source = (data / name).read_bytes()
    whole = list(read_all(data / name))
    rng = np.random.default_rng(0)
    path = tmp_path / Path(name).name
    for length in rng.integers(0, len(source), 200):
        path.write_bytes(source[:length])
        try:
            micrographs = list(read_all(path))
        except ReadError as error:
            assert "\n" not in str(error)
            continue
        assert len(micrographs) == len(whole), length
        for got, wanted in zip(micrographs, whole, strict=True):
            assert np.array_equal(got.image, wanted.image) and got.pixel_size == wanted.pixel_size, length
