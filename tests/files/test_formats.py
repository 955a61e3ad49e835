from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from porescope import read, read_all
from porescope.files.formats import ReadError

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


def test_unreadable_files_get_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_bytes(b"hello")
    (tmp_path / "b.dm3").write_bytes(b"")
    (tmp_path / "c.png").write_bytes(b"no picture at all")
    np.save(tmp_path / "d.npy", np.array([object()]), allow_pickle=True)
    (tmp_path / "e.prz").write_bytes(b"PK")
    for path in [*tmp_path.iterdir(), tmp_path / "missing.tif"]:
        with pytest.raises(ReadError, match=path.name):
            read(path)


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
