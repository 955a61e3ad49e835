"""Datasets as rosettasciio returns them, described as signals: their axes, names and modalities."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from porescope.files.headers import as_mapping, as_text, look_up, read_header
from porescope.files.signals import Signal
from porescope.modalities import MODALITIES

#: Names of the axes along which a row and a column of an image are counted.
_ROWS, _COLUMNS = ("y", "row", "rows", "height"), ("x", "column", "columns", "col", "width")
#: Words in the names of detectors, with the modality whose contrast they share; None: of neither sign.
_DETECTORS: dict[str, str | None] = {
    **{name: name for name in MODALITIES},
    "ceta": "hrtem", "hrem": "hrtem",
    **dict.fromkeys(("adf", "maadf", "laadf", "ladf", "hadf", "df"), "haadf"),
    **dict.fromkeys(("dpc", "idpc", "ddpc", "dcfi", "eds", "se", "bse", "etd"), None),
}  # fmt: skip


def describe_signal(entry: Mapping[str, Any]) -> Signal:
    """Describe a dataset as rosettasciio returns it.

    Parameters
    ----------
    entry : mapping
        With the keys "axes", "data", "metadata", "original_metadata".

    Returns
    -------
    Signal
        With the axes in the order frames, rows, columns, as far as their names say it.
    """
    metadata, original = entry.get("metadata"), entry.get("original_metadata")
    axes, data, remark = _order_axes(entry["axes"], entry["data"], original)
    title = as_text(look_up(metadata, "General", "title")) or ""
    velox = look_up(original, "BinaryResult") is not None
    return Signal(
        data=data,
        units=[None if a.get("units") is None else str(a["units"]) for a in axes],
        scales=[_find_step(a) for a in axes],
        stacked=[bool(a.get("navigate", False)) for a in axes],
        title=title,
        kind=as_text(look_up(metadata, "Signal", "signal_type")) or "",
        modality=_find_modality(title, original),
        headers=(read_header(entry, data.shape[-2:]),),
        channel=title if velox or names_detector(title) else "",
        remark=remark,
    )


def _order_axes(
    axes: Sequence[Mapping[str, Any]], data: Any, original: Any
) -> tuple[list[Mapping[str, Any]], Any, str]:
    """Drop axes of one element, and put rows and columns last where the names say which they are."""
    axes = list(axes)
    if len(axes) != data.ndim:
        return axes, data, ""
    while data.ndim > 2 and 1 in data.shape:
        single = data.shape.index(1)
        data = data[(slice(None),) * single + (0,)]
        del axes[single]
    names = [str(a.get("name", "")).strip().lower() for a in axes]
    rows, columns = ([i for i, n in enumerate(names) if n in known] for known in (_ROWS, _COLUMNS))
    if len(rows) == len(columns) == 1 and data.ndim in (2, 3):
        # Of a spectrum for each pixel, rows and columns are no axes of an image.
        if data.ndim == 3 and any(axes[i].get("navigate") for i in (*rows, *columns)):
            return axes, data, ""
        others = [i for i in range(data.ndim) if i not in (*rows, *columns)]
        order = [*others, *rows, *columns]
        moved: list[Mapping[str, Any]] = [{**axes[i], "navigate": i in others} for i in order]
        return moved, data if order == list(range(data.ndim)) else data.transpose(order), ""
    unsure = look_up(original, "EMD_version") is not None and data.ndim > 1
    return axes, data, "the file does not name its axes: rows and columns may be swapped" * unsure


def _find_step(axis: Mapping[str, Any]) -> float:
    """Step of an axis; NaN where it has none, or its values are uneven."""
    values = axis.get("axis")
    if values is not None:
        steps = np.diff(np.asarray(values, dtype=np.float64))
        step = float(steps.mean()) if steps.size else np.nan
        # Values are often stored in single precision.
        return step if steps.size and np.abs(steps - step).max() <= 0.01 * abs(step) else np.nan
    try:
        return float(axis.get("scale", np.nan))
    except (TypeError, ValueError):
        return float("nan")


def names_detector(name: str) -> bool:
    """Say whether a name is that of a detector or of one of its segments, perhaps with a number.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> names_detector("DF4-A"), names_detector("HAADF 2"), names_detector("HAADF of sample 3")
    (True, True, False)
    """
    pattern = rf"(filtered )?({'|'.join(_DETECTORS)})\d*([-_ ][a-z])?([ _#]+\d+)?"
    return re.fullmatch(pattern, name.strip().lower()) is not None


def name_modality(name: str) -> str | None:
    """Find the modality in a name.

    Parameters
    ----------
    name : str
        Of a detector, a channel or an image.

    Returns
    -------
    str or None
        One of `MODALITIES`; None if the name does not say it.

    Examples
    --------
    >>> name_modality("Image BF 12"), name_modality("MAADF"), name_modality("sample 3")
    ('bf', 'haadf', None)
    """
    return next((m for word in _split_words(name) if (m := _DETECTORS.get(word))), None)


def _split_words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", name.lower())


def _find_modality(title: str, original: Any) -> str | None:
    """Find the modality in the signal's name or a TEM's imaging mode; None if neither says it."""
    tags: Mapping[str, Any] = {}
    for image in as_mapping(look_up(original, "ImageList")).values():
        tags = as_mapping(look_up(image, "ImageTags")) or tags
    named = name_modality(f"{title} {as_text(look_up(tags, 'DataBar', 'Signal Name')) or ''}")
    if named:
        return named
    info = as_mapping(look_up(tags, "Microscope Info"))
    if (as_text(info.get("Illumination Mode")), as_text(info.get("Imaging Mode"))) == ("TEM", "IMAGING"):
        return "hrtem"
    return None
