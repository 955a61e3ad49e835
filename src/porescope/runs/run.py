"""A run, read at any moment: from its parts while it runs, from its final tables afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from porescope.files import DETECT_ENDINGS, ENDINGS, FILES, NEXT, PARTS, list_stems
from porescope.measurement import PORE_COLUMNS
from porescope.runs.job import IMAGE_COLUMNS
from porescope.runs.parts import iterate_tables, list_outputs, make_tables, write_part
from porescope.runs.record import read_record

if TYPE_CHECKING:
    import pandas as pd


class Run(NamedTuple):
    """A run, as far as it has come."""

    images: pd.DataFrame  # one row for each image
    pores: pd.DataFrame  # one row for each pore
    record: dict[str, Any]  # the content of ``run.json``


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
    (images, pores, _), record = _read_whole(Path(folder))
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
    return _read_whole(Path(folder))[0][2]


def _read_whole(folder: Path) -> tuple[list[pd.DataFrame], dict[str, Any]]:
    """The tables of a run, in the order of `PARTS`, and its record: all of one moment."""
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
        return make_tables([])[1]
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except Exception as error:  # pyarrow has many kinds of error
        raise ValueError(f"{path} cannot be read ({type(error).__name__}); is it whole?") from None
    columns = IMAGE_COLUMNS if kind == "images" else PORE_COLUMNS
    if "message" in table:  # CSV knows no empty text
        table = table.assign(message=table.message.astype("str").fillna(""))
    if "image" not in table:
        raise ValueError(f"{path} is not porescope's: it lacks the column image")
    if "frame" not in table:
        table = table.assign(frame=0)
    # Columns that an older version did not know are unknown.
    return table.reindex(columns=[*columns, *(name for name in table if name not in columns)])


def restore_parts(folder: Path) -> None:
    """Make a part of the final tables of a finished run, so that it can be gone on with.

    Parameters
    ----------
    folder : Path
    """
    import pandas as pd

    record = read_record(folder)
    if not _has_final_tables(folder, record):
        return
    images, *others = (_read_table(folder, kind) for kind in PARTS)
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
        (folder / kind).mkdir(exist_ok=True)
    write_part(folder, 0, [images, *others])
