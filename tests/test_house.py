"""The house itself: tests mirror modules, wings are entered by their faces, every name is documented."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import porescope

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "porescope"
#: Wings without a face, and those that are entered only with their extra.
_UNSEEN = ("cli", "training", *(() if find_spec("qtpy") else ("desk",)))
WINGS = sorted(p.parent.name for p in SOURCE.glob("*/__init__.py"))


def test_tests_mirror_modules() -> None:
    """Each test file stands where the module of its name stands; these are about several."""
    tests = {p.relative_to(ROOT / "tests") for p in (ROOT / "tests").rglob("test_*.py")}
    tests -= {
        Path(f"{name}.py") for name in ("test_house", "test_docs", "test_notebooks", "runs/test_stopping")
    }
    strays = [t for t in tests if not (SOURCE / t.parent / f"{t.stem.removeprefix('test_')}.py").is_file()]
    # `porescope simulate` and `train` share the module cli/network.
    assert strays == [Path("cli/test_simulate.py")]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("porescope."):
            yield str(node.module)


def test_a_wing_is_entered_by_its_face() -> None:
    for path in SOURCE.rglob("*.py"):
        own = path.relative_to(SOURCE).parts[0]
        for module in _imports(path):
            _, wing, *inside = module.split(".")
            # The command line has no face: its root gathers the groups of commands.
            assert not inside or wing == own, f"{path.relative_to(SOURCE)} imports {module}, not its face"


@pytest.mark.parametrize("wing", [w for w in WINGS if w not in _UNSEEN])
def test_faces_show_what_they_say(wing: str) -> None:
    face = import_module(f"porescope.{wing}")
    assert face.__doc__ and face.__all__ == sorted(face.__all__)
    for name in face.__all__:
        assert getattr(face, name) is not None


def test_no_folder_or_module_is_crowded() -> None:
    folders = [SOURCE, *(SOURCE / wing for wing in WINGS)]
    assert {f.name: n for f in folders if (n := len(list(f.glob("*.py")))) > 15} == {}
    lengths = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCE.rglob("*.py")}
    assert {name: n for name, n in lengths.items() if n > 400} == {}


def _public_functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE)
        if where.parts[0] == "cli":
            continue  # commands are documented by their help
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            inside = node.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_") else [node]
            for function in inside:
                if isinstance(function, ast.FunctionDef) and not function.name.startswith("_"):
                    yield f"{where}:{function.name}", function


def test_public_functions_say_what_they_take_and_give() -> None:
    lacking = []
    for name, function in _public_functions():
        text = ast.get_docstring(function) or ""
        is_property = any(
            getattr(d, "id", getattr(d, "attr", "")) in ("property", "cached_property")
            for d in function.decorator_list
        )
        arguments = [
            a.arg for a in (*function.args.args, *function.args.kwonlyargs) if a.arg not in ("self", "cls")
        ]
        gives = function.returns is not None and ast.unparse(function.returns) not in ("None", "NoReturn")
        if is_property:
            gives, arguments = False, []
        if not text or (arguments and "Parameters\n" not in text):
            lacking.append(f"{name}: Parameters")
        if gives and "Returns\n" not in text and "Yields\n" not in text:
            lacking.append(f"{name}: Returns")
    assert lacking == []


def test_the_public_names_are_where_they_were() -> None:
    assert len(porescope.__all__) >= 17
    for name in porescope.__all__:
        assert inspect.getdoc(getattr(porescope, name)), name


def test_every_plot_draws_into_an_axes_of_the_user() -> None:
    from porescope import pictures

    plots = [name for name in pictures.__all__ if name.startswith("draw_")]
    assert len(plots) >= 14
    for name in plots:
        parameter = inspect.signature(getattr(pictures, name)).parameters.get("ax")
        assert parameter is not None and parameter.default is None, name
