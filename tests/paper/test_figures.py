from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers import run, save_simulated

from porescope import read_run
from porescope.paper import draw_figures


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paper")
    save_simulated(folder, "a.tif", seed=1)
    save_simulated(folder, "b_&$x$.tif", seed=5)
    out = folder / "out"
    assert run("detect", folder, "-o", out, "--material", "WS2", "--no-images", "-q").exit_code == 0
    return out


def test_figures_are_vectors_in_which_text_is_text(made: Path, tmp_path: Path) -> None:
    result = run("figures", made, "-o", tmp_path / "figs")
    assert result.exit_code == 0, result.output
    stems = ["a", "b_&$x$"]
    names = ["sizes", *(f"{s}_{kind}" for s in stems for kind in ("overlay", "lattice", "vacancies"))]
    wanted = {f"{name}.{form}" for name in names for form in ("svg", "pdf")}
    written = {p.name for p in (tmp_path / "figs").iterdir()}
    assert written == {*wanted, "methods.md", "references.bib", "run.json"}
    overlay = (tmp_path / "figs" / "a_overlay.svg").read_text("utf-8")
    texts = set(re.findall(r"<text[^>]*>([^<]*)</text>", overlay))
    pores = read_run(made).pores
    assert texts == {str(label) for label in pores[pores.image == "a"].label} | {"2 nm"}
    assert overlay.count("<image") == 1  # the micrograph; all else are lines and text
    sizes = (tmp_path / "figs" / "sizes.svg").read_text("utf-8")
    assert "equivalent diameter [nm]" in sizes and f"{len(pores)} pores" in sizes
    vacancies = (tmp_path / "figs" / "a_vacancies.svg").read_text("utf-8")
    assert "vacancy map [standard deviations]" in vacancies
    pdf = (tmp_path / "figs" / "a_overlay.pdf").read_bytes()
    assert (
        b"/Subtype /Type0" in pdf and b"DejaVuSans" in pdf and b"/Type3" not in pdf
    )  # TrueType, not outlines
    assert "figures" in (tmp_path / "figs" / "run.json").read_text()
    again = run("figures", made, "-o", tmp_path / "figs")
    assert again.exit_code == 2 and "--overwrite" in again.output


def test_images_are_chosen_and_what_is_gone_is_said(made: Path, tmp_path: Path) -> None:
    found = draw_figures(read_run(made), made, tmp_path, most=0)
    assert found.names == ["sizes.svg", "sizes.pdf"] and found.n_left_out == 2
    with pytest.raises(ValueError, match=r"--image c is no image of the run .* it has a, b"):
        draw_figures(read_run(made), made, tmp_path, names=["c"])
    path = made.parent / "a.tif"
    kept = path.read_bytes()
    path.unlink()
    try:
        result = run("figures", made, "-o", tmp_path / "figs", "--image", "a")
    finally:
        path.write_bytes(kept)
    assert result.exit_code == 1 and "a.tif is gone; the run needs it where it was" in result.output
    assert (tmp_path / "figs" / "methods.md").is_file()


def test_no_run_no_figures(tmp_path: Path) -> None:
    result = run("figures", tmp_path, "-o", tmp_path / "figs")
    assert result.exit_code == 2 and "holds no run of porescope" in result.output
    assert not (tmp_path / "figs").exists()
