"""How Sphinx builds the site: `make docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

from generate import HOME_PAGES, write_pages  # noqa: E402

from porescope import __version__  # noqa: E402

write_pages(DOCS / "reference")

project = "porescope"
author = copyright = "porescope developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
# A name in single backticks is a name of Python, linked if it is a public one.
default_role = "py:obj"

# Links such as lattice.md#vacancies work as on the pages of a repository.
myst_heading_anchors = 4
highlight_language = "text"

# Types stand in the parameters' descriptions; signatures with both are hard to read.
autodoc_typehints = "none"
autodoc_preserve_defaults = True
# The reference needs no PyTorch.
autodoc_mock_imports = ["torch", "torchvision", "onnx"]
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = f"porescope {release}"
html_copy_source = html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
# Pages that belong to no section have no left column.
html_sidebars = {name: [] for name in HOME_PAGES}


def setup(app: Any) -> None:
    """Have docstrings read as plain text, before numpydoc sees them."""
    app.connect("autodoc-process-docstring", _escape_docstring, priority=400)


def _escape_docstring(app: Any, what: str, name: str, value: object, options: Any, lines: list[str]) -> None:
    """Escape what reStructuredText would take for markup: `|ratio - 1|`, `shape (*axes,)`."""
    is_example = False
    for i, line in enumerate(lines):
        is_example = bool(line.strip()) and (is_example or line.lstrip().startswith(">>>"))
        if not is_example:
            parts = re.split(r"(`+[^`]+`+)", line)
            parts[::2] = [re.sub(r"([*|])", r"\\\1", part) for part in parts[::2]]
            lines[i] = "".join(parts)
