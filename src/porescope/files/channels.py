"""Several signals of one field of view: which are images, which is taken, which are copies."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np

from porescope.files.signals import ReadError, Signal, choose_images, header_pixel_size, read_frame

#: Symbols of the elements, which name their maps.
_ELEMENTS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb "
    "Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu "
    "Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm"
)
#: Beginnings of the names of signals that are differences or integrals of others; they come last.
_DERIVED = re.compile(r"(?i)(filtered|i?d?dpc|dcfi|[a-d]-[a-d]$)")
#: Least correlation of two images that are copies of one.
_SAME = 0.5


def choose_signals(path: Path, signals: Sequence[Signal], wanted: str | None = None) -> list[Signal]:
    """Select the images of a file, one signal for each field of view.

    Parameters
    ----------
    path : Path
        Named in errors.
    signals : sequence of Signal
    wanted : str, optional
        Name of the signal to take, or "all"; default: HAADF where there is one, else the first one that is
        most like it.

    Returns
    -------
    list of Signal
        What was left out stands in their remarks.

    Raises
    ------
    ReadError
        If no signal is an image, or none has the wanted name.
    """
    images = _leave_out_maps(signals)
    if signals and not images:
        raise ReadError(f"{path.name} holds maps of elements only, not a micrograph; give an image")
    images = choose_images(path, images)
    if len(images) < 2:
        if wanted in (None, "all"):
            return images
        if images[0].channel:
            return _take_named(path, images, wanted)
        return [images[0].with_remark("the file does not name its signal, so --signal has no effect")]
    images = _drop_copies(path, images)
    if wanted == "all":
        return images
    if wanted is not None:
        return _take_named(path, images, wanted)
    chosen = []
    for field in _group_fields(images):
        best = min(field, key=_rank)
        if len(field) > 1:
            names = ", ".join(signal.channel for signal in field)
            best = best.with_remark(
                f"signal {best.channel} is taken of {names}; others: --signal NAME or all"
            )
        chosen.append(best)
    return chosen


def _leave_out_maps(signals: Sequence[Signal]) -> list[Signal]:
    """Leave out maps of elements, which show where these are and not the sheet."""
    names = {signal.channel.strip() for signal in signals}
    if {"A", "D"} <= names:  # segments of a detector, of which B and C are no elements
        return list(signals)
    elements = _ELEMENTS.split()
    return [signal for signal in signals if signal.channel.strip() not in elements]


def _take_named(path: Path, images: Sequence[Signal], wanted: str) -> list[Signal]:
    found = [image for image in images if image.channel.casefold() == wanted.casefold()]
    if not found:
        known = ", ".join(dict.fromkeys(image.channel or "one without a name" for image in images))
        raise ReadError(f"{path.name} has no signal {wanted!r}, but {known}; give --signal NAME or all")
    return found


def _group_fields(images: Sequence[Signal]) -> list[list[Signal]]:
    """Group the signals that were recorded at once: named, of one shape and pixel size.

    A detector that comes again begins another field of view.
    """
    fields: dict[Hashable, list[Signal]] = {}
    seen: dict[Hashable, int] = {}
    for i, image in enumerate(images):
        key: Hashable = i
        if image.channel:
            size = header_pixel_size(image)
            geometry = tuple(image.data.shape), size and tuple(round(float(np.log(s)), 4) for s in size)
            detector = re.sub(r"[ _#]+\d+$", "", image.channel), geometry
            seen[detector] = seen.get(detector, 0) + 1
            key = geometry, seen[detector]
        fields.setdefault(key, []).append(image)
    return list(fields.values())


def _rank(signal: Signal) -> tuple[int, int]:
    """Place of a signal in its field: HAADF, other dark fields, those of known modality, all others."""
    name = signal.channel.lower()
    derived = _DERIVED.match(name) is not None
    segment = re.search(r"[-_ ][a-d]$", name) is not None
    known = (
        0 if name.startswith("haadf") else 1 if signal.modality == "haadf" else 2 if signal.modality else 3
    )
    return 4 + derived if derived else known, int(segment)


def _drop_copies(path: Path, images: list[Signal]) -> list[Signal]:
    """Leave out a copy in colours or fewer bits of an image that is there too."""
    kept: list[Signal] = []
    for image in sorted(images, key=_depth, reverse=True):
        twin = next((k for k, other in enumerate(kept) if _is_copy(path, image, other)), None)
        if twin is None:
            kept.append(image)
        else:
            kept[twin] = kept[twin].with_remark("a copy of it in the file is left out")
    order = {id(image.data): i for i, image in enumerate(images)}
    return sorted(kept, key=lambda image: order[id(image.data)])


def _depth(signal: Signal) -> int:
    """Bytes of a grey value; colours have fewer than any."""
    return 0 if signal.data.dtype.names or signal.data.dtype.kind == "V" else int(signal.data.dtype.itemsize)


def _is_copy(path: Path, image: Signal, other: Signal) -> bool:
    if image.data.ndim != 2 or image.data.shape != other.data.shape or _depth(image) == _depth(other):
        return False
    sizes = [size for signal in (image, other) if (size := header_pixel_size(signal))]
    if image.channel or other.channel or (len(sizes) == 2 and not np.allclose(sizes[0], sizes[1], rtol=0.01)):
        return False
    one, two = (read_frame(path, signal, 0).image.ravel().astype(np.float64) for signal in (image, other))
    if one.std() == 0 or two.std() == 0 or not np.isfinite([one.sum(), two.sum()]).all():
        return False
    return bool(abs(np.corrcoef(one, two)[0, 1]) > _SAME)
