from __future__ import annotations

from dataclasses import replace

import pytest

from porescope import Micrograph
from porescope.lattice import find_lattice
from porescope.network import CELL_PX, choose_scale
from porescope.simulation import Scene, simulate


def test_the_scale_comes_from_the_lattice_else_from_the_pixels() -> None:
    drawn = simulate(Scene(shape=(200, 220), pixel_size=0.03, pores=0), seed=1)
    lattice = find_lattice(drawn.micrograph)
    assert lattice is not None
    factor, cell, constant, message = choose_scale(drawn.micrograph, lattice, None)
    assert cell == lattice.constant_px and constant == lattice.constant_nm
    assert factor == pytest.approx(CELL_PX * 0.03 / 0.3153, rel=0.01) and message == ""
    by_material, cell, constant, message = choose_scale(drawn.micrograph, None, "graphene")
    assert cell == pytest.approx(0.2461 / 0.03) and constant == 0.2461
    assert by_material == pytest.approx(CELL_PX * 0.03 / 0.2461) and "by the pixel size" in message
    coarse = Micrograph(drawn.micrograph.image, 0.5)
    factor, _, constant, message = choose_scale(coarse, None, None)
    assert constant is None
    assert factor == 1 and "too coarse for a lattice" in message


def test_a_wrong_pixel_size_tells_only_light_sheets() -> None:
    drawn = simulate(Scene(shape=(200, 220), pixel_size=0.03, pores=0), seed=1).micrograph
    lattice = find_lattice(drawn)
    assert choose_scale(drawn, lattice, "WS2").constant_nm == 0.3153
    wrong = replace(lattice, constant_nm=lattice.constant_nm * 2 / 3**0.5)
    told = {material: choose_scale(drawn, wrong, material).constant_nm for material in ("WS2", "graphene")}
    assert told == {"WS2": None, "graphene": 0.2461}
    # What fits graphene by chance is not graphene if the sheet is known to be WS2.
    misfit = replace(lattice, constant_nm=0.2461)
    assert choose_scale(drawn, misfit, None).constant_nm == 0.2461
    assert choose_scale(drawn, misfit, "WS2").constant_nm is None
