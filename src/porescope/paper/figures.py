"""Figures of a run as vectors: sizes, overlays, maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from porescope.atoms import find_sites
from porescope.field import look_for_field
from porescope.files import ENDINGS, escape_hidden, explain_error, list_stems
from porescope.lattice import find_lattice, map_vacancies
from porescope.materials import MATERIALS
from porescope.micrograph import Micrograph
from porescope.pictures import (
    draw_lattice,
    draw_overlay,
    draw_sizes,
    draw_vacancies,
    new_figure,
    save_figure,
)
from porescope.runs import Run, read_image, read_micrograph, summarize

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Formats of the figures: their suffixes.
FORMATS = ("svg", "pdf")
#: Width of a figure of one column and of a whole page [inch].
_COLUMN, _PAGE = 3.4, 7.0
#: Pixels an inch of pictures that are resampled.
_DPI = 300


class Figures(NamedTuple):
    """What was drawn."""

    names: list[str]  # of the files
    failures: list[str]  # sentences: images that could not be drawn
    n_left_out: int  # number of images beyond those that were asked for


def draw_figures(
    run: Run,
    folder: Path,
    out: Path,
    *,
    names: Sequence[str] = (),
    most: int = 20,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Figures:
    """Draw the figures of a run as SVG and PDF, in which text is text.

    Parameters
    ----------
    run : Run
    folder : Path
        Of the run, which has the label images.
    out : Path
        Folder of the figures.
    names : sequence of str
        Names of the images to draw, as in ``images.csv``, or those of their files without the ending;
        default: the first ones.
    most : int
        Largest number of images, if none are named.
    on_progress : callable
        Called with the number of images that are drawn, and of all.

    Returns
    -------
    Figures

    Raises
    ------
    ValueError
        If there is no image of a name.

    Notes
    -----
    ``sizes`` is the histogram; for each image ``NAME_overlay`` and, if it has a lattice, ``NAME_lattice`` and
    ``NAME_vacancies``. The micrographs are read again.
    """
    rows = _choose_images(run, names)
    chosen = rows if names else rows[:most]
    written: list[str] = []
    failures: list[str] = []
    diameters = summarize(run).diameters_nm
    if len(diameters):
        written += _save(out, "sizes", lambda ax: draw_sizes(diameters, ax=ax), (_COLUMN, 0.8 * _COLUMN))
    for i, (stem, row) in enumerate(chosen):
        try:
            written += list(_draw_image(run, folder, out, stem, row))
        except (ValueError, OSError) as error:
            failures.append(f"{escape_hidden(stem)}: {explain_error(error)}")
        on_progress(i + 1, len(chosen))
    return Figures(written, failures, len(rows) - len(chosen))


def _choose_images(run: Run, names: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Stem of the files, and row, of each image that is to be drawn."""
    stacks = run.images.groupby("image").frame.transform("size") > 1
    rows = []
    for is_stack, row in zip(stacks, run.images.to_dict("records"), strict=True):
        stems = list_stems(row["image"], row["signal"], row["frame"])
        if row["status"] == "ok":
            rows.append((stems[0 if is_stack else -1], {str(name): value for name, value in row.items()}))
    for name in names:
        if not any(name in (stem, row["image"]) for stem, row in rows):
            known = ", ".join(stem for stem, _ in rows[:5])
            raise ValueError(f"--image {name} is no image of the run that was processed; it has {known} …")
    return [(stem, row) for stem, row in rows if not names or {stem, row["image"]} & set(names)]


def _draw_image(run: Run, folder: Path, out: Path, stem: str, row: dict[str, Any]) -> Iterator[str]:
    """Draw the figures of one image; the names of the files."""
    micrograph = _calibrate(look_for_field(read_micrograph(run.record, row)), row)
    shape = micrograph.image.shape
    labels = read_image(folder, [stem], "labels", (shape[0], shape[1]))
    if labels is None:
        raise ValueError(f"{folder / stem}{ENDINGS['labels']} is missing; the figures need the label image")
    size = (_COLUMN, _COLUMN * max(min(shape[0] / shape[1], 3.0), 0.2))
    yield from _save(out, f"{stem}_overlay", lambda ax: draw_overlay(micrograph, labels, ax=ax), size)
    lattice = find_lattice(micrograph)
    if lattice is None:
        return
    z = map_vacancies(micrograph, lattice).z
    material = MATERIALS.get(str(run.record.get("material")))
    sites = find_sites(micrograph, lattice, material) if material else None
    wide = (_PAGE, 0.36 * _PAGE if sites else 0.45 * _PAGE)
    yield from _save(out, f"{stem}_lattice", lambda ax: draw_lattice(micrograph, lattice, sites, ax=ax), wide)
    wider = (size[0] + 0.9, size[1])
    yield from _save(out, f"{stem}_vacancies", lambda ax: draw_vacancies(micrograph, z, labels, ax=ax), wider)


def _calibrate(micrograph: Micrograph, row: dict[str, Any]) -> Micrograph:
    """Give a micrograph the pixel size that its row was measured with; the lattice may have corrected it."""
    factor = float(row["pixel_size_nm"]) / float(np.sqrt(micrograph.pixel_area))
    size = micrograph.pixel_size
    return replace(micrograph, pixel_size=(size[0] * factor, size[1] * factor))


def _save(out: Path, name: str, draw: Callable[[Axes], object], size: tuple[float, float]) -> Iterator[str]:
    """Draw a figure of one panel, and write it in all formats; the names of the files."""
    from matplotlib import rc_context

    with rc_context({"font.size": 7, "axes.titlesize": 7, "font.family": "sans-serif"}):
        figure = new_figure(size)
        draw(figure.add_subplot())
        for form in FORMATS:
            save_figure(figure, out / f"{name}.{form}", dpi=_DPI)
            yield f"{name}.{form}"
