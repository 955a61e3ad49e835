"""Detectors: what they have in common, how one is chosen, a user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from porescope.field import look_for_field
from porescope.files import printable
from porescope.labels import Detection, label_regions, number_consecutively
from porescope.lattice import Lattice, LatticeGaps, Vacancies, find_lattice
from porescope.micrograph import Micrograph, check_micrograph
from porescope.network import Network
from porescope.recipes import Recipe, Threshold
from porescope.voids import Voids, choose_method


class Detector(Protocol):
    """A frozen dataclass of a detector's options; each option is declared there and nowhere else."""

    @property
    def method(self) -> str:
        """Name in the tables and in ``run.json``."""

    @property
    def needs_lattice(self) -> bool:
        """Whether `find` uses the lattice."""

    def describe(self) -> dict[str, Any]:
        """Describe the detector for ``run.json``; raises ValueError if it cannot be used.

        Returns
        -------
        dict
            ``method``, and all that is needed to repeat the detection.
        """

    def find(self, micrograph: Micrograph, lattice: Lattice | None, material: str | None) -> Detection:
        """Find the pores of a micrograph.

        Parameters
        ----------
        micrograph : Micrograph
        lattice : Lattice or None
            As `find_lattice` returns it.
        material : str or None
            One of `MATERIALS`.

        Returns
        -------
        Detection
        """


#: The detectors by their name on the command line, the default first.
DETECTORS: dict[str, type[Network] | type[Threshold] | type[LatticeGaps] | type[Vacancies] | type[Voids]] = {
    detector.method: detector for detector in (Network, Threshold, LatticeGaps, Vacancies, Voids)
}


@dataclass(frozen=True)
class Automatic:
    """Detector: the default, the method that fits what an image shows.

    Parameters
    ----------
    network : Network
        Used where a crystal's lattice shows, or might but for noise.
    voids : Voids
        Used where pixels are too coarse for a lattice, or clear grey levels show instead.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(100, 5, (200, 220))
    >>> image[40:70, 50:80] -= 60
    >>> found = Automatic().find(Micrograph(image, 1.0))
    >>> found.method, found.reason
    ('voids', 'pixels of 1 nm are too coarse for a lattice')
    """

    network: Network = Network()
    voids: Voids = Voids()

    method: ClassVar[str] = Network.method
    needs_lattice: ClassVar[bool] = True

    def describe(self) -> dict[str, Any]:
        """Describe the network for ``run.json``, and what is used in its place where no lattice shows.

        Returns
        -------
        dict
        """
        return {**self.network.describe(), "otherwise": self.voids.describe()}

    def find(
        self, micrograph: Micrograph, lattice: Lattice | None = None, material: str | None = None
    ) -> Detection:
        """Find pores by the method that fits, and say which and why.

        Parameters
        ----------
        micrograph : Micrograph
        lattice : Lattice, optional
        material : str, optional
            Both as for `Network.find`.

        Returns
        -------
        Detection
        """
        choice = choose_method(micrograph, lattice, material)
        detector: Detector = self.voids if choice.method == Voids.method else self.network
        found = detector.find(micrograph, lattice, material)
        return replace(found, method=choice.method, reason=choice.reason)


#: What a detector of one's own returns.
_Found = NDArray[Any] | Detection


@dataclass(frozen=True)
class Own:
    """Detector: a function of the user's.

    Parameters
    ----------
    function : callable or str
        Takes a `Micrograph`, returns a label image (or mask) of its shape, or a `Detection`. As text
        ``FILE.py:NAME``, split at the last colon; the file is run.

    Examples
    --------
    >>> detector = Own(lambda micrograph: micrograph.image < 5)
    >>> int(detector.find(Micrograph(np.eye(4, 6) * 9, 0.05)).labels.max())
    1
    """

    function: Callable[[Micrograph], _Found] | str

    needs_lattice: ClassVar[bool] = False

    @property
    def method(self) -> str:
        """File and name of the function."""
        if isinstance(self.function, str):
            file, name = _split_reference(self.function)
            return printable(f"{file.name}:{name}")
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"{self.function.__module__}:{name}"

    def describe(self) -> dict[str, Any]:
        """Describe the detector for ``run.json``: the function and its file's hash.

        Returns
        -------
        dict

        Raises
        ------
        ValueError
            If there is no such function.
        """
        if not isinstance(self.function, str):
            return {"method": self.method}
        file, name = _split_reference(self.function)
        load_function(self.function)
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        return {"method": self.method, "function": {"file": printable(file), "name": name, "sha256": sha256}}

    def find(
        self, micrograph: Micrograph, lattice: Lattice | None = None, material: str | None = None
    ) -> Detection:
        """Find pores.

        Parameters
        ----------
        micrograph : Micrograph
        lattice : Lattice, optional
        material : str, optional
            Neither is handed to the function.

        Returns
        -------
        Detection

        Raises
        ------
        ValueError
            If the function fails, or returns something else.
        """
        function = load_function(self.function) if isinstance(self.function, str) else self.function
        image = micrograph.image.view()
        image.flags.writeable = False  # tables and pictures need it as it was read
        try:
            found = function(replace(micrograph, image=image))
            detection = found if isinstance(found, Detection) else Detection(np.asarray(found))
        except (Exception, SystemExit) as error:  # the function is the user's, it may raise anything
            raise ValueError(
                f"the detector {self.method} fails on {micrograph.stem} ({type(error).__name__}: {error})"
            ) from error
        return self._check(detection, micrograph)

    def _check(self, found: Detection, micrograph: Micrograph) -> Detection:
        """Refuse what is no label image; number its regions, and clear it outside the field."""
        labels, shape = np.asarray(found.labels), micrograph.image.shape
        if labels.shape != shape or labels.dtype.kind not in "biu" or labels.min() < 0:
            raise ValueError(
                f"the detector {self.method} must return a label image or mask of shape {shape} without "
                f"negative labels, not {labels.dtype} of shape {labels.shape}"
            )
        labels = label_regions(labels) if labels.dtype.kind == "b" else labels
        for name in ("probability", "unusable"):
            values = getattr(found, name)
            if values is not None and (np.shape(values) != shape or not np.isfinite(values).all()):
                raise ValueError(
                    f"the detector {self.method} must return {name} as finite numbers of shape {shape}, "
                    f"not of shape {np.shape(values)}"
                )
        numbers = np.unique(labels[labels > 0])
        confidence = found.confidence
        if confidence is not None and len(confidence) != len(numbers):
            raise ValueError(
                f"the detector {self.method} must return one confidence for each of its {len(numbers)} "
                f"regions, not {len(confidence)}"
            )
        if micrograph.field is not None:
            labels = np.where(micrograph.field, labels, 0)
            confidence = None if confidence is None else confidence[np.isin(numbers, labels)]
        return replace(found, labels=number_consecutively(labels), confidence=confidence)


def _split_reference(text: str) -> tuple[Path, str]:
    """File and function of ``FILE.py:NAME``; a Windows path has a colon of its own."""
    file, _, name = text.rpartition(":")
    return Path(file), name


def load_function(reference: str, option: str = "--method") -> Callable[..., Any]:
    """Load a function of the user's.

    Parameters
    ----------
    reference : str
        ``FILE.py:NAME``, split at the last colon; the file is run.
    option : str
        By which it was given, for messages.

    Returns
    -------
    callable

    Raises
    ------
    ValueError
        If there is none.
    """
    file, name = _split_reference(reference)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{option} {reference}: {file} cannot be opened ({error.strerror})") from None
    function = _run_file(file.resolve(), content).get(name)
    if not callable(function):
        raise ValueError(f"{option} {reference}: {file} has no function {name}")
    return function  # type: ignore[no-any-return]


@cache
def _run_file(file: Path, content: bytes) -> dict[str, Any]:
    """Run a Python file once, and again if its content has changed; its names."""
    import runpy

    try:
        return runpy.run_path(str(file))
    except (Exception, SystemExit) as error:  # the file is the user's, it may raise anything
        raise ValueError(f"{file.name} cannot be run ({type(error).__name__}: {error})") from error


def choose_detector(method: str | None, options: Mapping[str, Any]) -> Detector:
    """Choose a detector by its name and its options.

    Parameters
    ----------
    method : str or None
        A name of `DETECTORS`, or ``FILE.py:NAME`` for a function of the user's; None: the threshold method
        if a recipe is given, the one that has the options given, else the one that fits the image.
    options : mapping
        Fields of the detector → value; None counts as not given.

    Returns
    -------
    Detector

    Raises
    ------
    ValueError
        If the method is unknown, or does not have an option that is given.

    Examples
    --------
    >>> choose_detector(None, {"turned": True})
    Network(model=None, turned=True, least_confidence=0.5, device='auto', precision='float32')
    """
    given = {name: value for name, value in options.items() if value is not None}
    if method is None and given.keys() <= {"least_confidence", "device", "precision"}:
        shared = {name: value for name, value in given.items() if name == "least_confidence"}
        return Automatic(Network(**given), Voids(**shared))
    if method is None:
        method = (
            Threshold.method if "recipe" in given else Voids.method if "split" in given else Network.method
        )
    kind = DETECTORS.get(method)
    if kind is None and ":" not in method:
        raise ValueError(f"--method must be {', '.join(DETECTORS)} or FILE.py:NAME, not {method!r}")
    own = {f.name for f in fields(kind)} if kind else set()
    for name in given:
        if name not in own:
            owners = [m for m, other in DETECTORS.items() if name in {f.name for f in fields(other)}]
            whose = f"; it belongs to --method {owners[0]}" if owners else ""
            raise ValueError(f"--method {method} takes no --{name.replace('_', '-')}{whose}")
    return kind(**given) if kind else Own(method)


def detect(micrograph: Micrograph, recipe: Recipe | None = None) -> NDArray[np.int32]:
    """Find the pores of a micrograph, where it has data.

    Parameters
    ----------
    micrograph : Micrograph
    recipe : Recipe, optional
        Parameters of the paper's pipeline; without one the method that fits the image is used: the network,
        or voids where no lattice shows.

    Returns
    -------
    ndarray of int32, shape (M, N)
        Label image, 0 is background.

    Examples
    --------
    >>> import numpy as np
    >>> detect(Micrograph(np.ones((40, 50)), 0.05)).shape
    (40, 50)
    """
    check_micrograph(micrograph, "detect")
    detector: Detector = Automatic() if recipe is None else Threshold(recipe)
    micrograph = look_for_field(micrograph)
    lattice = find_lattice(micrograph) if detector.needs_lattice else None
    return detector.find(micrograph, lattice, None).labels
