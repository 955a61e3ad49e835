"""The report of a run: one HTML file that opens without internet access."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from porescope.files import FILES, PICTURES, escape_hidden, list_stems, write_whole
from porescope.runs.run import Run
from porescope.runs.summary import describe_stack, list_warnings, summarize

if TYPE_CHECKING:
    import pandas as pd

#: Largest number of rows in the report's table of pores; ``pores.csv`` has them all.
_MAX_ROWS = 2000
#: Longest text of the record that the report shows [characters]; ``run.json`` has it all.
_MOST_TEXT = 5000
#: Largest number of images in the report; ``images.csv`` has them all.
_MAX_CARDS = 200

#: Largest number of stacks whose pores are drawn against the frame.
_MAX_STACKS = 12

#: Columns of the report's table of pores: column of ``pores.csv``, heading, number of decimals.
_TABLE = (
    ("image", "image", None), ("frame", "frame", 0), ("label", "label", 0),
    ("y_nm", "y [nm]", 2), ("x_nm", "x [nm]", 2), ("area_nm2", "area [nm²]", 3),
    ("equivalent_diameter_nm", "diameter [nm]", 3), ("equivalent_diameter_std_nm", "± [nm]", 3),
    ("feret_diameter_max_nm", "Feret max [nm]", 3), ("feret_diameter_min_nm", "Feret min [nm]", 3),
    ("circularity", "circularity", 2), ("confidence", "confidence", 2), ("missing_atoms", "missing atoms", 0),
    ("touches_border", "on border", None),
)  # fmt: skip


def write_report(run: Run, folder: Path) -> Path:
    """Write the report of a run into its folder.

    Parameters
    ----------
    run : Run
    folder : Path

    Returns
    -------
    Path
        The HTML file.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("porescope.runs", "."), autoescape=True, undefined=StrictUndefined,
        finalize=lambda value: escape_hidden(value) if isinstance(value, str) else value,
    )  # fmt: skip
    images, pores, summary = run.images, run.pores, summarize(run)
    # Failures come first; a stable sort keeps the rest in order.
    shown = images.sort_values("status", key=lambda s: s == "ok", kind="stable").head(_MAX_CARDS)
    cards = [_make_card(row, folder) for row in shown.to_dict("records")]
    columns = [(name, head, digits) for name, head, digits in _TABLE]
    html = environment.get_template("report.html.j2").render(
        run=_choose_facts(run.record),
        headline=summary.text,
        warnings=list_warnings(run),
        summary=summary,
        density=[_group(value) for value in summary.density] if summary.area_um2 else None,
        histogram=draw_histogram(summary.diameters_nm),
        stacks=[
            (rows.image.iloc[0], describe_stack(rows), _draw_counts(rows))
            for rows in summary.stacks[:_MAX_STACKS]
        ],
        cards=cards,
        n_left_out=len(images) - len(cards),
        columns=columns,
        rows=[
            [_format(row[name], digits) for name, _, digits in columns]
            for row in pores.head(_MAX_ROWS).to_dict("records")
        ],
        n_rows_left_out=max(0, len(pores) - _MAX_ROWS),
    )
    path = folder / FILES["report"]
    with write_whole(path) as part:
        part.write_text(html, encoding="utf-8")
    return path


def _choose_facts(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the report shows of ``run.json``, which may be another version's or forged: text and tables."""
    texts = ("version", "method", "recipe_name", "finished", "command", "python", "platform")
    tables = ("recipe", "recipe_provenance", "model", "libraries")
    given = {name: record.get(name) for name in (*texts, *tables)}
    return {
        **{name: "" if given[name] is None else str(given[name])[:_MOST_TEXT] for name in texts},
        **{name: given[name] if isinstance(given[name], dict) else {} for name in tables},
    }


def _make_card(row: Mapping[Any, Any], folder: Path) -> dict[str, Any]:
    stems = list_stems(row["image"], row["signal"], row["frame"])
    stem = next((s for s in stems if (folder / PICTURES / f"{s}_0.jpg").is_file()), row["image"])
    files = [folder / PICTURES / f"{stem}_{i}.jpg" for i in range(3)]
    pictures = [base64.b64encode(path.read_bytes()).decode() for path in files if path.is_file()]
    return {**row, "stem": stem, "pictures": [f"data:image/jpeg;base64,{text}" for text in pictures]}


def _group(value: float) -> str:
    """Three digits, thousands apart: 8,480."""
    return f"{float(f'{value:.3g}'):,g}"


def _format(value: Any, digits: int | None) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else ""
    if isinstance(value, float) and value != value:
        return ""
    return str(value) if digits is None else f"{value:.{digits}f}"


def draw_histogram(diameters: np.ndarray[Any, Any]) -> dict[str, Any] | None:
    """Lay out a histogram of diameters for the template.

    Parameters
    ----------
    diameters : ndarray of float, shape (n,)
        Equivalent diameters [nm].

    Returns
    -------
    dict or None
        Bars and ticks, in fractions of the plot's sides; None without pores.

    Examples
    --------
    >>> import numpy as np
    >>> histogram = draw_histogram(np.array([0.5, 0.52, 0.9]))
    >>> sum(bar["count"] for bar in histogram["bars"])
    3
    """
    if not len(diameters):
        return None
    low, high = float(diameters.min()), float(diameters.max())
    # Freedman and Diaconis' bin width, limited to between 5 and 40 bars.
    iqr = float(np.subtract(*np.percentile(diameters, (75, 25))))
    wanted = 2 * iqr / len(diameters) ** (1 / 3) or (high - low) / 10 or 0.1 * high
    step = _nice(min(max(wanted, (high - low) / 40), max((high - low) / 5, 1e-3 * high)))
    start = np.floor(low / step) * step
    edges = start + step * np.arange(int((high - start) / step + 1e-9) + 2)
    # Rounding must not exclude a pore.
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)
    counts, _ = np.histogram(diameters, edges)
    top = _nice(counts.max() / 4) if counts.max() > 4 else 1
    digits = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    every = int(np.ceil(len(edges) / 12))
    return {
        "bars": [
            {"x": i / len(counts), "height": c / counts.max(), "count": int(c),
             "range": f"{edges[i]:.{digits}f}–{edges[i + 1]:.{digits}f} nm"}
            for i, c in enumerate(counts)
        ],
        "width": 1 / len(counts),
        "x_ticks": [(i / len(counts), f"{edges[i]:.{digits}f}") for i in range(0, len(edges), every)],
        "y_ticks": [(t / counts.max(), f"{t:g}") for t in np.arange(0, counts.max() * 1.001, top)],
    }  # fmt: skip


def _draw_counts(frames: pd.DataFrame) -> dict[str, Any]:
    """Lay out the number of pores against the frame for the template.

    Parameters
    ----------
    frames : DataFrame
        Rows of a stack's frames, as in ``images.csv``.

    Returns
    -------
    dict
        Points and ticks, in fractions of the plot's sides.
    """
    x, y = frames.frame.to_numpy(), frames.n_pores.to_numpy(float)
    span, top = max(int(x.max() - x.min()), 1), max(float(y.max()), 1.0)
    step, rise = max(round(_nice(span / 8)), 1), _nice(top / 4) if top > 4 else 1.0
    return {
        "points": [((f - x.min()) / span, n / top) for f, n in zip(x.tolist(), y.tolist(), strict=True)],
        "x_ticks": [((f - x.min()) / span, f"{f}") for f in range(int(x.min()), int(x.max()) + 1, step)],
        "y_ticks": [(t / top, f"{t:g}") for t in np.arange(0, top * 1.001, rise)],
    }


def _nice(value: float) -> float:
    """Smallest of 1, 2, 5 times a power of ten that is not below the value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999))
