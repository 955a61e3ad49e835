"""What ``detect`` prints at the end of a run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porescope.cli.console import put, say

if TYPE_CHECKING:
    import pandas as pd

    from porescope.runs import Run

#: Most rows of images and of failures, and most messages, that are printed; ``images.csv`` has them all.
_MOST_ROWS, _MOST_MESSAGES = 20, 8


def print_summary(run: Run, out: Path, messages: bool = True) -> None:
    """Print warnings, a row for each image, messages with their counts, the totals, a foreign network.

    Parameters
    ----------
    run : Run
    out : Path
        Folder of the results.
    messages : bool
        Whether to print messages, which may have been said already.
    """
    from rich.console import Console
    from rich.table import Table

    from porescope.files import FILES, escape_hidden
    from porescope.network import SHIPPED_SHA256
    from porescope.runs import list_warnings, summarize

    table = Table(box=None, pad_edge=False)
    for head in ("image", "pores", "median diameter [nm]", "density [1/µm²]", "95 % interval"):
        table.add_column(head, justify="left" if head == "image" else "right")
    summary = summarize(run)
    for row in summary.images.to_dict("records") if len(summary.images) <= _MOST_ROWS else ():
        table.add_row(*map(escape_hidden, _summarise(row)))
    for frames in summary.stacks[:_MOST_ROWS]:
        table.add_row(escape_hidden(frames.image.iloc[0]), *_summarise_stack(frames))
    console = Console(highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())
    for warning in list_warnings(run):
        console.print(f"Warning: {warning}.", style="bold yellow")
    if table.rows:
        console.print(table)
    if messages:
        _print_messages(run)
    put(summary.text)
    if summary.median_nm is not None:
        put(f"median diameter {summary.median_nm:.3f} nm{', all frames' if summary.counts_frames else ''}")
    model = run.record.get("model")
    if isinstance(model, dict) and model.get("sha256") != SHIPPED_SHA256:
        put(f"network: {model.get('file')}, SHA-256 {str(model.get('sha256'))[:8]}…, not the shipped one")
    put(f"report: {out / FILES['report']}")


def _print_messages(run: Run) -> None:
    """Print the failures, and the messages of the other images with their counts."""
    from porescope.runs import count_messages

    bad = run.images[run.images.status != "ok"].to_dict("records")
    for row in bad[:_MOST_ROWS]:
        say(f"{_name(row)} failed:")
        say(f"    {row['message']}")
    if len(bad) > _MOST_ROWS:
        say(f"The first {_MOST_ROWS} of {len(bad)} failures; all stand in images.csv.")
    told = count_messages(run)
    for message, n in told[:_MOST_MESSAGES]:
        say(f"{n} of {len(run.images)} images: {message}.")
    if len(told) > _MOST_MESSAGES:
        say(f"{len(told) - _MOST_MESSAGES} further messages stand in images.csv.")


def _name(row: Mapping[Any, Any]) -> str:
    return row["image"] if row["frame"] == 0 else f"{row['image']} [{row['frame']}]"


def _write_density(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _summarise(row: Mapping[Any, Any]) -> tuple[str, ...]:
    median, interval = row["median_diameter_nm"], (row["density_low_per_um2"], row["density_high_per_um2"])
    return (
        _name(row),
        str(row["n_pores"]),
        f"{median:.3f}" if median == median else "",
        _write_density(row["density_per_um2"]),
        " to ".join(map(_write_density, interval)) if interval[0] == interval[0] else "",
    )


def _summarise_stack(frames: pd.DataFrame) -> tuple[str, ...]:
    medians = frames.median_diameter_nm.dropna()
    return (
        f"{frames.n_pores.mean():.3g} a frame",
        f"{medians.median():.3f}" if len(medians) else "",
        _write_density(frames.density_per_um2.mean()),
        f"{len(frames)} frames",
    )
