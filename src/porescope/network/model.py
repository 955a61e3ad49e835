"""The network's file: loaded, checked, run tile by tile."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.network.confidence import EVIDENCE, are_layers
from porescope.network.runtimes import (
    INPUTS,
    PRECISIONS,
    Run,
    choose_providers,
    name_device,
    start_bf16,
    start_session,
    wrap_session,
)
from porescope.network.scale import CELL_PX, USUAL_CONSTANT

#: The shipped network, and the SHA-256 of its file.
SHIPPED = Path(__file__).parent / "porescope.onnx"
SHIPPED_SHA256 = "40e91a6f36472a0a11deaba7c4c4b85588513b4dc7d1c8bbc7866a301d683d55"
#: Largest file that is read as a network [bytes]; the shipped one has 4 MB.
_MOST_BYTES = 500_000_000
#: Modalities that the network tells apart; ABF counts as BF.
MODES = ("haadf", "bf", "hrtem")
#: Largest side of a tile, overlap of neighbouring tiles on each side, and the number that padded sides
#: are multiples of [px].
TILE, _MARGIN, _STRIDE = 1024, 128, 32


def describe_image(modality: str, constant: float | None) -> NDArray[np.float32]:
    """Encode what the network is told about an image.

    Parameters
    ----------
    modality : {"haadf", "bf", "abf", "hrtem"}
    constant : float or None
        Lattice constant [nm], which may be some per cent wrong; None counts as 0.29, which no sheet has.

    Returns
    -------
    ndarray of float32, shape (modes,)
        One-hot code of BF and HRTEM, and the scaled lattice constant.

    Examples
    --------
    >>> describe_image("abf", 0.25).tolist(), describe_image("haadf", None).tolist()
    ([1.0, 0.0, -1.0], [0.0, 0.0, 0.0])
    """
    mode = [float(find_mode(modality) == other) for other in MODES[1:]]
    size = ((constant or USUAL_CONSTANT) - USUAL_CONSTANT) / 0.04
    return np.array([*mode, np.clip(size, -1.5, 1.5)], np.float32).round(6)


def find_mode(modality: str) -> str:
    """Which of `MODES` a modality counts as.

    Parameters
    ----------
    modality : {"haadf", "bf", "abf", "hrtem"}

    Returns
    -------
    str
    """
    return "bf" if modality == "abf" else modality


class Model(NamedTuple):
    """A loaded network."""

    run: Run
    views: int  # number of views that it looks at: 2 if it does not look at the vacancy map, else 3
    card: dict[str, Any]  # how it was trained and rated, as its file says; checked by `_explain_card`
    sha256: str  # of the file
    device: str  # where it runs, one of `runtimes.DEVICES`


def load_model(path: Path | None = None, device: str = "auto", precision: str = "float32") -> Model:
    """Load a network.

    Parameters
    ----------
    path : Path, optional
        An ONNX file of ``porescope train``; default: the shipped network.
    device : str
        One of `runtimes.DEVICES`, or ``auto``: CUDA where it can be used, else the CPU.
    precision : {"float32", "bf16"}
        Numbers that it calculates with; bf16 runs on the CPU.

    Returns
    -------
    Model

    Raises
    ------
    ValueError
        If the file is no network of porescope's, the shipped one is damaged, there is no such device, or it
        does not calculate with such numbers.
    """
    path = SHIPPED if path is None else path
    try:
        state = path.stat()
        if not path.is_file() or state.st_size > _MOST_BYTES:
            what = f"has {state.st_size:,} bytes" if path.is_file() else "is no file"
            raise ValueError(f"{path.name} {what}; give an ONNX file of porescope train")
        return _load_model(path, state.st_mtime_ns, device, precision)
    except OSError as error:
        remedy = "reinstall porescope" if path == SHIPPED else "check the path"
        raise ValueError(f"{path.name} cannot be read: {error.strerror}; {remedy}") from None


@cache
def _load_model(path: Path, changed: int, device: str, precision: str) -> Model:
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be {' or '.join(PRECISIONS)}, not {precision!r}")
    if precision == "bf16":
        if device not in ("auto", "cpu"):
            raise ValueError(f"precision bf16 runs on the CPU, not on device {device}; leave one of them out")
        device = "cpu"
    providers = choose_providers(device)
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    if path == SHIPPED and sha256 != SHIPPED_SHA256:
        raise ValueError(
            f"the shipped network {path} is damaged: its SHA-256 begins with {sha256[:8]}, not "
            f"{SHIPPED_SHA256[:8]}; reinstall porescope"
        )
    try:
        session = start_session(content, providers)
        card = json.loads(session.get_modelmeta().custom_metadata_map["porescope"])
    except Exception:  # onnxruntime has many kinds of error, none documented
        raise ValueError(
            f"{path.name} is no network of porescope's; train one with porescope train"
        ) from None
    inputs = [i.name for i in session.get_inputs()]
    card = card if isinstance(card, dict) else {}
    if inputs != INPUTS or card.get("modes") != list(MODES) or card.get("cell_px") != CELL_PX:
        raise ValueError(f"{path.name} was trained by another version of porescope; train it anew")
    wrong = _explain_card(card)
    if wrong:
        raise ValueError(f"{path.name}: its card must have {wrong}; train it anew with porescope train")
    used, views = name_device(session, device), int(session.get_inputs()[0].shape[1])
    run = start_bf16(content) if precision == "bf16" else wrap_session(session)
    model = Model(run, views, card, sha256, used)
    if sha256 != SHIPPED_SHA256 and not _gives_maps(model):
        raise ValueError(f"{path.name} gives no two maps of an image; train it anew with porescope train")
    return model


def _explain_card(card: Mapping[str, Any]) -> str | None:
    """Say what a card lacks or has in another form, among what is used of it; None if it is right."""
    plan, evidence = card.get("plan"), card.get("evidence", {})
    fitted = list(evidence.values()) if isinstance(evidence, dict) else [None]
    if not (isinstance(card.get("porescope"), str) and len(card["porescope"]) < 100):
        return "the version of porescope as text"
    if not (isinstance(plan, dict) and isinstance(plan.get("seed"), int)):
        return "a plan with a seed, a whole number"
    if not isinstance(card.get("steps"), int):
        return "its steps, a whole number"
    if not all(map(are_layers, fitted)):
        return f"as evidence layers of weights for {len(EVIDENCE)} columns"
    return None


def _gives_maps(model: Model) -> bool:
    """Try a network on an empty image."""
    image = np.zeros((1, model.views, _STRIDE, _STRIDE), np.float32)
    try:
        maps = model.run(image, describe_image("haadf", None)[None])
        return maps.shape == (1, 2, _STRIDE, _STRIDE) and bool(np.isfinite(maps).all())
    except Exception:  # onnxruntime has many kinds of error, none documented
        return False


def predict(
    image: NDArray[np.float32], about: NDArray[np.float32], model: Model, turned: bool = False
) -> NDArray[np.float32]:
    """Predict the probabilities of a pore and of an unusable sheet at each pixel.

    Parameters
    ----------
    image : ndarray of float32, shape (3, M, N)
        As `views.present` returns it, at the network's scale; a network may look at the first two alone.
    about : ndarray of float32, shape (modes,)
        As `describe_image` returns it.
    model : Model
    turned : bool
        Whether to average over the image in its eight orientations.

    Returns
    -------
    ndarray of float32, shape (2, M, N)
    """
    image = image[: model.views]
    if turned:
        total = np.zeros((2, *image.shape[1:]), np.float32)
        for turns in range(4):
            for mirror in (1, -1):
                there = np.ascontiguousarray(np.rot90(image, turns, axes=(1, 2))[:, ::mirror])
                total += np.rot90(predict(there, about, model)[:, ::mirror], -turns, axes=(1, 2))
        return np.asarray(total / 8, np.float32)
    out = np.empty((2, *image.shape[1:]), np.float32)
    for rows in _tiles(image.shape[1]):
        for columns in _tiles(image.shape[2]):
            wide = [slice(max(s.start - _MARGIN, 0), s.stop + _MARGIN) for s in (rows, columns)]
            part = image[:, *wide]
            pads = [(0, 0), *((0, -n % _STRIDE) for n in part.shape[1:])]
            padded = np.pad(part, pads, mode="symmetric" if min(part.shape[1:]) >= _STRIDE else "edge")
            result = model.run(padded[None], about[None])[0]
            y, x = (s.start - w.start for s, w in zip((rows, columns), wide, strict=True))
            height, width = rows.stop - rows.start, columns.stop - columns.start
            out[:, rows, columns] = result[:, y : y + height, x : x + width]
    return out


def _tiles(length: int) -> list[slice]:
    """Cut a length into equal parts of at most `TILE` pixels."""
    n = -(-length // TILE)
    edges = np.linspace(0, length, n + 1).astype(int)
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]
