"""Write the pages of the site that the program itself tells: commands, tables, Python.

`docs/conf.py` calls `write_pages` before each build. Nothing of it is kept in the repository.
"""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parent
SOURCE = DOCS.parent / "src" / "porescope"
#: Pages that the home page lists itself; all others stand under "Guide".
HOME_PAGES = ("index", "install", "how-to")
#: Pages that the guide begins with, in this order; pages that are not named here follow by their names.
FIRST = ("detect", "voids", "lattice", "network", "tuning", "membrane")
#: Pages that the guide ends with: how right it is, and what others do.
LAST = ("accuracy", "comparison")


class Column(NamedTuple):
    """A row of a table that describes columns: the page and section it stands in, names, meaning."""

    page: str
    section: str
    table: str
    names: tuple[str, ...]
    meaning: str


def write_pages(folder: Path) -> None:
    """Write all generated pages anew.

    Parameters
    ----------
    folder : Path
        Folder of the pages; what was in it goes.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "python").mkdir(parents=True)
    pages = {
        "guide.md": _write_guide(),
        "index.md": _write_index(),
        "tables.md": _write_tables(),
        "commands.md": write_commands(),
        **{f"python/{name}.rst": _write_module(name) for name in _list_modules()},
    }
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def list_guide() -> list[str]:
    """List the pages of the guide: every file of the folder, so that no new page is forgotten.

    Returns
    -------
    list of str
        Names without suffix, in the order of the guide.
    """
    names = {path.stem for path in DOCS.glob("*.md")} - set(HOME_PAGES)
    first, last = ([n for n in part if n in names] for part in (FIRST, LAST))
    return [*first, *sorted(names - set(first) - set(last)), *last]


def list_columns(page: Path) -> Iterator[Column]:
    """List what a page says about the columns of tables.

    A table of columns has `column` at the head of its first column. The table that it describes is named
    there, in the section's heading, or in the last line before it that names one.

    Parameters
    ----------
    page : Path

    Yields
    ------
    Column
    """
    section = named = ""
    table: str | None = None
    for line in page.read_text(encoding="utf-8").splitlines():
        file = re.findall(r"`([\w-]+\.(?:csv|parquet))`", line)
        if line.startswith("#"):
            section = line.lstrip("#").strip()
        if not line.startswith("|"):
            named, table = (file[-1] if file else named), None
        elif re.match(r"\| *column\b", line):
            table = file[0] if file else named
        elif table is not None and not line.startswith("|-"):
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            names = tuple(re.findall(r"`(\w+)`", cells[0]))
            yield Column(page.stem, section, table, names, " | ".join(cells[1:]))


def _write_guide() -> str:
    pages = "\n".join(f"../{name}" for name in list_guide())
    return f"# Guide\n\nA page for each subject.\n\n```{{toctree}}\n:maxdepth: 2\n\n{pages}\n```\n"


def _write_index() -> str:
    names = _list_modules()
    modules = "\n".join(f"python/{name}" for name in names)
    said = "\n".join(f"- [`{name}`](python/{name}.rst): {_summarize(name)}" for name in names)
    return (
        "# Reference\n\n- [Commands](commands.md): all commands and options.\n"
        "- [Tables](tables.md): all columns of all tables.\n\n"
        "## From Python\n\n`porescope` holds what most need. Each other module is one subject.\n\n"
        f"{said}\n\n```{{toctree}}\n:hidden:\n\ncommands\ntables\n{modules}\n```\n"
    )


def _summarize(module: str) -> str:
    """The first sentence of a module's docstring."""
    first = (inspect.getdoc(import_module(module)) or "").partition("\n\n")[0]
    return " ".join(first.removeprefix("porescope: ").split())


def _write_tables() -> str:
    """All columns of all tables, as the pages describe them."""
    tables: dict[str, list[Column]] = {}
    for name in list_guide():
        for column in list_columns(DOCS / f"{name}.md"):
            tables.setdefault(column.table, []).append(column)
    rules = (
        "The unit stands in a column's name. What is not known is empty (NaN). A Parquet file has the "
        "columns of the CSV file of its name, `candidates.csv` those of `pores.csv`."
    )
    lines = ["# Tables", "", rules, ""]
    for table, columns in tables.items():
        lines += [f"## `{table}`", "", "| column | meaning | page |", "|---|---|---|"]
        for column in columns:
            names = ", ".join(f"`{name}`" for name in column.names)
            meaning = _move_links(column.meaning, column.page)
            lines.append(f"| {names} | {meaning} | [{column.page}](../{column.page}.md) |")
        lines.append("")
    return "\n".join(lines)


def _move_links(text: str, page: str) -> str:
    """Turn links of a page in docs/ into links from docs/reference/."""
    text = re.sub(r"\]\(#", f"]({page}.md#", text)
    return re.sub(r"\]\((?!https?:|/)", "](../", text)


def write_commands() -> str:
    """Write the page of all commands, as the program describes them.

    Returns
    -------
    str
        Markdown.
    """
    import typer
    from typer.cli import get_docs_for_click

    from porescope.cli.app import app

    command = typer.main.get_command(app)
    with typer.Context(command, info_name="porescope") as context:
        text = get_docs_for_click(obj=command, ctx=context, name="porescope", title="Commands")
    for name, one in command.commands.items():  # whose list cuts the sentences short
        said = (one.help or "").partition("\n")[0]
        link = f"* [`{name}`](#porescope-{name}): {said}"
        text = re.sub(rf"^\* `{name}`: .*$", lambda _, link=link: link, text, count=1, flags=re.M)
    return text


def _list_modules() -> list[str]:
    # The desk is a window, and needs an extra to be read.
    faces = [path.parent.name for path in SOURCE.glob("*/__init__.pyi") if path.parent.name != "desk"]
    spine = [path.stem for path in SOURCE.glob("[!_]*.py")]
    return ["porescope", *sorted(f"porescope.{name}" for name in (*faces, *spine))]


def _list_names(module: str) -> dict[str, str]:
    """The public names of a module or face, each with the module that defines it."""
    path = SOURCE.joinpath(*module.split(".")[1:])
    face = path / "__init__.pyi"
    body = ast.parse((face if face.is_file() else path.with_suffix(".py")).read_text(encoding="utf-8")).body
    if face.is_file():
        imports = [node for node in body if isinstance(node, ast.ImportFrom)]
        names = {alias.name: f"{module}.{node.module}" for node in imports for alias in node.names}
    else:
        names = {name: module for node in body for name in _list_defined(node)}
    return {name: names[name] for name in sorted(names) if not name.startswith("_")}


def _list_defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _write_module(name: str) -> str:
    """A page for a module; what `porescope` itself holds is described there alone."""
    module, names, above = import_module(name), _list_names(name), _list_names("porescope")
    if name == "porescope":
        above = {}
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", "   :no-members:", ""]
    lines += [f".. py:currentmodule:: {name}", ""]
    if moved := [f":py:obj:`porescope.{public}`" for public in names if public in above]:
        lines += [f"Described at the top level: {', '.join(moved)}.", ""]
    for public, home in names.items():
        if public in above:
            continue
        value, where = getattr(module, public), f"{name}.{public}"
        if isinstance(value, type):
            lines += [f".. autoclass:: {where}", "   :members:", "   :member-order: bysource", ""]
        elif inspect.isfunction(value):
            lines += [f".. autofunction:: {where}", ""]
        else:
            lines += [f".. py:data:: {public}", "", *_describe_constant(home, public), ""]
    return "\n".join(lines)


def _describe_constant(home: str, name: str) -> list[str]:
    from sphinx.pycode import ModuleAnalyzer

    comments = ModuleAnalyzer.for_module(home).find_attr_docs()
    return [f"   {line}" for line in comments.get(("", name), [])]
