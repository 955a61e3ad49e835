from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from porescope import Micrograph
from porescope.micrograph import Acquisition
from porescope.recipes import Recipe, load_recipe
from porescope.recipes.detector import Threshold

IMAGE = np.random.default_rng(0).poisson(90, (40, 50)).astype(np.float32)


def _read_message(recipe: Recipe, pixel_size: float, **options: Any) -> str:
    return Threshold(recipe).find(Micrograph(IMAGE, pixel_size, **options)).message


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
