"""Picture of the conductance of pores: against their diameter, and of the membrane, with what was assumed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from porescope.files import write_whole
from porescope.membrane import Assumptions, Currents, Measured, Membrane, Range, conduct_circle

#: Colours of the models in Okabe and Ito's palette.
_COLOURS = {"circle": "#0072B2", "ellipse": "#0072B2", "bounds": "#D55E00", "function": "#009E73"}
#: Most pores that are drawn with their ranges.
_MOST_RANGES = 500


def draw_conductance(
    currents: Currents,
    membrane: Membrane | None,
    measured: Measured | None,
    assumptions: Assumptions,
    words: Sequence[str],
    file: Path,
) -> None:
    """Draw the conductance of each pore against its diameter, and the membrane's beside.

    Parameters
    ----------
    currents : Currents
    membrane : Membrane or None
    measured : Measured or None
    assumptions : Assumptions
    words : sequence of str
        What was assumed; written above.
    file : Path
        The PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_pores(left, currents, assumptions)
    _draw_totals(right, currents, membrane, measured)
    figure.suptitle("\n".join(words), fontsize=8, parse_math=False)
    with write_whole(file) as part:
        figure.savefig(part, dpi=110, format="png")


def _draw_pores(ax: Any, currents: Currents, assumptions: Assumptions) -> None:
    table = currents.table
    diameter, g = table.equivalent_diameter_nm.to_numpy(float), table.g_ns.to_numpy(float)
    largest = float(np.nanmax(diameter, initial=1.0)) if len(table) else 1.0
    d = np.linspace(assumptions.cutoff_nm, 1.1 * max(largest, 1.5 * assumptions.cutoff_nm), 200)
    low, value, high, _ = assumptions.thickness
    if assumptions.function is None:
        limits = [conduct_circle(d, thickness, assumptions.sigma_s_m) for thickness in (high, low)]
        ax.fill_between(d, *limits, color="#d5dbe1", label="round pore, range of the thickness")
        ax.plot(d, conduct_circle(d, value, assumptions.sigma_s_m), color="#3a4552", lw=1, label="round pore")
    for model in sorted(set(table.model)):
        its = (table.model == model).to_numpy() & table.open.to_numpy(bool)
        colour = _COLOURS[model]
        if len(table) <= _MOST_RANGES:
            ax.vlines(
                diameter[its], table.g_low_ns[its], table.g_high_ns[its], color=colour, lw=0.6, alpha=0.6
            )
        ax.plot(diameter[its], g[its], "o", ms=3.5, color=colour, label=f"pores: {model}")
    closed = ~table.open.to_numpy(bool)
    ax.plot(
        diameter[closed], np.zeros(closed.sum()), "x", ms=4, color="#9aa3ad", label=f"closed: {closed.sum()}"
    )
    ax.axvline(assumptions.cutoff_nm, color="#9aa3ad", ls=":", lw=1)
    ax.set(xlabel="equivalent diameter [nm]", ylabel="conductance [nS]", ylim=(0, None), xlim=(0, None))
    ax.legend(fontsize=7, frameon=False)


def _draw_totals(ax: Any, currents: Currents, membrane: Membrane | None, measured: Measured | None) -> None:
    rows: list[tuple[str, float, Range | None]] = [
        ("sum of the pores seen", float(np.nansum(currents.table.g_ns)), None)
    ]
    if membrane is not None:
        rows = [
            ("membrane: sum", membrane.sum_ns.value, membrane.sum_ns),
            ("membrane: interacting", membrane.interacting_ns.value, membrane.interacting_ns),
            ("window's cap", membrane.cap_ns, None),
        ]
    if measured is not None:
        rows.append(("measured", measured.g_ns, None))
    for i, (_, value, limits) in enumerate(rows):
        ax.barh(i, value, color="#56B4E9", height=0.6)
        if limits is not None:
            ax.hlines(i, limits.low, limits.high, color="#3a4552", lw=2)
        ax.annotate(f"{value:.3g}", (value, i), xytext=(3, 6), textcoords="offset points", fontsize=8)
    ax.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel("conductance [nS]")
    ax.margins(x=0.15)
