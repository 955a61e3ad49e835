"""Units of length and time as files spell them."""

from __future__ import annotations

import re
from unicodedata import normalize

_NANOMETRES = {
    "pm": 1e-3,
    "å": 0.1, "angstrom": 0.1, "ångström": 0.1, "ångstrom": 0.1, "ang": 0.1, "a": 0.1,
    "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0,
    "um": 1e3, "micron": 1e3, "micrometer": 1e3, "micrometre": 1e3,
    "mm": 1e6, "millimeter": 1e6, "millimetre": 1e6,
    "cm": 1e7, "centimeter": 1e7, "centimetre": 1e7,
    "inch": 2.54e7,
    "m": 1e9, "meter": 1e9, "metre": 1e9,
}  # fmt: skip

_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "millisecond": 1e-3,
    "s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0,
}  # fmt: skip


def nanometres(unit: str | None) -> float | None:
    """Look up a unit of length in any of its usual spellings.

    Parameters
    ----------
    unit : str or None
        For example ``"nm"``, ``"µm"``, ``"n_m"``, ``"Angstrom"``.

    Returns
    -------
    float or None
        Nanometres in one unit; None if it is no length.

    Examples
    --------
    >>> nanometres("µm"), nanometres("1/nm")
    (1000.0, None)
    """
    return _look_up(_NANOMETRES, unit)


def seconds(unit: str | None) -> float | None:
    """Look up a unit of time in any of its usual spellings.

    Parameters
    ----------
    unit : str or None
        For example ``"s"``, ``"ms"``, ``"sec"``.

    Returns
    -------
    float or None
        Seconds in one unit; None if it is no time.

    Examples
    --------
    >>> seconds("ms"), seconds("nm")
    (0.001, None)
    """
    return _look_up(_SECONDS, unit)


def read_resolution(resolution: tuple[float, float], tag: int, unit: str = "") -> tuple[float, float] | None:
    """Read a pixel size from a TIFF's resolution and its unit.

    Parameters
    ----------
    resolution : tuple of float
        Pixels per unit (column, row), as the tags have them.
    tag : int
        ResolutionUnit: 2 for inch, 3 for cm.
    unit : str
        ImageJ's unit, which counts before the tag.

    Returns
    -------
    tuple of float or None
        Pixel size (row, column) [nm]; None if there is none, or only a printing resolution.

    Notes
    -----
    rosettasciio reads the microscope makers' tags; of ImageJ's units it knows microns only, and no OME.

    Examples
    --------
    >>> read_resolution((25.0, 20.0), 1, "nm"), read_resolution((300.0, 300.0), 2)
    ((0.05, 0.04), None)
    """
    column, row = resolution
    if min(row, column) <= 0:
        return None
    nm = nanometres(unit)
    if nm is not None and unit not in ("inch", "cm"):
        return nm / row, nm / column
    nm = nm or {2: 2.54e7, 3: 1e7}.get(tag)
    if nm is None:
        return None
    # 1 µm per pixel or more is a printing resolution (72, 96, 300 dpi), no pixel size.
    return (nm / row, nm / column) if nm / min(row, column) < 1000 else None


def _look_up(table: dict[str, float], unit: str | None) -> float | None:
    # ImageJ and tifffile escape what is not ASCII, and Unicode has several spellings of Å and µ.
    text = re.sub(
        r"\\(?:u00|x)([0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})",
        lambda match: chr(int(match[1] or match[2], 16)),
        (unit or "")[:50],
    )
    key = normalize("NFKC", text).strip().lower().replace("_", "").replace("μ", "u")
    return table.get(key, table.get(key.removesuffix("s")))
