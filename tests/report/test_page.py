"""The report, as files and in a browser: each promise is clicked."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import run, save_simulated, take_census

from porescope import read_run
from porescope.recipes import Threshold
from porescope.report import write_report
from porescope.runs import Job, Run
from porescope.simulation import Scene, simulate

#: A name that is markup, breaks out of quotes, and turns text around.
EVIL = "a\"'><img src=x onerror=document.title=1>\u202e"


@pytest.mark.parametrize(
    "change",
    [
        None,
        {"recipe": "x", "recipe_provenance": [1], "model": 5, "libraries": None, "outputs": 5},
        {"model": {}, "inputs": {"a": 1}, "material": ["<i>"]},
        {"model": {"trained_by": [], "sha256": 5}},
        {"version": {"a": 1}, "method": None, "command": ["<b>"], "platform": "x" * 100_000},
    ],
)
def test_a_record_of_another_form_gives_a_report(change: dict[str, Any] | None, tmp_path: Path) -> None:
    take_census([save_simulated(tmp_path, "one.tif")], Job(tmp_path, Threshold(), overlays=False))
    record = json.loads((tmp_path / "run.json").read_text())
    changed = {"state": "running"} if change is None else {**record, **change}
    (tmp_path / "run.json").write_text(json.dumps(changed))
    page = write_report(read_run(tmp_path), tmp_path).read_text()
    assert "<h1>3 pores in 1 image</h1>" in page and "<b>" not in page.split('id="made"')[1]
    assert "the run had not ended" in page and len(page) < 90_000


def repeat(run: Run, n: int, folder: Path) -> Run:
    """The first image of a run as n images, with all its files."""
    stem = run.images.image.iloc[0]
    names = [f"copy{i:03d}" for i in range(n)]
    for path in [*folder.glob(f"{stem}_*.tif"), *(folder / "pictures").glob(f"{stem}_*")]:
        for name in names:
            shutil.copy(path, path.with_name(f"{name}{path.name.removeprefix(stem)}"))
    images = pd.concat([run.images.head(1)] * n, ignore_index=True).assign(image=names)
    own = run.pores[run.pores.image == stem]
    pores = pd.concat([own] * n, ignore_index=True).assign(image=np.repeat(names, len(own)))
    return run._replace(images=images, pores=pores)


def test_two_hundred_images_take_ten_megabytes(tmp_path: Path) -> None:
    """With the vacancy map of each, outlines, crops; noisy, as pictures of 512² are at the usual dose."""
    drawn = simulate(Scene(pores=6), seed=1)
    np.save(tmp_path / "one.npy", drawn.micrograph.image)
    options = ["--pixel-size", "0.04", "-o", tmp_path / "out"]
    assert run("detect", tmp_path / "one.npy", *options).exit_code == 0
    out = tmp_path / "out"
    whole = repeat(read_run(out), 200, out)
    assert len(whole.pores) >= 1000
    page = write_report(whole, out)
    assert 7_000_000 < page.stat().st_size <= 10_000_000 and not (out / "pages").exists()
    assert page.read_text().count("data:image/jpeg") == 400


def test_a_long_report_has_pages_and_older_ones_go(tmp_path: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(b"II*\0 no image")
    paths = [save_simulated(tmp_path, "good.tif"), tmp_path / "broken.tif"]
    whole = take_census(paths, Job(tmp_path, Threshold(), overlays=False))
    many = pd.concat([whole.images.head(1)] * 429 + [whole.images.tail(1)], ignore_index=True)
    many = many.assign(image=[*(f"good{i}" for i in range(429)), "broken"])
    first = write_report(whole._replace(images=many), tmp_path).read_text()
    cards = first.split("<h3><bdi>")[1:]
    assert len(cards) == 200 and cards[0].startswith("broken<") and "1 image failed." in first
    pages = sorted(path.name for path in (tmp_path / "pages").iterdir())
    assert pages == ["report_002.html", "report_003.html"]
    last = (tmp_path / "pages" / "report_003.html").read_text()
    assert last.count("<h3><bdi>good") == 30 and "Equivalent diameter</h2>" not in last
    (tmp_path / "pages" / "report_mine.html").touch()
    write_report(whole, tmp_path)
    assert [path.name for path in (tmp_path / "pages").iterdir()] == ["report_mine.html"]


def test_a_hundred_thousand_pores_are_not_put_into_one_page(tmp_path: Path) -> None:
    whole = take_census([save_simulated(tmp_path, "one.tif")], Job(tmp_path, Threshold(), overlays=False))
    pores = pd.concat([whole.pores] * 33_334, ignore_index=True)
    pores = pores.assign(label=np.arange(len(pores)) + 1)
    page = write_report(whole._replace(pores=pores), tmp_path)
    assert page.stat().st_size < 10_000_000
    text = page.read_text()
    assert "5000 largest pores; the other 95002 are in" in text and text.count("<tr tabindex") == 5000
    assert "The 5000 largest pores are outlined." in text


def test_a_run_of_an_older_version_shows_its_smaller_pictures(tmp_path: Path) -> None:
    whole = take_census([save_simulated(tmp_path, "one.tif")], Job(tmp_path, Threshold()))
    (tmp_path / "pictures" / "one_image.jpg").rename(tmp_path / "pictures" / "one_0.jpg")
    page = write_report(whole, tmp_path).read_text()
    assert page.count("data:image/jpeg") == 1 and 'class="bar"' not in page, "the picture has a bar"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two images, a movie and a broken file, with pores, candidates and a field."""
    folder = tmp_path_factory.mktemp("night")
    save_simulated(folder / "in", f"{EVIL}.tif", seed=5)
    save_simulated(folder / "in", "movie.tif", seed=8, frames=3)
    drawn = simulate(Scene(shape=(320, 330), pores=16, max_missing=40, dose=2e6), seed=2)
    np.save(folder / "in" / "many.npy", drawn.micrograph.image)
    largest = np.bincount(drawn.labels[drawn.labels > 0]).argmax()
    cut = int(np.argwhere(drawn.labels == largest)[:, 1].mean())  # through the middle of a pore
    np.save(folder / "in" / "field.npy", np.hstack([np.zeros((320, 40)), drawn.micrograph.image[:, cut:]]))
    (folder / "in" / "zz.dm3").write_bytes(b"broken")
    options = ["--material", "WS2", "--least-confidence", "0.9", "--workers", "1"]
    paths = [p for p in (folder / "in").iterdir() if p.suffix != ".npy"]
    assert run("detect", *paths, "-o", folder / "out", *options).exit_code == 1
    more = run("detect", *sorted((folder / "in").iterdir()), "-o", folder / "out", "--overwrite",
               "--pixel-size", "0.04", *options)  # fmt: skip
    assert more.exit_code == 1, more.output
    return folder / "out"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any, out: Path) -> Iterator[Any]:
    """The report at 1400 px; whatever the browser complains of, or asks a network for, is an error."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(60_000)
    bad: list[str] = []
    page.on("console", lambda message: bad.append(message.text))
    page.on("pageerror", lambda error: bad.append(str(error)))
    page.on("request", lambda r: bad.append(r.url[:99]) if not re.match("file:|data:", r.url) else None)
    page.goto(f"file://{out / 'report.html'}")
    yield page
    page.close()
    assert bad == []


def get_box(page: Any) -> tuple[float, ...]:
    """What the viewer shows: left, top, width, height [px of the image]."""
    return tuple(map(float, page.get_attribute("#view", "viewBox").split()))


def wait_for(page: Any, happens: Callable[[], bool]) -> None:
    """Wait until something happens; Playwright's own waiting runs scripts, which the page forbids."""
    for _ in range(600):
        if happens():
            return
        page.wait_for_timeout(100)
    raise TimeoutError


def list_shown(page: Any, column: int = 0) -> list[str]:
    cells = f"#rows tbody tr:not([hidden]) td:nth-child({column + 1})"
    return page.eval_on_selector_all(cells, "cells => cells.map(c => c.textContent.trim())")


def find_column(page: Any, head: str) -> int:
    heads = page.eval_on_selector_all(
        "#rows th", "heads => heads.map(h => (h.querySelector('button') || h).textContent.trim())"
    )
    return heads.index(head)


def test_the_summary_comes_first_with_its_warnings(page: Any) -> None:
    order = "h1, .warning, .totals, #sizes, #densities, #stacks, #pores, #images, #made"
    tags = page.eval_on_selector_all(order, "all => all.map(e => e.id || e.className || e.tagName)")
    assert tags[:3] == ["H1", "warning", "totals"] or tags[:4] == ["H1", "warning", "warning", "totals"]
    assert tags[-6:] == ["sizes", "densities", "stacks", "pores", "images", "made"]
    assert "95 % interval" in page.inner_text(".totals") and "1 image failed" in page.inner_text("body")
    density = page.inner_text("#densities tbody tr")
    assert "WS2" in density and re.search(r"[\d,]+ \([\d,]+ to [\d,]+\)", density)
    assert page.locator("#sizes .error").count() >= 2 and "standard deviation" in page.inner_text("#pores")
    assert page.locator("#sizes .curve").count() == 1 and "log-normal" in page.inner_text("#sizes")
    failed = page.locator(".card").first
    assert "failed" in failed.get_attribute("class") and "zz" in failed.text_content()


def test_a_row_that_is_clicked_shows_its_pore_enlarged(page: Any) -> None:
    row = page.locator("#rows tbody tr", has_text="movie [1]").first
    row.click()
    assert row.get_attribute("aria-selected") == "true" and page.inner_text("#shown") == "movie [1]"
    chosen = page.locator("#view .pore.chosen")
    assert chosen.get_attribute("data-key") == row.get_attribute("data-key")
    pore, view = chosen.bounding_box(), page.locator("#view").bounding_box()
    for start, size in (("x", "width"), ("y", "height")):
        middle = (pore[start] + pore[size] / 2 - view[start]) / view[size]
        assert 0 < middle < 1 and pore[size] > view[size] / 12
    assert get_box(page)[2] < 220 and page.locator("#chosen svg").count() == 2


def test_a_pore_that_is_clicked_marks_its_row(page: Any) -> None:
    page.click("#next")
    keys = page.eval_on_selector_all("#view .pore", "paths => paths.map(p => p.dataset.key)")
    page.locator("#view").scroll_into_view_if_needed()
    box = page.locator(f"#view .pore[data-key='{keys[-1]}']").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    marked = page.locator("#rows tr[aria-selected=true]")
    assert marked.count() == 1 and marked.get_attribute("data-key") == keys[-1]
    row, frame = marked.bounding_box(), page.locator("#pores .scroll").bounding_box()
    assert frame["y"] <= row["y"] and row["y"] + row["height"] <= frame["y"] + frame["height"] + 1


def test_the_table_sorts_and_walks_by_keyboard(page: Any) -> None:
    column = find_column(page, "diameter [nm]")
    page.locator("#rows th button", has_text="diameter [nm]").focus()
    for direction, sign in (("ascending", 1), ("descending", -1)):
        page.keyboard.press("Enter")
        sizes = [sign * float(text) for text in list_shown(page, column)]
        assert len(sizes) >= 12 and sizes == sorted(sizes)
        assert page.locator(f"#rows th[aria-sort={direction}]").count() == 1
    page.locator("#rows tbody tr[tabindex='0']").first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    keys = page.eval_on_selector_all("#rows tbody tr", "rows => rows.map(r => r.dataset.key)")
    assert page.evaluate("document.activeElement.dataset.key") == keys[1]
    assert page.get_attribute("#view .pore.chosen", "data-key") == keys[1]
    page.keyboard.press("End")
    assert page.get_attribute("#view .pore.chosen", "data-key") == keys[-1]


def test_the_table_is_filtered_and_the_pictures_with_it(page: Any) -> None:
    column, total = find_column(page, "diameter [nm]"), len(list_shown(page))
    middle = sorted(map(float, list_shown(page, column)))[total // 2]
    page.fill("#of-least", str(middle))
    large = list_shown(page, column)
    assert 0 < len(large) < total and min(map(float, large)) >= middle
    assert page.inner_text("#count") == f"{len(large)} of {total} pores"
    assert page.locator(".card .pore.off").count() == total - len(large)
    page.fill("#of-most", str(middle))
    assert set(map(float, list_shown(page, column))) == {middle}
    page.click("#filters button[type=reset]")
    wait_for(page, lambda: page.inner_text("#count") == f"{total} pores")
    page.fill("#of-confidence", "0.99")
    sure = [float(text) for text in list_shown(page, find_column(page, "confidence"))]
    assert sure and min(sure) >= 0.99
    page.fill("#of-confidence", "")
    page.fill("#of-image", "MOVIE")
    assert {name.split()[0] for name in list_shown(page)} == {"movie"}
    page.fill("#of-image", "")
    counts = {}
    for kind in ("without", "only", ""):
        page.select_option("#of-border", kind)
        counts[kind] = len(list_shown(page))
    assert counts["without"] + counts["only"] == counts[""] == total and counts["only"] > 0
    page.fill("#of-image", "no such image")
    assert list_shown(page) == [] and page.inner_text("#count") == f"0 of {total} pores"


def test_the_picture_is_native_and_is_panned_and_zoomed(page: Any, out: Path) -> None:
    whole = get_box(page)
    page.locator("#view").scroll_into_view_if_needed()
    box = page.locator("#view").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.wheel(0, -800)
    wait_for(page, lambda: get_box(page)[2] < whole[2] / 2)
    near = get_box(page)
    page.mouse.down()
    page.mouse.move(middle[0] + 50, middle[1] - 30, steps=4)
    page.mouse.up()
    moved, zoom = get_box(page), box["width"] / near[2]
    assert (near[0] - moved[0], near[1] - moved[1]) == pytest.approx((50 / zoom, -30 / zoom), abs=0.1)
    page.focus("#view")
    page.keyboard.press("ArrowRight")
    assert get_box(page)[0] == pytest.approx(moved[0] + 60 / zoom, abs=0.1)
    page.click("#in")
    assert get_box(page)[2] == pytest.approx(near[2] / 1.5, rel=0.01)
    page.click("#whole")
    assert get_box(page) == pytest.approx(whole, abs=0.01)
    bar = page.locator("#scale i").bounding_box()["width"] / box["width"] * whole[2] * 0.04
    assert page.inner_text("#scale span") == f"{bar:.3g} nm"
    natural = page.evaluate(
        """async () => { const picture = new Image();
        picture.src = document.querySelector('#view image').getAttribute('href');
        await picture.decode(); return [picture.naturalWidth, picture.naturalHeight]; }"""
    )
    card = page.locator(".card[data-image] svg").first.get_attribute("viewBox")
    assert card == f"0 0 {natural[0]} {natural[1]}"


def test_each_pore_has_its_crops_at_one_scale(page: Any) -> None:
    head = page.inner_text("#rows th.plain")
    side = float(re.search(r"([\d.]+) nm", head)[1])
    crops = page.eval_on_selector_all(
        "#rows td.crop",
        """cells => cells.map(cell => [...cell.querySelectorAll('svg')].map(s =>
        [s.viewBox.baseVal.width, s.getBoundingClientRect().width, s.querySelectorAll('use').length,
         [...s.querySelectorAll('use')].every(u => document.querySelector(u.getAttribute('href')))]))""",
    )
    assert len(crops) == len(list_shown(page))
    for plain, outlined in crops:
        assert plain[:2] == outlined[:2] and (plain[2], outlined[2]) == (1, 2) and plain[3] and outlined[3]
        assert plain[0] * 0.04 / plain[1] == pytest.approx(side / 44, rel=0.02)


def test_dropped_candidates_fields_and_vacancies_are_layers(page: Any) -> None:
    dropped = page.locator("figure .dropped")
    assert dropped.count() >= 1 and "dropped: confidence 0." in dropped.first.text_content()
    page.locator("figure", has=page.locator(".dropped")).first.locator("a[data-open]").click()
    assert page.locator("#view .dropped").first.is_visible()
    page.uncheck("#with-dropped")
    assert not page.locator("#view .dropped").first.is_visible()
    page.uncheck("#with-pores")
    assert page.locator("#view .pore:visible").count() == 0
    assert not page.locator("#view .vacancies").is_visible()
    page.check("#with-vacancies")
    assert page.locator("#view .vacancies").is_visible()
    page.locator("figure[data-image]", has_text="field").locator("a[data-open]").click()
    assert page.locator("#view .outside").is_visible()
    page.uncheck("#with-field")
    assert not page.locator("#view .outside").is_visible()


def test_a_movie_is_seen_frame_by_frame(page: Any) -> None:
    assert not page.locator("#frames").is_visible()
    page.locator("figure", has_text="movie [0]").locator("a[data-open]").click()
    assert page.locator("#frames").is_visible() and page.get_attribute("#frame", "max") == "2"
    page.focus("#frame")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#shown") == "movie [1]"
    page.fill("#frame", "2")
    assert page.inner_text("#shown") == "movie [2]"
    assert page.locator("#stacks circle").count() == 3


def test_names_are_text_and_no_foreign_script_runs(page: Any, out: Path) -> None:
    text = (out / "report.html").read_text()
    assert (
        "<img src=x" not in text and "\u202e" not in text and not re.search(r"(src|href)=[\"']?https?:", text)
    )
    assert page.title().startswith("porescope: ") and page.locator("img[src=x]").count() == 0
    shown = EVIL.replace("\u202e", "")  # a name of results holds no hidden character, < or quote
    assert "_img src=x onerror" in page.text_content("#images") and shown not in page.content()


def test_it_is_dark_where_wanted_and_fits_a_phone(page: Any) -> None:
    get_colours = (
        "() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    light = page.evaluate(get_colours)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(get_colours)

    def shine(colour: str) -> float:
        return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3

    assert shine(light[0]) > 230 > 100 > shine(light[1]) and shine(dark[0]) < 50 < 180 < shine(dark[1])
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("#view").bounding_box()["width"] > 0.85 * width
    page.locator("#rows tbody tr").first.click()
    assert page.locator("#view .pore.chosen").count() == 1
    small = page.eval_on_selector_all(
        ".plot text:not(.odd)", "all => Math.min(...all.map(t => t.getBoundingClientRect().height))"
    )
    assert small >= 8


def test_the_pdf_is_complete(page: Any) -> None:
    pypdf = pytest.importorskip("pypdf")
    rows = page.eval_on_selector_all(
        "#rows tbody tr", "rows => rows.map(r => [...r.cells].map(c => c.textContent.trim()))"
    )
    pictures = page.locator(".card image:not(.vacancies)").count()
    pdf = pypdf.PdfReader(BytesIO(page.pdf(prefer_css_page_size=True, print_background=True)))
    texts = [one.extract_text() for one in pdf.pages]
    # Two letters may be printed as one sign.
    together = re.sub(r"\s", "", unicodedata.normalize("NFKC", "".join(texts)))
    for row in rows:
        for cell in row:
            assert re.sub(r"\s", "", cell) in together, row
    heads = [text for text in texts if "diameter" in text and "circularity" in text]
    assert len(heads) >= 2, "the head of the table stands on each of its pages"
    for word in ("Density", "log-normal", "movie[2]", "Howitwasmade", "libraries", "Failed:zz"):
        assert word.replace(" ", "") in together, word
    assert 3 <= len(pdf.pages) <= 20 and all(len(text) > 20 for text in texts)
    assert all(float(one.mediabox.width) == pytest.approx(842, abs=1) for one in pdf.pages)
    seen = {hash(image.data) for one in pdf.pages for image in one.images if min(image.image.size) >= 60}
    assert pictures == 6 and len(seen) >= pictures


def test_pages_lead_to_each_other(browser: Any, tmp_path: Path) -> None:
    whole = take_census([save_simulated(tmp_path, "good.tif")], Job(tmp_path, Threshold(), overlays=False))
    many = pd.concat([whole.images] * 430, ignore_index=True)
    many = many.assign(image=[f"good{i}" for i in range(430)])
    page = browser.new_page()
    page.goto(f"file://{write_report(whole._replace(images=many), tmp_path)}")
    page.click("nav a:text-is('3')")
    page.wait_for_url("**/report_003.html")
    assert page.title().endswith(", page 3") and page.locator(".card").count() == 30
    page.click("text=Sizes, densities and warnings stand on page 1")
    page.wait_for_url("**/report.html")
    page.click("summary:has-text('All 430 images')")
    page.click("text=Page 2")
    page.wait_for_url("**/report_002.html")
    assert page.locator(".card h3").first.text_content() == "good200"
    page.close()


def test_a_report_without_a_pore_or_an_image(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.tif").write_bytes(b"II*\0 no image")
    whole = take_census([tmp_path / "broken.tif"], Job(tmp_path, Threshold()))
    page = browser.new_page()
    bad: list[str] = []
    page.on("pageerror", lambda error: bad.append(str(error)))
    page.goto(f"file://{write_report(whole, tmp_path)}")
    assert "No pores were found." in page.inner_text("body") and page.locator(".card.failed").count() == 1
    page.goto(f"file://{write_report(whole._replace(images=whole.images.head(0)), tmp_path)}")
    assert page.inner_text("h1") == "no image" and bad == []
    page.close()
