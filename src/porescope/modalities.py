"""The modalities: how an image may have been taken, and the sign of a hole in each."""

from __future__ import annotations

#: Sign of a hole's contrast against the sheet: -1 dark, 1 bright, 0 either, as in HRTEM.
HOLE_SIGN = {"haadf": -1, "bf": 1, "abf": 1, "hrtem": 0}
#: Names of the modalities.
MODALITIES = tuple(HOLE_SIGN)


def has_bright_holes(modality: str) -> bool:
    """Whether a hole is brighter than the sheet.

    Parameters
    ----------
    modality : str
        One of `MODALITIES`.

    Returns
    -------
    bool

    Examples
    --------
    >>> has_bright_holes("bf"), has_bright_holes("hrtem")
    (True, False)
    """
    return HOLE_SIGN[modality] > 0


def check_modality(modality: str, *others: str) -> None:
    """Refuse an unknown modality.

    Parameters
    ----------
    modality : str
    *others : str
        Further values that are allowed, such as "auto".

    Raises
    ------
    ValueError
        If it is none of `MODALITIES` nor of the others.

    Examples
    --------
    >>> check_modality("sem")
    Traceback (most recent call last):
    ...
    ValueError: modality must be one of haadf, bf, abf, hrtem, not 'sem'
    """
    known = (*others, *MODALITIES)
    if modality not in known:
        raise ValueError(f"modality must be one of {', '.join(known)}, not {modality!r}")
