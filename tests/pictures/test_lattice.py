from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from porescope import Micrograph
from porescope.atoms import find_sites
from porescope.lattice import find_lattice
from porescope.materials import MATERIALS
from porescope.pictures import PALETTE, draw_lattice
from porescope.pictures.lattice import _BLUE, _GAP, _GREYS, _HEAD, _ORANGE
from porescope.simulation import Pore, Scene, simulate


def draw() -> tuple[Micrograph, np.ndarray, Figure]:
    drawn = simulate(Scene("WS2", (300, 420), pores=(Pore((3.0, 12.0), missing=3),), dose=2e6), seed=1)
    lattice = find_lattice(drawn.micrograph)
    assert lattice is not None
    sites = find_sites(drawn.micrograph, lattice, MATERIALS["WS2"])
    figure = Figure(figsize=(9, 3), layout="constrained")
    return drawn.micrograph, draw_lattice(drawn.micrograph, lattice, sites, ax=figure.subplots()), figure


def test_the_part_with_the_sites_is_framed_in_the_whole() -> None:
    micrograph, picture, figure = draw()
    size, rows = 420, micrograph.image.shape[0]
    assert picture.max() < len(PALETTE) and (picture == _ORANGE).any() and (picture == _BLUE).any()
    amplitude = picture[_HEAD : _HEAD + rows, size + _GAP : 2 * size + _GAP]
    frame = np.argwhere(amplitude == _GREYS - 1)  # the white line; the colours are other rows of the palette
    top, left = frame.min(axis=0)
    bottom, right = frame.max(axis=0)
    # The pore lies in the middle of it, as far as the image allows.
    at = np.array([3.0, 12.0]) / micrograph.pixel_size
    assert top <= at[0] <= bottom and left <= at[1] <= right and right - left == bottom - top
    patch = figure.subfigs[0].axes[1].patches[-1]  # the same with matplotlib, in nm
    np.testing.assert_allclose(patch.get_xy() / np.array(micrograph.pixel_size), (left, top), atol=2)


def test_every_map_has_a_colour_bar_with_its_unit() -> None:
    _, _, figure = draw()
    labels = [ax.get_ylabel() for ax in figure.subfigs[0].axes]
    assert {"log₁₀ (power / background)", "amplitude / that of the intact sheet"} <= set(labels)
