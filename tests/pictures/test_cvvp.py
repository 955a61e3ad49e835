from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from porescope import Recipe
from porescope.pictures import draw_cvvp, read_off, write_page
from porescope.pictures.cvvp import lay_out
from porescope.recipes import Choice, Search

AXES = {
    "grid": np.array([4.0, 10]),
    "radius": np.array([0.0, 1, 2]),
    "threshold": np.array([30.0, 50, 80]),
    "max_aspect": np.array([2.0, 3]),
    "area": np.array([0.0, 2, 5, 20]),
}


def build_choice(
    axes: dict[str, np.ndarray], values: np.ndarray, best: list[int], mark: float = 0.5
) -> Choice:
    """Build a choice by hand; the images are named A, B, …"""
    names = [chr(ord("A") + i % 26) + "<" * (i // 26) for i in range(len(values))]
    shape = tuple(len(v) for v in axes.values())
    search = Search(Recipe(), axes, names, np.zeros((len(values), *shape, 6), np.int32))
    return Choice(search, values.reshape(len(values), -1), np.array(best), mark, "a title")


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_plot_makes_sense_with_any_number_of_axes(n: int, tmp_path: Path) -> None:
    axes = dict(list(AXES.items())[-n:])
    points = int(np.prod([len(v) for v in axes.values()]))
    choice = build_choice(axes, np.linspace(0, 1, points)[None], [points - 1])
    layout = lay_out(choice)
    assert choice.point in layout.points
    assert len(set(zip(layout.x, layout.y, strict=True))) == len(layout.points)
    assert len(layout.fixed) == max(0, n - 4)
    draw_cvvp(choice, tmp_path / "cvvp.png")
    assert (tmp_path / "cvvp.png").stat().st_size > 5000


def test_a_point_lies_where_its_parameters_say() -> None:
    axes = {name: AXES[name] for name in ("grid", "radius", "threshold", "area")}
    choice = build_choice(axes, np.zeros((1, 72)), [0])
    layout = lay_out(choice)
    assert layout.names == ("threshold", "area") and len(layout.frames) == 2 * 3
    for point, x, y in zip(layout.points, layout.x, layout.y, strict=True):
        at = choice.search.recipe_at(point)
        across, up = list(AXES["threshold"]).index(at.threshold), list(AXES["area"]).index(at.area)
        column, row = list(AXES["grid"]).index(at.grid), list(AXES["radius"]).index(at.radius)
        # A panel is as wide as its points, and a step apart from the next.
        assert (x, y) == (across + 4 * column, up + 5 * row)
    assert layout.outer[0] == [(1, "grid 4"), (5, "grid 10")]
    assert layout.inner[1] == [(0, "0"), (1, "2"), (2, "5"), (3, "20")]


def test_long_axes_are_thinned_out_but_keep_the_chosen_point() -> None:
    axes = {"threshold": np.arange(100.0), "area": np.arange(3.0)}
    for best in (0, 100, 299):
        layout = lay_out(build_choice(axes, np.zeros((1, 300)), [best]))
        assert best in layout.points and 2 <= len(layout.inner[0]) <= 7


# Three images over radius (rows) and threshold (columns): all succeed at radius 0 and 1, threshold 50.
# B succeeds nowhere else, C everywhere, A over a wide part of the thresholds.
SUCCESSES = np.array(
    [
        [[0, 1, 1, 1, 0], [0, 1, 1, 1, 0]],
        [[0, 1, 0, 0, 0], [0, 1, 0, 0, 0]],
        [[1, 1, 1, 1, 1], [1, 1, 1, 1, 1]],
    ]
)
FEW = {"radius": np.array([0.0, 1.0]), "threshold": np.array([40.0, 50, 60, 70, 80])}


def test_what_the_plot_says() -> None:
    lines = read_off(build_choice(FEW, SUCCESSES * 0.9, [1]))
    assert lines == [
        "2 of 10 points succeed (> 0.5) on all 3 images.",
        "B limits most: without it 6 points would succeed; alone it succeeds at 2.",
        "threshold must be chosen most carefully: "
        "points with 3 of 3 images lie from 50 to 50, 0% of its range.",
    ]


def test_the_narrowest_parameter_is_told_by_its_share_of_the_range() -> None:
    # All succeed at radius 0 to 1 of 0 to 1, and at threshold 50 to 70 of 40 to 80.
    lines = read_off(build_choice(FEW, SUCCESSES[::2] * 0.9, [1]))
    assert lines[2].startswith("threshold must be chosen") and lines[2].endswith(
        "from 50 to 70, 50% of its range."
    )
    # The same with the axes' order turned: all succeed at radius 0 of 0 to 4.
    turned = {"grid": np.array([5.0, 10.0]), "radius": np.arange(5.0)}
    values = np.array([[[0.9, 0, 0, 0, 0], [0.9, 0, 0, 0, 0]]])
    assert read_off(build_choice(turned, values, [0]))[1].startswith("radius must be chosen most carefully")
    values = np.array([[[0.9, 0.9, 0.9, 0.9, 0.9], [0, 0, 0, 0, 0]]])
    assert read_off(build_choice(turned, values, [0]))[1].startswith("grid must be chosen most carefully")


def test_one_image_is_no_crowd() -> None:
    assert read_off(build_choice(FEW, SUCCESSES[:1] * 0.9, [1]))[0] == (
        "6 of 10 points succeed (> 0.5) on the one image."
    )


def test_advice_where_no_point_suits_all() -> None:
    values = np.zeros((2, 2, 5))
    values[0, 0, 1], values[1, 0, 1], values[1, 1, 3] = 0.9, 0.3, 0.8
    lines = read_off(build_choice(FEW, values, [1]))
    assert lines[0] == "0 of 10 points succeed (> 0.5) on all 2 images."
    # The chosen radius 0 is at an end of its range, the threshold 50 is not.
    assert lines[3:] == [
        "No point suits all images. Widen the ranges: the best point is at the end of radius (0).",
        "Take finer steps around the best point: radius 0, threshold 50.",
        "Lower the success mark: the best that all images reach together is 0.3.",
        "Tune B apart (0.3 at the best point), or look at its standard again.",
    ]


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    choice = build_choice(FEW, SUCCESSES * 0.9, [1])
    choice.search.names[1] = r"$\no formula$"
    draw_cvvp(choice, tmp_path / "cvvp.png")
    assert (tmp_path / "cvvp.png").stat().st_size > 5000


@pytest.mark.parametrize(("images", "series"), [(1, 1), (8, 8), (9, 1)])
def test_the_page_holds_the_points_and_escapes_names(images: int, series: int, tmp_path: Path) -> None:
    values = np.tile(np.linspace(0, 1, 10), (images, 1))
    choice = build_choice(FEW, values, [9, 8])
    choice.search.names[0] = "</script><b>"
    write_page(choice, [[b"1"] * images] * 2, tmp_path / "cvvp.html")
    page = (tmp_path / "cvvp.html").read_text()
    data = json.loads(page.split("const d = ")[1].split(";\n")[0])
    assert data["point"][data["best"][0]] == [1, 80] and data["recipe"] == Recipe().numbers()
    assert len(data["marks"]) == series and data["all"] == list(range(5, 10))
    assert "</script><b>" not in page and page.count('class="best"') == 2
    assert "threshold 80" in page.split("<b>1.</b>")[1][:200]
