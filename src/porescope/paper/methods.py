"""The paragraph of the methods that a paper needs, with the references that it cites."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from porescope.files import escape_hidden
from porescope.runs import Run, list_warnings, summarize

if TYPE_CHECKING:
    import pandas as pd

#: Libraries whose versions are named: of `libraries` in ``run.json``, as a paper writes them, with their
#: references.
_LIBRARIES = {
    "numpy": ("NumPy", "numpy"), "scipy": ("SciPy", "scipy"), "scikit-image": ("scikit-image", "skimage"),
    "opencv-python-headless": ("OpenCV", "opencv"), "onnxruntime": ("ONNX Runtime", "onnxruntime"),
}  # fmt: skip
#: Names of the modalities as a paper writes them.
_MODALITIES = {"haadf": "HAADF-STEM", "bf": "BF-STEM", "abf": "ABF-STEM", "hrtem": "HRTEM"}
#: How sizes were measured, by `size_method`.
_SIZES = {
    "atoms": "from the area that the discs of the surviving atoms and their bonds leave free",
    "contour": "from the contour between pixels at the edge of the pore",
    "pixels": "from the number of its pixels",
}
#: Longest name in the paragraph [characters].
_LONGEST = 400


def describe_methods(run: Run) -> tuple[str, str]:
    """Describe in a paragraph how the pores of a run were found and measured.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
        Markdown, which cites as Pandoc does: ``[@key]``.
    str
        BibTeX of what it cites.
    """
    done = run.images[run.images.status == "ok"]
    version = _say(run.record.get("version"))
    sentences = [
        f"Pores were found and measured with porescope {version} [@porescope]{_tell_images(done)}.",
        *_tell_detection(run.record, done),
        *_tell_corrections(run),
        *_tell_sizes(run),
        *_tell_density(run),
        *_tell_versions(run.record),
    ]
    text = " ".join(sentences)
    doubts = "".join(f"> Before you publish: {_say(doubt)}.\n\n" for doubt in list_warnings(run))
    paragraph = f"# Methods\n\n{text}\n\n{doubts}{_tell_command(run.record)}\n"
    return paragraph, _choose_references(text, version)


def _say(value: object) -> str:
    """Text of a record, which may be forged: on one line, without what Markdown would take for its own."""
    text = escape_hidden(" ".join(str(value).split()))[:_LONGEST]
    return re.sub(r"([\\`*_\[\]<>@#])", r"\\\1", text)


def _tell_images(done: pd.DataFrame) -> str:
    """Which images: their number, modality and pixel size."""
    if not len(done):
        return ""
    n = len(done)
    kinds = " and ".join(_MODALITIES.get(str(m), _say(m)) for m in sorted(set(done.modality.dropna())))
    sizes = done.pixel_size_nm.astype(float) * 1000
    low, high = f"{sizes.min():.3g}", f"{sizes.max():.3g}"
    size = f"{low} pm" if low == high else f"{low} to {high} pm"
    sources = {
        "header": "as the files give it",
        "argument": "as given",
        "lattice": "corrected by the lattice",
    }
    source = " or ".join(sources[s] for s in sources if s in set(done.pixel_size_source))
    return f" in {n} {kinds} image{'s' * (n > 1)} with a pixel size of {size}, {source}"


def _tell_detection(record: Mapping[str, Any], done: pd.DataFrame) -> Iterator[str]:
    methods = set(done.method.dropna()) or {record.get("method")}
    model, recipe = (
        value if isinstance(value, dict) else {} for value in map(record.get, ("model", "recipe"))
    )
    if "network" in methods:
        yield (
            "A convolutional network of the U-Net type [@ronneberger2015], trained on simulated micrographs "
            f"({_say(model.get('file'))}, SHA-256 {_say(model.get('sha256'))[:16]}…), gave each pixel a "
            "probability of a pore, and each region a confidence; regions with a confidence below "
            f"{_say(model.get('least_confidence'))} were dropped."
        )
    if "threshold" in methods:
        numbers = ", ".join(f"{_say(name)} {_say(value)}" for name, value in recipe.items())
        yield (
            "The images were equalised locally (CLAHE) [@zuiderveld1994], averaged and thresholded, and "
            f"regions were selected by area and shape, after Chen et al. [@chen2021] (recipe "
            f"{_say(record.get('recipe_name') or 'without a name')}: {numbers})."
        )
    if "voids" in methods:
        yield (
            "Where no lattice showed, pores were found as areas at the grey level of vacuum, bounded "
            "half-way between their inside and their surroundings."
            if "network" in methods
            else "Pores were found as areas at the grey level of vacuum, bounded half-way between their "
            "inside and their surroundings."
        )
    if "lattice" in methods:
        yield "Pores were found as areas in which the amplitude of the lattice vanishes."
    if "vacancies" in methods:
        yield "Missing columns of atoms were found by a matched filter on the image without its lattice."
    for method in sorted(str(m) for m in methods - {"network", "threshold", "voids", "lattice", "vacancies"}):
        yield f"Pores were found by the method {_say(method)}."
    if record.get("material"):
        yield f"The crystal was taken as {_say(record['material'])}, by which missing atoms were counted."


def _tell_corrections(run: Run) -> Iterator[str]:
    if "corrected" in run.record:
        n = int(run.pores.edited.sum())
        yield f"The outlines were then corrected by hand; {n} of the {len(run.pores)} pores were drawn so."


def _tell_sizes(run: Run) -> Iterator[str]:
    counts = run.pores.size_method.value_counts()
    parts = [f"{_SIZES[m]} ({counts[m]} pores)" for m in _SIZES if m in counts]
    if parts:
        yield f"The equivalent diameter of a pore is that of a disc of its area, measured {', '.join(parts)}."


def _tell_density(run: Run) -> Iterator[str]:
    summary = summarize(run)
    if not summary.area_um2:
        return
    value, low, high = (f"{float(f'{v:.3g}'):,g}" for v in summary.density)
    median = "" if summary.median_nm is None else f", with a median diameter of {summary.median_nm:.3g} nm"
    yield (
        f"In {summary.area_um2:.3g} µm² {summary.n_pores:g} pores were found{median}; their density is "
        f"{value} µm⁻² (95 % interval {low} to {high} µm⁻²) [@garwood1936], without pores that touch the "
        "bottom or the right edge [@gundersen1977]."
    )


def _tell_versions(record: Mapping[str, Any]) -> Iterator[str]:
    libraries = record.get("libraries")
    known = libraries if isinstance(libraries, dict) else {}
    used = dict(_LIBRARIES)
    if "model" not in record or not record["model"]:
        used.pop("onnxruntime")
    parts = [f"{name} {_say(known[key])} [@{cite}]" for key, (name, cite) in used.items() if key in known]
    if parts:
        python = f"Python {_say(record['python'])}, " if record.get("python") else ""
        yield f"porescope ran on {python}{', '.join(parts)}."


def _tell_command(record: Mapping[str, Any]) -> str:
    """The command, which repeats the run, as a block of code."""
    command = escape_hidden(str(record.get("command", "")))[:2000].replace("`", "'")
    return f"The run was made with this command:\n\n    {command}" if command else ""


def _choose_references(text: str, version: str) -> str:
    """BibTeX entries of the keys that a text cites."""
    entries = files("porescope.paper").joinpath("references.bib").read_text("utf-8").strip().split("\n\n")
    cited = set(re.findall(r"(?<!\\)\[@(\w+)\]", text))
    chosen = [e for e in entries if e.split("{", 1)[1].split(",", 1)[0] in cited]
    plain = re.sub(r"[^\w.+-]", "", version)
    return "\n\n".join(chosen).replace("VERSION", plain) + "\n"
