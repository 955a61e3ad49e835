"""The tables of a run in parts: written while it runs, read at any moment.

A part holds whole images. Its images are written last, after all else, each file whole or not at all, so that
a part counts once its images are there. Older versions wrote no bright sites.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from porescope.files import (
    PARTS,
    write_whole,
)
from porescope.measurement import PORE_COLUMNS
from porescope.network import EXCESS_COLUMNS
from porescope.runs.job import IMAGE_COLUMNS, ImageRecord
from porescope.runs.record import list_inputs, place_file, read_record
from porescope.storage import Address, put

if TYPE_CHECKING:
    import pandas as pd

#: Seconds after which a part is closed, and number of pores at which it is closed earlier.
PART_SECONDS, _PART_PORES = 5.0, 200_000
#: Columns of a part of ``images`` beside those of the table: number of images in the image's file, and names
#: of the files written for it.
HIDDEN = {"_n_images": "int64", "_outputs": "object"}


#: Kinds of tables that parts of older versions lack.
_MAY_LACK = ("excess",)


class PartWriter:
    """Collects the records of a run and writes them to its folder in parts.

    Parameters
    ----------
    out : Path
        Folder of the run.
    seconds : float
        Time after which a part is closed [s].
    store : Address, optional
        Folder in a store to which the parts are copied.
    """

    def __init__(self, out: Path, seconds: float = PART_SECONDS, store: Address | None = None) -> None:
        self.out, self.seconds, self.store = out, seconds, store
        for kind in PARTS:
            (out / kind).mkdir(parents=True, exist_ok=True)
        self._number = next_number(out)
        # By name and frame: an image whose worker died may come twice.
        self._records: dict[tuple[str, int], ImageRecord] = {}
        self._saved: set[tuple[str, int]] = set()
        self._pores, self._opened = 0, time.monotonic()

    def add(self, record: ImageRecord) -> None:
        """Add the record of one image; closes the part if it is old or large.

        Parameters
        ----------
        record : ImageRecord
        """
        key = record.row["image"], record.row["frame"]
        if key in self._saved:  # a part that is written again never mixes two results of an image
            self.close_part()
        if not self._records:
            self._opened = time.monotonic()
        self._records[key] = record
        self._pores += len(record.pores.get("label", ()))
        if time.monotonic() - self._opened > self.seconds or self._pores > _PART_PORES:
            self.close_part()

    def save(self) -> None:
        """Write the records collected so far; their part stays open and is written again as it grows."""
        if len(self._saved) < len(self._records):
            tables = make_tables(list(self._records.values()))
            write_part(self.out, f"{self._number:06d}", tables, self.store)
            self._saved = set(self._records)

    def close_part(self) -> None:
        """Write the records collected so far as a part."""
        if not self._records:
            return
        self.save()
        self._records, self._saved, self._pores = {}, set(), 0
        self._number += 1


def next_number(out: Path) -> int:
    """Find the number of the next part, which begins its name: of equal images the last part counts.

    Parameters
    ----------
    out : Path
        Folder of the run.

    Returns
    -------
    int
    """
    numbers = [int(path.stem[5:11]) for path in (out / "images").glob(f"part-{'[0-9]' * 6}*.parquet")]
    return max(numbers, default=-1) + 1


def write_part(out: Path, name: str, tables: Sequence[pd.DataFrame], store: Address | None = None) -> None:
    """Write a part of the tables.

    Parameters
    ----------
    out : Path
        Folder of the run.
    name : str
        Of the part: its number, six digits, and what else tells it from others.
    tables : sequence of DataFrame
        As `make_tables` returns them.
    store : Address, optional
        Folder in a store to which the part is copied; one that is there stays.
    """
    # The images last: with them the part counts.
    for kind, table in reversed(list(zip(PARTS, tables, strict=True))):
        with write_whole(out / kind / f"part-{name}.parquet") as part:
            table.to_parquet(part, index=False)
    if store is not None:
        for kind in reversed(PARTS):
            part = Path(kind) / f"part-{name}.parquet"
            put(out / part, store / part.as_posix(), once=True)


def make_tables(records: Sequence[ImageRecord]) -> list[pd.DataFrame]:
    """Make the tables of a part.

    Parameters
    ----------
    records : sequence of ImageRecord

    Returns
    -------
    list of DataFrame
        In the order of `PARTS`: rows of images, with the columns of `HIDDEN`; of their pores; of their
        candidates; of their bright sites.
    """
    import pandas as pd

    rows = [{**r.row, "_n_images": r.n_images, "_outputs": r.outputs} for r in records]
    images = pd.DataFrame(rows, columns=[*IMAGE_COLUMNS, *HIDDEN]).astype({**IMAGE_COLUMNS, **HIDDEN})
    return [
        images,
        _join([record.pores for record in records], PORE_COLUMNS),
        _join([record.candidates for record in records], PORE_COLUMNS),
        _join([record.excess for record in records], EXCESS_COLUMNS),
    ]


def _join(parts: Sequence[Mapping[str, NDArray[Any]]], kinds: Mapping[str, str]) -> pd.DataFrame:
    """One table of several images, with the types of its columns."""
    import pandas as pd

    filled = [columns for columns in parts if columns]
    return pd.DataFrame(
        {
            name: np.concatenate([columns[name] for columns in filled]) if filled else np.array([], object)
            for name in kinds
        }
    ).astype(dict(kinds))


def _list_parts(out: Path) -> list[Path]:
    """Parts that count, in the order in which they were written; not those that a power cut damaged."""
    parts = sorted((out / "images").glob("part-*.parquet"))
    return [path for path in parts if all(_is_whole(out / kind / path.name, kind) for kind in PARTS)]


def _is_whole(part: Path, kind: str) -> bool:
    import pyarrow.parquet as pq

    if kind in _MAY_LACK and not part.exists():
        return True
    try:
        pq.read_metadata(part)
    except (OSError, ValueError):  # pyarrow's own errors are among them
        return False
    return True


def _list_images(folder: Path) -> pd.DataFrame:
    """Part of every image, in the order of the inputs; of equal images the last one."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = ["image", "frame", "file", "sha256", "status", "_n_images"]
    tables = []
    for path in _list_parts(folder):
        with pq.ParquetFile(path) as file:  # pandas takes six times as long for each of thousands of parts
            table = file.read(columns=columns)
        tables.append(table.append_column("_part", pa.array([path.name] * len(table), pa.string())))
    if not tables:
        return pd.DataFrame(columns=[*columns, "_part"])
    listed: pd.DataFrame = pa.concat_tables(tables, promote_options="default").to_pandas()
    listed = listed.drop_duplicates(["image", "frame"], keep="last")
    # A stack whose file changed may have had more images before.
    last = listed.dropna(subset="sha256").drop_duplicates("image", keep="last")
    known = listed.image.map(last.set_index("image").sha256)
    listed = listed[listed.sha256.isna() | (listed.sha256 == known)]
    inputs = list_inputs(read_record(folder))
    order = listed.file.map({file: i for i, file in enumerate(inputs)}).fillna(len(inputs))
    return listed.assign(_order=order).sort_values(["_order", "image", "frame"], kind="stable")


def list_names(folder: Path) -> dict[str, str]:
    """List how a run named its files in the tables.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict
        Absolute path, as `printable` writes it → name.
    """
    images, record = _list_images(folder), read_record(folder)
    named = images[["file", "image"]].itertuples(index=False)
    return {place_file(record, file): name for file, name in named}


def list_outputs(folder: Path, record: Mapping[str, Any]) -> list[str]:
    """List the files that a run wrote, as its record and its parts name them.

    Parameters
    ----------
    folder : Path
    record : mapping
        The content of ``run.json``.

    Returns
    -------
    list of str
    """
    import pandas as pd

    names = record.get("outputs")
    outputs = list(map(str, names if isinstance(names, list) else []))
    for part in _list_parts(folder):
        with suppress(Exception):  # pyarrow has many kinds of error
            for written in pd.read_parquet(part, columns=["_outputs"])._outputs:
                outputs += map(str, written)
    return list(dict.fromkeys(outputs))


def iterate_tables(folder: Path) -> Iterator[list[pd.DataFrame]]:
    """Read the tables of a run from its parts, bit by bit, in the order of the inputs.

    Parameters
    ----------
    folder : Path

    Yields
    ------
    list of DataFrame
        As `make_tables` returns them.
    """
    listed = _list_images(folder)
    left = listed.groupby("_part").size().to_dict()
    loaded: dict[str, list[pd.DataFrame]] = {}
    for _, chunk in listed.groupby((listed._part != listed._part.shift()).cumsum(), sort=False):
        name = str(chunk._part.iloc[0])
        if name not in loaded:
            loaded[name] = _read_part(folder, name)
        keys = chunk[["image", "frame"]]
        yield [keys.merge(table, on=["image", "frame"], how="inner")[list(table)] for table in loaded[name]]
        left[name] -= len(chunk)
        if not left[name]:
            del loaded[name]


def _read_part(folder: Path, name: str) -> list[pd.DataFrame]:
    import pandas as pd

    tables = dict(zip(PARTS, make_tables([]), strict=True))
    for kind in PARTS:
        path = folder / kind / name
        if kind not in _MAY_LACK or path.is_file():
            tables[kind] = pd.read_parquet(path)
    images, *others = tables.values()
    return [images.drop_duplicates(["image", "frame"], keep="last"), *others]


#: Of each file, by its name in the tables: hash of its content → frames that are done, and whether these
#: are all of them.
Done = dict[str, dict[str, tuple[set[int], bool]]]


def list_done(folder: Path) -> Done:
    """List the images of a run that need not be processed again.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict
        Name of the file → hash of its content → frames that are done, and whether these are all. Failed
        images are not among them.
    """
    done: Done = {}
    listed = _list_images(folder)
    ok = listed[listed.status == "ok"]
    for name, sha256, frame, n in ok[["image", "sha256", "frame", "_n_images"]].itertuples(index=False):
        frames, _ = done.setdefault(name, {}).get(sha256, (set(), False))
        frames.add(frame)
        done[name][sha256] = frames, len(frames) == n
    return done
