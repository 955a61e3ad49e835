"""Simulated micrographs and their truth, written to files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from porescope.files.exports import save_labels
from porescope.files.names import ENDINGS
from porescope.files.writing import write_whole
from porescope.simulation.drawing import Simulation
from porescope.simulation.series import Tile


def save_simulation(folder: Path, drawn: Simulation, note: str) -> list[str]:
    """Write a simulated micrograph with its truth; give the files' names.

    Parameters
    ----------
    folder : Path
    drawn : Simulation
        Written under its micrograph's name: ``NAME.tif`` with its scale, ``NAME_standard.tif``
        (labels), ``NAME_truth.csv`` (a row a pore) and ``NAME_atoms.csv`` (a row a site).
    note : str
        How it was made; kept in the TIFF with the version.
    """
    import pandas as pd
    import tifffile

    micrograph, labels = drawn.micrograph, drawn.labels
    stem, size = micrograph.name, micrograph.pixel_size
    numbers = np.arange(1, len(drawn.area_nm2) + 1)
    centres = [np.argwhere(labels == n).mean(axis=0) * size for n in numbers]
    y, x = np.array(centres).reshape(-1, 2).T
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
        "metadata": {"unit": "nm", "Info": f"porescope {version('porescope')}: {note}"},
    }
    counts = np.clip(micrograph.image, 0, 2**16 - 1).astype(np.uint16)
    writers: dict[str, Any] = {
        f"{stem}.tif": lambda part: tifffile.imwrite(part, counts, imagej=True, **header),
        f"{stem}{ENDINGS['standard']}": lambda part: save_labels(part, labels, size),
        f"{stem}{ENDINGS['truth']}": lambda part: pd.DataFrame(truth).to_csv(
            part, index=False, float_format="%.6g"
        ),
        f"{stem}{ENDINGS['atoms']}": lambda part: pd.DataFrame(sites).to_csv(
            part, index=False, float_format="%.6g"
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, write in writers.items():
        with write_whole(folder / name) as part:
            write(part)
    return list(writers)


def save_stage(folder: Path, name: str, tiles: Sequence[Tile]) -> str:
    """Write where the stage was for each tile of a sheet; give the file's name."""
    import pandas as pd

    rows = [
        {
            "image": tile.simulation.micrograph.name,
            "stage_y_nm": tile.stage_nm[0], "stage_x_nm": tile.stage_nm[1],
            "true_y_nm": tile.true_nm[0], "true_x_nm": tile.true_nm[1],
        }
        for tile in tiles
    ]  # fmt: skip
    file = f"{name}{ENDINGS['stage']}"
    with write_whole(folder / file) as part:
        pd.DataFrame(rows).to_csv(part, index=False, float_format="%.6g")
    return file
