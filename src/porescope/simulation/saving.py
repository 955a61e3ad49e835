"""Files of simulated micrographs and their true pores."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import center_of_mass

from porescope.files import ENDINGS, save_labels, write_whole
from porescope.simulation.drawing import Simulation
from porescope.simulation.series import Tile


def save_simulation(folder: Path, drawn: Simulation, note: str) -> list[str]:
    """Write a simulated micrograph with its truth.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    drawn : Simulation
        Written under its micrograph's name: ``NAME.tif`` with the pixel size, ``NAME_standard.tif``
        (label image), ``NAME_truth.csv`` (one row per pore) and, if there are atoms, ``NAME_atoms.csv`` (one
        row per site).
    note : str
        How the micrograph was made; stored in the TIFF with the version.

    Returns
    -------
    list of str
        Names of the files.
    """
    import tifffile

    micrograph, labels = drawn.micrograph, drawn.labels
    stem, size = micrograph.name, micrograph.pixel_size
    numbers = np.arange(1, len(drawn.area_nm2) + 1)
    centres = np.array(center_of_mass(labels > 0, labels, numbers) if len(numbers) else [], float)
    y, x = (centres.reshape(-1, 2) * size).T
    truth = {
        "label": numbers, "y_nm": y, "x_nm": x, "area_nm2": drawn.area_nm2,
        "equivalent_diameter_nm": np.sqrt(4 * drawn.area_nm2 / np.pi), "missing_atoms": drawn.missing_atoms,
    }  # fmt: skip
    atoms = drawn.atoms
    sites = {
        "element": np.where(atoms.second, drawn.material.second, drawn.material.first),
        "y_nm": atoms.positions[:, 0], "x_nm": atoms.positions[:, 1], "atoms": atoms.occupancy,
    }  # fmt: skip
    header: dict[str, Any] = {
        "resolution": (1 / size[1], 1 / size[0]),
        "metadata": {
            "unit": "nm",
            "modality": micrograph.modality,
            "Info": f"porescope {version('porescope')}: {note}",
        },
    }
    counts = np.clip(micrograph.image, 0, 2**16 - 1).astype(np.uint16)
    writers: dict[str, Any] = {
        f"{stem}.tif": lambda part: tifffile.imwrite(part, counts, imagej=True, **header),
        stem + ENDINGS["standard"]: lambda part: save_labels(part, labels, size),
        stem + ENDINGS["truth"]: lambda part: _save_table(part, truth),
        stem + ENDINGS["atoms"]: lambda part: _save_table(part, sites),
    }
    if not len(atoms.positions):
        del writers[stem + ENDINGS["atoms"]]
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in writers.items():
        with write_whole(folder / name) as part:
            write(part)
    return list(writers)


def save_stage(folder: Path, name: str, tiles: Sequence[Tile]) -> str:
    """Write the stage positions of a tile sheet.

    Parameters
    ----------
    folder : Path
    name : str
        The file is ``NAME_stage.csv``.
    tiles : sequence of Tile

    Returns
    -------
    str
        Name of the file.
    """
    rows = [
        {
            "image": tile.simulation.micrograph.name,
            "stage_y_nm": tile.stage_nm[0], "stage_x_nm": tile.stage_nm[1],
            "true_y_nm": tile.true_nm[0], "true_x_nm": tile.true_nm[1],
        }
        for tile in tiles
    ]  # fmt: skip
    file = name + ENDINGS["stage"]
    with write_whole(folder / file) as part:
        _save_table(part, rows)
    return file


def _save_table(path: Path, columns: Any) -> None:
    import pandas as pd

    pd.DataFrame(columns).to_csv(path, index=False, float_format="%.6g")
