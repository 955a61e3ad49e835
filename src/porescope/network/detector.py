"""The shipped network as a detector: probability of a pore at each pixel, by onnxruntime."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.lattice.finding import Lattice
from porescope.materials import MATERIALS
from porescope.micrograph import Micrograph
from porescope.network.views import find_field, find_marks, present, rescale
from porescope.recipes.segmentation import label_regions

#: The network in the package.
SHIPPED = Path(__file__).parent / "porescope.onnx"
#: Lattice constant that the network sees [px].
CELL_PX = 8.0
#: What the network is told of an image: BF and ABF alike, inverted.
MODES = ("haadf", "bf", "hrtem")
#: Names of what it takes: the image, and what `describe` says of it.
INPUTS = ["image", "about"]
#: Lattice constants [nm] that may be true, pixel sizes a third wrong included.
PLAUSIBLE = (0.16, 0.46)
#: Between graphene's and the dichalcogenides' [nm]: where neither lattice nor material is known.
USUAL_CONSTANT = 0.29
#: With fewer pixels a lattice constant the lattice is not seen, and the image not enlarged.
COARSEST = 3.5
#: A pore's edge is where the probability is this.
EDGE = 0.5
#: Where the lattice is narrower than this [nm], graphene's or hBN's, pores come out a tenth too narrow
#: in the validation images: odds are so many times higher there.
NARROW, NARROW_ODDS = 0.27, 3.0
#: What the evidence of a region weighs where a network was not rated: its probability stands.
UNRATED = (0.0, 1.0, 0.0, 0.0)
#: What is less sure to be a pore is left out, unless a user says otherwise.
LEAST_CONFIDENCE = 0.5
#: Images are cut into tiles, each seen with a margin; sides are multiples of the stride [px].
TILE, MARGIN, STRIDE = 1024, 128, 32


def describe(modality: str, constant: float | None) -> NDArray[np.float32]:
    """What the network is told of an image: shape (modes,).

    Parameters
    ----------
    modality : {"haadf", "bf", "abf", "hrtem"}
    constant : float, optional
        Lattice constant [nm], a few per cent wrong or more; 0.29, which no sheet has, if not known.

    Examples
    --------
    >>> describe("abf", 0.25).tolist(), describe("haadf", None).tolist()
    ([1.0, 0.0, -1.0], [0.0, 0.0, 0.0])
    """
    mode = [float(find_mode(modality) == other) for other in MODES[1:]]
    size = ((constant or USUAL_CONSTANT) - USUAL_CONSTANT) / 0.04
    return np.array([*mode, np.clip(size, -1.5, 1.5)], np.float32).round(6)


def find_mode(modality: str) -> str:
    """Which of `MODES` a modality is to the network."""
    return "bf" if modality == "abf" else modality


class Finding(NamedTuple):
    """What the network makes of a micrograph of shape (M, N)."""

    labels: NDArray[np.int32]
    confidence: NDArray[np.float64]  # of each label, calibrated
    probability: NDArray[np.float32]  # of a pore at each pixel
    unusable: NDArray[np.float32]  # probability that contamination or disorder hides the sheet
    message: str  # by what the image was scaled


class Model(NamedTuple):
    """A network and what its file says about it."""

    session: Any
    card: dict[str, Any]
    sha256: str


def load_model(path: Path | None = None) -> Model:
    """Load a network; the shipped one without a path.

    Raises
    ------
    ValueError
        If the file is no network of porescope's.
    """
    path = SHIPPED if path is None else path
    try:
        return _load_model(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None


@cache
def _load_model(path: Path, changed: int) -> Model:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # the processes of a batch share the cores already
    options.log_severity_level = 3
    content = path.read_bytes()
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        card = json.loads(session.get_modelmeta().custom_metadata_map["porescope"])
    except Exception:  # onnxruntime has many kinds of error, none documented
        raise ValueError(
            f"{path.name} is no network of porescope's; train one with porescope train"
        ) from None
    told = [i.name for i in session.get_inputs()]
    if told != INPUTS or list(card.get("modes", ())) != list(MODES) or card.get("cell_px") != CELL_PX:
        raise ValueError(f"{path.name} was trained by another version of porescope; train it anew")
    return Model(session, card, hashlib.sha256(content).hexdigest())


def choose_scale(micrograph: Micrograph, lattice: Lattice | None, material: str | None) -> tuple[float, str]:
    """Choose the network's pixels per pixel of the image, and say by what."""
    cell = measure_cell(micrograph, lattice, material)
    if _trust(lattice) is not None:
        return CELL_PX / cell, ""
    if cell < COARSEST:
        return (
            1.0,
            "pixels too coarse for a lattice: pores found by brightness alone, at the image's own scale",
        )
    return CELL_PX / cell, "no lattice to scale by: scaled by the pixel size"


def measure_cell(micrograph: Micrograph, lattice: Lattice | None, material: str | None) -> float:
    """Lattice constant [px]: the lattice's own if it may be true, else by the pixel size."""
    trusted = _trust(lattice)
    if trusted is not None:
        return trusted.constant_px
    constant = MATERIALS[material].constant if material else USUAL_CONSTANT
    return constant / float(np.sqrt(micrograph.pixel_area))


def _trust(lattice: Lattice | None) -> Lattice | None:
    """The lattice, if its constant may be true."""
    known = lattice is not None and PLAUSIBLE[0] <= lattice.constant_nm <= PLAUSIBLE[1]
    return lattice if known else None


class View(NamedTuple):
    """What the network sees of a micrograph."""

    image: NDArray[np.float32]  # (2, K, L), as `views.present` makes it, at the network's scale
    field: tuple[slice, slice]  # of the micrograph, without a frame
    message: str  # by what it was scaled


def look_at(micrograph: Micrograph, lattice: Lattice | None, material: str | None) -> View:
    """Bring a micrograph to what the network sees."""
    factor, message = choose_scale(micrograph, lattice, material)
    field = find_field(micrograph.image)
    inner = micrograph.image[field]
    height, width = (max(round(n * factor), 1) for n in inner.shape)
    return View(present(rescale(inner, (height, width)), micrograph.modality), field, message)


def find_pores(
    micrograph: Micrograph,
    *,
    lattice: Lattice | None = None,
    material: str | None = None,
    model: Model | None = None,
    turned: bool = False,
    least_confidence: float = LEAST_CONFIDENCE,
) -> Finding:
    """Find pores with the network.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice, optional
        As `find_lattice` gives it; the image is brought to its scale.
    material : str, optional
        Its lattice constant is the scale where no lattice was found.
    model : Model, optional
        The shipped one if not given.
    turned : bool
        Average over the image in its eight orientations: slower, more cautious; confidence was not
        fitted for it.
    least_confidence : float
        What is less sure to be a pore is left out.

    Returns
    -------
    Finding

    Examples
    --------
    >>> from porescope.simulation.drawing import simulate
    >>> drawn = simulate(shape=(150, 170), pores=1, max_missing=9, seed=4)
    >>> int(find_pores(drawn.micrograph).labels.max())
    1
    """
    model = load_model() if model is None else model
    image, field, message = look_at(micrograph, lattice, material)
    shape = micrograph.image.shape
    probability, unusable = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    constant = find_constant(lattice, material)
    maps = predict(image, describe(micrograph.modality, constant), model, turned)
    if constant is not None and constant < NARROW:
        maps[0] *= NARROW_ODDS / (1 + (NARROW_ODDS - 1) * maps[0])
    inside = probability[field].shape
    probability[field], unusable[field] = (rescale(m, inside).clip(0, 1) for m in maps)
    cell_px = measure_cell(micrograph, lattice, material)
    labels = find_regions(probability, micrograph.image, field, cell_px)
    evidence = gather_evidence(labels, probability, cell_px)
    confidence = rate_regions(evidence, micrograph.modality, model)
    kept = keep_pores(labels, confidence, least_confidence)
    return Finding(*kept, probability, unusable, message)


def find_constant(lattice: Lattice | None, material: str | None) -> float | None:
    """Lattice constant [nm]: the material's if it is known, else the one measured.

    None where that is no known sheet's within 4 %: rather the pixel size is wrong.
    """
    if material:
        return MATERIALS[material].constant
    if lattice is None:
        return None
    known = np.array([m.constant for m in MATERIALS.values()])
    return lattice.constant_nm if (np.abs(lattice.constant_nm / known - 1) < 0.04).any() else None


def predict(
    image: NDArray[np.float32], about: NDArray[np.float32], model: Model, turned: bool = False
) -> NDArray[np.float32]:
    """Probabilities of pore and of unusable sheet, of an image as `present` makes it: (2, M, N)."""
    if turned:
        total = np.zeros_like(image)
        for turns in range(4):
            for mirror in (1, -1):
                there = np.ascontiguousarray(np.rot90(image, turns, axes=(1, 2))[:, ::mirror])
                total += np.rot90(predict(there, about, model)[:, ::mirror], -turns, axes=(1, 2))
        return np.asarray(total / 8, np.float32)
    out = np.empty_like(image)
    for rows in _tiles(image.shape[1]):
        for columns in _tiles(image.shape[2]):
            wide = [slice(max(s.start - MARGIN, 0), s.stop + MARGIN) for s in (rows, columns)]
            part = image[:, *wide]
            pads = [(0, 0), *((0, -n % STRIDE) for n in part.shape[1:])]
            padded = np.pad(part, pads, mode="symmetric" if min(part.shape[1:]) >= STRIDE else "edge")
            result = model.session.run(None, {"image": padded[None], "about": about[None]})[0][0]
            y, x = (s.start - w.start for s, w in zip((rows, columns), wide, strict=True))
            height, width = rows.stop - rows.start, columns.stop - columns.start
            out[:, rows, columns] = result[:, y : y + height, x : x + width]
    return out


def _tiles(length: int) -> list[slice]:
    """Cut a length into equal parts of at most a tile."""
    n = -(-length // TILE)
    edges = np.linspace(0, length, n + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def find_regions(
    probability: NDArray[np.float32],
    image: NDArray[np.float32],
    field: tuple[slice, slice],
    cell_px: float,
) -> NDArray[np.int32]:
    """Label what is rather pore, but for marks; what the field cuts, only from two cells' area on.

    Less of a pore than that cannot be told from a lattice that ends.
    """
    labels = label_regions(probability >= EDGE)
    area = np.bincount(labels.ravel())
    kept = np.bincount(labels[find_marks(image)], minlength=len(area)) < 0.3 * area
    inner = labels[field]
    sides = np.concatenate([inner[0], inner[-1], inner[:, 0], inner[:, -1]])
    kept[sides] &= area[sides] >= 2 * cell_px**2 * np.sqrt(3) / 2
    return _keep(labels, kept[1:])


def keep_pores(
    labels: NDArray[np.int32], confidence: NDArray[np.float64], least: float
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Leave out the regions that are less sure to be pores, and number the others anew."""
    kept = confidence >= least
    return _keep(labels, kept), confidence[kept]


def _keep(labels: NDArray[np.int32], kept: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Leave out the regions that are not kept, and number the others from 1."""
    numbers = np.r_[0, np.where(kept, np.cumsum(kept), 0)].astype(np.int32)
    return np.asarray(numbers[labels])


def measure_regions(labels: NDArray[np.int32], probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean probability over the likelier half of each region's pixels: shape (n,).

    At its edge that of any pore falls off, the more so in blurred images.

    Examples
    --------
    >>> labels = np.array([[1, 1, 1, 1, 0, 2]], np.int32)
    >>> measure_regions(labels, np.array([[0.5, 0.9, 0.7, 0.6, 0, 0.75]], np.float32)).round(3).tolist()
    [0.8, 0.75]
    """
    inside = labels > 0
    owner, values = labels[inside], probability[inside]
    sums = np.append(0.0, np.cumsum(values[np.lexsort((values, owner))], dtype=float))
    count = np.bincount(owner)[1:]
    end = np.cumsum(count)
    begin = end - count + count // 2
    return np.asarray((sums[end] - sums[begin]) / (end - begin))


def gather_evidence(
    labels: NDArray[np.int32], probability: NDArray[np.float32], cell_px: float
) -> NDArray[np.float64]:
    """What speaks for each region of a label image: shape (n, 4).

    1; its probability, as `measure_regions` has it, in log odds; how small it is (logarithm of its area
    in 1.5 lattice constants², at most 0); the mean of the image's other regions, weighted by their
    diameters, in log odds: doubtful regions come in crowds, beside certain pores they are often pores.

    Examples
    --------
    >>> probability = np.zeros((30, 40), np.float32)
    >>> probability[5:15, 5:15], probability[20:25, 20:25] = 0.9, 0.6
    >>> labels = label_regions(probability > 0.5)
    >>> gather_evidence(labels, probability, 8.0).round(1).tolist()
    [[1.0, 2.2, 0.0, 1.3], [1.0, 0.4, -1.3, 2.2]]
    """
    mean = measure_regions(labels, probability)
    area = np.bincount(labels.ravel())[1:] / cell_px**2
    weight = np.sqrt(area)
    # Alone, a region is judged as beside one of a cell and 0.9.
    others = ((mean @ weight + 0.9) - mean * weight) / ((weight.sum() + 1) - weight)
    small = np.minimum(np.log(area / 1.5), 0)
    return np.column_stack([np.ones_like(mean), _find_log_odds(mean), small, _find_log_odds(others)])


def _find_log_odds(p: NDArray[np.float64]) -> NDArray[np.float64]:
    p = p.clip(1e-4, 1 - 1e-4)
    return np.asarray(np.log(p / (1 - p)))


def rate_regions(evidence: NDArray[np.float64], modality: str, model: Model) -> NDArray[np.float64]:
    """Confidence of regions: the share of such that were real.

    The network's card says how much each piece of evidence weighs, from simulated images; without,
    the probability stands.
    """
    weights = model.card.get("evidence", {}).get(find_mode(modality), UNRATED)
    return np.asarray(1 / (1 + np.exp(-evidence @ np.array(weights))))
