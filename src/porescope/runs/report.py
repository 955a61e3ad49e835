"""The report of a run: one HTML file that opens without internet access."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from porescope.files import FILES, PICTURES, describe_counts, write_whole
from porescope.lattice import warn_of_pixel_sizes
from porescope.runs.parts import Run

#: Largest number of rows in the report's table of pores; ``pores.csv`` has them all.
_MAX_ROWS = 2000
#: Largest number of images in the report; ``images.csv`` has them all.
_MAX_CARDS = 200

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
        loader=PackageLoader("porescope.runs", "."), autoescape=True, undefined=StrictUndefined
    )
    images, pores = run.images, run.pores
    done = images[images.status == "ok"]
    area_um2 = float((done.height_px * done.width_px * done.pixel_size_nm**2).sum()) / 1e6
    counted = (
        float((done.density_per_um2 * done.height_px * done.width_px * done.pixel_size_nm**2).sum()) / 1e6
    )
    # Failures come first; a stable sort keeps the rest in order.
    shown = images.sort_values("status", key=lambda s: s == "ok", kind="stable").head(_MAX_CARDS)
    cards = [_make_card(row, folder) for row in shown.to_dict("records")]
    columns = [(name, head, digits) for name, head, digits in _TABLE]
    html = environment.get_template("report.html.j2").render(
        run=run.record,
        headline=describe_counts(len(pores), len(done)),
        warnings=list_warnings(run),
        n_failed=len(images) - len(done),
        n_pores=len(pores),
        n_border=int(pores.touches_border.sum()),
        median=float(pores.equivalent_diameter_nm.median()) if len(pores) else None,
        density=f"{float(f'{counted / area_um2:.3g}'):,g}" if area_um2 else None,
        porosity=float(pores.area_nm2.sum()) / area_um2 / 1e6 if area_um2 else None,
        area_um2=area_um2,
        histogram=draw_histogram(pores.equivalent_diameter_nm.to_numpy()),
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


def list_warnings(run: Run) -> list[str]:
    """List what the user must know of a run as a whole: pixel sizes that the crystal contradicts.

    Parameters
    ----------
    run : Run

    Returns
    -------
    list of str
    """
    done = run.images[run.images.status == "ok"]
    corrected = (done.pixel_size_source == "lattice").to_numpy(bool)
    constants = done.lattice_constant_nm.to_numpy(float)
    return warn_of_pixel_sizes(constants, corrected, run.record.get("material"))


def _make_card(row: Mapping[Any, Any], folder: Path) -> dict[str, Any]:
    frame = f"{row['image']}_{row['frame']:04d}"
    stem = frame if (folder / PICTURES / f"{frame}_0.jpg").is_file() else row["image"]
    files = [folder / PICTURES / f"{stem}_{i}.jpg" for i in range(3)]
    pictures = [base64.b64encode(path.read_bytes()).decode() for path in files if path.is_file()]
    return {**row, "stem": stem, "pictures": [f"data:image/jpeg;base64,{text}" for text in pictures]}


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


def _nice(value: float) -> float:
    """Smallest of 1, 2, 5 times a power of ten that is not below the value."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999))
