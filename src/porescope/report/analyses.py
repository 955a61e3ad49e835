"""Analyses of a run that the report shows too: folders of statistics, conductance and the like."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from porescope.files import FILES, hash_file, printable
from porescope.runs import list_inputs, place_file, read_record

if TYPE_CHECKING:
    import pandas as pd

#: Most bytes of a picture that is shown as it is; larger ones are reduced to a side of so many pixels.
_MOST_BYTES, _SIDE = 400_000, 1400
#: Most rows of a table, most numbers and most sentences that are shown of an analysis; most of its pictures.
_MOST_ROWS, _MOST_NUMBERS, _MOST_LINES, _MOST_PICTURES = 12, 40, 30, 6
#: Most bytes of a file of numbers that is read, and most characters of a text that is shown.
_MOST_JSON, _MOST_TEXT = 5_000_000, 400
#: Most folders beside the run that are looked at, and most analyses that are shown.
_MOST_FOLDERS, _MOST_ANALYSES = 200, 8


def find_analyses(folder: Path) -> list[Path]:
    """Find the analyses that were made from the tables of a run: folders in it or beside it.

    Parameters
    ----------
    folder : Path
        Of the run.

    Returns
    -------
    list of Path
    """
    out = folder.resolve()
    return [path for path in _list_folders(out) if _is_made_from(path, out)][:_MOST_ANALYSES]


def _list_folders(out: Path) -> Iterator[Path]:
    for place in (out, out.parent):
        with suppress(OSError):
            names = sorted(p for p in place.iterdir() if not p.name.startswith((".", "_")))[:_MOST_FOLDERS]
            yield from (p for p in names if p.is_dir() and p != out and (p / FILES["run"]).is_file())


def _is_made_from(path: Path, out: Path) -> bool:
    record = read_record(path)
    return "analysis" in record and any(
        Path(place_file(record, file)).parent.resolve() == out for file in list_inputs(record)
    )


def read_analysis(path: Path, folder: Path, to_page: str) -> dict[str, Any]:
    """Read what the report shows of an analysis.

    Parameters
    ----------
    path : Path
        Folder of the analysis.
    folder : Path
        Of the run.
    to_page : str
        From the report to the folder of the analysis, as an address, if there is a way.

    Returns
    -------
    dict
        For the template: name, title, lines, numbers, pictures, tables, files, and whether it was made from
        other tables than those of the run.

    Raises
    ------
    ValueError
        If the folder holds no results of porescope.
    """
    record = read_record(path)
    if not record:
        raise ValueError(f"{printable(path)} holds no results of porescope ({FILES['run']} is missing)")
    names = [name for name in map(str, record.get("outputs") or []) if Path(name).name == name]
    files = sorted({path / name for name in names if (path / name).is_file()})
    shown = [(name, f"{to_page}{quote(name)}") for name in (printable(f.name) for f in files)]
    lines, numbers = _read_numbers([f for f in files if f.suffix == ".json" and f.name != FILES["run"]])
    pictures = [f for f in files if f.suffix in (".png", ".jpg")][:_MOST_PICTURES]
    tables = [_read_table(f) for f in files if f.suffix == ".csv"]
    return {
        "title": str(record.get("analysis") or record.get("method") or "results")[:_MOST_TEXT],
        "name": printable(path.name),
        "lines": lines[:_MOST_LINES],
        "numbers": numbers[:_MOST_NUMBERS],
        "pictures": [(printable(f.name), picture) for f in pictures if (picture := _embed(f))],
        "tables": [table for table in tables if table],
        "files": shown if to_page else [],
        "is_old": _is_old(record, folder),
    }  # fmt: skip


def _is_old(record: Mapping[str, Any], folder: Path) -> bool:
    """Whether it was made from other tables than those that the run has now."""
    entries = record.get("inputs")
    tables = {(folder / FILES[kind]).resolve() for kind in ("pores", "images")}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("file") and entry.get("sha256"):
            path = Path(place_file(record, str(entry["file"]))).resolve()
            if path in tables and path.is_file():
                return hash_file(path) != str(entry["sha256"])
    return True


def _read_numbers(files: Sequence[Path]) -> tuple[list[str], list[tuple[str, str]]]:
    """The sentences and the numbers of records; curves are left out."""
    lines: list[str] = []
    numbers: list[tuple[str, str]] = []
    for file in files:
        try:
            if file.stat().st_size > _MOST_JSON:
                continue
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        _collect(content, "", lines, numbers)
    return lines, numbers


def _collect(value: Any, name: str, lines: list[str], numbers: list[tuple[str, str]], depth: int = 0) -> None:
    if (
        isinstance(value, dict)
        and isinstance(value.get("value"), (int, float))
        and {"low", "high"} <= set(value)
    ):
        low, high = _write(value["low"]), _write(value["high"])
        numbers.append((name, f"{_write(value['value'])} ({low} to {high})"))
    elif isinstance(value, dict) and depth < 3:
        for key, inner in list(value.items())[:_MOST_NUMBERS]:
            words = str(key)[:80].replace("_", " ")
            _collect(inner, f"{name}, {words}" if name else words, lines, numbers, depth + 1)
    elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        lines += [item[:_MOST_TEXT] for item in value]
    elif isinstance(value, (int, float, str)):
        numbers.append((name, _write(value)))


def _write(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "–" if value is None else str(value)[:_MOST_TEXT]
    return f"{value:.4g}" if math.isfinite(value) else "–"


def _read_table(file: Path) -> dict[str, Any] | None:
    """The first rows of a table."""
    import pandas as pd

    try:
        table = pd.read_csv(file)
    except (OSError, ValueError):  # pandas' own errors are among them
        return None
    shown = table.head(_MOST_ROWS).dropna(axis="columns", how="all")
    return {
        "name": printable(file.name),
        "n": len(table),
        "heads": [str(name)[:80] for name in shown],
        "rows": [["" if v != v else _write(v) for v in row] for row in shown.to_numpy(object).tolist()],
    }


def _embed(file: Path) -> str:
    """Picture as a part of the page, reduced if it is large; empty if it cannot be read."""
    import cv2
    import numpy as np

    try:
        content = file.read_bytes()
    except OSError:
        return ""
    kind = "png" if file.suffix == ".png" else "jpeg"
    if len(content) > _MOST_BYTES:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            return ""
        zoom = min(1.0, _SIDE / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        content, kind = (
            bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()),
            "jpeg",
        )
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def count_isomers(pores: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Count the pores of each isomer.

    Parameters
    ----------
    pores : DataFrame
        Of the run; of a stack those of its first frame.

    Returns
    -------
    list of tuple
        Isomer, symmetry and number, the most frequent first.
    """
    named = pores[pores.isomer.notna() & (pores.isomer.astype("str") != "")]
    counts = named.fillna({"symmetry": ""}).groupby(["isomer", "symmetry"]).size()
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(str(key[0]), str(key[1]), int(n)) for key, n in ordered]  # type: ignore[index]
