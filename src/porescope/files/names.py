"""Files: found, named for the results, hashed, written whole or not at all."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

#: Endings that are looked for in a folder; a file that is named is tried whatever its ending.
SUFFIXES = frozenset(
    (".dm3", ".dm4", ".emd", ".de5", ".emi", ".ser", ".mrc", ".hspy", ".zspy", ".tif", ".tiff")
    + (".png", ".jpg", ".jpeg", ".bmp", ".npy")
)
#: Endings of stems that belong to porescope's results and standards, passed over in folders.
OWN_ENDINGS = ("_labels", "_overlay", "_lattice", "_stages", "_standard")
OWN_NAMES = ("cvvp", "ascent")


def find_files(inputs: Sequence[str | Path]) -> list[Path]:
    """List the files that the inputs name: files, folders (not what lies below), globs.

    An ``.emi`` wins over its own ``.ser``; in folders, porescope's results and standards are
    passed over.

    Raises
    ------
    ValueError
        If an input names no file.
    """
    found: dict[Path, Path] = {}
    for given in map(str, inputs):
        path = Path(given)
        if path.is_dir():
            paths = [p for p in sorted(path.iterdir()) if _is_wanted(p)]
            if not paths and len(inputs) == 1:
                raise ValueError(f"{given} holds no image files; name a folder or files that do")
        elif path.is_file():
            paths = [path]
        elif path.exists():
            raise ValueError(f"{given} is neither a file nor a folder")
        else:
            paths = [Path(p) for p in sorted(glob.glob(given, recursive=True)) if os.path.isfile(p)]
            if not paths:
                raise ValueError(f"{given} names no file; check the path")
        found.update((p.resolve(), p) for p in paths)
    if not found:
        raise ValueError(f"{', '.join(map(str, inputs))} hold no image files")
    emi = {p.with_suffix("") for p in found if p.suffix.lower() == ".emi"}

    def has_emi(p: Path) -> bool:
        return p.suffix.lower() == ".ser" and p.with_name(re.sub(r"_\d+$", "", p.stem)) in emi

    return [given for path, given in found.items() if not has_emi(path)]


def _is_wanted(path: Path) -> bool:
    own = path.stem.endswith(OWN_ENDINGS) or path.stem in OWN_NAMES or path.name.startswith(".")
    return path.suffix.lower() in SUFFIXES and not own and path.is_file()


def name_files(paths: Sequence[Path]) -> list[str]:
    """Give each file a name for tables and outputs: its stem, safe on any system and unique.

    Equal stems are told apart by the shortest differing parent folder, then by their ending.

    Examples
    --------
    >>> name_files([Path("a/x.dm3"), Path("b/x.dm3"), Path("y.tif")])
    ['a_x', 'b_x', 'y']
    """
    full = [path.resolve() for path in paths]
    names = [_safe(path.stem) for path in full]
    for i in _clashing(names):
        # Of files in one folder the ending tells, not the folder.
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


def describe_counts(pores: int, images: int) -> str:
    """What a run found, in words.

    Examples
    --------
    >>> describe_counts(1, 5)
    '1 pore in 5 images'
    """
    return f"{pores} pore{'s' * (pores != 1)} in {images} image{'s' * (images != 1)}"


def printable(path: Path) -> str:
    """A path as text that any file can hold, also where its bytes are no UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _safe(name: str) -> str:
    """A file name without path separators, control characters or Windows' reserved ones."""
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]', "_", name).strip(" .")[-150:] or "image"
    reserved = re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name)
    return f"_{name}" if reserved else name


def _clashing(names: Sequence[str]) -> list[int]:
    """Places of names that equal another, or could be a frame of another."""
    keys = [name.casefold() for name in names]
    counts: dict[str, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    frames = {re.sub(r"_\d{4,}$", "", key) for key in keys if re.search(r"_\d{4,}$", key)}
    return [i for i, key in enumerate(keys) if counts[key] > 1 or key in frames]
