"""The imaging modalities, and the contrast sign of a hole in each."""

from __future__ import annotations

from collections.abc import Sequence

#: Contrast of a hole against the sheet: −1 darker, +1 brighter, 0 no fixed sign (phase contrast).
HOLE_SIGN = {"haadf": -1, "bf": 1, "abf": 1, "hrtem": 0}

#: Names of the modalities.
MODALITIES = tuple(HOLE_SIGN)


def check_modality(name: str, allowed: Sequence[str] = MODALITIES) -> None:
    """Refuse a modality that is not known.

    Parameters
    ----------
    name : str
    allowed : sequence of str
        Names to accept.

    Raises
    ------
    ValueError
        If ``name`` is not among them.

    Examples
    --------
    >>> check_modality("sem")
    Traceback (most recent call last):
    ValueError: modality must be one of haadf, bf, abf, hrtem, not 'sem'
    """
    if name not in allowed:
        raise ValueError(f"modality must be one of {', '.join(allowed)}, not {name!r}")
