"""Names of files: inputs found, results named, porescope's own files told from micrographs."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from porescope.files.writing import HIDDEN, printable
from porescope.storage import find_inputs, is_address, locate

#: Suffixes looked for in a folder. A file that is named is read whatever its suffix.
SUFFIXES = frozenset(
    (".dm3", ".dm4", ".emd", ".de5", ".emi", ".ser", ".mrc", ".hspy", ".zspy", ".tif", ".tiff")
    + (".png", ".jpg", ".jpeg", ".bmp", ".npy")
)
#: Suffix of HyperSpy's Zarr stores: folders that count as one file, which `load_signals` refuses by name.
_ZARR_STORE = ".zspy"
#: Endings of the files that belong to one image; they follow its name.
ENDINGS = {
    # porescope detect
    "labels": "_labels.tif", "field": "_field.tif", "overlay": "_overlay.png", "lattice": "_lattice.png",
    "vacancies": "_vacancies.png", "rois": "_rois.zip", "geojson": ".geojson", "coco": "_coco.json",
    "xyz": ".xyz", "cif": ".cif",
    # porescope explain
    "stages": "_stages.png", "network": "_network.png",
    # porescope simulate
    "standard": "_standard.tif", "truth": "_truth.csv", "atoms": "_atoms.csv", "stage": "_stage.csv",
}  # fmt: skip

#: Endings of the files that ``porescope detect`` writes.
_DETECTED = ("labels", "field", "overlay", "lattice", "vacancies", "rois", "geojson", "coco", "xyz", "cif")
DETECT_ENDINGS = tuple(ENDINGS[kind] for kind in _DETECTED)

#: Files that a folder of results holds once. Tables of ``porescope detect`` are also written as Parquet.
FILES = {
    # porescope detect
    "run": "run.json", "pores": "pores.csv", "candidates": "candidates.csv", "excess": "excess.csv",
    "images": "images.csv", "report": "report.html", "log": "run.log",
    # porescope watch
    "live": "live.html", "live_data": "live.json", "live_script": "live.js",
    # porescope tune
    "recipe": "recipe.toml", "scores": "scores.parquet", "cvvp": "cvvp.png", "cvvp_page": "cvvp.html",
    "path": "path.csv", "ascent": "ascent.png", "tuning": "tuning.json",
    # porescope figures
    "methods": "methods.md", "references": "references.bib",
    # porescope conductance
    "conductance": "conductance.csv", "membrane": "membrane.json", "currents": "conductance.png",
    # porescope statistics
    "spacing": "spacing.csv", "statistics": "statistics.json", "pattern": "statistics.png",
    "isomers": "isomers.csv", "isomer_table": "isomers.png",
    # porescope map
    "tiles": "tiles.csv", "sheet": "mosaic.png", "density": "density.png", "density_table": "density.csv",
    "pyramid": "sheet.zarr",
    # porescope track
    "drift": "drift.csv", "tracks": "tracks.csv", "napari": "napari_tracks.csv", "trackmate": "trackmate.xml",
    "growth": "growth.png", "kymograph": "kymograph.png", "film": "tracks.mp4",
}  # fmt: skip
#: Folders of a run: its tables in parts, while it runs, the pictures of its report, and the run that is to
#: replace it.
PARTS, PICTURES, NEXT = ("images", "pores", "candidates", "excess"), "pictures", "_next"
#: Folder of the further pages of a long report, and the pattern of their names.
PAGES, PAGE_FILES = "pages", "report_[0-9][0-9][0-9].html"
#: Endings of the pictures that ``porescope detect`` keeps for the report: the micrograph, its vacancy map and
#: the label image of its candidates.
PICTURE_ENDINGS = {"image": "_image.jpg", "vacancies": "_vacancies.jpg", "candidates": "_candidates.tif"}
#: Kinds of `FILES` that ``porescope tune`` writes.
TUNING_FILES = ("recipe", "scores", "cvvp", "cvvp_page", "path", "ascent", "tuning")

#: End of the name of a frame of a stack: its number.
_FRAME = re.compile(r"_\d{4,}$")

#: Ends of the stems of results and standards, which users often save in another image format.
_OWN_STEMS = ("_labels", "_overlay", "_lattice", "_vacancies", "_stages", "_standard")
_OWN_ENDINGS = tuple(ending for kind, ending in ENDINGS.items() if kind != "field")


def find_files(
    inputs: Sequence[str | Path],
    say: Callable[[str], None] = lambda text: None,
    *,
    recursive: bool = False,
    stored: bool = False,
) -> list[Path]:
    """List the files that the inputs name.

    Parameters
    ----------
    inputs : sequence of str or Path
        Files, folders and globs. A Zarr store (``.zspy``) counts as one file, also as a folder.
    say : callable
        Called with a sentence where a file that is named is not read by itself.
    recursive : bool
        Whether to look in subfolders too, but for hidden ones and those of porescope's runs.
    stored : bool
        Whether inputs may be addresses in a store, such as ``s3://bucket/night``.

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
        if is_address(given):
            if not stored:
                raise ValueError(f"{given} is in a store: only porescope detect reads it; copy it here")
            paths = find_inputs(given, _has_name_of_input, FILES["run"], recursive)
        elif _is_input(path):
            paths = [path]
        elif path.is_dir():
            paths = list(search_folder(path, recursive))
            if not paths:
                below = not recursive and any(search_folder(path, True))
                remedy = "its subfolders do: say --recursive" if below else "name a folder or files that do"
                raise ValueError(f"{given} holds no image files; {remedy}")
        elif path.exists():
            raise ValueError(f"{given} is neither a file nor a folder")
        else:
            matches = map(Path, sorted(glob.glob(given, recursive=True)))
            paths = [p for p in matches if _is_input(p) and not any(map(_is_store, p.parents))]
            if not paths:
                raise ValueError(f"{given} names no file; check the path")
        if len(paths) == 1 and paths[0].resolve() in found:
            say(f"{paths[0].name} is named twice and read once.")
        found.update((p.resolve(), p) for p in paths if p.resolve() not in found)
    if not found:
        raise ValueError(f"{', '.join(map(str, inputs))} hold no image files")
    emi = {p.with_suffix("") for p in found if p.suffix.lower() == ".emi"}
    all_ser = (p for p in found if p.suffix.lower() == ".ser")
    ser = {p for p in all_ser if p.with_name(re.sub(r"_\d+$", "", p.stem)) in emi}
    named = {Path(given).resolve() for given in map(str, inputs) if not is_address(given)}
    if left := [path.name for path in found if path in ser & named]:
        say(f"Read with their .emi file, not by themselves: {', '.join(left)}.")
    return [given for path, given in found.items() if path not in ser]


def search_folder(folder: Path, recursive: bool) -> Iterator[Path]:
    """Search a folder for images, and, if asked for, its subfolders.

    Parameters
    ----------
    folder : Path
    recursive : bool

    Yields
    ------
    Path
        Not porescope's own results and standards, nor what is in hidden folders and in those of its runs.
    """
    entries = sorted(folder.iterdir())
    stems = {path.stem for path in entries}
    yield from (path for path in entries if _is_wanted(path, stems))
    for path in entries if recursive else ():
        if path.is_dir() and _is_searched(path):
            yield from search_folder(path, True)


def _is_searched(folder: Path) -> bool:
    """Whether a subfolder is looked into."""
    passed_over = folder.name.startswith((".", "_")) or folder.is_symlink() or _is_store(folder)
    return not passed_over and not (folder / FILES["run"]).is_file()


def is_found(path: Path, folder: Path, recursive: bool) -> bool:
    """Say whether `search_folder` would find a file.

    Parameters
    ----------
    path : Path
        Within the folder.
    folder : Path
    recursive : bool

    Returns
    -------
    bool
    """
    parents = list(path.relative_to(folder).parents)[:-1]
    if (parents and not recursive) or not all(_is_searched(folder / parent) for parent in parents):
        return False
    is_field = path.stem.endswith("_field")
    return _is_wanted(path, {p.stem for p in path.parent.iterdir()} if is_field else set())


def _is_wanted(path: Path, stems: set[str]) -> bool:
    """Whether an entry of a folder with these stems may be a micrograph."""
    return _has_name_of_input(path, stems) and _is_input(path)


def _has_name_of_input(path: Path, stems: set[str]) -> bool:
    own = path.name.endswith(_OWN_ENDINGS) or path.stem.endswith(_OWN_STEMS)
    own = own or path.name in FILES.values() or path.name.startswith(".")
    if path.stem.endswith("_field"):
        # A bright field is a micrograph; the field of an image lies beside its label image or the image.
        name = path.stem.removesuffix("_field")
        own |= not stems.isdisjoint((f"{name}_labels", name, _FRAME.sub("", name)))
    return path.suffix.lower() in SUFFIXES and not own


def _is_input(path: Path) -> bool:
    return path.is_file() or _is_store(path)


def _is_store(path: Path) -> bool:
    return path.suffix.lower() == _ZARR_STORE and path.is_dir()


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


def keep_names(paths: Sequence[Path], known: Mapping[str, str]) -> list[str]:
    """Name files as `name_files` does, but those that an earlier start of the run named as it did.

    Parameters
    ----------
    paths : sequence of Path
    known : mapping
        Absolute path of a file, as `printable` writes it → its name. A name is free again once its file is
        gone.

    Returns
    -------
    list of str

    Examples
    --------
    >>> keep_names([Path("a/x.dm3"), Path("y.tif")], {os.path.abspath("a/x.dm3"): "x"})
    ['x', 'y']
    """
    places = [printable(locate(path)) for path in paths]
    here = set(places)
    # A file of a store counts as there: the store would be asked for each.
    names = Names({p: n for p, n in known.items() if p in here or is_address(p) or os.path.exists(p)})
    return [names.give(path, name) for path, name in zip(paths, name_files(paths), strict=True)]


class Names:
    """Names that files get one after the other, so that no two have the same.

    Parameters
    ----------
    known : mapping
        Absolute path of a file, as `printable` writes it → the name that it has.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = dict(known)
        self._taken = {name.casefold() for name in known.values()}
        self._stacks = {_strip_frame(name) for name in known.values()}

    def give(self, path: Path, wanted: str | None = None) -> str:
        """Name a file.

        Parameters
        ----------
        path : Path
        wanted : str, optional
            Default: its stem.

        Returns
        -------
        str
            The wanted name, with folders before it if another file has it; always the same for one path.

        Examples
        --------
        >>> names = Names({})
        >>> names.give(Path("/a/x.tif")), names.give(Path("/b/x.tif")), names.give(Path("/a/x.tif"))
        ('x', 'b_x', 'x')
        """
        place = printable(locate(path))
        if place in self._known:
            return self._known[place]
        name = new = wanted or _safe(path.stem)
        folders, i = Path(place).parts[1:-1], 0
        while (
            new.casefold() in self._taken
            or new.casefold() in self._stacks  # another name looks like a frame of it
            or _strip_frame(new) in self._taken  # it looks like a frame of another
        ):
            i += 1
            new = _safe("_".join((*folders[-i:], name))) if i <= len(folders) else f"{name}_n{i}"
        self._known[place] = new
        folded = new.casefold()
        self._taken.add(folded)
        self._stacks.add(_strip_frame(folded))
        return new


def _strip_frame(name: str) -> str:
    """Name without the number of a frame, in lower case: ``a`` for ``A_0003``."""
    return _FRAME.sub("", name.casefold())


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


def _safe(name: str) -> str:
    """Replace what a file name may not hold: separators, hidden characters, Windows' reserved names."""
    name = re.sub(rf'[<>:"/\\|?*{HIDDEN}]', "_", name).strip(" .")[-150:] or "image"
    # A file name has at most 255 bytes, and the longest ending and a mark of its process follow.
    name = name.encode()[-180:].decode(errors="ignore")
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name)
    return f"_{name}" if reserved else name


def _clashing(names: Sequence[str]) -> list[int]:
    """Indices of names that equal another name, or look like a frame of another."""
    keys = [name.casefold() for name in names]
    counts, stacks = Counter(keys), {_strip_frame(key) for key in keys if _strip_frame(key) != key}
    return [i for i, key in enumerate(keys) if counts[key] > 1 or key in stacks]
