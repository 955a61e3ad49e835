"""What commands on results share: their options, the tables that they read, print and write."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from porescope.cli.console import put

if TYPE_CHECKING:
    import pandas as pd

    from porescope.runs import Run

Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="DIR", help="Folder of the results. Default: nothing is written."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the results of such a command.")]
Seed = Annotated[int, typer.Option(help="Seed of the random draws.")]

#: Most rows of a table that are printed.
_MOST_ROWS = 20


class Pores(NamedTuple):
    """Pores that a command works on."""

    table: pd.DataFrame
    run: Run | None  # None: the table is the user's own
    files: list[Path]  # that were read

    @property
    def shares(self) -> Any:
        """How much of a membrane each pore is: the frames of a stack show the same one."""
        import numpy as np

        if self.run is None:
            return np.ones(len(self.table))
        done = self.run.images[self.run.images.status == "ok"]
        frames = done.groupby("image").size()
        return 1 / self.table.image.map(frames).fillna(1).to_numpy(float)


def read_pores(given: Path) -> Pores:
    """Read the pores of a run, or a table of the user's own.

    Parameters
    ----------
    given : Path
        Folder of a run, or a CSV or Parquet file.

    Returns
    -------
    Pores

    Raises
    ------
    ValueError
        If it is neither.
    """
    import pandas as pd

    from porescope.files import FILES
    from porescope.runs import read_run

    if given.is_dir():
        run = read_run(given)
        files = [given / FILES[kind] for kind in ("pores", "images")]
        return Pores(run.pores, run, [path for path in files if path.is_file()])
    if not given.exists():
        raise ValueError(f"{given} does not exist; give the folder of a run, or a table of pores")
    try:
        table = pd.read_parquet(given) if given.suffix == ".parquet" else pd.read_csv(given)
    except Exception as error:  # pandas has many kinds of error
        raise ValueError(
            f"{given} is neither the folder of a run nor a table ({type(error).__name__}: {error})"
        ) from None
    return Pores(table, None, [given])


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a record; numbers that are not known are null.

    Parameters
    ----------
    path : Path
    content : mapping
    """
    path.write_text(json.dumps(_clean(content), indent=1, ensure_ascii=False), encoding="utf-8")


def _clean(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(k): _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    if hasattr(value, "tolist"):
        return _clean(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV.

    Parameters
    ----------
    path : Path
    table : DataFrame
    """
    table.to_csv(path, index=False, float_format="%.6g")


def print_table(table: pd.DataFrame) -> None:
    """Print the first rows of a table.

    Parameters
    ----------
    table : DataFrame
    """
    from rich.console import Console
    from rich.table import Table

    from porescope.files import escape_hidden

    shown = Table(box=None, pad_edge=False)
    for name in table:
        is_number = table[name].dtype.kind in "if"
        shown.add_column(str(name), justify="right" if is_number else "left")
    for row in table.head(_MOST_ROWS).itertuples(index=False):
        cells = (f"{v:.4g}" if isinstance(v, float) else str(v) for v in row)
        shown.add_row(*map(escape_hidden, cells))
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 140).print(shown)
    if len(table) > _MOST_ROWS:
        put(f"… {len(table) - _MOST_ROWS} more")


def write_range(value: float, low: float, high: float, unit: str = "") -> str:
    """Write a value with its range.

    Parameters
    ----------
    value, low, high : float
    unit : str
        With a space before it.

    Returns
    -------
    str
        Without a range if there is none.
    """
    text = f"{value:.4g}{unit}"
    return f"{text} ({low:.4g} to {high:.4g})" if low < high else text
