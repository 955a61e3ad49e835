from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from porescope import Micrograph, read
from porescope.labels import Detection
from porescope.runs import Job
from porescope.runs.image import find_and_measure, process_image
from porescope.runs.job import IMAGE_COLUMNS
from porescope.simulation import Pore, Scene, simulate


class _Fixed:
    """A detector that finds the same whatever it is shown."""

    method, needs_lattice = "fixed", False

    def __init__(self, detection: Detection) -> None:
        self.detection = detection

    def describe(self) -> dict[str, str]:
        return {"method": self.method}

    def find(self, *_: object) -> Detection:
        return self.detection


@pytest.fixture
def detection() -> Detection:
    labels = np.zeros((10, 20), np.int32)
    labels[2:4, 2:5], labels[9, 15] = 1, 2
    unusable = np.zeros(labels.shape, np.float32)
    unusable[:, :5] = 0.9
    return Detection(labels, confidence=np.array([0.7, 0.9]), unusable=unusable, message="mind the gap")


def test_the_row_of_an_image_by_hand(tmp_path: Path, detection: Detection) -> None:
    micrograph = Micrograph(np.arange(200.0).reshape(10, 20), 0.5, name="A", frame=3)
    job = Job(tmp_path, _Fixed(detection), lattice=False, overlays=False)
    record = process_image(micrograph, "abc", job)
    row = record.row
    assert set(row) == set(IMAGE_COLUMNS) and record.outputs == ["A_0003_labels.tif", "A_0003_field.tif"]
    assert (row["n_pores"], row["n_border"], row["frame"], row["sha256"]) == (2, 1, 3, "abc")
    assert row["clean_fraction"] == pytest.approx(15 / 20) and row["field_fraction"] == 1
    assert row["porosity"] == pytest.approx(7 / 200)
    assert row["density_per_um2"] == pytest.approx(
        1 / (200 * 0.25) * 1e6
    )  # the one at the bottom is not counted
    assert row["message"] == "mind the gap" and row["method"] == "fixed"
    assert record.pores["confidence"].tolist() == [0.7, 0.9]


def test_an_implausible_pixel_size_is_doubted_once(tmp_path: Path, detection: Detection) -> None:
    image, job = np.random.default_rng(0).random((10, 20)), Job(tmp_path, _Fixed(detection), lattice=False)
    np.save(tmp_path / "a.npy", image)
    for micrograph in (Micrograph(image, 3000.0), read(tmp_path / "a.npy", pixel_size=3000.0)):
        (doubt,) = [m for m in find_and_measure(micrograph, job).messages if "implausible" in m]
        assert doubt.startswith("a pixel of 3000 nm is implausible (0.001 to 10 nm show pores)")


def test_densities_count_what_is_inside_the_field(tmp_path: Path, detection: Detection) -> None:
    field = np.ones((10, 20), bool)
    field[:, 10:] = False
    labels = np.where(field, detection.labels, 0)
    micrograph = Micrograph(np.arange(200.0).reshape(10, 20), 0.5, field=field)
    inside = replace(detection, labels=labels, confidence=np.array([0.7]))
    job = Job(tmp_path, _Fixed(inside), lattice=False, overlays=False)
    row = process_image(micrograph, "", job).row
    assert row["porosity"] == pytest.approx(6 / 100) and row["clean_fraction"] == pytest.approx(5 / 10)
    assert row["field_fraction"] == 0.5
    mapped = tifffile.imread(tmp_path / "image_field.tif")
    assert mapped.dtype == np.uint8
    assert (mapped[:, :5] == 2).all() and (mapped[:, 5:10] == 1).all() and not mapped[:, 10:].any()
    assert row["density_per_um2"] == pytest.approx(1 / (100 * 0.25) * 1e6)


def test_a_clean_field_everywhere_is_not_written(tmp_path: Path, detection: Detection) -> None:
    clean = replace(detection, unusable=np.full(detection.labels.shape, 0.4, np.float32))
    for found in (clean, replace(detection, unusable=None)):
        micrograph = Micrograph(np.arange(200.0).reshape(10, 20), 0.5)
        job = Job(tmp_path, _Fixed(found), lattice=False, overlays=False)
        assert process_image(micrograph, "", job).outputs == ["image_labels.tif"]


def test_what_has_no_data_is_outside_and_joins_the_users_field(tmp_path: Path) -> None:
    drawn = simulate(Scene("WS2", shape=(200, 260), pores=(Pore((4.0, 5.0), missing=12),)), seed=1)
    image = drawn.micrograph.image.copy()
    image[150:] = 0
    field = np.ones(image.shape, bool)
    field[:, 220:] = False
    result = find_and_measure(replace(drawn.micrograph, image=image, field=field), Job(tmp_path))
    assert result.micrograph.field is not None
    field[150:] = False
    np.testing.assert_array_equal(result.micrograph.field, field)
    assert len(result.pores["label"]) == 1


def test_the_lattice_is_looked_for_when_anything_needs_it(tmp_path: Path, detection: Detection) -> None:
    fixed = _Fixed(detection)
    assert not Job(tmp_path, fixed, overlays=False).wants_lattice
    for options in ({"overlays": True}, {"overlays": False, "material": "WS2"}):
        assert Job(tmp_path, fixed, **options).wants_lattice
    assert Job(tmp_path, overlays=False).wants_lattice  # the network scales by it
    assert not Job(tmp_path, lattice=False).wants_lattice


def test_the_crystal_of_an_image_is_kept(tmp_path: Path) -> None:
    drawn = simulate(Scene("WS2", shape=(200, 260), pores=(Pore((4.0, 5.0), missing=12),)), seed=1)
    result = find_and_measure(drawn.micrograph, Job(tmp_path, material="WS2"))
    assert result.crystal is not None and result.crystal.sites is not None
    assert result.crystal.lattice.flat.shape == result.labels.shape
    assert result.pores["missing_atoms"].tolist() == drawn.missing_atoms.tolist()
    assert any("WS2 has 0.3153 nm" in message for message in result.messages)


@pytest.mark.parametrize(("shape", "side"), [((100, 120), 240), ((512, 512), 420)])
def test_the_lattices_picture_is_as_large_as_the_image_deserves(
    tmp_path: Path, shape: tuple[int, int], side: int
) -> None:
    drawn = simulate(Scene("WS2", shape=shape, pores=1, max_missing=6, dose=2e6), seed=1)
    process_image(drawn.micrograph, "", Job(tmp_path))
    path = tmp_path / "simulated_lattice.png"
    rows, columns, colours = cv2.imread(str(path)).shape
    assert (rows, columns, colours) == (side + 42, 2 * (side + 10) + 58, 3)  # headings, colour bar
    assert path.stat().st_size < 1.2 * side**2  # a byte a pixel for the noisy panel, less for the other


def test_an_image_with_a_field_is_drawn_and_measured(tmp_path: Path) -> None:
    drawn = simulate(Scene("WS2", shape=(200, 260), pores=(Pore((4.0, 5.0), missing=12),)), seed=1)
    field = np.ones(drawn.labels.shape, bool)
    field[:, 220:] = False
    micrograph = replace(drawn.micrograph, image=np.where(field, drawn.micrograph.image, 1e30), field=field)
    record = process_image(micrograph, "", Job(tmp_path, material="WS2"))
    assert record.row["n_pores"] == 1 and len(record.outputs) == 5
    overlay = cv2.imread(str(tmp_path / "simulated_overlay.png"), cv2.IMREAD_GRAYSCALE)
    assert overlay[:, :500].std() > 10  # the grey range is that of the field


def test_a_large_image_takes_bounded_memory(tmp_path: Path) -> None:
    """Beside the image itself (4 bytes a pixel): its maps, its labels, a picture, a part of bounded size."""
    side = 6144
    most = 0.3e9 + 18 * side**2 + 3 * 4096**2
    drawn = simulate(Scene("WS2", shape=(512, 512), pixel_size=0.0197, pores=2, dose=2e6), seed=1)
    tile = np.asarray(drawn.micrograph.image / drawn.micrograph.image.max() * 60_000, np.uint16)
    path = tmp_path / "large.npy"
    np.save(path, np.tile(tile, (side // 512, side // 512)))
    code = (
        "import sys; from pathlib import Path; from porescope import read; "
        "from porescope.runs import Job; from porescope.runs.image import process_image; "
        "micrograph = read(sys.argv[1], pixel_size=0.0197); "
        "record = process_image(micrograph, '', Job(Path(sys.argv[2]))); "
        # The peak of this program alone; ru_maxrss would count its parent's too.
        "peak = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]; "
        "print(record.row['n_pores'], peak)"
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path)]
    peaks = []
    for _ in range(3):  # what was freed is given back sooner or later; the least of three peaks is needed
        pores, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        assert int(pores) >= 2 * (side // 512) ** 2
        peaks.append(int(peak) * 1024)
        if peaks[-1] < most:
            break
    assert min(peaks) < most


@pytest.mark.parametrize(("factor", "source"), [(1.1, "lattice"), (2.7, "argument")])
def test_a_pixel_size_is_corrected_only_by_a_plausible_factor(
    tmp_path: Path, factor: float, source: str
) -> None:
    drawn = simulate(Scene(shape=(200, 260), pores=0, pixel_size=0.03), seed=1).micrograph
    wrong = replace(drawn, pixel_size=(0.03 * factor, 0.03 * factor))
    detector = _Fixed(Detection(np.zeros(drawn.image.shape, np.int32)))
    result = find_and_measure(wrong, Job(out=tmp_path, detector=detector, material="WS2", calibrate=True))
    assert result.micrograph.acquisition.pixel_size_source == source
    expected = 0.03 if source == "lattice" else 0.03 * factor
    assert result.micrograph.pixel_size == pytest.approx((expected, expected), rel=0.005)
    assert "no known mistake explains it" in result.messages[0]
    words = "from 0.033 to 0.03" if source == "lattice" else "must not be corrected by more than 1.5"
    assert words in result.messages[0]
