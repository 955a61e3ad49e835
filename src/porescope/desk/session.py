"""What lies on the desk: the files, what was found in their images, what was edited. No window."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from porescope.corrections import compare_labels
from porescope.files import (
    ENDINGS,
    keep_names,
    name_files,
    printable,
    save_labels,
    write_whole,
)
from porescope.labels import HIDDEN
from porescope.micrograph import Micrograph
from porescope.reading import ImageFile, open_images
from porescope.recipes import PAPER_AXES, Recipe, Threshold
from porescope.runs import (
    Goal,
    ImageResult,
    Job,
    LabelledImages,
    find_and_measure,
    join_labelled,
    tune,
)
from porescope.standards import read_standard
from porescope.storage import locate

if TYPE_CHECKING:
    pass

#: Number of images whose results stay in memory though nothing was edited in them.
_MOST_KEPT = 50


class Place(NamedTuple):
    """An image on the desk."""

    file: int  # number of the file
    frame: int  # number of the image in its file


@dataclass(eq=False)
class Session:
    """The files on the desk, with what was found and edited in their images.

    Attributes
    ----------
    paths : list of Path
    names : list of str
        Name of each, as in the tables; it stays when more files come.
    job : Job
        How the images are read and their pores found; its folder holds all that is saved.
    method : list of str
        Options of ``porescope detect`` that say how pores are found, as the job does it.
    results : dict
        What was found in the images that were looked at. With many images only the latest results and those
        of edited images stay.
    edited : dict
        Label images, shape (M, N), of the images in which something was edited.
    seen : list of Place
        Images that were looked at.
    saved : dict
        The label images that were edited, as they were saved last.
    rescued : Path or None
        Where those that were not saved are after the end.
    """

    paths: list[Path]
    job: Job
    method: list[str] = field(default_factory=list)
    results: dict[Place, ImageResult] = field(default_factory=dict)
    edited: dict[Place, NDArray[np.int32]] = field(default_factory=dict)
    seen: list[Place] = field(default_factory=list)
    saved: dict[Place, NDArray[np.int32]] = field(default_factory=dict)
    rescued: Path | None = None
    _reading: threading.Lock = field(default_factory=threading.Lock)
    _files: dict[int, ImageFile] = field(default_factory=dict)
    _standards: dict[Place, NDArray[np.int32]] = field(default_factory=dict)
    _folders: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = name_files(self.paths)

    @property
    def standards(self) -> Path:
        """Folder of the standards."""
        return self.job.out / "standards"

    def add_files(self, paths: Sequence[Path]) -> None:
        """Lay more files on the desk.

        Parameters
        ----------
        paths : sequence of Path
            Those that lie there already are left out.
        """
        here = {path.resolve() for path in self.paths}
        known = dict(zip((printable(locate(path)) for path in self.paths), self.names, strict=True))
        self.paths += [path for path in paths if path.resolve() not in here]
        self.names = keep_names(self.paths, known)

    def open(self, file: int) -> ImageFile:
        """Open a file.

        Parameters
        ----------
        file : int
            Its number.

        Returns
        -------
        ImageFile

        Raises
        ------
        OSError, ValueError
            If it cannot be read.
        """
        if file not in self._files:
            job = self.job
            self._files[file] = open_images(
                self.paths[file], pixel_size=job.pixel_size, modality=job.modality, signal=job.signal
            )
        return self._files[file]

    def read(self, place: Place) -> Micrograph:
        """Read an image.

        Parameters
        ----------
        place : Place

        Returns
        -------
        Micrograph

        Raises
        ------
        OSError, ValueError
            If it cannot be read.
        """
        images = self.open(place.file)
        with self._reading:  # several threads would move each other's place in the file
            micrograph = images.read(place.frame)
        return replace(micrograph, name=self.names[place.file])

    def find(self, place: Place, recipe: Recipe | None = None) -> ImageResult:
        """Find and measure the pores of an image.

        Parameters
        ----------
        place : Place
        recipe : Recipe, optional
            Default: the session's own method.

        Returns
        -------
        ImageResult
            Without what no correction needs.
        """
        job = replace(self.job, detector=Threshold(recipe)) if recipe else self.job
        result = find_and_measure(self.read(place), job)
        if recipe:
            numbers = ", ".join(f"{name} {value}" for name, value in recipe.numbers().items())
            result = replace(result, messages=[*result.messages, f"recipe: {numbers}"])
        found = result.detection
        hidden = None if found.unusable is None else np.asarray(found.unusable >= HIDDEN)
        return replace(result, detection=replace(found, probability=None, unusable=hidden))

    def keep(self, place: Place, result: ImageResult) -> None:
        """Keep what was found in an image, in the place of what was found before.

        Parameters
        ----------
        place : Place
        result : ImageResult
        """
        self.results.pop(place, None)
        self.results[place] = result
        if place not in self.seen:
            self.seen.append(place)
        for old in list(self.results):
            if len(self.results) <= _MOST_KEPT:
                break
            # What a recipe found may not be what the session's method would find again.
            if old not in self.edited and old != place and self.results[old].method != Threshold.method:
                del self.results[old]

    def remember(self, place: Place, labels: NDArray[np.int32]) -> None:
        """Remember the label image of an image that is put aside, if it was edited.

        Parameters
        ----------
        place : Place
        labels : ndarray of int32, shape (M, N)
        """
        result = self.results.get(place)
        if result is not None and np.array_equal(labels, result.labels):
            self.edited.pop(place, None)
        elif result is not None:
            self.edited[place] = labels.copy()

    def current_labels(self, place: Place) -> NDArray[np.int32] | None:
        """Give the label image of an image as it was left.

        Parameters
        ----------
        place : Place

        Returns
        -------
        ndarray of int32, shape (M, N), or None
            None if its pores were not looked for.
        """
        result = self.results.get(place)
        return self.edited.get(place, result.labels if result else None)

    def save_standard(self, place: Place, labels: NDArray[np.int32]) -> Path:
        """Save the pores of an image as its standard, in the place of an earlier one.

        Parameters
        ----------
        place : Place
        labels : ndarray of int32, shape (M, N)

        Returns
        -------
        Path

        Raises
        ------
        ValueError
            If there are no pores.
        """
        micrograph = self.read(place)
        if not labels.any():
            raise ValueError(f"{micrograph.stem} has no pores, which makes no standard; paint them first")
        pieces = compare_labels(np.zeros_like(labels), labels).labels
        path = self._place_standard(micrograph)
        path.parent.mkdir(parents=True, exist_ok=True)
        with write_whole(path) as part:
            save_labels(part, pieces, micrograph.pixel_size)
        self._standards[place] = pieces
        return path

    def load_standard(self, place: Place, micrograph: Micrograph) -> NDArray[np.int32] | None:
        """Load the standard of an image, once.

        Parameters
        ----------
        place : Place
        micrograph : Micrograph
            Its image.

        Returns
        -------
        ndarray of int32, shape (M, N), or None

        Raises
        ------
        ValueError
            If it is no standard of this image.
        """
        path = self._place_standard(micrograph)
        if place not in self._standards and path.is_file():
            self._standards[place] = read_standard(path, micrograph.image.shape)
        return self._standards.get(place)

    def _place_standard(self, micrograph: Micrograph) -> Path:
        return self.standards / f"{micrograph.stem}{ENDINGS['standard']}"

    def read_standards(self) -> LabelledImages:
        """Read the images that have a standard.

        Returns
        -------
        LabelledImages

        Raises
        ------
        ValueError
            If there are none, or one cannot be read.
        """
        found = []
        stored = {path.name.removesuffix(ENDINGS["standard"]) for path in self.standards.glob("*.tif")}
        for file, name in enumerate(self.names):
            if not any(stem.startswith(name) for stem in stored):
                continue
            for frame in range(n := len(self.open(file))):
                if n > 1 and not any(stem.endswith(f"_{frame:04d}") for stem in stored):
                    continue
                micrograph = self.read(Place(file, frame))
                if micrograph.stem in stored:
                    found.append((self.paths[file], micrograph))
        if not found:
            raise ValueError("no image has a standard yet; correct or paint its pores and save the standard")
        paths = [self._place_standard(m) for _, m in found]
        labels = [read_standard(path, m.image.shape) for path, (_, m) in zip(paths, found, strict=True)]
        return join_labelled([p for p, _ in found], paths, [m for _, m in found], labels)

    def tune(self, scaling: str, on_progress: Callable[[float], None]) -> tuple[Recipe, list[str], Path]:
        """Tune a recipe on the standards.

        Parameters
        ----------
        scaling : {"physical", "published"}
        on_progress : callable
            Called with the share of the search that is done; what it raises ends the tuning.

        Returns
        -------
        Recipe
        list of str
            The results, in sentences.
        Path
            Folder of the results.
        """
        data = self.read_standards()
        out = self.free_folder("tuned")
        goal = Goal(cross_validate=len(data.paths) >= 3)
        recipe, lines = tune(
            data, dict(PAPER_AXES), Recipe(scaling=scaling), goal, out,
            command=("porescope", "label"), on_progress=on_progress,
        )  # fmt: skip
        return recipe, lines, out

    def own_folder(self, name: str) -> Path:
        """Give the folder that this session writes to; another session's is left alone.

        Parameters
        ----------
        name : str
            It is numbered if it is taken.

        Returns
        -------
        Path
        """
        if name not in self._folders:
            self._folders[name] = self.free_folder(name)
        return self._folders[name]

    def free_folder(self, name: str) -> Path:
        """Give a name in the session's folder that is not taken.

        Parameters
        ----------
        name : str
            It is numbered if it is taken.

        Returns
        -------
        Path
        """
        own, number = Path(name), 1
        while (path := self.job.out / (name if number == 1 else f"{own.stem}-{number}{own.suffix}")).exists():
            number += 1
        return path
