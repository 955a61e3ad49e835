"""Images with their standards, read for a tuning."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from porescope.field import look_for_field
from porescope.files import name_files
from porescope.micrograph import Micrograph
from porescope.reading import read
from porescope.standards import find_standards, read_standard


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images with their standards.

    Attributes
    ----------
    paths, standard_paths : list of Path
        Files of the images and of their standards.
    micrographs : list of Micrograph
    standards : list of ndarray of int32
        The label image of each.
    """

    paths: list[Path]
    standard_paths: list[Path]
    micrographs: list[Micrograph]
    standards: list[NDArray[np.int32]]


def read_labelled_images(
    paths: Sequence[Path], folder: Path, *, pixel_size: float | None = None, modality: str = "auto"
) -> LabelledImages:
    """Read the images that have a standard; warn of the others.

    Parameters
    ----------
    paths : sequence of Path
        Files of the images.
    folder : Path
        Folder of the standards.
    pixel_size : float, optional
        Pixel size [nm]; default: that of each file.
    modality : str
        One of `MODALITIES`, or ``auto``: that of each file.

    Returns
    -------
    LabelledImages

    Raises
    ------
    ValueError
        If the folder does not exist, no image has a standard, or a file cannot be read.
    """
    if not folder.is_dir():
        raise ValueError(f"--standards {folder} is not a folder; give the one that holds A_standard.png …")
    found = find_standards(paths, folder)
    if not found:
        raise ValueError(
            f"{folder} holds no standard of {', '.join(p.name for p in list(paths)[:3])}; name it like "
            f"{Path(paths[0]).stem}_standard.png"
        )
    without = [path.name for path in paths if path not in found]
    if without:
        warnings.warn(f"no standard for {', '.join(without[:10])}: left out", stacklevel=2)
    micrographs = [
        replace(read(path, pixel_size=pixel_size, modality=modality), name=name)
        for path, name in zip(found, name_files(list(found)), strict=True)
    ]
    standards = [read_standard(s, m.image.shape) for s, m in zip(found.values(), micrographs, strict=True)]
    return join_labelled(list(found), list(found.values()), micrographs, standards)


def join_labelled(
    paths: Sequence[Path],
    standard_paths: Sequence[Path],
    micrographs: Sequence[Micrograph],
    standards: Sequence[NDArray[np.int32]],
) -> LabelledImages:
    """Join images with their standards, without the areas that have no data.

    Parameters
    ----------
    paths, standard_paths : sequence of Path
        Files of the images and of their standards.
    micrographs : sequence of Micrograph
    standards : sequence of ndarray of int32
        The label image of each.

    Returns
    -------
    LabelledImages
    """
    pairs = [_crop_to_field(m, s) for m, s in zip(micrographs, standards, strict=True)]
    return LabelledImages(list(paths), list(standard_paths), [m for m, _ in pairs], [s for _, s in pairs])


def _crop_to_field(
    micrograph: Micrograph, standard: NDArray[np.int32]
) -> tuple[Micrograph, NDArray[np.int32]]:
    """Leave out frames, bars and other areas without data, as detection does."""
    micrograph = look_for_field(micrograph)
    window, field = micrograph.window, micrograph.field
    if field is None:
        return micrograph, standard
    if not field[window].all():
        warnings.warn(
            f"{micrograph.name}: only a rectangle is cut out for tuning; corners without data stay",
            stacklevel=4,
        )
    return replace(micrograph, image=micrograph.filled[window], field=None), standard[window]
