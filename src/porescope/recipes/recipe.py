"""Recipes: the parameters of the paper's pipeline, stored as TOML files with their provenance."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from reprlib import repr as shorten
from typing import Any

from porescope.files import printable, write_whole

#: The ways in which a recipe follows the magnification; see `scale_recipe`.
SCALINGS = ("published", "physical")

#: Largest size of a recipe's file [bytes], and longest text of its provenance [characters].
_MOST_BYTES, _MOST_TEXT = 100_000, 10_000

#: The stages of the pipeline that have parameters, in the order in which they run.
STAGES = ("equalize", "average", "threshold", "select")


def _parameter(default: float, unit: str, low: float, high: float, doc: str, *, stage: str) -> Any:
    """Declare a field of `Recipe` that holds a number, with the stage of the pipeline that uses it."""
    metadata = {"unit": unit, "bounds": (low, high), "doc": doc, "stage": stage}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Recipe:
    """The parameters of the paper's pipeline, and where their values come from.

    `parameters` lists the fields that hold a number, with their default, unit, bounds, stage and meaning.

    Parameters
    ----------
    grid, radius, threshold, area, clip_limit, max_aspect, max_area : float
        Described by `parameters` and by ``porescope recipes show``.
    scaling : {"physical", "published"}
        How the recipe follows the magnification; see `scale_recipe`.
    name : str
        Name of the recipe's file, without its suffix; not compared.
    provenance : mapping
        Where the values come from: text, finite numbers, yes or no, and lists of these; not compared.

    Raises
    ------
    ValueError
        If a value is not a number within its bounds, or the provenance holds anything else.

    Examples
    --------
    >>> Recipe(grid=19, radius=3).grid
    19.0
    >>> Recipe(grid=0)
    Traceback (most recent call last):
    ...
    ValueError: grid must be from 1 to 512 tiles, not 0; see porescope recipes
    """

    grid: float = _parameter(
        10, "tiles", 1, 512, "number of tiles per side of the local equalisation (CLAHE)", stage="equalize"
    )
    radius: float = _parameter(
        2, "px at 10 M×", 0, 100, "half-width of the averaging window", stage="average"
    )
    threshold: float = _parameter(
        60, "8-bit grey", 0, 1024, "highest grey of a pore in the averaged image", stage="threshold"
    )
    area: float = _parameter(20, "px² at 10 M×", 0, 1e6, "a pore's area is larger than this", stage="select")
    clip_limit: float = _parameter(
        40, "1", 0, 1e4, "contrast limit of the equalisation (CLAHE)", stage="equalize"
    )
    max_aspect: float = _parameter(
        3, "1", 1, 1e6, "aspect ratio of a pore's minimum-area rectangle is less than this", stage="select"
    )
    max_area: float = _parameter(
        100_000, "px²", 0, 1e12, "a pore's area is smaller than this", stage="select"
    )
    scaling: str = field(
        default="physical",
        metadata={"doc": "physical: tile, window and area are constant in nm; published: as in the paper"},
    )
    name: str = field(default="", compare=False)
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for parameter in parameters():
            object.__setattr__(self, parameter.name, _check(parameter, getattr(self, parameter.name)))
        if self.scaling not in SCALINGS:
            raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}, not {shorten(self.scaling)}")
        for name, value in self.provenance.items():
            _check_provenance(name, value)

    def numbers(self) -> dict[str, float | str]:
        """Give the parameters and the scaling as a plain dictionary.

        Returns
        -------
        dict
            Field → value, without name and provenance.
        """
        names = [parameter.name for parameter in parameters()]
        return {name: getattr(self, name) for name in (*names, "scaling")}

    def with_values(self, values: Mapping[str, Any]) -> Recipe:
        """Copy the recipe with some values replaced.

        Parameters
        ----------
        values : mapping
            Field → new value.

        Returns
        -------
        Recipe

        Raises
        ------
        ValueError
            If a value is not a number within its bounds.
        """
        return replace(self, **values)


def parameters() -> tuple[Any, ...]:
    """List the fields of `Recipe` that hold a number.

    Returns
    -------
    tuple of dataclasses.Field
        Each with ``.name``, ``.default`` and ``.metadata``: ``unit``, ``bounds``, ``doc`` and ``stage``.

    Examples
    --------
    >>> [p.name for p in parameters()][:4]
    ['grid', 'radius', 'threshold', 'area']
    """
    return tuple(f for f in fields(Recipe) if "bounds" in f.metadata)


def stage_order() -> tuple[str, ...]:
    """Order the fields that hold a number by the stage that uses them.

    Returns
    -------
    tuple of str
        Names of the fields. ``area`` is last, because one list of regions is scored at all smallest areas.

    Examples
    --------
    >>> stage_order()
    ('grid', 'clip_limit', 'radius', 'threshold', 'max_aspect', 'max_area', 'area')
    """
    ordered = sorted(parameters(), key=lambda p: (p.name == "area", STAGES.index(p.metadata["stage"])))
    return tuple(parameter.name for parameter in ordered)


def _check(parameter: Any, value: Any) -> float:
    low, high = parameter.metadata["bounds"]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (is_number and low <= value <= high):
        raise ValueError(
            f"{parameter.name} must be from {low:g} to {high:g} {parameter.metadata['unit']}, "
            f"not {shorten(value)}; see porescope recipes"
        )
    return float(value)


def _check_provenance(name: str, value: Any) -> None:
    """Refuse what ``run.json`` and the report cannot hold."""
    if not all(_is_plain(item) for item in (value if isinstance(value, list) else [value])):
        raise ValueError(
            f"provenance.{name[:40]} must be text or finite numbers, or a list of these, not "
            f"{shorten(value)}; write it as text, in quotes"
        )
    length = len(name) + len(str(value))
    if length > _MOST_TEXT:
        raise ValueError(
            f"provenance.{name[:40]} must have at most {_MOST_TEXT} characters, not {length}; shorten it"
        )


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))


def user_folder() -> Path:
    """Give the folder of the user's own recipes.

    Returns
    -------
    Path
        It need not exist.
    """
    from platformdirs import user_config_path

    return user_config_path("porescope") / "recipes"


def list_recipes() -> dict[str, Path]:
    """List all recipes, the shipped ones and the user's own.

    Returns
    -------
    dict
        Name → file, sorted by name. The user's own recipe replaces a shipped one of the same name.

    Examples
    --------
    >>> sorted(list_recipes())[:2]
    ['ws2', 'ws2-published']
    """
    shipped = Path(str(files("porescope") / "recipes"))
    paths = [*shipped.glob("*.toml"), *user_folder().glob("*.toml")]
    return dict(sorted({path.stem: path for path in paths}.items()))


def load_recipe(name: str | Path) -> Recipe:
    """Load a recipe by its name or from its file.

    Parameters
    ----------
    name : str or Path
        Name of a recipe (``ws2``), or a path that ends in ``.toml``.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If there is no such recipe, or its file has an unknown field or a value out of bounds.

    Examples
    --------
    >>> load_recipe("ws2-published").threshold
    71.0
    """
    path = Path(name)
    if path.suffix != ".toml":
        library = list_recipes()
        if str(name) not in library:
            raise ValueError(
                f"recipe {str(name)!r} is none of {', '.join(library)}; give one of them or a .toml file"
            )
        path = library[str(name)]
    return _from_content(path, _read_content(path))


def _read_content(path: Path) -> dict[str, Any]:
    try:
        size = path.stat().st_size
        if not path.is_file() or size > _MOST_BYTES:
            what = f"has {size} bytes" if path.is_file() else "is no file"
            raise ValueError(f"recipe {path} {what}; give a .toml file of at most {_MOST_BYTES} bytes")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"recipe {path} cannot be opened ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise ValueError(f"recipe {path.name} is not text; give a .toml file") from None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # RecursionError: brackets nested without end
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:200]
        raise ValueError(f"recipe {path.name} is not valid TOML: {what}; mend or export it anew") from None


def _from_content(path: Path, content: dict[str, Any]) -> Recipe:
    known = {f.name for f in fields(Recipe)} - {"name", "provenance"}
    unknown = sorted(set(content) - known - {"provenance"})
    if unknown:
        raise ValueError(
            f"recipe {path.name} has the unknown field {unknown[0][:40]} = {shorten(content[unknown[0]])}; "
            f"the fields are {', '.join(sorted(known))}"
        )
    provenance = content.pop("provenance", {})
    if not isinstance(provenance, dict):
        raise ValueError(f"recipe {path.name}: provenance must be a table, not {shorten(provenance)}")
    try:
        return Recipe(**content, name=printable(path.stem), provenance=provenance)
    except ValueError as error:
        raise ValueError(f"recipe {path.name}: {error}") from None


def save_recipe(recipe: Recipe, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a recipe with its provenance as TOML.

    Parameters
    ----------
    recipe : Recipe
    path : str or Path
        The file; it ends in ``.toml``.
    overwrite : bool
        Whether to replace an existing file.

    Raises
    ------
    ValueError
        If the file exists, or does not end in ``.toml``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_recipe(Recipe(grid=7), f"{folder}/mine.toml")
    ...     load_recipe(f"{folder}/mine.toml").grid
    7.0
    """
    import tomli_w

    path = Path(path)
    if path.suffix != ".toml":
        raise ValueError(f"recipe {path} must end in .toml, as the commands expect; rename it")
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists; choose another name or say --overwrite")
    content = {**recipe.numbers(), "provenance": dict(recipe.provenance)}
    with write_whole(path) as part:
        part.write_text(tomli_w.dumps(content), encoding="utf-8")


def add_recipe(recipe: Recipe, name: str, *, overwrite: bool = False) -> Path:
    """Save a recipe in the user's own folder.

    Parameters
    ----------
    recipe : Recipe
    name : str
        Letters, digits, - and _; it starts with a letter or digit.
    overwrite : bool
        Whether to replace a recipe of that name.

    Returns
    -------
    Path
        The recipe's file.

    Raises
    ------
    ValueError
        If the name has other characters, or is taken.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(f"name must consist of letters, digits, - and _, not {name!r}; choose another")
    if name in list_recipes() and not overwrite:
        raise ValueError(f"recipe {name} exists; choose another name or say --overwrite")
    path = user_folder() / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, path, overwrite=overwrite)
    return path
