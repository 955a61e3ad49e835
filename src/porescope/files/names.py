"""Names of files: inputs found, results named, porescope's own files told from micrographs."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

#: Suffixes looked for in a folder. A file that is named is read whatever its suffix.
SUFFIXES = frozenset(
    (".dm3", ".dm4", ".emd", ".de5", ".emi", ".ser", ".mrc", ".hspy", ".zspy", ".tif", ".tiff")
    + (".png", ".jpg", ".jpeg", ".bmp", ".npy")
)
#: Endings of the files that belong to one image; they follow its name.
ENDINGS = {
    # porescope detect
    "labels": "_labels.tif", "overlay": "_overlay.png", "lattice": "_lattice.png", "rois": "_rois.zip",
    "geojson": ".geojson", "xyz": ".xyz", "cif": ".cif",
    # porescope explain
    "stages": "_stages.png", "network": "_network.png",
    # porescope simulate
    "standard": "_standard.tif", "truth": "_truth.csv", "atoms": "_atoms.csv", "stage": "_stage.csv",
}  # fmt: skip

#: Endings of the files that ``porescope detect`` writes.
DETECT_ENDINGS = tuple(
    ENDINGS[kind] for kind in ("labels", "overlay", "lattice", "rois", "geojson", "xyz", "cif")
)

#: Files that a folder of results holds once. Tables of ``porescope detect`` are also written as Parquet.
FILES = {
    # porescope detect
    "run": "run.json", "pores": "pores.csv", "images": "images.csv", "report": "report.html",
    "log": "run.log",
    # porescope tune
    "recipe": "recipe.toml", "scores": "scores.parquet", "cvvp": "cvvp.png", "cvvp_page": "cvvp.html",
    "path": "path.csv", "ascent": "ascent.png", "tuning": "tuning.json",
}  # fmt: skip
#: Folders of a run: its tables in parts, while it runs, the pictures of its report, and the run that is to
#: replace it.
PARTS, PICTURES, NEXT = ("images", "pores"), "pictures", "_next"
#: Kinds of `FILES` that ``porescope tune`` writes.
TUNING_FILES = ("recipe", "scores", "cvvp", "cvvp_page", "path", "ascent", "tuning")

#: Ends of the stems of results and standards, which users often save in another image format.
_OWN_STEMS = ("_labels", "_overlay", "_lattice", "_stages", "_standard")


def find_files(inputs: Sequence[str | Path], say: Callable[[str], None] = lambda text: None) -> list[Path]:
    """List the files that the inputs name.

    Parameters
    ----------
    inputs : sequence of str or Path
        Files, folders (without their subfolders) and globs.
    say : callable
        Called with a sentence where a file that is named is not read by itself.

    Returns
    -------
    list of Path
        Each file once. In folders, porescope's own results and standards are left out. An ``.emi`` file
        stands for its ``.ser`` files.

    Raises
    ------
    ValueError
        If an input names no file or a folder without image files.
    """
    found: dict[Path, Path] = {}
    for given in map(str, inputs):
        path = Path(given)
        if path.is_dir():
            paths = [p for p in sorted(path.iterdir()) if _is_wanted(p)]
            if not paths:
                raise ValueError(f"{given} holds no image files; name a folder or files that do")
        elif path.is_file():
            paths = [path]
        elif path.exists():
            raise ValueError(f"{given} is neither a file nor a folder")
        else:
            paths = [Path(p) for p in sorted(glob.glob(given, recursive=True)) if os.path.isfile(p)]
            if not paths:
                raise ValueError(f"{given} names no file; check the path")
        twice = [p.name for p in paths if p.resolve() in found] if len(paths) == 1 else []
        if twice:
            say(f"{twice[0]} is named twice and read once.")
        found.update((p.resolve(), p) for p in paths if p.resolve() not in found)
    if not found:
        raise ValueError(f"{', '.join(map(str, inputs))} hold no image files")
    emi = {p.with_suffix("") for p in found if p.suffix.lower() == ".emi"}

    def has_emi(p: Path) -> bool:
        return p.suffix.lower() == ".ser" and p.with_name(re.sub(r"_\d+$", "", p.stem)) in emi

    named = {Path(given).resolve() for given in map(str, inputs)}
    left = [path.name for path in found if has_emi(path) and path in named]
    if left:
        say(f"Read with their .emi file, not by themselves: {', '.join(left)}.")
    return [given for path, given in found.items() if not has_emi(path)]


def _is_wanted(path: Path) -> bool:
    own = path.name.endswith(tuple(ENDINGS.values())) or path.stem.endswith(_OWN_STEMS)
    own = own or path.name in FILES.values() or path.name.startswith(".")
    return path.suffix.lower() in SUFFIXES and not own and path.is_file()


def name_files(paths: Sequence[Path]) -> list[str]:
    """Name each file for tables and outputs: by its stem, valid on any system and unique.

    Parameters
    ----------
    paths : sequence of Path

    Returns
    -------
    list of str
        Equal stems are distinguished by the suffix within a folder, else by the shortest differing
        parent folder.

    Examples
    --------
    >>> name_files([Path("a/x.dm3"), Path("b/x.dm3"), Path("y.tif")])
    ['a_x', 'b_x', 'y']
    """
    full = [path.resolve() for path in paths]
    names = [_safe(path.stem) for path in full]
    for i in _clashing(names):
        # Within a folder the suffix distinguishes equal stems.
        if sum(p.parent == full[i].parent and p.stem.casefold() == full[i].stem.casefold() for p in full) > 1:
            names[i] = _safe(f"{full[i].stem}_{full[i].suffix[1:]}")
    stems = list(names)
    for depth in range(1, max((len(path.parts) for path in full), default=0)):
        clashes = _clashing(names)
        if not clashes:
            return names
        for i in clashes:
            folders = full[i].parts[1:-1][-depth:]
            names[i] = _safe("_".join((*folders, stems[i])))
    for i in _clashing(names):
        names[i] = f"{names[i]}_{i}"
    return names


def name_stem(image: str, signal: str | None = None, frame: int | None = None) -> str:
    """Name the output files of one image: ``NAME[_SIGNAL][_kkkk]``.

    Parameters
    ----------
    image : str
        Name of the file in the tables.
    signal : str, optional
        Used only with a frame, since a single image needs no more than its name.
    frame : int, optional
        Index in the file, counted from 0.

    Returns
    -------
    str

    Examples
    --------
    >>> name_stem("a"), name_stem("a", "HAADF"), name_stem("a", None, 3), name_stem("a", "DF4/A", 3)
    ('a', 'a', 'a_0003', 'a_DF4_A_0003')
    """
    if frame is None:
        return image
    return "_".join((image, *([_safe(signal)] if signal else []), f"{frame:04d}"))


def list_stems(image: str, signal: object, frame: int) -> list[str]:
    """List the names that the files of an image may have: by its signal, by its frame, by neither.

    Parameters
    ----------
    image, signal, frame
        As the tables have them; a signal that is no text is none.

    Returns
    -------
    list of str

    Examples
    --------
    >>> list_stems("a", float("nan"), 0)
    ['a_0000', 'a']
    """
    known = signal if isinstance(signal, str) else None
    return list(dict.fromkeys((name_stem(image, known, frame), name_stem(image, None, frame), image)))


def describe_counts(pores: int, images: int | None = None) -> str:
    """Describe the result of a run, or of one image, in words.

    Parameters
    ----------
    pores : int
    images : int, optional

    Returns
    -------
    str

    Examples
    --------
    >>> describe_counts(1, 5)
    '1 pore in 5 images'
    """
    where = "" if images is None else f" in {images} image{'s' * (images != 1)}"
    return f"{pores} pore{'s' * (pores != 1)}{where}"


def printable(path: Path) -> str:
    r"""Turn a path into text that is valid UTF-8, even if the path is not.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        Invalid bytes are written as ``\xff``.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _safe(name: str) -> str:
    """Replace what a file name may not hold: separators, control characters, Windows' reserved names."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]', "_", name).strip(" .")[-150:] or "image"
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name)
    return f"_{name}" if reserved else name


def _clashing(names: Sequence[str]) -> list[int]:
    """Indices of names that equal another name, or look like a frame of another."""
    keys = [name.casefold() for name in names]
    counts: dict[str, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    frames = {re.sub(r"_\d{4,}$", "", key) for key in keys if re.search(r"_\d{4,}$", key)}
    return [i for i, key in enumerate(keys) if counts[key] > 1 or key in frames]
