from __future__ import annotations

import base64
import json
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from helpers import build_choice

from porescope import Micrograph, Recipe
from porescope.pictures import ShownImage, draw_cvvp, write_page
from porescope.pictures.cvvp import lay_out
from porescope.recipes import Choice

if TYPE_CHECKING:
    from playwright.sync_api import Page

AXES = {
    "grid": np.array([4.0, 10]),
    "radius": np.array([0.0, 1, 2]),
    "threshold": np.array([30.0, 50, 80]),
    "max_aspect": np.array([2.0, 3]),
    "area": np.array([0.0, 2, 5, 20]),
}


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


def test_a_name_is_no_formula(tmp_path: Path) -> None:
    choice = build_choice(FEW, SUCCESSES * 0.9, [1])
    choice.search.names[1] = r"$\no formula$"
    draw_cvvp(choice, tmp_path / "cvvp.png")
    assert (tmp_path / "cvvp.png").stat().st_size > 5000


def show_images(choice: Choice, size: int = 60) -> list[ShownImage]:
    """The images of a choice as the page takes them: a pore that was found, and the same one marked."""
    rng = np.random.default_rng(0)
    shown = []
    for name in choice.search.names[:6]:
        labels = np.zeros((size, size + 20), np.int32)
        labels[10:20, 30:45] = 1
        image = rng.poisson(50, labels.shape).astype(np.float32)
        found = [np.roll(labels, k, axis=1) for k in range(len(choice.best))]
        shown.append(ShownImage(name, Micrograph(image, 0.05), labels, found))
    return shown


@pytest.mark.parametrize(("images", "series"), [(1, 1), (8, 8), (9, 0)])
def test_the_page_holds_the_points_and_escapes_names(images: int, series: int, tmp_path: Path) -> None:
    values = np.tile(np.linspace(0, 1, 10), (images, 1))
    choice = build_choice(FEW, values, [9, 8])
    choice.search.names[0] = "</script><b>"
    write_page(choice, show_images(choice), tmp_path / "cvvp.html")
    page = (tmp_path / "cvvp.html").read_text()
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    at = np.frombuffer(base64.b64decode(data["at"]), np.uint8).reshape(2, 10)[:, data["chosen"]]
    assert [data["steps"][k][i] for k, i in enumerate(at)] == [1, 80] and data["recipe"] == Recipe().numbers()
    over = np.frombuffer(base64.b64decode(data["over"]), np.uint16)
    assert len(data["series"]) == series
    assert over.tolist() == [0] * 5 + [2**images - 1 if series else images] * 5
    scaled = np.frombuffer(base64.b64decode(data["values"]), np.uint16).reshape(images, 10)
    np.testing.assert_allclose(scaled / 65535, values, atol=1e-5)
    assert "</script><b>" not in page and page.count('class="best"') == 2
    assert "threshold 80" in page.split("<b>1.</b>")[1][:200]


def test_a_large_search_of_many_images_makes_a_small_page(tmp_path: Path) -> None:
    axes = {name: 2 + np.arange(float(n)) for name, n in zip(AXES, (8, 8, 19, 1, 19), strict=True)}
    values = np.random.default_rng(0).random((30, 8 * 8 * 19 * 19))
    choice = build_choice(axes, values, list(range(10)))
    write_page(choice, show_images(choice, 1500), tmp_path / "cvvp.html")
    assert (tmp_path / "cvvp.html").stat().st_size < 2_000_000


@pytest.fixture(scope="module")
def page(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of a search, opened from a file, without any network."""
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("page")
    choice = build_choice(FEW, SUCCESSES * 0.9, [1, 6], reason="It was asked for.")
    choice.search.names[1] = "<i>B</i>"
    write_page(choice, show_images(choice), folder / "cvvp.html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            context = browser.new_context(viewport={"width": 1200, "height": 900}, offline=True)
            context.set_default_timeout(60_000)
            opened = context.new_page()
            errors: list[str] = []
            opened.on("pageerror", lambda error: errors.append(str(error)))
            opened.goto(f"file://{folder / 'cvvp.html'}")
            yield opened
            assert errors == []
        finally:
            browser.close()


def test_the_page_opens_with_the_chosen_recipe(page: Page) -> None:
    shown = page.locator("#recipe").inner_text()
    assert "radius = 0" in shown and "threshold = 50" in shown
    assert "\u2068<i>B</i>\u2069: 0.900" in page.locator("#values").inner_text()
    assert "above the mark, 0.5. It was asked for." in page.locator("ul").first.inner_text()


def test_the_arrow_keys_go_from_point_to_point(page: Page) -> None:
    page.locator("#plot").focus()
    page.keyboard.press("ArrowUp")
    assert "threshold = 60" in page.locator("#recipe").inner_text()
    page.keyboard.press("ArrowRight")
    assert "radius = 1" in page.locator("#recipe").inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert "radius = 0" in page.locator("#recipe").inner_text()
    assert "threshold = 50" in page.locator("#recipe").inner_text()


def test_a_point_tells_its_values_and_a_click_its_recipe(page: Page) -> None:
    box = page.locator("#plot").bounding_box()
    assert box is not None
    seen = set()
    for x in np.linspace(0.1, 0.9, 9):
        for y in np.linspace(0.1, 0.9, 9):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
            if page.locator("#tip").is_visible():
                said = page.locator("#tip").inner_text().split("\n")[0]
                seen.add(said)
                if said == "radius 1, threshold 70":
                    page.mouse.down()
                    page.mouse.up()
                    assert "threshold = 70" in page.locator("#recipe").inner_text()
    assert len(seen) > 5 and "radius 1, threshold 70" in seen
    page.locator("[data-point]").first.click()
    assert "threshold = 50" in page.locator("#recipe").inner_text()


@pytest.mark.parametrize("what", ["recipe", "command"])
def test_the_copy_buttons_copy(page: Page, what: str) -> None:
    page.locator(f"[data-copy={what}]").click()
    page.locator(f"[data-copy={what}]", has_text="Copied").wait_for()
    page.evaluate("document.body.append(Object.assign(document.createElement('textarea'), {id: 'paste'}))")
    page.locator("#paste").focus()
    page.keyboard.press("Control+V")
    pasted = page.locator("#paste").input_value()
    page.evaluate("document.getElementById('paste').remove()")
    assert pasted == page.locator(f"#{what}").inner_text()
    if what == "command":
        assert pasted == "porescope detect IMAGES --recipe point.toml -o point"
    else:
        assert Recipe(**tomllib.loads(pasted)) == Recipe(radius=0, threshold=50)


def test_a_thumbnail_shows_outlines_and_opens_large(page: Page) -> None:
    thumb = page.locator("button.thumb").nth(1)
    small = thumb.locator("svg").bounding_box()
    width = thumb.locator("path.found").evaluate("e => parseFloat(getComputedStyle(e).strokeWidth)")
    assert width >= 2  # pixels of the screen, however small the picture
    thumb.click()
    large = page.locator("#large svg")
    large.wait_for()
    box = large.bounding_box()
    assert small is not None and box is not None and box["width"] > 2 * small["width"]
    assert "<i>B</i>: 0.900" in page.locator("#large p").inner_text()
    page.keyboard.press("Escape")
    page.locator("#large").wait_for(state="hidden")


def test_labels_do_not_run_together(page: Page) -> None:
    """In a narrow window too: the canvas is asked where each text was written."""
    page.evaluate(
        """() => {
      const draw = CanvasRenderingContext2D.prototype.fillText;
      window.written = [];
      CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        const m = this.getTransform(), w = this.measureText(text).width;
        const left = {left: 0, center: w / 2, right: w}[this.textAlign];
        const from = m.e / m.a + x - left;
        if (Math.abs(m.b) < 1e-6) window.written.push([from, from + w, m.f / m.a + y]);
        draw.call(this, text, x, y);
      };
    }"""
    )
    for width in (1200, 360):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(f"window.innerWidth === {width}")
        # All in one go: the browser's own event may come at any time.
        boxes = page.evaluate(
            "() => { window.written = []; window.dispatchEvent(new Event('resize')); return written; }"
        )
        assert len(boxes) > 3
        for line in {round(y) for _, _, y in boxes}:
            row = sorted((left, right) for left, right, y in boxes if round(y) == line)
            assert all(right <= left for (_, right), (left, _) in pairwise(row)), (width, row)
    page.set_viewport_size({"width": 1200, "height": 900})
