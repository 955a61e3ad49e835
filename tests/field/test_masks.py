from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from porescope import Micrograph, detect, read
from porescope.detection import choose_detector
from porescope.field import find_field, look_for_field
from porescope.lattice import find_lattice
from porescope.measurement import measure_columns
from porescope.network import Network
from porescope.simulation import Pore, Recording, Scene, simulate

#: Centres of the pores that `sheet` has [nm], and its pixel size.
PORES, PIXEL = ((3.0, 3.4), (6.4, 9.4), (9.2, 3.2)), 0.04
ROWS, COLUMNS = np.mgrid[:300, :340]


@pytest.fixture(scope="module")
def sheet() -> np.ndarray:
    pores = tuple(Pore(at, missing) for at, missing in zip(PORES, (24, 14, 40), strict=True))
    scene = Scene("WS2", shape=(300, 340), pixel_size=PIXEL, pores=pores, dose=2e6)
    return simulate(scene, seed=3).micrograph.image


def to_8_bits(image: np.ndarray) -> np.ndarray:
    low, high = np.quantile(image, (0.001, 0.999))
    return np.rint(255 * ((image - low) / (high - low)).clip(0, 1)).astype(np.float32)


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    packed = cv2.imencode(".jpg", image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.float32)


def rotate(image: np.ndarray, degrees: float, how: int, value: float) -> tuple[np.ndarray, np.ndarray]:
    """A rotated image with its corners filled, and the matrix that maps (x, y)."""
    rows, columns = image.shape
    matrix = cv2.getRotationMatrix2D((columns / 2 - 0.5, rows / 2 - 0.5), degrees, 1)
    turned = cv2.warpAffine(
        image, matrix, (columns, rows), flags=how, borderMode=cv2.BORDER_CONSTANT, borderValue=value
    )
    return np.clip(np.rint(turned), 0, 65535).astype(np.float32), matrix


def write_bar(width: int, ground: int, ink: int, height: int = 34) -> np.ndarray:
    bar = np.full((height, width), ground, np.uint8)
    cv2.putText(bar, "HAADF 5 Mx", (6, height - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1, cv2.LINE_AA)
    cv2.rectangle(bar, (width - 80, height - 14), (width - 10, height - 9), ink, -1)
    return bar.astype(np.float32)


#: Where a sheet of 300 × 340 px keeps its data.
SHAPES: dict[str, np.ndarray] = {
    "scan stopped": ROWS < 190,
    "scan stopped within a row": (ROWS < 190) | ((ROWS == 190) & (COLUMNS < 120)),
    "upper half": ROWS >= 110,
    "left half": COLUMNS >= 150,
    "right half": COLUMNS < 180,
    "shifted": (ROWS >= 14) & (COLUMNS < 318),
    "blanked rows": (ROWS < 140) | (ROWS >= 146),
    "a blanked row and column": (ROWS != 120) & (COLUMNS != 200),
    "frame of 1": (abs(ROWS - 149.5) < 149) & (abs(COLUMNS - 169.5) < 169),
    "frame of 12": (abs(ROWS - 149.5) < 138) & (abs(COLUMNS - 169.5) < 158),
    "aperture": np.hypot(ROWS - 150, COLUMNS - 170) < 146,
    "small aperture": np.hypot(ROWS - 150, COLUMNS - 170) < 90,
    "corner": (ROWS < 220) | (COLUMNS < 250),
    "blanked rectangle": (abs(ROWS - 190) > 25) | (abs(COLUMNS - 150) > 30),
}


@pytest.mark.parametrize("value", ["0", "255", "mean", "65535"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_constant_area_is_outside(sheet: np.ndarray, shape: str, value: str) -> None:
    constant = np.rint(sheet.mean()) if value == "mean" else float(value)
    field = find_field(np.where(SHAPES[shape], sheet, constant).astype(np.float32))
    assert field is not None
    wrong = field != SHAPES[shape]
    # A pixel of a slanted edge may be given up, the begun row, and what has the constant's value.
    assert wrong.sum() <= (0.01 * wrong.size if "aperture" in shape else 130 if "within" in shape else 35)
    assert not (field & ~SHAPES[shape]).any() or value == "mean"


def test_signed_images_have_their_offset(sheet: np.ndarray) -> None:
    signed = sheet - np.rint(sheet.mean())
    for nothing in (0, -32768):
        field = find_field(np.where(SHAPES["shifted"], signed, np.float32(nothing)))
        assert field is not None and (field != SHAPES["shifted"]).sum() <= 35


@pytest.mark.parametrize("how", [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4])
@pytest.mark.parametrize("degrees", [3, 12, 30, 45])
def test_the_corners_of_a_rotated_image_are_outside_with_their_blurred_rim(
    sheet: np.ndarray, degrees: float, how: int
) -> None:
    turned, matrix = rotate(sheet, degrees, how, 0)
    field = find_field(turned)
    assert field is not None
    # What the rotation mixes with the constant, by the same rotation of a mask.
    whole, shape = np.ones(sheet.shape, np.float32), sheet.shape[::-1]
    data = cv2.warpAffine(whole, matrix, shape, flags=cv2.INTER_LINEAR) > 0.5
    inner = cv2.erode(data.astype(np.uint8), np.ones((21, 21))) > 0
    assert not (field & ~data).sum() > 0.002 * field.size and field[inner].all()
    dark = 0.2 * np.median(sheet)
    assert (turned[field] < dark).mean() < (sheet < dark).mean() + 0.001


@pytest.mark.parametrize("degrees", [12, 30, 45, -17])
@pytest.mark.parametrize("scale", [1, 1 / 65535])
def test_corners_that_differ_in_the_last_digits_are_outside(
    sheet: np.ndarray, degrees: float, scale: float
) -> None:
    image, size = sheet * np.float32(scale), sheet.shape[::-1]
    matrix = cv2.getRotationMatrix2D((169.5, 149.5), degrees, 1)
    least = float(image.min())
    turned = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderValue=least)
    field = find_field(turned)
    data = cv2.warpAffine(np.ones(sheet.shape, np.float32), matrix, size) > 0.5
    assert field is not None and (field != data).mean() < 0.02
    assert find_field(image) is None


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize(
    ("ground", "ink", "quality"), [(0, 255, None), (255, 0, None), (0, 255, 90), (90, 255, 75)]
)
def test_an_information_bar_is_outside_with_its_text(
    sheet: np.ndarray, side: int, ground: int, ink: int, quality: int | None
) -> None:
    turned = np.rot90(to_8_bits(sheet), side)
    image = np.vstack([turned, write_bar(turned.shape[1], ground, ink)])
    if quality:
        image = compress(image, quality)
    image = np.ascontiguousarray(np.rot90(image, -side))
    field = find_field(image)
    assert field is not None
    upright = np.rot90(field, side)
    assert not upright[-30:].any() and upright[:-38].mean() > 0.99
    # Saturated atoms beside a white bar look like it.
    assert quality is not None or (upright[:-34].mean() > 0.9995 and not upright[-34:].any())


def test_a_bar_within_lines_is_outside(sheet: np.ndarray) -> None:
    bar = write_bar(sheet.shape[1], 0, 255)
    bar[[0, -1]], bar[:, [0, -1]] = 255, 255
    field = find_field(np.vstack([to_8_bits(sheet), bar]))
    assert field is not None and field[:299].mean() > 0.9995 and not field[300:].any()


@pytest.mark.parametrize("quality", [95, 60])
@pytest.mark.parametrize("shape", ["scan stopped", "shifted", "aperture", "frame of 12"])
def test_a_compressed_constant_is_outside(sheet: np.ndarray, shape: str, quality: int) -> None:
    data = SHAPES[shape]
    field = find_field(compress(np.where(data, to_8_bits(sheet), 0), quality))
    assert field is not None
    assert (field & ~data).mean() < 0.005 and (data & ~field).mean() < 0.03


def draw_void(at: tuple[int, int], radius: float, floor: float, noise: float, soft: float) -> np.ndarray:
    """A lattice with a bumpy void, clipped to 8 bits."""
    y, x = ROWS, COLUMNS
    angle = np.arctan2(y - at[0], x - at[1])
    edge = radius * (1 + 0.04 * np.sin(5 * angle + 1) + 0.03 * np.sin(9 * angle))
    inside = 1 / (1 + np.exp(((np.hypot(y - at[0], x - at[1]) - edge) / soft).clip(-50, 50)))
    lattice = 120 * (1 + 0.3 * np.cos(0.9 * x + 0.2 * y) * np.cos(0.8 * y))
    expected = lattice + (floor - lattice) * inside
    noisy = expected + noise * np.random.default_rng(0).normal(size=y.shape)
    return np.rint(noisy).clip(0, 255).astype(np.float32)


@pytest.mark.parametrize("soft", [0.3, 2.0])
@pytest.mark.parametrize(("floor", "noise"), [(-20, 8), (-60, 15), (0, 8), (-25, 10)])
@pytest.mark.parametrize("at", [(150, 170), (0, 0), (150, 0), (299, 339), (-40, 170)])
def test_a_large_clipped_pore_is_data(at: tuple[int, int], floor: float, noise: float, soft: float) -> None:
    for radius in (20, 60, 100):
        void = draw_void(at, radius, floor, noise, soft)
        assert find_field(void) is None
        assert find_field(255 - void) is None  # saturated
        assert find_field(compress(void, 75)) is None
        assert find_field(np.rint(cv2.GaussianBlur(void, (0, 0), 1.5))) is None


def test_a_clipped_pore_that_the_edge_cuts_stays() -> None:
    void = draw_void((150, 60), 40, -60, 15, 1.0)
    data = COLUMNS >= 50
    field = find_field(np.where(data, void, 0).astype(np.float32))
    assert field is not None
    inside = data & (np.hypot(ROWS - 150, COLUMNS - 60) < 34)
    assert (field & ~data).sum() == 0 and field[inside].mean() > 0.85 and field[COLUMNS >= 54].all()


@pytest.mark.parametrize("mean", [0.03, 0.1, 0.3, 1, 3])
def test_an_image_of_few_counts_is_data(mean: float) -> None:
    assert find_field(np.random.default_rng(0).poisson(mean, (300, 340)).astype(np.float32)) is None
    scene = Scene("WS2", shape=(300, 340), pores=3, max_missing=80, dose=mean * 6e3)
    scene = replace(scene, recording=Recording(background=0.0))
    assert find_field(simulate(scene, seed=1).micrograph.image) is None


@pytest.mark.parametrize("rows", [3, 9, 40])
def test_a_drawing_is_data(rows: int) -> None:
    drawing = np.full((90, 100), 50, np.float32)
    drawing[30 : 30 + rows, 20:60] = 10
    for image in (drawing, drawing[:, ::-1].copy(), np.zeros_like(drawing), drawing[:1, :1], drawing[:2]):
        assert find_field(image) is None


def test_what_is_known_stays_outside(sheet: np.ndarray) -> None:
    known = SHAPES["aperture"]
    assert find_field(sheet, known) is known
    both = find_field(np.where(SHAPES["scan stopped"], sheet, 0).astype(np.float32), known)
    np.testing.assert_array_equal(both, known & SHAPES["scan stopped"])
    micrograph = Micrograph(sheet, PIXEL, field=known)
    assert look_for_field(micrograph) is micrograph


def locate(micrograph: Micrograph, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions (row, column) [px] and diameters [nm] of the pores."""
    micrograph = look_for_field(micrograph)
    detector = choose_detector(method, {})
    lattice = find_lattice(micrograph) if detector.needs_lattice else None
    found = detector.find(micrograph, lattice)
    pores = measure_columns(micrograph, found.labels, found.probability)
    return np.c_[pores["y_px"], pores["x_px"]], pores["equivalent_diameter_nm"]


#: What is done to the sheet: its image, and where a place (row, column) goes.
Change = Callable[[np.ndarray], tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]]


def blank(shape: str, value: float) -> Change:
    return lambda image: (np.where(SHAPES[shape], image, value).astype(np.float32), lambda at: at)


def turn(degrees: float, how: int, value: float) -> Change:
    def change(image: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        turned, matrix = rotate(image, degrees, how, value)
        return turned, lambda at: matrix[::-1, :2][:, ::-1] @ at + matrix[::-1, 2]

    return change


def move(image: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    moved = np.zeros_like(image)
    moved[14:, 22:] = image[:-14, :-22]
    return moved, lambda at: at + [14, 22]


def add_bar(image: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    return np.vstack([write_bar(image.shape[1], 0, 255) * 40, image]), lambda at: at + [34, 0]


CHANGES: dict[str, Change] = {
    "half": blank("scan stopped", 0),
    "left": blank("left half", 255),
    "shifted": move,
    "rows": blank("blanked rows", 0),
    "frame": blank("frame of 12", 0),
    "aperture": blank("aperture", 0),
    "turned 7": turn(7, cv2.INTER_LINEAR, 0),
    "turned 30": turn(30, cv2.INTER_CUBIC, 0),
    "bar": add_bar,
}


@pytest.mark.parametrize("method", ["network", "lattice"])
@pytest.mark.parametrize("change", CHANGES)
def test_the_pores_are_those_of_the_untouched_image(sheet: np.ndarray, change: str, method: str) -> None:
    whole, sizes = locate(Micrograph(sheet, PIXEL), method)
    image, place = CHANGES[change](sheet)
    micrograph = look_for_field(Micrograph(image, PIXEL))
    at, diameters = locate(Micrograph(image, PIXEL), method)
    assert micrograph.field is not None
    depth = cv2.distanceTransform(np.pad(micrograph.field, 1).view(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    matched = np.zeros(len(at), bool)
    for centre, size in zip(whole, sizes, strict=True):
        here = place(centre)
        row, column = np.rint(here).astype(int)
        inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
        near = np.hypot(*(at - here).T) < size / PIXEL / 2 + 4
        matched |= near
        if inside and depth[row, column] > size / PIXEL / 2 + 6:
            assert diameters[near] == pytest.approx([size], rel=0.05)
    assert matched.all()


@pytest.mark.parametrize("method", ["network", "threshold"])
def test_a_framed_image_is_seen_as_its_inside(sheet: np.ndarray, method: str) -> None:
    framed = np.pad(sheet, ((7, 40), (0, 12)))
    micrograph = look_for_field(Micrograph(framed, PIXEL))
    detector, lattice = choose_detector(method, {}), find_lattice(Micrograph(sheet, PIXEL))
    found = detector.find(micrograph, lattice).labels
    np.testing.assert_array_equal(found[7:-40, :-12], detector.find(Micrograph(sheet, PIXEL), lattice).labels)
    assert found[7:-40, :-12].max() == found.max() >= 3


def test_published_pores_stay_in_a_half_scan_and_under_a_bar(ws2: Path) -> None:
    """The network sees the rest as if it had been cropped by hand."""
    micrograph = read(ws2 / "C.dm3")
    assert look_for_field(micrograph) is micrograph
    lattice, image = find_lattice(micrograph), micrograph.image
    assert lattice is not None
    for part in (np.s_[:256], np.s_[200:], np.s_[:, 60:], np.s_[31:, 11:500]):
        rest = np.zeros_like(image)
        rest[part] = image[part]
        framed = look_for_field(replace(micrograph, image=rest))
        cropped = replace(micrograph, image=image[part])
        found = Network().find(framed, lattice).labels
        np.testing.assert_array_equal(found[part], Network().find(cropped, lattice).labels)
        assert found.any() and (found > 0).sum() == (found[part] > 0).sum()


def test_detect_looks_for_the_field(sheet: np.ndarray) -> None:
    labels = detect(Micrograph(np.where(SHAPES["scan stopped"], sheet, 0), PIXEL))
    assert labels.max() == 2 and not labels[190:].any()
