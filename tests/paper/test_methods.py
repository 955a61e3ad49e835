from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from helpers import save_simulated, take_census

from porescope.paper import describe_methods
from porescope.recipes import Threshold
from porescope.runs import Job, Run, read_run, write_record


def read_prose(text: str) -> str:
    """The text without its block of code, in which nothing has a meaning."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("    "))


def check_references(text: str, references: str) -> None:
    """Every key that is cited is there, once, and nothing else; braces close."""
    cited = set(re.findall(r"\[@(\w+)\]", read_prose(text)))
    keys = re.findall(r"^@\w+\{(\w+),$", references, re.M)
    assert cited == set(keys) and len(keys) == len(set(keys)) and "porescope" in keys
    for entry in references.strip().split("\n\n"):
        assert entry.count("{") == entry.count("}") and entry.endswith("\n}")
        assert re.search(r"^  title = ", entry, re.M) and re.search(r"^  author = ", entry, re.M)


@pytest.fixture(scope="module")
def thresholded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("run")
    path = save_simulated(folder, "a.tif")
    job = Job(folder / "out", Threshold(), overlays=False, material="WS2")
    (folder / "out").mkdir()
    take_census([path], job)
    write_record(job, [path], ["porescope", "detect", "a.tif"], datetime.now(UTC), "stopped")
    return read_run(folder / "out")


def test_the_paragraph_of_a_recipe_names_its_parameters_and_sources(thresholded: Run) -> None:
    text, references = describe_methods(thresholded)
    check_references(text, references)
    for part in (
        "porescope 0.1.0 [@porescope] in 1 HAADF-STEM image with a pixel size of 40 pm",
        "after Chen et al. [@chen2021] (recipe ws2: grid 10",
        "threshold 60",
        "The crystal was taken as WS2",
        f"{len(thresholded.pores)} pores were found",
        "[@garwood1936]",
        "    porescope detect a.tif",
    ):
        assert part in text, part
    assert "ONNX" not in text and "network" not in text
    library = thresholded.record["libraries"]["scikit-image"]
    assert f"scikit-image {library} [@skimage]" in text


def test_each_method_is_described_by_its_own_sentence(thresholded: Run) -> None:
    words = {
        "network": "[@ronneberger2015]", "voids": "level of vacuum", "lattice": "amplitude of the lattice",
        "vacancies": "matched filter", "own.py:find": "by the method own.py:find",
    }  # fmt: skip
    for method, word in words.items():
        model = {"file": "a.onnx", "sha256": "ab" * 32, "least_confidence": 0.7}
        record = {**thresholded.record, "method": method, "recipe": {}}
        record["model"] = model if method == "network" else None
        run = Run(thresholded.images.assign(method=method), thresholded.pores, record)
        text, references = describe_methods(run)
        check_references(text, references)
        assert word in text
        assert all(other not in text for key, other in words.items() if key != method)
        assert ("below 0.7 were dropped" in text) == (method == "network")


def test_a_corrected_run_says_so(thresholded: Run) -> None:
    pores = thresholded.pores.assign(edited=[True] + [False] * (len(thresholded.pores) - 1))
    run = Run(thresholded.images, pores, {**thresholded.record, "corrected": {"run": "out"}})
    assert f"corrected by hand; 1 of the {len(pores)} pores were drawn so" in describe_methods(run)[0]


def test_a_forged_record_stays_text(thresholded: Run) -> None:
    evil = "x](javascript:1) <script> [@nobody]\n\n# Heading `"
    record = {
        "version": evil,
        "material": evil,
        "libraries": [1],
        "model": "no",
        "recipe": None,
        "command": evil,
    }
    images = thresholded.images.assign(method=evil, modality=evil)
    text, references = describe_methods(Run(images, thresholded.pores, record))
    check_references(text, references)
    assert "<script>" not in read_prose(text) and "\n# Heading" not in text


@pytest.mark.parametrize("record", [{}, {"version": "0.1.0"}])
def test_a_run_without_images_has_a_paragraph(thresholded: Run, record: dict[str, str]) -> None:
    empty = Run(thresholded.images.iloc[:0], thresholded.pores.iloc[:0], record)
    text, references = describe_methods(empty)
    assert "nan" not in text
    check_references(text, references)
