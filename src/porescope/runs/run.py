"""A run, read at any moment: from its parts while it runs, from its final tables afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.files import DETECT_ENDINGS, ENDINGS, FILES, NEXT, PARTS, hash_file, list_stems
from porescope.measurement import PORE_COLUMNS, is_counted
from porescope.micrograph import Micrograph
from porescope.network import EXCESS_COLUMNS
from porescope.reading import open_images
from porescope.runs.job import IMAGE_COLUMNS
from porescope.runs.parts import iterate_tables, list_outputs, make_tables, write_part
from porescope.runs.record import place_file, read_record

if TYPE_CHECKING:
    import pandas as pd

#: Value of a clean pixel in ``NAME_field.tif``.
_CLEAN = 1


class Run(NamedTuple):
    """A run, as far as it has come."""

    images: pd.DataFrame  # one row for each image
    pores: pd.DataFrame  # one row for each pore
    record: dict[str, Any]  # the content of ``run.json``


class CleanField(NamedTuple):
    """Where one image was clean, and its pores there."""

    pores: pd.DataFrame  # rows of its pores whose centre is in the clean area
    mask: NDArray[np.bool_]  # (M, N)
    pixel_nm: float
    n_counted: int  # pores that count for the density of the clean area


def read_run(folder: str | Path) -> Run:
    """Read a run at any moment, also one that is running or was stopped.

    Parameters
    ----------
    folder : str or Path
        As given to ``porescope detect -o``.

    Returns
    -------
    Run
        In the order of the inputs. If an image was processed again, the last result counts.

    Raises
    ------
    ValueError
        If the folder holds no run.

    Examples
    --------
    >>> read_run("nowhere")
    Traceback (most recent call last):
    ...
    ValueError: nowhere holds no run of porescope; give the folder that porescope detect wrote
    """
    (images, pores, *_), record = read_tables(Path(folder))
    return Run(images, pores, record)


def read_candidates(folder: str | Path) -> pd.DataFrame:
    """Read the regions that a run dropped as too uncertain, at any moment.

    Parameters
    ----------
    folder : str or Path
        As given to ``porescope detect -o``.

    Returns
    -------
    DataFrame
        With the columns of the pores. Empty for runs of older versions.

    Raises
    ------
    ValueError
        If the folder holds no run.
    """
    return read_tables(Path(folder))[0][2]


def read_excess(folder: str | Path) -> pd.DataFrame:
    """Read the bright sites of a run, at any moment.

    Parameters
    ----------
    folder : str or Path
        As given to ``porescope detect -o``.

    Returns
    -------
    DataFrame
        With the columns of `EXCESS_COLUMNS`. Empty for runs of older versions.

    Raises
    ------
    ValueError
        If the folder holds no run.
    """
    return read_tables(Path(folder))[0][3]


def read_tables(folder: Path) -> tuple[list[pd.DataFrame], dict[str, Any]]:
    """Read all of a run as it is at one moment.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of DataFrame
        In the order of `PARTS`: of the images, their pores, their candidates, their bright sites.
    dict
        The content of ``run.json``.

    Raises
    ------
    ValueError
        If the folder holds no run.
    """
    while True:
        record = read_record(folder)
        try:
            tables = _read_now(folder, record)
        except (OSError, ValueError):
            if read_record(folder) == record:
                raise
        else:
            if read_record(folder) == record:
                return tables, record
        # It went on meanwhile: what was read may be of two states, such as parts that were just removed.


def _read_now(folder: Path, record: dict[str, Any]) -> list[pd.DataFrame]:
    import pandas as pd

    if not record and read_record(folder / NEXT).get("state") == "finished":
        raise ValueError(f"{folder} is half replaced by a new run; porescope report {folder} completes that")
    if not _has_final_tables(folder, record):
        parts = list(iterate_tables(folder))
        if not parts and not record:
            raise ValueError(
                f"{folder} holds no run of porescope; give the folder that porescope detect wrote"
            )
        parts = parts or [make_tables([])]
        images, *others = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
        return [images[list(IMAGE_COLUMNS)], *others]
    return [_read_table(folder, kind) for kind in PARTS]


def _has_final_tables(folder: Path, record: Mapping[str, Any]) -> bool:
    """Say whether a run has ended; a run of an older version has no state, and had ended if it had tables."""
    return record.get("state", "finished") == "finished" and _find_table(folder, "images") is not None


def _find_table(folder: Path, kind: str) -> Path | None:
    csv = folder / FILES[kind]
    return next((path for path in (csv.with_suffix(".parquet"), csv) if path.is_file()), None)


def _read_table(folder: Path, kind: str) -> pd.DataFrame:
    """Read a final table, of this or an older version."""
    import pandas as pd

    path = _find_table(folder, kind)
    if path is None:  # whoever has the images alone has no pores, and older versions kept no candidates
        return make_tables([])[PARTS.index(kind)]
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except Exception as error:  # pyarrow has many kinds of error
        raise ValueError(f"{path} cannot be read ({type(error).__name__}); is it whole?") from None
    columns = {"images": IMAGE_COLUMNS, "excess": EXCESS_COLUMNS}.get(kind, PORE_COLUMNS)
    if "message" in table:  # CSV knows no empty text
        table = table.assign(message=table.message.astype("str").fillna(""))
    if "image" not in table:
        raise ValueError(f"{path} is not porescope's: it lacks the column image")
    if "frame" not in table:
        table = table.assign(frame=0)
    if "edited" not in table and kind in ("pores", "candidates"):  # older versions knew no corrections
        table = table.assign(edited=False)
    # Columns that an older version did not know are unknown.
    return table.reindex(columns=[*columns, *(name for name in table if name not in columns)])


def read_fields(folder: Path, run: Run) -> list[CleanField]:
    """Read where the images of a run were clean.

    Parameters
    ----------
    folder : Path
        Of the run.
    run : Run

    Returns
    -------
    list of CleanField
        One for each image that was processed; of a stack, whose frames show the same pores, the first frame.
        Without its label image the count is that of ``images.csv``.

    Raises
    ------
    ValueError
        If a file of the run cannot be read or has another shape.
    """
    done = run.images[run.images.status == "ok"]
    first = done.sort_values("frame", kind="stable").drop_duplicates("image").sort_index()
    is_stack = done.groupby("image").frame.transform("size") > 1
    groups = dict(list(run.pores.groupby(["image", "frame"])))
    fields = []
    for index, row in zip(first.index, first.to_dict("records"), strict=True):
        pores = groups.get((row["image"], row["frame"]), run.pores.iloc[:0])
        stems = list_stems(row["image"], row["signal"], row["frame"])
        if not is_stack[index]:  # else the file of another image, named a_0000, would be taken
            stems = stems[::-1]
        fields.append(_read_field(folder, row, pores, [stem for stem in stems if Path(stem).name == stem]))
    return fields


def read_labels(folder: Path, row: Mapping[Any, Any]) -> NDArray[np.integer]:
    """Read the label image of one image of a run.

    Parameters
    ----------
    folder : Path
        Of the run.
    row : mapping
        Of ``images.csv``.

    Returns
    -------
    ndarray of int, shape (M, N)

    Raises
    ------
    ValueError
        If there is none, or it cannot be read or has another shape.
    """
    stems = [s for s in list_stems(row["image"], row["signal"], row["frame"]) if Path(s).name == s]
    shape = int(row["height_px"]), int(row["width_px"])
    # An image by itself has no number in its name; of a stack, the frame after the first has one for sure.
    labels = read_image(folder, stems if row["frame"] else stems[::-1], "labels", shape)
    if labels is None:
        raise ValueError(f"{folder} lacks the label image of {row['image']}; run detection again")
    return labels


def _read_field(folder: Path, row: dict[Any, Any], pores: pd.DataFrame, stems: list[str]) -> CleanField:
    shape = int(row["height_px"]), int(row["width_px"])
    pixel = float(row["pixel_size_nm"])
    mapped, labels = (read_image(folder, stems, kind, shape) for kind in ("field", "labels"))
    # A view: an image without a map takes no memory.
    mask = np.broadcast_to(np.True_, shape) if mapped is None else mapped == _CLEAN
    at = np.rint(pores[["y_px", "x_px"]].to_numpy(float)).astype(int)
    pores = pores[mask[tuple(np.clip(at, 0, np.array(shape) - 1).T)]]
    if labels is None:
        counted = round(row["density_per_um2"] * mask.size * pixel**2 / 1e6)
    else:
        field = None if mapped is None else mask
        counted = int(is_counted(labels, pores.label.to_numpy(int), field).sum())
    return CleanField(pores, mask, pixel, counted)


def read_image(
    folder: Path, stems: list[str], kind: str, shape: tuple[int, int]
) -> NDArray[np.integer] | None:
    """Read a label image or the map of a field.

    Parameters
    ----------
    folder : Path
        Of the run.
    stems : list of str
        What its name may begin with.
    kind : {"labels", "field"}
    shape : tuple of int
        Rows and columns of its image.

    Returns
    -------
    ndarray of int, shape (M, N), or None
        None if there is none.

    Raises
    ------
    ValueError
        If it cannot be read or has another shape.
    """
    import tifffile

    path = next((p for stem in stems if (p := folder / f"{stem}{ENDINGS[kind]}").is_file()), None)
    if path is None:
        return None
    try:
        image = np.asarray(tifffile.imread(path))
    except Exception as error:  # tifffile has many kinds of error
        raise ValueError(f"{path} cannot be read ({type(error).__name__}: {error})") from None
    if image.shape != shape:
        raise ValueError(f"{path} has shape {image.shape}, not that of its image, {shape}")
    return image


def read_micrograph(record: Mapping[str, Any], row: Mapping[str, Any]) -> Micrograph:
    """Read an image of a run again, as the run read it.

    Parameters
    ----------
    record : mapping
        The content of ``run.json``.
    row : mapping
        The image's row of ``images.csv``.

    Returns
    -------
    Micrograph
        Without what the lattice corrects of its pixel size.

    Raises
    ------
    OSError, ValueError
        If the file is gone, cannot be read, or has changed since.
    """
    path = Path(place_file(record, str(row["file"])))
    if not path.is_file():
        raise ValueError(f"{path} is gone; the run needs it where it was")
    if hash_file(path) != row["sha256"]:
        raise ValueError(f"{path} has changed since the run; run porescope detect again")
    images = open_images(
        path,
        pixel_size=record.get("pixel_size_nm"),
        modality=record.get("modality") or "auto",
        signal=record.get("signal"),
    )
    return replace(images.read(int(row["frame"])), name=str(row["image"]))


def restore_parts(folder: Path) -> None:
    """Make a part of the final tables of a finished run, so that it can be gone on with.

    Parameters
    ----------
    folder : Path
    """
    record = read_record(folder)
    if _has_final_tables(folder, record):
        copy_tables(folder, folder, record, [_read_table(folder, kind) for kind in PARTS])


def copy_tables(folder: Path, out: Path, record: Mapping[str, Any], tables: Sequence[pd.DataFrame]) -> None:
    """Make the first part of a run of the tables of another one.

    Parameters
    ----------
    folder : Path
        Of the other run.
    out : Path
        Of the run that gets the part.
    record : mapping
        The content of the other run's ``run.json``.
    tables : sequence of DataFrame
        In the order of `PARTS`: of the images, their pores, their candidates, their bright sites.
    """
    import pandas as pd

    images, *others = tables
    outputs = set(list_outputs(folder, record))
    stems = [
        next((s for s in stems if f"{s}{ENDINGS['labels']}" in outputs), stems[0])
        for stems in map(list_stems, images.image, images.signal, images.frame)
    ]
    images = images.assign(
        _n_images=images.groupby("image").image.transform("size"),
        _outputs=pd.Series(
            [[stem + e for e in DETECT_ENDINGS if stem + e in outputs] for stem in stems], dtype=object
        ),
    )
    for kind in PARTS:
        (out / kind).mkdir(exist_ok=True)
    write_part(out, "000000", [images, *others])
