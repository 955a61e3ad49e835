from __future__ import annotations

import gc
import shutil
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from porescope import read, read_all
from porescope.files import ReadError, claims
from porescope.reading import open_images

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


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", [name for name, expected in FORMATS.items() if not isinstance(expected, str)]
)
def test_large_files_are_read_image_by_image_with_the_same_result(
    data: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    eager = list(read_all(data / "formats" / name))
    monkeypatch.setattr(claims, "_LARGE", -1)
    lazy = list(read_all(data / "formats" / name))
    gc.collect()  # closes what rosettasciio leaves open
    assert len(eager) == len(lazy)
    for one, two in zip(eager, lazy, strict=True):
        assert np.array_equal(one.image, two.image) and one.image.dtype == two.image.dtype
        assert (one.pixel_size, one.acquisition, one.modality) == (
            two.pixel_size,
            two.acquisition,
            two.modality,
        )


@pytest.mark.filterwarnings("ignore:.*FileIO")  # rosettasciio leaves a lazily read TIFF open
@pytest.mark.parametrize("kind", ["imagej", "pages", "compressed", "npy"])
def test_a_frame_of_a_large_stack_is_read_alone(tmp_path: Path, kind: str, monkeypatch) -> None:
    stack = np.random.default_rng(0).integers(0, 60_000, (400, 60, 70)).astype(np.uint16)
    path = tmp_path / ("a.npy" if kind == "npy" else "a.tif")
    if kind == "npy":
        np.save(path, stack)
    else:
        options = {"compression": "zlib"} if kind == "compressed" else {"imagej": kind == "imagej"}
        tifffile.imwrite(path, stack, photometric="minisblack", **options)
    monkeypatch.setattr(claims, "_LARGE", 100_000)
    images = open_images(path, pixel_size=0.04)
    tracemalloc.start()
    assert np.array_equal(images.read(399).image, stack[399])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(images) == 400 and peak < stack.nbytes / 3
    gc.collect()


@pytest.mark.filterwarnings("ignore:.*FileIO")  # and a damaged MRC
def test_a_large_file_that_is_cut_off_gets_a_sentence(data: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(claims, "_LARGE", -1)
    for name in ("HAADFscan.mrc", "stem_abf_data_imagestack.hspy"):
        path = tmp_path / name
        content = (data / "formats" / name).read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3])
        with pytest.raises(ReadError, match=name) as error:
            list(read_all(path))
        assert "\n" not in str(error.value)
        del error
        gc.collect()


def test_colours_become_grey(tmp_path: Path) -> None:
    image = np.zeros((3, 5, 3), np.uint8)
    image[1, 2] = 100  # grey stays exactly what it is
    Image.fromarray(image).save(tmp_path / "grey.png")
    assert read(tmp_path / "grey.png", pixel_size=1).image[1, 2] == 100
    image[1, 2] = (0, 100, 0)
    Image.fromarray(image).save(tmp_path / "green.png")
    assert read(tmp_path / "green.png", pixel_size=1).image[1, 2] == pytest.approx(58.7)


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


def test_an_emi_without_its_ser_says_so(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "formats" / "16_STOimage.emi", tmp_path / "a[1].emi")
    with pytest.raises(ReadError, match=r"a\[1\]\.emi needs its \.ser files"):
        read(tmp_path / "a[1].emi")


@pytest.mark.filterwarnings("ignore")
def test_an_unknown_layout_of_hdf5_is_not_called_damaged(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["image"] = np.eye(4)
    with pytest.raises(ReadError, match=r"a\.h5 is an HDF5 file of a layout that no reader knows"):
        read(tmp_path / "a.h5")


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    """As rosettasciio wants `sparse` for Velox files with spectra."""
    with h5py.File(tmp_path / "a.emd", "w") as file:
        version = b'{"format": "Velox", "version": "11"}'
        file["Version"] = np.array([version])
        file.create_group("Data/Image")
        file.create_group("Data/SpectrumImage")
        file.create_group("Displays/ImageDisplay")
    with pytest.raises(ReadError, match=r"needs the package sparse.*pip install sparse"):
        read(tmp_path / "a.emd")


def test_a_dm4_may_lack_the_zeros_at_its_end_but_no_more(data: Path, tmp_path: Path) -> None:
    content = (data / "cases" / "c01_swift.dm4").read_bytes()
    whole = read(data / "cases" / "c01_swift.dm3").image
    for cut, is_whole in ((0, True), (4, True), (5, False)):
        (tmp_path / "a.dm4").write_bytes(content[: len(content) - cut])
        if is_whole:
            assert np.array_equal(read(tmp_path / "a.dm4").image, whole)
        else:
            with pytest.raises(ReadError, match="cut off"):
                read(tmp_path / "a.dm4")
