"""The images of the report: which page shows which, and what it shows of each."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from porescope.files import ENDINGS, PICTURE_ENDINGS, PICTURES, list_stems
from porescope.report.outlines import draw_circle, trace_area, trace_regions

if TYPE_CHECKING:
    import pandas as pd

#: Most images, pores and bytes of a page: it must open within two seconds.
MOST_IMAGES, _MOST_PORES, _MOST_BYTES = 200, 5000, 9_500_000
#: Bytes of the page that a pore and an image take beside the pictures, about.
_PORE_BYTES, _IMAGE_BYTES, _BASE_BYTES = 1100, 1800, 60_000
#: Most pages, and most images that they show together; ``images.csv`` has them all.
_MOST_PAGES, MOST_SHOWN = 25, 5000
#: Most pores and most candidates of one image that are shown: the largest ones.
MOST_OUTLINED = 5000
#: Files of one image that the page names if they are there: kind and words.
_BESIDE = (
    ("overlay", "overlay"), ("labels", "label image"), ("lattice", "lattice"), ("vacancies", "vacancy map"),
    ("rois", "ROIs"), ("geojson", "GeoJSON"), ("xyz", "atoms"), ("cif", "CIF"),
)  # fmt: skip
#: Ending of the smaller pictures of earlier versions, which have a scale bar.
_OLDER = "_0.jpg"


class Entry(NamedTuple):
    """An image of the report, before its files are read."""

    row: Mapping[str, Any]  # of ``images.csv``
    stem: str  # of its files
    picture: Path | None
    pores: pd.DataFrame  # the largest ones, in the order of their labels
    candidates: pd.DataFrame
    n_left_out: int  # pores that are not among them

    @property
    def size(self) -> int:
        """How many bytes of a page it takes, about."""
        files = [path for path in (self.picture, self.vacancies) if path]
        written = sum(path.stat().st_size for path in files) * 4 // 3
        return written + _IMAGE_BYTES + _PORE_BYTES * len(self.pores)

    @property
    def vacancies(self) -> Path | None:
        """Picture of its vacancy map."""
        path = self.picture and self.picture.with_name(f"{self.stem}{PICTURE_ENDINGS['vacancies']}")
        return path if path and path.is_file() else None


def list_entries(
    images: pd.DataFrame, pores: pd.DataFrame, candidates: pd.DataFrame, folder: Path
) -> Iterator[Entry]:
    """List the images of a report, failures first.

    Parameters
    ----------
    images, pores, candidates : DataFrame
        Tables of the run.
    folder : Path
        Of the run.

    Yields
    ------
    Entry
        Of `MOST_SHOWN` images at most.
    """
    # A stable sort keeps the rest in order.
    shown = images.sort_values("status", key=lambda s: s == "ok", kind="stable").head(MOST_SHOWN)
    keys = ["image", "frame"]
    groups = [
        dict(list(table.merge(shown[keys], on=keys).groupby(keys, sort=False)))
        for table in (pores, candidates)
    ]
    stacks = images.image.duplicated(keep=False)
    for row, is_stack in zip(shown.to_dict("records"), stacks[shown.index].tolist(), strict=True):
        stems = list_stems(row["image"], row["signal"], row["frame"])
        if not is_stack:  # else the files of another image, named a_0000, would be taken
            stems = stems[::-1]
        stems = [stem for stem in stems if Path(stem).name == stem] or ["image"]
        key = row["image"], row["frame"]
        mine, dropped = (
            group.get(key, table.iloc[:0]) for group, table in zip(groups, (pores, candidates), strict=True)
        )
        kept = mine.nlargest(MOST_OUTLINED, "area_px").sort_index() if len(mine) > MOST_OUTLINED else mine
        found = {stem: _find_picture(folder, stem) for stem in stems}
        with_files = (s for s in stems if found[s] or (folder / f"{s}{ENDINGS['labels']}").is_file())
        stem = next(with_files, stems[0])
        yield Entry({str(k): v for k, v in row.items()}, stem, found[stem], kept,
                    dropped.head(MOST_OUTLINED), len(mine) - len(kept))  # fmt: skip


def _find_picture(folder: Path, stem: str) -> Path | None:
    """Picture of an image; earlier versions kept a smaller one."""
    paths = (folder / PICTURES / f"{stem}{ending}" for ending in (PICTURE_ENDINGS["image"], _OLDER))
    return next((path for path in paths if path.is_file()), None)


def split_pages(entries: Iterator[Entry]) -> list[list[Entry]]:
    """Divide the images of a report among its pages.

    Parameters
    ----------
    entries : iterator of Entry

    Returns
    -------
    list of list of Entry
        One page at least, 25 at most.
    """
    pages: list[list[Entry]] = [[]]
    size, n_pores = _BASE_BYTES, 0
    for entry in entries:
        own = entry.size
        full = len(pages[-1]) >= MOST_IMAGES or n_pores + len(entry.pores) > _MOST_PORES
        if pages[-1] and (full or size + own > _MOST_BYTES):
            if len(pages) == _MOST_PAGES:
                break
            pages.append([])
            size, n_pores = _BASE_BYTES, 0
        pages[-1].append(entry)
        size, n_pores = size + own, n_pores + len(entry.pores)
    return pages


def name_image(row: Mapping[str, Any], is_stack: bool) -> str:
    """Name an image for readers.

    Parameters
    ----------
    row : mapping
        Of ``images.csv``.
    is_stack : bool
        Whether its file holds others.

    Returns
    -------
    str

    Examples
    --------
    >>> name_image({"image": "a", "frame": 3}, True)
    'a [3]'
    """
    return f"{row['image']} [{row['frame']}]" if is_stack or row["frame"] else str(row["image"])


def read_card(entry: Entry, folder: Path, to_folder: str = "") -> dict[str, Any]:
    """Read what the page shows of one image.

    Parameters
    ----------
    entry : Entry
    folder : Path
        Of the run.
    to_folder : str
        From the page to that folder, as part of an address.

    Returns
    -------
    dict
        For the template.
    """
    row = entry.row
    card: dict[str, Any] = {"row": row, "stem": entry.stem, "drawn": False, "n_left_out": entry.n_left_out}
    if row["status"] != "ok":
        return card
    height, width, pixel = int(row["height_px"]), int(row["width_px"]), float(row["pixel_size_nm"])
    shape, wide = (height, width), max(height, width)
    field = _read_labels(folder / f"{entry.stem}{ENDINGS['field']}", shape)
    kept = folder / PICTURES / f"{entry.stem}{PICTURE_ENDINGS['candidates']}"
    files = [(words, f"{entry.stem}{ENDINGS[kind]}") for kind, words in _BESIDE]
    return {
        **card,
        "drawn": True,
        "height": height, "width": width, "pixel": pixel,
        "unit": wide / 300,  # of text and lines, so that they are legible where the card is small
        "picture": _embed(entry.picture),
        "has_own_bar": entry.picture == folder / PICTURES / f"{entry.stem}{_OLDER}",
        "vacancies": _embed(entry.vacancies),
        "pores": _outline(entry.pores, _read_labels(folder / f"{entry.stem}{ENDINGS['labels']}", shape)),
        "candidates": _outline(entry.candidates, _read_labels(kept, shape)),
        "outside": "" if field is None else trace_area(field == 0),
        "hidden": "" if field is None else trace_area(field == 2),
        "bar": _choose_bar(width, pixel),
        "files": [(words, f"./{to_folder}{quote(n)}") for words, n in files if (folder / n).is_file()],
    }  # fmt: skip


def _read_labels(path: Path, shape: tuple[int, int]) -> NDArray[np.integer] | None:
    """Read a label image; None if it is absent, damaged or another image's."""
    import tifffile

    try:
        image = np.asarray(tifffile.imread(path))
    except Exception:  # tifffile has many kinds of error
        return None
    return image if image.shape == shape and image.dtype.kind in "iu" else None


def _outline(table: pd.DataFrame, labels: NDArray[np.integer] | None) -> list[dict[str, Any]]:
    """Paths of the rows of a table; a circle of the same area where the label image has none."""
    if not len(table):
        return []
    paths = {} if labels is None else trace_regions(labels)
    columns = ["label", "y_px", "x_px", "area_px", "confidence"]
    outlines = []
    for label, y, x, area, confidence in table[columns].itertuples(index=False):
        if y != y or x != x:
            continue
        path = paths.get(label) or draw_circle(y, x, area)
        known = "" if confidence != confidence else f"{confidence:.2f}"
        radius = (area / np.pi) ** 0.5
        # The number stands at the upper right.
        right, top = x + 0.5 + 0.8 * radius, y + 0.5 - 0.8 * radius
        outlines.append({"label": label, "right": right, "top": top, "path": path, "confidence": known})
    return outlines


def _embed(path: Path | None) -> str:
    """Picture as a part of the page; empty if there is none, or it was removed meanwhile."""
    try:
        content = path.read_bytes() if path else b""
    except OSError:
        content = b""
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}" if content else ""


def _choose_bar(width: int, pixel_nm: float) -> dict[str, Any]:
    from porescope.pictures import choose_bar

    length = choose_bar(width * pixel_nm)
    return {"px": length / pixel_nm, "text": f"{length:g} nm" if length < 1000 else f"{length / 1000:g} µm"}


def choose_crop(pores: Sequence[pd.DataFrame]) -> float:
    """Choose the side of the crops, the same for all pores.

    Parameters
    ----------
    pores : sequence of DataFrame
        Of each image.

    Returns
    -------
    float
        [nm]; nine in ten pores fit into it, and the median one fills a sixth of it or more.

    Examples
    --------
    >>> import pandas as pd
    >>> choose_crop([pd.DataFrame({"feret_diameter_max_nm": [1.0] * 10, "equivalent_diameter_nm": 0.9})])
    2.0
    """
    tables = [table for table in pores if len(table)]
    size = [t.feret_diameter_max_nm.fillna(t.equivalent_diameter_nm).to_numpy(float) for t in tables]
    sizes = np.concatenate(size) if size else np.empty(0)
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if not len(sizes):
        return 1.0
    side = min(max(1.6 * np.percentile(sizes, 90), 2 * np.median(sizes)), 6 * np.median(sizes))
    return float(f"{side:.2g}")
