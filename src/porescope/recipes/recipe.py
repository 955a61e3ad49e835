"""Recipes: the numbers of the paper's pipeline, kept as TOML with where they come from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

SCALINGS = ("published", "physical")


def _parameter(default: float, unit: str, low: float, high: float, doc: str) -> Any:
    return field(default=default, metadata={"unit": unit, "bounds": (low, high), "doc": doc})


@dataclass(frozen=True)
class Recipe:
    """The parameters of the threshold method; each is declared here and nowhere else.

    ``parameters()`` tells the default, unit, bounds and meaning of every one.

    Raises
    ------
    ValueError
        If a value is not a number within its bounds.

    Examples
    --------
    >>> Recipe(grid=19, radius=3).grid
    19.0
    >>> Recipe(grid=0)
    Traceback (most recent call last):
    ...
    ValueError: grid must be from 1 to 512 tiles, not 0; see porescope recipes
    """

    grid: float = _parameter(10, "tiles", 1, 512, "tiles a side of the local equalisation (CLAHE)")
    radius: float = _parameter(2, "px at 10 M×", 0, 100, "half-width of the averaging window")
    threshold: float = _parameter(60, "8-bit grey", 0, 1024, "a pore is darker than this")
    area: float = _parameter(20, "px² at 10 M×", 0, 1e6, "a pore is larger than this")
    clip_limit: float = _parameter(40, "1", 0, 1e4, "contrast limit of the equalisation")
    max_aspect: float = _parameter(3, "1", 1, 1e6, "a pore's bounding rectangle is less oblong")
    max_area: float = _parameter(100_000, "px", 0, 1e12, "a pore is smaller than this")
    scaling: str = field(
        default="physical",
        metadata={"doc": "physical: tile, window and area constant in nm; published: as in the paper"},
    )
    name: str = field(default="", compare=False)
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for parameter in parameters():
            object.__setattr__(self, parameter.name, _check(parameter, getattr(self, parameter.name)))
        if self.scaling not in SCALINGS:
            raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}, not {self.scaling!r}")

    def numbers(self) -> dict[str, float | str]:
        """The parameters and the scaling as a plain dictionary."""
        names = [parameter.name for parameter in parameters()]
        return {name: getattr(self, name) for name in (*names, "scaling")}

    def with_values(self, values: Mapping[str, Any]) -> Recipe:
        """The same recipe with other values of some parameters."""
        return replace(self, **values)


def parameters() -> tuple[Any, ...]:
    """Fields of `Recipe` that hold a number: ``.name``, ``.default``, ``.metadata``.

    Examples
    --------
    >>> [p.name for p in parameters()][:4]
    ['grid', 'radius', 'threshold', 'area']
    """
    return tuple(f for f in fields(Recipe) if "bounds" in f.metadata)


def _check(parameter: Any, value: Any) -> float:
    low, high = parameter.metadata["bounds"]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (is_number and low <= value <= high):
        raise ValueError(
            f"{parameter.name} must be from {low:g} to {high:g} {parameter.metadata['unit']}, "
            f"not {value!r}; see porescope recipes"
        )
    return float(value)


def user_folder() -> Path:
    """Folder of the user's own recipes."""
    from platformdirs import user_config_path

    return user_config_path("porescope") / "recipes"


def list_recipes() -> dict[str, Path]:
    """Names and files of all recipes, shipped and the user's own; of equal names the user's.

    Examples
    --------
    >>> sorted(list_recipes())[:2]
    ['ws2', 'ws2-published']
    """
    shipped = Path(str(files("porescope") / "recipes"))
    paths = [*shipped.glob("*.toml"), *user_folder().glob("*.toml")]
    return dict(sorted({path.stem: path for path in paths}.items()))


def load_recipe(name: str | Path) -> Recipe:
    """Load a recipe by its name in the library or by its file.

    Parameters
    ----------
    name : str or Path
        ``ws2``, or a path that ends in ``.toml``.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If there is no such recipe, or it holds an unknown or impossible value.

    Examples
    --------
    >>> load_recipe("ws2-published").threshold
    71.0
    """
    path = Path(name)
    if path.suffix != ".toml":
        library = list_recipes()
        if str(name) not in library:
            raise ValueError(f"recipe {str(name)!r} is none of {', '.join(library)}; or give a .toml file")
        path = library[str(name)]
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"recipe {path} cannot be opened ({error.strerror}); check the path") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"recipe {path.name} is not valid TOML: {error}") from None
    return _from_content(path, content)


def _from_content(path: Path, content: dict[str, Any]) -> Recipe:
    known = {f.name for f in fields(Recipe)} - {"name", "provenance"}
    unknown = sorted(set(content) - known - {"provenance"})
    if unknown:
        raise ValueError(
            f"recipe {path.name} has the unknown field {unknown[0]} = {content[unknown[0]]!r}; "
            f"the fields are {', '.join(sorted(known))}"
        )
    provenance = content.pop("provenance", {})
    if not isinstance(provenance, dict):
        raise ValueError(f"recipe {path.name}: provenance must be a table, not {provenance!r}")
    try:
        return Recipe(**content, name=path.stem, provenance=provenance)
    except ValueError as error:
        raise ValueError(f"recipe {path.name}: {error}") from None


def save_recipe(recipe: Recipe, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a recipe with its provenance as TOML.

    Parameters
    ----------
    recipe : Recipe
    path : str or Path
        The file; an existing one is replaced only with ``overwrite``.

    Raises
    ------
    ValueError
        If the file exists.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_recipe(Recipe(grid=7), f"{folder}/mine.toml")
    ...     load_recipe(f"{folder}/mine.toml").grid
    7.0
    """
    import tomli_w

    from porescope.files.writing import write_whole

    path = Path(path)
    if path.suffix != ".toml":
        raise ValueError(f"{path} must end in .toml, or no command will know it for a recipe")
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists; choose another name or say --overwrite")
    content = {**recipe.numbers(), "provenance": dict(recipe.provenance)}
    with write_whole(path) as part:
        part.write_text(tomli_w.dumps(content), encoding="utf-8")


def add_recipe(recipe: Recipe, name: str, *, overwrite: bool = False) -> Path:
    """Put a recipe into the user's folder; give its file.

    Raises
    ------
    ValueError
        If the name is no plain name, or taken.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise ValueError(f"name must be letters, digits, - and _, not {name!r}")
    if name in list_recipes() and not overwrite:
        raise ValueError(f"recipe {name} exists; choose another name or say --overwrite")
    path = user_folder() / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    save_recipe(recipe, path, overwrite=overwrite)
    return path
