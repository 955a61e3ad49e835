"""Options of the commands that process images: how pores are found, what is written, how far a run may go."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from porescope.cli.console import say

if TYPE_CHECKING:
    from porescope.detection import Detector
    from porescope.reading import ImageFile
    from porescope.runs import Job


class Calibration(enum.StrEnum):
    """Where the pixel size of the tables comes from."""

    header = "header"
    lattice = "lattice"


def _list_methods() -> list[str]:
    from porescope.detection import DETECTORS

    return list(DETECTORS)


Method = Annotated[
    str | None,
    typer.Option(
        metavar="METHOD",
        autocompletion=_list_methods,
        help="How pores are found: network, threshold, lattice, vacancies, voids, or FILE.py:NAME for a "
        "function of your own that takes a Micrograph and returns a label image. Default: what fits the "
        "image, network where a lattice shows and voids where none can; threshold if a recipe is given.",
    ),
]

Recipe = Annotated[
    str | None,
    typer.Option(metavar="NAME|FILE", help="Recipe of the threshold method; default: ws2."),
]

Model = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A network of your own; default: the shipped network."),
]

Turned = Annotated[
    bool,
    typer.Option("--turned", help="Average the network over eight orientations: slower, more cautious."),
]

Device = Annotated[
    str | None,
    typer.Option(
        metavar="auto|cpu|cuda|…",
        help="Where the network runs: cpu, cuda, directml, coreml or openvino, as far as the installed "
        "onnxruntime has it; default: cuda where it can be used, else cpu.",
    ),
]

Precision = Annotated[
    str | None,
    typer.Option(
        metavar="float32|bf16",
        help="Numbers that the network calculates with: bf16 is faster and differs a little (extra bf16; "
        "processors with AVX512-BF16 or AMX).",
    ),
]

Split = Annotated[
    bool,
    typer.Option("--split/--no-split", help="Split touching pores at their necks (method voids)."),
]

LeastConfidence = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Drop pores whose confidence is below this (default 0.5)."),
]

Signal = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|all",
        help="Detector or channel that is taken of files with several; default: HAADF, or the one most "
        "like it, of each field of view.",
    ),
]

Calibrate = Annotated[
    Calibration, typer.Option(help="Whether the file or the lattice gives the pixel size of the tables.")
]

Lattice = Annotated[
    bool | None,
    typer.Option(
        "--lattice/--no-lattice",
        help="Look for the lattice; default: yes, but not for --method threshold --no-images.",
    ),
]

Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Number of processes; default: one a core, but one for up to 20 images."),
]

Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="local|tcp://HOST:PORT",
        help="Process the images on a Dask cluster: one of this machine, or one that runs already.",
    ),
]

PartSeconds = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        metavar="SECONDS",
        help="Time that a part of the results takes in s: what a kill loses at most (default 5; 60 on a "
        "cluster).",
    ),
]

Timeout = Annotated[
    float | None,
    typer.Option(min=0.1, metavar="SECONDS", help="Give an image up after this time in s (default 600)."),
]

Memory = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        metavar="GB",
        help="Give an image up that takes more memory than this in GB; default: nine tenths of what is "
        "free at the start.",
    ),
]

Images = Annotated[
    bool, typer.Option("--images/--no-images", help="Write overlays and show pictures in the report.")
]

Rois = Annotated[bool, typer.Option("--rois", help="Write outlines as ImageJ ROIs too.")]

Geojson = Annotated[bool, typer.Option("--geojson", help="Write outlines as GeoJSON too.")]

Coco = Annotated[bool, typer.Option("--coco", help="Write outlines as COCO's JSON too.")]

Excess = Annotated[
    bool, typer.Option("--excess", help="Mark the bright sites of excess.csv in the overlays too.")
]

Structure = Annotated[
    bool, typer.Option("--structure", help="Write the sheet's atoms too (extended XYZ, CIF).")
]

Quiet = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print no progress and no summary; run.log has the failures."),
]

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print a line for each image.")]


def make_job(given: Mapping[str, Any]) -> Job:
    """Make the job of a command, and say which method is used if none was asked for.

    Parameters
    ----------
    given : mapping
        The command's options, by their names.

    Returns
    -------
    Job

    Raises
    ------
    ValueError
        If the options contradict each other, or the detector cannot be used.
    """
    from porescope.runs import Job

    method, recipe, model = given["method"], given["recipe"], given["model"]
    options = {name: given[name] for name in ("recipe", "model", "device", "precision", "least_confidence")}
    options |= {"turned": given["turned"] or None, "split": None if given["split"] else False}
    detector = choose_method(method, options)
    same = (
        "out", "modality", "pixel_size", "signal", "rois", "geojson", "coco", "material", "lattice",
        "structure", "excess",
    )  # fmt: skip
    job = Job(
        detector=detector,
        overlays=given["images"],
        calibrate=given["calibrate"] is Calibration.lattice,
        **{name: given[name] for name in same},
    )
    if method is None and recipe is None and not given["quiet"]:
        say(_tell_default(detector, model))
    return job


def open_as_asked(path: Path, given: Mapping[str, Any]) -> ImageFile:
    """Open a file to read its images, as a command's options say.

    Parameters
    ----------
    path : Path
    given : mapping
        The command's options, by their names.

    Returns
    -------
    ImageFile
    """
    from porescope.reading import open_images

    return open_images(path, **{name: given[name] for name in ("pixel_size", "modality", "signal")})


def make_limits(given: Mapping[str, Any]) -> dict[str, Any]:
    """Make the limits of a run: those that were asked for.

    Parameters
    ----------
    given : mapping
        The command's options, by their names.

    Returns
    -------
    dict
        Of workers, timeout [s], memory [bytes], cluster and part_seconds.
    """
    memory = given["memory"]
    limits = {name: given.get(name) for name in ("workers", "timeout", "cluster", "part_seconds")}
    limits["memory"] = memory and memory * 2**30
    return {name: limit for name, limit in limits.items() if limit is not None}


def choose_method(method: str | None, options: Mapping[str, Any]) -> Detector:
    """Choose the detector, and make sure that it can be used; a .pt file is a Mask R-CNN.

    Parameters
    ----------
    method : str, optional
        Its name.
    options : mapping
        ``recipe``, ``model`` and others by their names; None is not said.

    Returns
    -------
    Detector

    Raises
    ------
    ValueError
        If it cannot be used.
    """
    from porescope.detection import choose_detector
    from porescope.network import Network
    from porescope.recipes import load_recipe

    model = options["model"]
    if method in (None, Network.method) and model is not None and model.suffix == ".pt":
        if len([value for value in options.values() if value is not None]) > 1:
            raise ValueError("no other option of a detector goes with a Mask R-CNN")
        detector = _load_maskrcnn(model)
    else:
        recipe = options["recipe"]
        loaded = {**options, "recipe": None if recipe is None else load_recipe(recipe)}
        detector = choose_detector(method, loaded)
    detector.describe()
    return detector


def _tell_default(detector: Detector, model: Path | None) -> str:
    """What is used where no method was asked for."""
    from porescope.detection import Automatic

    network = f"network ({model.name if model else 'the shipped one'}), which needs no labels"
    if not isinstance(detector, Automatic):
        return f"Method: {detector.method if model is None else network}."
    return f"Method: {network}; voids where no lattice can show (--method chooses one)."


def _load_maskrcnn(path: Path) -> Detector:
    from importlib.util import find_spec

    if not path.is_file():
        raise ValueError(f"--model {path} is not a file")
    if find_spec("torchvision") is None:
        from porescope.files import explain_missing

        raise ValueError(explain_missing("a Mask R-CNN", "torchvision", "maskrcnn"))
    from porescope.training import MaskRCNN

    return MaskRCNN(path)
