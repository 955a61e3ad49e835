"""Acquisition metadata, untrusted: stage position, time, magnification, beam energy and current."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from porescope.files.units import nanometres, seconds

#: Longest text taken from metadata; longer ones are cut [characters].
_MAX_TEXT = 200

#: Start of Windows' file times, in POSIX time [s]; they count 100 ns since 1601-01-01.
_FILETIME_START = -11_644_473_600

#: Prefixes of the sources in rosettasciio's mappings whose stage position is in mm. Others are in m, or
#: in no known unit.
_STAGE_IN_MM = ("CZ_SEM.", "samplePosition.")

#: Names of rosettasciio's readers that store the stage position in mm, as HyperSpy documents it.
_READERS_IN_MM = ("digitalmicrograph", "digital_micrograph", "tia", "fei", "phenom")

_NOTHING: Mapping[str, Any] = {}


class Header(NamedTuple):
    """Acquisition metadata of a frame; None where the file gives none that is certain."""

    stage_nm: tuple[float, float] | None = None  # (y, x) [nm]
    time_s: float | None = None  # POSIX time; a clock without a time zone is read as UTC [s]
    magnification: float | None = None
    beam_energy_kev: float | None = None  # [keV]
    instrument: str | None = None  # name of the microscope
    beam_current_na: float | None = None  # only of a scanned image that is the whole scan [nA]


def read_header(entry: Mapping[str, Any], shape: tuple[int, ...]) -> Header:
    """Read the acquisition metadata of a dataset.

    Parameters
    ----------
    entry : mapping
        A dataset as rosettasciio gives it: ``metadata``, ``original_metadata`` and ``mapping``, of any
        content.
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    Header

    Notes
    -----
    The maker's metadata (DigitalMicrograph, Velox, TIA, NCEM, Olympus) take precedence over HyperSpy's
    tree, where the unit of the stage position depends on rosettasciio's reader: mm or m.
    """
    original = as_mapping(entry.get("original_metadata"))
    tree = as_mapping(entry.get("metadata"))
    read_own = next((read for key, read in _MAKERS.items() if look_up(original, key) is not None), None)
    own = read_own(original, shape) if read_own else Header()
    found = [own, _read_tree(tree, _stage_in_mm(tree))]
    if read_own is None:
        found.insert(1, _read_tree(*_apply(as_mapping(entry.get("mapping")), original)))
    if "ImageList" in original:
        # DigitalMicrograph's dates follow the computer's settings: 3/5 or 5/3. Its own clock does not.
        found = [own, *(header._replace(time_s=None) for header in found[1:])]
    return Header(*(next((v for v in values if v is not None), None) for values in zip(*found, strict=True)))


def read_ome(image: Mapping[str, Any], n_frames: int) -> tuple[Header, ...]:
    """Read stage position and time of each frame from an OME ``Image``.

    Parameters
    ----------
    image : mapping
        The element as ``tifffile.xml2dict`` gives it.
    n_frames : int
        Number of frames.

    Returns
    -------
    tuple of Header
        One for each frame where the file has a ``Plane`` for each; else a single one.
    """
    start = _read_date(look_up(image, "AcquisitionDate"))
    label = as_mapping(look_up(image, "StageLabel"))
    common = Header(stage_nm=_read_ome_position(label, ("Y", "X"), ("YUnit", "XUnit")), time_s=start)
    planes = look_up(image, "Pixels", "Plane")
    planes = [as_mapping(p) for p in (planes if isinstance(planes, list) else [planes])]
    if len(planes) != n_frames:
        return (common,)
    planes.sort(key=lambda plane: tuple(_number(plane.get(f"The{axis}")) or 0 for axis in "TZC"))
    return tuple(_read_plane(plane, common) for plane in planes)


def read_interval(imagej: Mapping[str, Any]) -> float | None:
    """Read the time between two frames from ImageJ's metadata.

    Parameters
    ----------
    imagej : mapping
        As ``tifffile`` gives it.

    Returns
    -------
    float or None
        [s]
    """
    return _scale(_positive(look_up(imagej, "finterval")), seconds(as_text(look_up(imagej, "tunit")) or "s"))


def _read_plane(plane: Mapping[str, Any], common: Header) -> Header:
    stage = _read_ome_position(plane, ("PositionY", "PositionX"), ("PositionYUnit", "PositionXUnit"))
    passed = _scale(_number(plane.get("DeltaT")), seconds(as_text(plane.get("DeltaTUnit")) or "s"))
    time = common.time_s if passed is None else (common.time_s or 0.0) + passed
    return common._replace(stage_nm=stage or common.stage_nm, time_s=time)


def _read_ome_position(
    element: Mapping[str, Any], names: tuple[str, str], units: tuple[str, str]
) -> tuple[float, float] | None:
    """Read (y, x) [nm]; OME's default unit, "reference frame", is no length."""
    y, x = (
        _scale(_number(element.get(name)), nanometres(as_text(element.get(unit))))
        for name, unit in zip(names, units, strict=True)
    )
    return None if y is None or x is None else (y, x)


def _read_digital_micrograph(original: Mapping[str, Any], shape: tuple[int, ...]) -> Header:
    images = as_mapping(look_up(original, "ImageList"))
    tags: Mapping[str, Any] = next(
        (t for t in (as_mapping(look_up(i, "ImageTags")) for i in images.values()) if t), _NOTHING
    )
    # DigitalMicrograph's stack builder stores the tags of its source images here.
    tags = as_mapping(look_up(tags, "source", "Tags at creation")) or tags
    info = as_mapping(look_up(tags, "Microscope Info"))
    scan = as_mapping(look_up(tags, "DigiScan"))
    whole = (_number(scan.get("Image Height")), _number(scan.get("Image Width"))) == shape
    ticks = _positive(look_up(tags, "DataBar", "Acquisition Time (OS)"))
    started = _positive(look_up(tags, "Acquisition", "Frame", "Sequence", "Acquisition Start Time (epoch)"))
    time = None if ticks is None else ticks / 1e7 + _FILETIME_START
    if time is None and started is not None:
        time = started / 1e3
    return Header(
        stage_nm=_stage(look_up(info, "Stage Position"), ("Stage Z", "Stage Y", "Stage X"), 1e3),
        time_s=time,
        # In diffraction mode of a TEM the same tag holds the camera length.
        magnification=None
        if (as_text(info.get("Illumination Mode")), as_text(info.get("Imaging Mode")))
        == ("TEM", "DIFFRACTION")
        else _positive(info.get("Indicated Magnification")),
        beam_energy_kev=_per_thousand(info.get("Voltage")),
        instrument=as_text(look_up(tags, "Session Info", "Microscope")) or as_text(info.get("Name")),
        beam_current_na=_positive(info.get("Probe Current (nA)")) if whole else None,
    )


def _read_velox(original: Mapping[str, Any], shape: tuple[int, ...]) -> Header:
    custom = as_mapping(look_up(original, "CustomProperties"))
    stem = as_mapping(custom.get("StemMagnification"))
    time = _positive(look_up(original, "Acquisition", "AcquisitionStartDatetime", "DateTime"))
    return Header(
        stage_nm=_stage(look_up(original, "Stage", "Position"), ("z", "y", "x"), 1e9),
        time_s=time,
        # In a TEM image StemMagnification is a flag.
        magnification=(_positive(stem.get("value")) if as_text(stem.get("type")) != "bool" else None)
        or _positive(look_up(original, "Optics", "NominalMagnification")),
        beam_energy_kev=_per_thousand(look_up(original, "Optics", "AccelerationVoltage")),
        instrument=as_text(look_up(original, "Instrument", "InstrumentClass")),
    )


def _read_tia(original: Mapping[str, Any], shape: tuple[int, ...]) -> Header:
    described = as_mapping(look_up(original, "ObjectInfo", "ExperimentalDescription"))
    return Header(
        stage_nm=_stage(described, ("Stage Z_um", "Stage Y_um", "Stage X_um"), 1e3),
        time_s=_positive(look_up(original, "ser_header_parameters", "Time")),
        magnification=_positive(described.get("Magnification_x")),
        beam_energy_kev=_positive(described.get("High tension_kV")),
        instrument=as_text(described.get("Microscope")),
    )


def _read_ncem(original: Mapping[str, Any], shape: tuple[int, ...]) -> Header:
    microscope = as_mapping(look_up(original, "microscope"))
    return Header(
        magnification=_positive(microscope.get("magnification")),
        beam_energy_kev=_per_thousand(microscope.get("high tension")),
        instrument=as_text(microscope.get("name")),
    )


def _read_olympus(original: Mapping[str, Any], shape: tuple[int, ...]) -> Header:
    return Header(magnification=_positive(look_up(original, "Olympus_SIS_metadata", "magnification")))


#: Readers of the makers' metadata, by a key that only this maker's metadata have.
_MAKERS = {
    "ImageList": _read_digital_micrograph,
    "ser_header_parameters": _read_tia,
    "Optics": _read_velox,
    "microscope": _read_ncem,
    "Olympus_SIS_metadata": _read_olympus,
}


def _apply(mapping: Mapping[str, Any], original: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Apply rosettasciio's mapping to a maker's metadata; say whether its stage position is in mm."""
    tree: dict[str, Any] = {}
    in_mm = False
    for source, rule in mapping.items():
        value = look_up(original, *str(source).split("."))
        if value is None or (isinstance(value, (str, bytes)) and len(value) > _MAX_TEXT):
            continue
        try:
            target, convert = rule
            value = value if convert is None else convert(value)
        except Exception:  # noqa: S112 (the converters expect well-formed metadata)
            continue
        *path, name = str(target).split(".")
        node = tree
        for key in path:
            node = node.setdefault(key, {})
            if not isinstance(node, dict):
                break
        else:
            node[name] = value
            in_mm |= "Stage" in path and str(source).startswith(_STAGE_IN_MM)
    return tree, in_mm


def _stage_in_mm(tree: Mapping[str, Any]) -> bool:
    """Say whether a HyperSpy tree's stage position is in mm, by the readers it says it was loaded with."""
    records = as_mapping(look_up(tree, "General", "FileIO")).values()
    readers = [
        str(as_text(look_up(record, "io_plugin"))).lower()
        for record in records
        if as_text(look_up(record, "operation")) == "load"
    ]
    trusted = (*_READERS_IN_MM, "hspy", "zspy")
    return all(reader.rpartition(".")[2] in trusted for reader in readers)


def _read_tree(tree: Mapping[str, Any], stage_in_mm: bool) -> Header:
    """Read HyperSpy's tree, whose units are keV and nA."""
    instruments = as_mapping(look_up(tree, "Acquisition_instrument"))
    name = next((n for n in ("TEM", "SEM") if as_mapping(instruments.get(n))), "TEM")
    node = as_mapping(instruments.get(name))
    scanned = name == "SEM" or as_text(node.get("acquisition_mode")) in ("STEM", "SEM")
    general = as_mapping(look_up(tree, "General"))
    return Header(
        stage_nm=_stage(node.get("Stage"), ("z", "y", "x"), 1e6) if stage_in_mm else None,
        time_s=_read_date(general.get("date"), general.get("time"), general.get("time_zone")),
        magnification=_positive(node.get("magnification")),
        beam_energy_kev=_positive(node.get("beam_energy")),
        instrument=as_text(node.get("microscope")),
        beam_current_na=_positive(node.get("beam_current")) if scanned else None,
    )


def _stage(position: Any, names: Sequence[str], factor: float) -> tuple[float, float] | None:
    """Read (y, x) [nm], given the keys of z, y and x. All zeros mean that no position was recorded."""
    z, y, x = (_scale(_number(as_mapping(position).get(name)), factor) for name in names)
    return None if y is None or x is None or not (x or y or z) else (y, x)


def _read_date(date: Any, time: Any = None, zone: Any = None) -> float | None:
    """Read an ISO date and time as POSIX time [s]; without a time zone as UTC."""
    text = as_text(date)
    if text is None or (time is None and "T" not in text):
        return None
    try:
        moment = datetime.fromisoformat(text if time is None else f"{text[:10]}T{as_text(time)}")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(as_text(zone) or "UTC"))
        return moment.timestamp()
    except Exception:
        return None


def as_mapping(value: Any) -> Mapping[str, Any]:
    """View a metadata node as a mapping.

    Parameters
    ----------
    value : object
        A dict, rosettasciio's or HyperSpy's tree, or anything else.

    Returns
    -------
    mapping
        Empty where the value is none.
    """
    if isinstance(value, Mapping):
        return value
    try:
        found = value.as_dictionary()
    except Exception:
        return _NOTHING
    return found if isinstance(found, Mapping) else _NOTHING


def look_up(node: Any, *path: str) -> Any:
    """Look up a value in nested metadata.

    Parameters
    ----------
    node : object
        Metadata of any content.
    *path : str
        One key for each level.

    Returns
    -------
    object
        None where the path leads nowhere.

    Examples
    --------
    >>> look_up({"TEM": {"Stage": {"x": 1.5}}}, "TEM", "Stage", "x")
    1.5
    >>> look_up({"TEM": "none"}, "TEM", "Stage", "x")
    """
    for key in path:
        node = as_mapping(node).get(key)
    return node


def _number(value: Any) -> float | None:
    """Read a finite number, also from text; None if there is none."""
    if isinstance(value, (bytes, str)):
        value = value[:_MAX_TEXT]
    elif isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError, TypeError):
        return None
    return number if math.isfinite(number) else None


def _scale(value: float | None, factor: float | None) -> float | None:
    """Multiply a value with its unit; None if either is unknown, or the product is not finite."""
    return None if value is None or factor is None else _number(value * factor)


def _positive(value: Any) -> float | None:
    """Read a number above 0; 0 stands for "not recorded"."""
    number = _number(value)
    return number if number is not None and number > 0 else None


def _per_thousand(value: Any) -> float | None:
    number = _positive(value)
    return None if number is None else number / 1e3


def as_text(value: Any) -> str | None:
    """Read a text of one line from metadata.

    Parameters
    ----------
    value : object
        Text or bytes; anything else is none.

    Returns
    -------
    str or None
        At most 200 printable characters; None if there are none, or it says "unknown".
    """
    if isinstance(value, bytes):
        value = value[: 4 * _MAX_TEXT].decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    cleaned = "".join(c if c.isprintable() else " " for c in value[:_MAX_TEXT]).strip()
    return cleaned if cleaned.lower() not in ("", "unknown") else None
