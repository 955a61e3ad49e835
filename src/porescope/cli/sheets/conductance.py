"""The command conductance: what current the pores of a sheet let through."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from porescope.cli.console import put, read_length, read_material, say, stop
from porescope.cli.sheets.tables import (
    Out,
    Overwrite,
    Pores,
    Seed,
    print_table,
    read_pores,
    write_csv,
    write_json,
    write_range,
)
from porescope.materials import MATERIALS

if TYPE_CHECKING:
    from porescope.membrane import Assumptions, Currents, Measured, Membrane

app = typer.Typer()

#: Conductivity of 0.1 M KCl [S/m], at and below which the charge of the surface matters.
_DILUTE = 1.3

RunOrTable = Annotated[
    Path | None,
    typer.Argument(
        metavar="[OUT|TABLE]", help="Folder of a run of porescope detect, or a table of pores (CSV, Parquet)."
    ),
]


def _read_thickness(text: str) -> tuple[float, float, float]:
    """Read a thickness: NM, or LOW:NM:HIGH."""
    numbers = [read_length(part) for part in text.split(":")]
    if len(numbers) == 1:
        return numbers[0], numbers[0], numbers[0]
    if len(numbers) != 3 or sorted(numbers) != numbers:
        raise typer.BadParameter(f"it must be NM or LOW:NM:HIGH, such as 0.7 or 0.6:0.7:1.7, not {text}")
    return numbers[0], numbers[1], numbers[2]


@app.command()
def conductance(
    given: RunOrTable = None,
    salt: Annotated[
        str | None, typer.Option(metavar="'1 M KCl'", help="The solution: KCl, NaCl or LiCl; M or mol/kg.")
    ] = None,
    temperature: Annotated[float, typer.Option(metavar="°C", help="Temperature of the solution.")] = 25.0,
    sigma: Annotated[
        float | None,
        typer.Option(metavar="S/m", help="Measured conductivity of the solution, in place of --salt."),
    ] = None,
    material: Annotated[
        str | None,
        typer.Option(
            metavar="WS2",
            parser=read_material,
            autocompletion=lambda: list(MATERIALS),
            help="The crystal, which says the effective thickness. Default: as the run says.",
        ),
    ] = None,
    thickness: Annotated[
        Any,
        typer.Option(
            metavar="NM|LOW:NM:HIGH",
            parser=_read_thickness,
            help="Effective thickness of the membrane, with its range. Default: by the material.",
        ),
    ] = None,
    window: Annotated[
        Any,
        typer.Option(
            metavar="NM",
            parser=read_length,
            help="Diameter of the membrane's window. Default: only the pores seen count.",
        ),
    ] = None,
    cutoff: Annotated[
        float | None,
        typer.Option(metavar="NM", min=0, help="Diameter below which a pore is closed. Default: 0.6 nm."),
    ] = None,
    measured: Annotated[
        str | None,
        typer.Option(
            metavar="nS|FILE",
            help="Measured conductance, or a CSV file with the columns voltage_mV and current_nA; the "
            "diameter of the one pore that explains it is printed.",
        ),
    ] = None,
    function: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.py:NAME",
            help="Function of your own in place of the formulas: diameters [nm], thickness [nm], "
            "conductivity [S/m] → conductances [nS].",
        ),
    ] = None,
    out: Out = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Estimate the ionic conductance of each pore and of the membrane, with ranges and what was assumed."""
    from porescope.files import FILES
    from porescope.membrane import read_measured
    from porescope.runs import check_folder, check_results

    try:
        if given is None and measured is None:
            raise ValueError("give the folder of a run, a table of pores, or --measured")
        if out is not None:
            check_folder(out)
            names = [FILES[kind] for kind in ("conductance", "membrane", "currents")]
            check_results(out, "conductance", names, overwrite)
        pores = None if given is None else read_pores(given)
        solution = _find_solution(salt, temperature, sigma)
        assumed = _assume(solution, material, thickness, cutoff, function, seed, pores)
        curve = None if measured is None else read_measured(measured)
        result = _work_out(pores, assumed, window, curve)
        for line in assumed.words:
            put(line)
        if result.currents is not None:
            print_table(result.currents.table)
        for line in result.lines:
            put(line)
        for line in result.warnings:
            say(f"Warning: {line}.")
        if out is not None:
            files = [*(pores.files if pores else ()), *filter(Path.is_file, [Path(measured or "")])]
            options = {"salt": salt, "temperature_c": temperature, "window_nm": window, **assumed.options}
            _write(result, assumed, options, files, out)
            put(f"in {out}: {', '.join(sorted(p.name for p in out.iterdir()))}")
    except (ValueError, OSError) as error:
        stop(str(error))


class _Assumed(NamedTuple):
    """What is assumed: as numbers, in sentences, and for ``run.json``."""

    numbers: Assumptions
    words: list[str]
    options: dict[str, Any]


def _find_solution(salt: str | None, temperature: float, sigma: float | None) -> tuple[float, float, str]:
    """Conductivity [S/m], its relative standard deviation, and its source."""
    from porescope.membrane import find_conductivity, read_solution

    if salt is None and sigma is None or salt is not None and sigma is not None:
        raise ValueError("say the solution: either --salt '1 M KCl', or its conductivity, --sigma 11.2 [S/m]")
    if sigma is not None:
        if not 0 < sigma < math.inf:
            raise ValueError(f"--sigma must be above 0 S/m, not {sigma:g}")
        return sigma, 0.0, "given"
    found = find_conductivity(read_solution(str(salt)), temperature)
    return found.sigma_s_m, found.relative_std, f"{salt} at {temperature:g} °C: {found.source}"


def _assume(
    solution: tuple[float, float, str],
    material: str | None,
    thickness: tuple[float, float, float] | None,
    cutoff: float | None,
    function: str | None,
    seed: int,
    pores: Pores | None,
) -> _Assumed:
    from porescope.detection import load_function
    from porescope.membrane import CUTOFF_NM, THICKNESS, Assumptions, Thickness

    sigma, spread, source = solution
    recorded = pores.run.record.get("material") if pores and pores.run else None
    material = material or (recorded if recorded in MATERIALS else None)
    if thickness is not None:
        sheet = Thickness(*thickness, "given")
    elif material is not None:
        sheet = THICKNESS[material]
    else:
        raise ValueError("the effective thickness is not known: say --material WS2 or --thickness 0.7")
    own = load_function(function, "--function") if function else None
    cutoff = CUTOFF_NM if cutoff is None else cutoff
    numbers = Assumptions(sigma, spread, sheet, cutoff, seed=seed, function=own)
    limits = write_range(sheet.value_nm, sheet.low_nm, sheet.high_nm, " nm")
    words = [
        f"conductivity {sigma:.4g} S/m ± {spread:.1%} ({source})",
        f"effective thickness {limits}: {sheet.source}",
        f"closed below {cutoff:g} nm; ranges hold 95 % of {numbers.samples} draws, seed {seed}",
    ]
    options = {
        "sigma_s_m": sigma, "sigma_relative_std": spread, "sigma_source": source, "material": material,
        "thickness_nm": list(sheet[:3]), "thickness_source": sheet.source, "cutoff_nm": cutoff,
        "function": function, "samples": numbers.samples, "seed": seed,
    }  # fmt: skip
    return _Assumed(numbers, words, options)


class _Conductance(NamedTuple):
    """What ``conductance`` found."""

    currents: Currents | None
    membrane: Membrane | None
    curve: Measured | None
    content: dict[str, Any]  # of ``membrane.json``
    lines: list[str]
    warnings: list[str]


def _work_out(
    pores: Pores | None, assumed: _Assumed, window: float | None, curve: Measured | None
) -> _Conductance:
    from porescope.membrane import estimate_currents

    content: dict[str, Any] = {"assumed": assumed.words}
    result = _Conductance(None, None, curve, content, [], [])
    if assumed.numbers.sigma_s_m <= _DILUTE:
        result.warnings.append(
            "at 0.1 M and below the charge of the surface may carry a good part of the current, which no "
            "formula here holds"
        )
    if pores is not None:
        currents = estimate_currents(pores.table, assumed.numbers, pores.shares)
        result = result._replace(currents=currents)
        _add_seen(result, currents, pores, assumed.numbers)
        if window is not None:
            membrane = _scale_up(pores, currents, assumed.numbers, window)
            result = result._replace(membrane=membrane)
            _add_membrane(result, membrane, window)
    if curve is not None:
        _add_measured(result, curve, assumed.numbers)
    content["warnings"] = result.warnings
    return result


def _add_seen(result: _Conductance, currents: Currents, pores: Pores, assumptions: Assumptions) -> None:
    """Say what the pores that were seen let through."""
    from porescope.membrane import sum_seen

    total, together = sum_seen(pores.table, currents, assumptions, pores.shares)
    n, n_open = len(pores.table), int(currents.table.open.sum())
    line = f"{n} pores, {n_open} open: sum {write_range(*total, ' nS')}"
    if together < total.value:
        line += f"; sharing the solution with those of the same image {together:.4g} nS"
    result.lines.append(line)
    if "touches_border" in pores.table and pores.table.touches_border.any():
        cut = int(pores.table.touches_border.sum())
        result.warnings.append(f"{cut} of {n} pores touch the border: their conductance is a lower bound")
    unknown = int(currents.table.g_ns.isna().sum())
    if unknown:
        result.warnings.append(f"{unknown} of {n} pores have no size and count as closed")
    seen = {"n_pores": n, "n_open": n_open, "sum_ns": total, "interacting_ns": together}
    result.content["seen"] = seen


def _scale_up(pores: Pores, currents: Currents, assumptions: Assumptions, window: float) -> Membrane:
    from porescope.membrane import estimate_membrane, weigh_pores
    from porescope.runs import summarize

    if pores.run is None:
        return estimate_membrane(pores.table, currents, assumptions, window)
    summary = summarize(pores.run)
    if not summary.area_um2:
        raise ValueError("no image was processed, so that no density is known for the window")
    counted = (round(summary.density[0] * summary.area_um2), summary.area_um2 * 1e6)
    weights = weigh_pores(pores.table, pores.run.images)
    return estimate_membrane(pores.table, currents, assumptions, window, weights=weights, counted=counted)


def _add_membrane(result: _Conductance, membrane: Membrane, window: float) -> None:
    result.lines.append(
        f"window of {window:g} nm: {write_range(*membrane.n_pores)} pores; "
        f"sum {write_range(*membrane.sum_ns, ' nS')}, "
        f"interacting {write_range(*membrane.interacting_ns, ' nS')}, "
        f"no more than {membrane.cap_ns:.4g} nS"
    )
    result.warnings.extend(membrane.warnings)
    result.content["membrane"] = {"window_nm": window, **membrane._asdict()}


def _add_measured(result: _Conductance, curve: Measured, assumptions: Assumptions) -> None:
    """Say what pore explains a measured conductance, beside those of the images."""
    import numpy as np

    from porescope.membrane import explain_measured, find_diameter

    diameter = explain_measured(curve, assumptions)
    line = f"measured {write_range(curve.g_ns, curve.g_low_ns, curve.g_high_ns, ' nS')}"
    if curve.n_points:
        line += f", {curve.offset_na:.3g} nA at 0 V"
    if curve.rectification == curve.rectification:
        line += f", {curve.rectification:.3g} times as steep at positive voltages as at negative"
    result.lines.append(f"{line}: one round pore of {write_range(*diameter, ' nm')}")
    found: dict[str, Any] = {**curve._asdict(), "diameter_nm": diameter}
    if result.currents is not None and len(result.currents.table):
        table = result.currents.table
        largest, total = float(table.equivalent_diameter_nm.max()), float(np.nansum(table.g_ns))
        same = float(find_diameter(total, assumptions.thickness.value_nm, assumptions.sigma_s_m))
        result.lines.append(
            f"in the images: largest pore {largest:.4g} nm, all together as one of {same:.4g} nm"
        )
        found |= {"largest_seen_nm": largest, "seen_as_one_nm": same}
    result.content["measured"] = found


def _write(
    result: _Conductance, assumed: _Assumed, options: dict[str, Any], files: list[Path], out: Path
) -> None:
    from porescope.files import FILES
    from porescope.pictures import draw_conductance
    from porescope.runs import write_results

    with write_results(out, "conductance", ["porescope", *sys.argv[1:]], files, options) as folder:
        write_json(folder / FILES["membrane"], result.content)
        if result.currents is not None:
            write_csv(folder / FILES["conductance"], result.currents.table)
            picture = folder / FILES["currents"]
            draw_conductance(
                result.currents, result.membrane, result.curve, assumed.numbers, assumed.words, picture
            )
