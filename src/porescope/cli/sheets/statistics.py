"""The command statistics: what the places and sizes of pores tell of their origin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from porescope.cli.console import put, stop
from porescope.cli.sheets.tables import (
    Out,
    Overwrite,
    Pores,
    Seed,
    print_table,
    read_pores,
    write_csv,
    write_json,
)
from porescope.materials import MATERIALS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from porescope.membrane import Statistics

app = typer.Typer()


@app.command()
def statistics(
    given: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of a run of porescope detect.")],
    dose: Annotated[
        float | None,
        typer.Option(metavar="IONS/CM²", help="Dose of ions, such as 5.1e13; the pores per ion are printed."),
    ] = None,
    out: Out = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Tell the density of pores, whether they are random, clustered or regular, and their sizes."""
    from porescope.files import FILES
    from porescope.runs import check_folder, check_results

    try:
        if out is not None:
            check_folder(out)
            kinds = ("spacing", "statistics", "pattern", "isomers", "isomer_table")
            names = [FILES[kind] for kind in kinds]
            check_results(out, "statistics", names, overwrite)
        if not given.is_dir():
            raise ValueError(f"{given} is no folder of a run; its label images and fields are needed")
        pores = read_pores(given)
        found, spacing, diameter = _describe(given, pores, dose, seed)
        isomers = _count_isomers(pores)
        for line in found.sentences:
            put(line)
        if len(isomers):
            put(f"Isomers: {len(isomers)} of {isomers.pores.sum()} pores that have a name.")
            print_table(isomers)
        if out is not None:
            options = {"dose_per_cm2": dose, "seed": seed}
            _write_statistics(found, spacing, diameter, isomers, options, pores, out)
            put(f"in {out}: {', '.join(sorted(p.name for p in out.iterdir()))}")
    except (ValueError, OSError) as error:
        stop(str(error))


def _describe(
    folder: Path, pores: Pores, dose: float | None, seed: int
) -> tuple[Statistics, pd.DataFrame, NDArray[np.float64]]:
    """The statistics, the spacing of each pore, and the diameters that are known."""
    import numpy as np
    import pandas as pd

    from porescope.membrane import Pattern, Window, describe_pores, measure_spacing, weigh_pores
    from porescope.runs import read_fields

    assert pores.run is not None
    fields = read_fields(folder, pores.run)
    patterns, tables = [], []
    for field in fields:
        places = field.pores[["y_px", "x_px"]].to_numpy(float) * field.pixel_nm
        diameter = field.pores.equivalent_diameter_nm.to_numpy(float)
        pattern = Pattern(places, diameter, Window(field.mask, field.pixel_nm))
        spacing = pd.DataFrame(measure_spacing(pattern), index=field.pores.index)
        numbers = field.pores.label.to_numpy(float)
        nearest = spacing.pop("nearest")
        spacing.insert(0, "nearest_label", nearest.map(lambda i, n=numbers: n[int(i)], na_action="ignore"))
        tables.append(field.pores[["image", "frame", "label", "y_nm", "x_nm"]].join(spacing))
        patterns.append(pattern)
    if not fields:
        raise ValueError(f"{folder} has no image that was processed")
    seen = pd.concat([field.pores for field in fields])
    weights = weigh_pores(seen, pores.run.images)
    known = (weights > 0) & (seen.equivalent_diameter_nm.to_numpy(float) > 0)
    diameters = seen.equivalent_diameter_nm.to_numpy(float)[known]
    n = sum(field.n_counted for field in fields)
    found = describe_pores(patterns, n, diameters, weights[known], dose_per_cm2=dose, seed=seed)
    return found, pd.concat(tables, ignore_index=True), np.asarray(diameters)


def _find_material(pores: Pores) -> str | None:
    name = pores.run.record.get("material") if pores.run else None
    return name if name in MATERIALS else None


def _count_isomers(pores: Pores) -> pd.DataFrame:
    """How often each isomer occurs, with its symmetry; of a stack in its first frame."""
    import pandas as pd

    from porescope.membrane import read_isomer

    table = pores.table
    name = _find_material(pores)
    if name is None:
        return pd.DataFrame(columns=["isomer", "symmetry", "pores"])
    table = table[table.frame == table.groupby("image").frame.transform("min")]
    named = table[table.isomer.notna()]
    for isomer in named.isomer.unique():
        read_isomer(str(isomer), MATERIALS[name])  # refuses what is none
    counts = named.groupby(["isomer", "symmetry"], as_index=False).size().rename(columns={"size": "pores"})
    return counts.sort_values(["pores", "isomer"], ascending=[False, True], ignore_index=True)


def _write_statistics(
    found: Statistics,
    spacing: pd.DataFrame,
    diameter: NDArray[np.float64],
    isomers: pd.DataFrame,
    options: dict[str, Any],
    pores: Pores,
    out: Path,
) -> None:
    from porescope.files import FILES
    from porescope.pictures import draw_isomers, draw_statistics
    from porescope.runs import write_results

    with write_results(out, "statistics", ["porescope", *sys.argv[1:]], pores.files, options) as folder:
        write_json(folder / FILES["statistics"], found._asdict())
        write_csv(folder / FILES["spacing"], spacing)
        draw_statistics(found, diameter, folder / FILES["pattern"])
        if len(isomers):
            write_csv(folder / FILES["isomers"], isomers)
            counts = list(zip(isomers.isomer.tolist(), isomers.pores.tolist(), strict=True))
            material = MATERIALS[str(_find_material(pores))]
            draw_isomers(counts, material, folder / FILES["isomer_table"])
