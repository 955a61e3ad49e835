"""The final tables of a run, as CSV and Parquet, made from its parts."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from porescope.files import FILES, PARTS, escape_hidden, write_whole
from porescope.measurement import PORE_COLUMNS
from porescope.network import EXCESS_COLUMNS
from porescope.runs.job import IMAGE_COLUMNS
from porescope.runs.parts import HIDDEN, iterate_tables, make_tables
from porescope.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd


def write_tables(folder: Path) -> list[str]:
    """Write the final tables of a run, those of `PARTS`, as CSV and Parquet, from the parts.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of str
        Names of the files, those of the images first.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    empty = [table.drop(columns=list(HIDDEN), errors="ignore") for table in make_tables([])]
    csvs = [folder / FILES[kind] for kind in PARTS]
    parquets = [path.with_suffix(".parquet") for path in csvs]
    outputs: list[str] = []
    with ExitStack() as stack:
        writers, texts = [], []
        for table, csv, parquet in zip(empty, csvs, parquets, strict=True):
            schema = pa.Table.from_pandas(table, preserve_index=False).schema
            writers.append(
                stack.enter_context(pq.ParquetWriter(stack.enter_context(write_whole(parquet)), schema))
            )
            # Excel takes a table without a byte order mark for Latin-1; messages hold µ, ± and Å.
            encoding = "utf-8-sig" if csv.name == FILES["images"] else "utf-8"
            text = stack.enter_context(write_whole(csv)).open("w", encoding=encoding, newline="")
            texts.append(stack.enter_context(text))
            table.to_csv(text, index=False)
        for tables in iterate_tables(folder):
            outputs += [name for names in tables[0]._outputs for name in names]
            for table, known, writer, text in zip(tables, empty, writers, texts, strict=True):
                rows = table[list(known)]
                _escape_text(rows).to_csv(text, index=False, header=False, float_format="%.6g")
                writer.write_table(pa.Table.from_pandas(rows, schema=writer.schema, preserve_index=False))
    return [*outputs, *(path.name for path in (*csvs, *parquets))]


def _escape_text(table: pd.DataFrame) -> pd.DataFrame:
    """Make text safe in CSV: no hidden characters, nothing that a spreadsheet would run as a formula."""
    kinds = {**EXCESS_COLUMNS, **IMAGE_COLUMNS, **PORE_COLUMNS}
    texts = [str(name) for name in table if kinds.get(str(name)) == "str"]
    return table.assign(**{name: table[name].map(_escape, na_action="ignore") for name in texts})


def _escape(text: str) -> str:
    escaped = escape_hidden(text)
    return f"'{escaped}" if escaped.startswith(("=", "+", "-", "@")) else escaped


def refresh_tables(folder: Path, run: Run) -> None:
    """Write the final tables again, if the run has parts; those of a finished run stay as they are.

    Parameters
    ----------
    folder : Path
    run : Run
    """
    if run.record.get("state", "finished") != "finished":
        write_tables(folder)
