from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porescope import Micrograph, Recipe
from porescope.micrograph import Acquisition
from porescope.recipes import Threshold, list_recipes, load_recipe, parameters, save_recipe
from porescope.recipes.recipe import STAGES, stage_order, user_folder


def test_every_parameter_has_a_stage_and_its_place_in_their_order() -> None:
    stages = {p.name: STAGES.index(p.metadata["stage"]) for p in parameters()}
    order = stage_order()
    assert sorted(order) == sorted(stages)
    assert [stages[name] for name in order] == sorted(stages.values())
    # The evaluation counts all areas of a list of regions together.
    assert order[-1] == "area"


def test_the_shipped_recipes() -> None:
    published, physical = load_recipe("ws2-published"), load_recipe("ws2")
    assert (published.grid, published.radius, published.threshold, published.area) == (19, 3, 71, 5)
    assert published.scaling == "published" and "Chen" in published.provenance["by"]
    assert (physical.grid, physical.radius, physical.threshold, physical.area) == (10, 2, 60, 20)
    assert physical.scaling == "physical" and physical.provenance["calibration"] == "header"


numbers = st.fixed_dictionaries(
    {
        p.name: st.floats(p.metadata["bounds"][0], p.metadata["bounds"][1], allow_nan=False)
        for p in parameters()
    }
)


@given(values=numbers)
def test_a_recipe_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, float]
) -> None:
    path = tmp_path_factory.mktemp("recipe") / "r.toml"
    recipe = Recipe(**values, scaling="published", provenance={"by": "me"})
    save_recipe(recipe, path)
    assert load_recipe(path) == recipe and load_recipe(path).provenance == {"by": "me"}


@pytest.mark.parametrize("parameter", parameters(), ids=lambda p: p.name)
@pytest.mark.parametrize("bad", ["low", "high", True, "7", float("nan")], ids=str)
def test_impossible_values_are_refused(parameter, bad: object) -> None:
    low, high = parameter.metadata["bounds"]
    value = {"low": low - 1, "high": high * 2 + 1}.get(str(bad), bad)
    with pytest.raises(ValueError, match=rf"{parameter.name} must be from {low:g} to"):
        Recipe(**{parameter.name: value})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("foo = 3", r"x\.toml has the unknown field foo = 3"),
        ("grid = 0", r"x\.toml: grid must be from 1 to 512"),
        (f"grid = 1{'0' * 400}", r"x\.toml: grid must be from 1 to 512"),
        ('scaling = "other"', r"x\.toml: scaling must be one of published, physical"),
        ("grid = = 3", r"x\.toml is not valid TOML"),
        ("provenance = 3", r"x\.toml: provenance must be a table"),
        ("provenance.date = 2024-01-01", r"provenance\.date must be text or .* write it as text, in quotes"),
        ("provenance.time = 12:00:00", r"x\.toml: provenance\.time must be text"),
        ("provenance.score = nan", r"x\.toml: provenance\.score must be text or finite numbers"),
        ("provenance.score = [1, inf]", r"x\.toml: provenance\.score must be text or finite numbers"),
        ("provenance.a.b = 1", r"x\.toml: provenance\.a must be text"),
        (f'provenance.by = "{"x" * 20_000}"', r"x\.toml: provenance\.by must have at most 10000 characters"),
        (f'provenance.{"x" * 20_000} = ""', r"x\.toml: provenance\.x{40} must have at most"),
        (f"provenance.by = 0x{'f' * 9000}", r"recipe x\.toml"),
        (f'grid = "{"x" * 20_000}"', r"x\.toml: grid must be from 1 to 512"),
        (f'scaling = "{"x" * 20_000}"', r"x\.toml: scaling must be one of"),
        (f"{'x' * 20_000} = 3", r"x\.toml has the unknown field x{40} ="),
        (f"grid = {'[' * 20_000}", r"x\.toml is not valid TOML: it is nested too deeply"),
        (f"grid = 1{'0' * 5000}", r"x\.toml is not valid TOML"),
        (f"#{'x' * 200_000}", r"x\.toml has 200001 bytes; give a \.toml file of at most 100000 bytes"),
        ("\udcff", r"x\.toml is not text"),
    ],
    ids=lambda text: text[:30],
)
def test_bad_files_are_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.toml").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=message) as caught:
        load_recipe(tmp_path / "x.toml")
    assert len(str(caught.value)) < 500


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    for name, message in {
        "folder": r"folder\.toml is no file",
        "loop": r"loop\.toml cannot be opened \(Too many levels",
        "none": r"none\.toml cannot be opened \(No such file",
    }.items():
        with pytest.raises(ValueError, match=message):
            load_recipe(tmp_path / f"{name}.toml")


def test_unknown_names_list_the_known() -> None:
    with pytest.raises(ValueError, match=r"'nope' is none of ws2, ws2-published"):
        load_recipe("nope")


def test_the_users_own_recipes_are_found_and_win() -> None:
    folder = user_folder()
    folder.mkdir(parents=True)
    save_recipe(Recipe(grid=8), folder / "lab.toml")
    save_recipe(Recipe(grid=9), folder / "ws2.toml")
    assert load_recipe("lab").grid == 8 and load_recipe("ws2").grid == 9
    assert set(list_recipes()) == {"lab", "ws2", "ws2-published"}
    with pytest.raises(ValueError, match="exists"):
        save_recipe(Recipe(), folder / "lab.toml")


_IMAGE = np.random.default_rng(0).poisson(90, (40, 50)).astype(np.float32)


def _read_message(recipe: Recipe, pixel_size: float, **options: Any) -> str:
    return Threshold(recipe).find(Micrograph(_IMAGE, pixel_size, **options)).message


@pytest.mark.parametrize("name", ["ws2", "ws2-published"])
def test_a_shipped_recipe_warns_far_from_its_pixel_sizes(name: str) -> None:
    """They were tuned on 0.0312 to 0.0469 nm; 1.5 times more or less is near."""
    recipe = load_recipe(name)
    for near in (0.0209, 0.0312, 0.04, 0.0469, 0.0702):
        assert _read_message(recipe, near) == ""
    for far in (0.0207, 0.0704, 0.25):
        message = _read_message(recipe, far)
        assert f"{name} was tuned at 0.0312–0.0469 nm" in message and f"{far:.3g} nm" in message
        assert "; " not in message  # messages are joined by it


def test_the_pixel_size_that_scales_the_recipe_is_compared() -> None:
    """The header's, not the lattice's."""
    corrected = Acquisition(pixel_size_recipe=(0.05, 0.05))
    assert _read_message(load_recipe("ws2"), 0.3, acquisition=corrected) == ""
    assert _read_message(load_recipe("ws2"), 0.05, acquisition=Acquisition(pixel_size_recipe=(0.3, 0.3)))


@pytest.mark.parametrize("sizes", [None, "0.03", [], ["a"], [0.0]])
def test_what_a_recipe_does_not_know_it_does_not_say(sizes: Any) -> None:
    recipe = Recipe() if sizes is None else Recipe(provenance={"pixel_sizes_nm": sizes})
    assert _read_message(recipe, 3.0) == ""


def test_one_tuned_pixel_size_is_said_once() -> None:
    recipe = replace(load_recipe("ws2"), provenance={"pixel_sizes_nm": [0.05]})
    assert "tuned at 0.05 nm per pixel and this image has 1 nm" in _read_message(recipe, 1.0)
