"""Pictures to paint on: a micrograph at its own size, on which pores are painted green as a standard."""

from __future__ import annotations

from pathlib import Path

from porescope.files import write_whole
from porescope.micrograph import Micrograph
from porescope.pictures import to_gray


def write_painting(micrograph: Micrograph, folder: Path, overwrite: bool = False) -> Path:
    """Write a picture of a micrograph to paint on, one pixel a pixel, with nothing else in it.

    Parameters
    ----------
    micrograph : Micrograph
    folder : Path
    overwrite : bool
        Whether to replace a picture, which may be painted already.

    Returns
    -------
    Path
        ``NAME_standard.png``, as `standards.find_standards` looks for it.

    Raises
    ------
    ValueError
        If the picture exists.
    """
    from PIL import Image

    path = folder / f"{micrograph.stem}_standard.png"
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists and may be painted; give another -o, or say --overwrite")
    with write_whole(path) as part:
        # In colour, so that programs let it be painted green.
        Image.fromarray(to_gray(micrograph)).convert("RGB").save(part, "PNG")
    return path
