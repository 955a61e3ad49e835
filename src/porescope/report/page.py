"""The pages of a report: HTML files that open without internet access."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from porescope.files import FILES, PAGE_FILES, PAGES, escape_hidden, printable, write_whole
from porescope.report.analyses import count_isomers, find_analyses, read_analysis
from porescope.report.images import (
    Entry,
    choose_crop,
    list_entries,
    name_image,
    read_card,
    split_pages,
)
from porescope.report.outlines import TO_PIXELS
from porescope.report.plots import describe_sizes, draw_counts
from porescope.report.tables import (
    choose_columns,
    choose_facts,
    describe_folders,
    write_density,
    write_rows,
)
from porescope.runs import (
    Run,
    count_messages,
    describe_stack,
    list_warnings,
    read_candidates,
    summarize,
)

if TYPE_CHECKING:
    from jinja2 import Template

#: Largest number of stacks whose pores are drawn against the frame, of messages and of isomers.
_MOST_STACKS, _MOST_MESSAGES, _MOST_ISOMERS = 12, 12, 10


def write_report(run: Run, folder: Path, beside: Sequence[Path] = ()) -> Path:
    """Write the report of a run into its folder.

    Parameters
    ----------
    run : Run
    folder : Path
        Of the run, with its label images and pictures.
    beside : sequence of Path
        Folders of analyses to show too. Those that were made from this run and lie in it or beside it are
        found.

    Returns
    -------
    Path
        The HTML file; further pages, if it takes more than one, lie in the folder ``pages``.

    Raises
    ------
    ValueError
        If a folder of ``beside`` holds no results of porescope.
    """
    places = {path.resolve(): path for path in (*beside, *find_analyses(folder))}
    analyses = [read_analysis(path, folder, _find_way(path, folder)) for path in places]
    template = _load_template()
    candidates = read_candidates(folder) if len(run.images) else run.pores.iloc[:0]
    stacks = set(run.images.image[run.images.image.duplicated(keep=False)])
    pages = split_pages(list_entries(run.images, run.pores, candidates, folder))
    shared = {
        **_describe_run(run),
        "analyses": analyses,
        "pages": [_name_page(page, i, stacks) for i, page in enumerate(pages)],
        "crop_nm": choose_crop([entry.pores for page in pages for entry in page]),
        "columns": choose_columns(run.pores),
        "n_listed": sum(map(len, pages)),
        "n_images_left_out": len(run.images) - sum(map(len, pages)),
    }
    for i, page in enumerate(pages):
        path = folder / shared["pages"][i]["file"]
        path.parent.mkdir(exist_ok=True)
        html = template.render(**shared, page=i, **_describe_images(page, folder, i, stacks, shared))
        with write_whole(path) as part:
            part.write_text(html, encoding="utf-8")
    _remove_older(folder, len(pages))
    return folder / FILES["report"]


def _load_template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("porescope.report", "."), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, finalize=_show,
    )  # fmt: skip
    style, script = (
        files("porescope.report").joinpath(name).read_text(encoding="utf-8")
        for name in ("report.css", "report.js")
    )
    environment.globals |= {
        "style": Markup(style),
        "script": Markup(script),
        # The browser runs no other script.
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "to_pixels": TO_PIXELS,
    }
    return environment.get_template("report.html.j2")


def _show(value: Any) -> Any:
    """Text as it can be shown; the page's own style and script stay as they are."""
    return escape_hidden(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _find_way(path: Path, folder: Path) -> str:
    """Address of a folder from the report; empty if there is none, as on another drive."""
    with suppress(ValueError, UnicodeError):
        return f"./{quote(printable(os.path.relpath(path, folder.resolve())))}/"
    return ""


def _name_page(page: list[Entry], number: int, stacks: set[str]) -> dict[str, Any]:
    names = [name_image(entry.row, entry.row["image"] in stacks) for entry in page]
    name = PAGE_FILES.replace("[0-9]" * 3, f"{number + 1:03d}")
    return {
        "file": f"{PAGES}/{name}" if number else FILES["report"],
        "names": names,
        "n_failed": sum(entry.row["status"] != "ok" for entry in page),
    }


def _describe_run(run: Run) -> dict[str, Any]:
    """What the report says of the run as a whole."""
    summary, facts = summarize(run), choose_facts(run.record)
    messages, (folders, n_folders_left_out) = count_messages(run), describe_folders(run)
    first = run.pores.groupby("image").frame.transform("min") == run.pores.frame
    isomers = count_isomers(run.pores[first])
    return {
        "run": facts,
        "summary": summary,
        "warnings": [*_tell_state(run, facts["state"]), *list_warnings(run)],
        "messages": messages[:_MOST_MESSAGES],
        "n_messages_left_out": max(0, len(messages) - _MOST_MESSAGES),
        "density": write_density(summary.density),
        "folders": [(name, one, write_density(one.density)) for name, one in folders],
        "n_folders_left_out": n_folders_left_out,
        "sizes": describe_sizes(run.pores, run.images, summary),
        "stacks": [
            (rows.image.iloc[0], describe_stack(rows), draw_counts(rows))
            for rows in summary.stacks[:_MOST_STACKS]
        ],
        "n_stacks_left_out": max(0, len(summary.stacks) - _MOST_STACKS),
        "isomers": isomers[:_MOST_ISOMERS],
        "n_isomers_left_out": max(0, len(isomers) - _MOST_ISOMERS),
    }


def _tell_state(run: Run, state: str) -> list[str]:
    if state not in ("running", "stopped"):
        return []
    inputs = run.record.get("inputs")
    known = f" of {len(inputs)}" if isinstance(inputs, list) and inputs else ""
    done = f"{run.images['file'].nunique()}{known} files are done"
    if state == "running":
        return [f"the run had not ended when this page was written; {done}; porescope report renews the page"]
    return [f"the run was stopped; {done}; detect --resume goes on"]


def _describe_images(
    page: list[Entry], folder: Path, number: int, stacks: set[str], shared: dict[str, Any]
) -> dict[str, Any]:
    """What one page says of its images."""
    cards, rows = [], []
    for i, entry in enumerate(page):
        name = name_image(entry.row, entry.row["image"] in stacks)
        card = read_card(entry, folder, "../" if number else "")
        cards.append({**card, "name": name, "is_stack": entry.row["image"] in stacks})
        if card["drawn"]:
            written = write_rows(entry.pores, shared["columns"], card["pixel"], shared["crop_nm"])
            rows += [{**row, "image": i, "name": name} for row in written]
    return {
        "cards": cards,
        "rows": rows,
        "n_rows_left_out": sum(card["n_left_out"] for card in cards),
        "has_confidence": any(row["confidence"] for row in rows),
        "has_pictures": any(card.get("picture") for card in cards),
        "has_vacancies": any(card.get("vacancies") for card in cards),
        "has_candidates": any(card.get("candidates") for card in cards),
        "has_field": any(card.get("outside") or card.get("hidden") for card in cards),
    }


def _remove_older(folder: Path, n_pages: int) -> None:
    """Remove further pages of an earlier report that had more."""
    place = folder / PAGES
    if place.is_symlink() or not place.is_dir():
        return
    for path in place.glob(PAGE_FILES):
        if int(path.stem[-3:]) > n_pages:
            path.unlink(missing_ok=True)
    with suppress(OSError):  # something else is in it
        place.rmdir()
