"""The command map: one sheet from many tiles, each pore once."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from porescope.cli.console import PROGRESS, choose_level, put, say, show_progress, stop, take_options_of
from porescope.cli.detect import detect
from porescope.cli.options import open_as_asked
from porescope.cli.sheets.tables import write_csv

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from porescope.mosaic import Density, Layout, Mosaic, Tiles
    from porescope.runs import Run

app = typer.Typer()

#: Folder of the run of ``porescope detect`` in that of a map.
_RUN = "detect"
#: Margin of a tile below which it may lie off by a lattice vector.
_UNSURE = 5.0
#: Kinds of `FILES` that the command writes.
_KINDS = ("pores", "tiles", "sheet", "density", "density_table", "pyramid")


@app.command(name="map")
@take_options_of(detect)
def map_sheet(
    stage: Annotated[
        Path | None,
        typer.Option(
            metavar="stage.csv",
            help="Table of stage positions: file, stage_y_nm, stage_x_nm. Default: as the files say.",
        ),
    ] = None,
    grid: Annotated[
        str | None,
        typer.Option(
            metavar="RxC", help="The tiles are a raster of R rows and C columns, in order of their names."
        ),
    ] = None,
    overlap: Annotated[
        float, typer.Option(help="Overlap of neighbours in the raster, as a fraction of their sides.")
    ] = 0.1,
    stage_error: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            metavar="NM",
            help="Standard deviation of a stage position in nm, each direction (default 0.3).",
        ),
    ] = None,
    zarr: Annotated[
        bool, typer.Option("--zarr", help="Write the sheet with its labels as OME-Zarr too (extra zarr).")
    ] = False,
    **options: Any,
) -> None:
    """Put tiles together to one sheet and find its pores, each once. Takes the options of detect."""
    from porescope.files import FILES, find_files
    from porescope.mosaic import STAGE_ERROR_NM, check_zarr, find_stage, open_tiles
    from porescope.runs import check_folder, check_results, read_run

    out, error_nm = options["out"], STAGE_ERROR_NM if stage_error is None else stage_error
    try:
        if zarr:
            check_zarr()
        check_folder(out)
        names = [FILES[kind] for kind in _KINDS]
        check_results(out, "map", names, options["overwrite"] or options["resume"])
        paths = find_files(options["inputs"], say, recursive=options["recursive"])
        tiles = open_tiles(paths, lambda path: open_as_asked(path, options))
        places = find_stage(tiles, stage, grid, overlap)
    except (ValueError, OSError) as error:
        stop(error)
    failed = False
    try:
        detect(**{**options, "out": out / _RUN})
    except typer.Exit as ended:
        if ended.exit_code != 1:
            raise
        failed = True  # some tiles; the sheet is made of the others
    try:
        run = read_run(out / _RUN)
        done = _list_done(tiles, run)
        if not done.any():
            raise ValueError(f"no tile could be read; {out / _RUN / FILES['images']} says why")
        pixel = float(run.images.pixel_size_nm[run.images.status == "ok"].median())
        if grid:  # the tiles' sides are those of the lattice's pixel size
            places *= pixel / tiles.pixel_nm
        kept = tiles.keep(done, pixel)
        sheet = _make_sheet(kept, places[done], run, options, error_nm)
        files = [*([stage] if stage else []), *(out / _RUN / FILES[kind] for kind in ("pores", "images"))]
        said = {"grid": grid, "overlap": overlap if grid else None, "stage_error_nm": error_nm, "zarr": zarr}
        table = _list_tiles(tiles, places, done, sheet.mosaic)
        _write(sheet, table, kept, files, said, options, out)
    except (ValueError, OSError) as error:
        stop(error)
    if not options["quiet"]:
        for line in sheet.lines:
            put(line)
        for line in sheet.warnings:
            say(f"Warning: {line}.")
        put(f"in {out}: {', '.join(sorted(p.name for p in out.iterdir()))}")
    if failed:
        raise typer.Exit(1)


def _list_done(tiles: Tiles, run: Run) -> NDArray[np.bool_]:
    """Which tiles were processed."""
    import numpy as np

    from porescope.files import printable

    done = {(row.file, row.frame) for row in run.images[run.images.status == "ok"].itertuples()}
    return np.array([(printable(f), n) in done for f, n in zip(tiles.files, tiles.frames, strict=True)])


class _Sheet(NamedTuple):
    mosaic: Mosaic
    layout: Layout
    pores: pd.DataFrame
    density: Density
    load: Callable[[int], Any]  # number of a tile → what `write_pyramid` takes
    lines: list[str]
    warnings: list[str]


def _make_sheet(
    tiles: Tiles,
    places: NDArray[np.float64],
    run: Run,
    options: dict[str, Any],
    error_nm: float,
) -> _Sheet:
    """Solve for the places of the tiles, and merge their pores."""
    import numpy as np

    from porescope.field import look_for_field
    from porescope.mosaic import Layout, count_density, merge_pores, solve_mosaic
    from porescope.runs import read_labels

    def load(tile: int) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
        micrograph = look_for_field(open_as_asked(tiles.files[tile], options).read(tiles.frames[tile]))
        return micrograph.image, micrograph.field

    def load_labels(tile: int) -> NDArray[np.integer]:
        return read_labels(options["out"] / _RUN, images[tile])

    def load_all(tile: int) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None, NDArray[np.int32]]:
        labels = load_labels(tile)
        numbers = np.zeros(1 + int(labels.max(initial=0)), np.int32)
        numbers[found.label.to_numpy(int)[owner == tile]] = shown[owner == tile]
        return *load(tile), numbers[labels]

    with show_progress(
        "comparing tiles", 1, choose_level(options["quiet"], options["verbose"]) == PROGRESS
    ) as advance:
        shapes = [(int(m), int(n)) for m, n in tiles.shapes]
        mosaic = solve_mosaic(load, shapes, tiles.pixel_nm, places, error_nm=error_nm, on_progress=advance)
    layout = Layout(mosaic.sheet_nm, tiles.shapes, tiles.pixel_nm, mosaic.affine)
    images = _order_images(tiles, run)
    found, owner = _gather_pores(images, run, tiles.pixel_nm)
    off = np.array([3 * error_nm if status == "stage" else 0.0 for status in mosaic.status])
    pores, shown = merge_pores(found, owner, load_labels, layout, off)
    at = pores[["sheet_y_nm", "sheet_x_nm"]].to_numpy(float)
    density = count_density(at, pores.equivalent_diameter_nm.to_numpy(float), layout)
    said = _describe(mosaic, pores, density, len(found), error_nm)
    return _Sheet(mosaic, layout, pores, density, load_all, *said)


def _order_images(tiles: Tiles, run: Run) -> list[dict[Any, Any]]:
    """The rows of ``images.csv`` in the order of the tiles."""
    from porescope.files import printable

    rows = {(row["file"], row["frame"]): row for row in run.images.to_dict("records")}
    return [rows[printable(f), n] for f, n in zip(tiles.files, tiles.frames, strict=True)]


def _gather_pores(
    images: list[dict[Any, Any]], run: Run, pixel_nm: float
) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The pores of all tiles, in lengths of one pixel size, and the tile of each."""
    import numpy as np

    number = {(row["image"], row["frame"]): k for k, row in enumerate(images)}
    owner = np.array([number.get(key, -1) for key in zip(run.pores.image, run.pores.frame, strict=True)], int)
    pores, owner = run.pores[owner >= 0].copy(), owner[owner >= 0]
    ratio = pixel_nm / np.array([row["pixel_size_nm"] for row in images])[owner]
    for name in pores:
        power = 1 if str(name).endswith("_nm") else 2 if str(name).endswith("_nm2") else 0
        if power:
            pores[name] *= ratio**power
    return pores, owner


def _describe(
    mosaic: Mosaic, pores: pd.DataFrame, density: Density, n_found: int, error_nm: float
) -> tuple[list[str], list[str]]:
    """What is said at the end, and warnings."""
    import numpy as np

    from porescope.measurement import density_interval

    n = len(mosaic.status)
    counts = {status: mosaic.status.count(status) for status in ("placed", "moved", "stage")}
    # What the sheet's own border cuts lies half outside on average.
    counted = len(pores) - int(pores.touches_border.sum()) / 2
    low, high = density_interval(round(counted), density.area_um2)
    scale = float(np.sqrt(np.linalg.det(mosaic.affine)))
    lines = []
    if counts["stage"] < n:
        lines = [
            f"{n} tiles: {n - counts['stage']} placed by their neighbours ({counts['moved']} far from where "
            f"the stage says), {counts['stage']} by the stage alone; median residual "
            f"{np.nanmedian(mosaic.residual_nm):.3f} nm",
            f"stage against images: {mosaic.stage_error_nm:.2f} nm in each direction; a nm of the images is "
            f"{scale:.4f} nm of the stage",
        ]
    lines.append(
        f"{len(pores)} pores in {density.area_um2:.4g} µm², from {n_found} in the tiles: "
        f"{counted / density.area_um2:.4g} per µm² (95 % interval {low:.4g} to {high:.4g})"
    )
    warnings = []
    if counts["stage"] and n > 1:
        warnings.append(
            f"{counts['stage']} of {n} tiles have no neighbour that fits: they lie where the stage says, and "
            "pores in their overlaps may be counted twice"
        )
    unsure = int((mosaic.margin < _UNSURE).sum())
    if unsure:
        warnings.append(
            f"{unsure} of {n} tiles may lie off by a lattice vector, as their overlaps show little but the "
            f"lattice (margin below {_UNSURE:g} in tiles.csv)"
        )
    if n > 3 and mosaic.stage_error_nm > 1.5 * error_nm:
        warnings.append(
            f"the stage is off by {mosaic.stage_error_nm:.2f} nm, not {error_nm:g} nm: say --stage-error "
            f"{mosaic.stage_error_nm:.2g} to look farther"
        )
    return lines, warnings


def _list_tiles(
    tiles: Tiles, places: NDArray[np.float64], done: NDArray[np.bool_], mosaic: Mosaic
) -> pd.DataFrame:
    """The rows of ``tiles.csv``."""
    import numpy as np
    import pandas as pd

    from porescope.files import printable

    sheet = np.full((len(done), 2), np.nan)
    residual, margin = np.full((2, len(done)), np.nan)
    sheet[done], residual[done], margin[done] = mosaic.sheet_nm, mosaic.residual_nm, mosaic.margin
    n_pairs, status = np.zeros(len(done), int), np.full(len(done), "failed", object)
    n_pairs[done], status[done] = mosaic.n_pairs, mosaic.status
    return pd.DataFrame(
        {
            "file": [printable(file) for file in tiles.files], "frame": tiles.frames,
            "stage_y_nm": places[:, 0], "stage_x_nm": places[:, 1],
            "sheet_y_nm": sheet[:, 0], "sheet_x_nm": sheet[:, 1],
            "residual_nm": residual, "n_pairs": n_pairs, "status": status, "margin": margin,
        }
    )  # fmt: skip


def _write(
    sheet: _Sheet,
    table: pd.DataFrame,
    tiles: Tiles,
    files: list[Path],
    said: dict[str, Any],
    options: dict[str, Any],
    out: Path,
) -> None:
    import numpy as np

    from porescope.files import FILES
    from porescope.mosaic import write_pyramid
    from porescope.pictures import draw_density, draw_sheet
    from porescope.runs import write_results

    mosaic, density = sheet.mosaic, sheet.density
    found = {
        "n_tiles": len(table), "n_pores": len(sheet.pores), "area_um2": density.area_um2,
        "pixel_size_nm": tiles.pixel_nm, "affine": mosaic.affine.tolist(),
        "stage_error_found_nm": mosaic.stage_error_nm,
    }  # fmt: skip
    at = sheet.pores[["sheet_y_nm", "sheet_x_nm"]].to_numpy(float)
    diameter = sheet.pores.equivalent_diameter_nm.to_numpy(float)
    with write_results(out, "map", ["porescope", *sys.argv[1:]], files, {**said, **found}) as folder:
        sheet.pores.to_csv(folder / FILES["pores"], index=False, float_format="%.8g")
        table.to_csv(folder / FILES["tiles"], index=False, float_format="%.8g")
        write_csv(folder / FILES["density_table"], density.tabulate())
        draw_density(density, at, folder / FILES["density"])
        doubtful = np.array([status != "placed" for status in mosaic.status])
        draw_sheet(
            lambda tile: open_as_asked(tiles.files[tile], options).read(tiles.frames[tile]).filled,
            sheet.layout, at, diameter, doubtful, folder / FILES["sheet"],
        )  # fmt: skip
        if said["zarr"]:
            write_pyramid(sheet.load, sheet.layout, folder / FILES["pyramid"])
    if not said["zarr"]:  # that of an earlier map, which this one replaces
        shutil.rmtree(out / FILES["pyramid"], ignore_errors=True)
