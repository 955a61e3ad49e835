"""The network as a detector."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from porescope.files import printable
from porescope.labels import (
    EDGE,
    Detection,
    find_bordered,
    find_boxes,
    keep_regions,
    label_regions,
    measure_areas,
)
from porescope.lattice import Lattice, VacancyMap, map_vacancies, straighten
from porescope.marks import find_marks
from porescope.micrograph import Micrograph
from porescope.network.confidence import UNRATED, rate_regions
from porescope.network.evidence import gather_evidence, list_places
from porescope.network.maps import Maps, map_probabilities, plan_view, scale_shape
from porescope.network.model import SHIPPED, Model, find_mode, load_model
from porescope.network.scale import Scale, choose_scale
from porescope.network.views import present, reflect_outside, rescale
from porescope.strips import LARGE

#: Minimum area of a region cut by the border [unit cells], and how deep it must reach into the image
#: [lattice constants]: less may be the lattice's end.
_LEAST_CUT, _LEAST_DEPTH = 2.0, 1.25
#: Smallest z of a place that is proposed where the network sees nothing, and how many of them are looked at
#: in a square lattice constant: more are an alloy.
_LEAST_Z, _MOST_PROPOSED = 4.0, 0.01
#: Largest share of a region that may be a scale bar.
_MOST_MARKED = 0.3


@dataclass(frozen=True)
class Network:
    """Detector: a network trained on simulated micrographs.

    Parameters
    ----------
    model : Path, optional
        The network's ONNX file; default: the shipped network.
    turned : bool
        Whether to average over the image in its eight orientations: slower, more cautious.
        Confidence was not fitted for it.
    least_confidence : float
        Pores whose confidence is below this are dropped.
    device : str
        Where the network runs: ``cpu``, ``cuda``, ``directml``, ``coreml``, ``openvino``; ``auto``: CUDA
        where it can be used, else the CPU. Devices may differ in the last digits.
    precision : {"float32", "bf16"}
        Numbers that the network calculates with: those of 16 bits are faster and differ a little.

    Raises
    ------
    ValueError
        If ``least_confidence`` is not from 0 to 1.

    Examples
    --------
    >>> from porescope.simulation import Scene, simulate
    >>> micrograph = simulate(Scene(shape=(150, 170), pores=1, max_missing=9), seed=4).micrograph
    >>> int(Network().find(micrograph).labels.max())
    1
    """

    model: Path | None = None
    turned: bool = False
    least_confidence: float = 0.5
    device: str = "auto"
    precision: str = "float32"

    method: ClassVar[str] = "network"
    needs_lattice: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.model is not None:
            object.__setattr__(self, "model", Path(self.model))
        if not 0 <= self.least_confidence <= 1:
            raise ValueError(f"least_confidence must be from 0 to 1, not {self.least_confidence:g}")

    def describe(self) -> dict[str, Any]:
        """Describe the detector for ``run.json``: the network's file, hash, version and seed.

        Returns
        -------
        dict

        Raises
        ------
        ValueError
            If the file is no network of porescope's, or it cannot run as asked.
        """
        model = load_model(self.model, self.device, self.precision)
        return {
            "method": self.method,
            "seed": model.card["plan"]["seed"],
            "model": {
                "file": printable((self.model or SHIPPED).name),
                "sha256": model.sha256,
                "trained_by": f"porescope {model.card['porescope']}",
                "seed": model.card["plan"]["seed"],
                "steps": model.card["steps"],
                "turned": self.turned,
                "least_confidence": self.least_confidence,
                "device": model.device,
                "precision": self.precision,
            },
        }

    def find(
        self, micrograph: Micrograph, lattice: Lattice | None = None, material: str | None = None
    ) -> Detection:
        """Find pores.

        Parameters
        ----------
        micrograph : Micrograph
        lattice : Lattice, optional
            As `find_lattice` returns it; it gives the scale.
        material : str, optional
            One of `MATERIALS`; its lattice constant gives the scale where no lattice was found.

        Returns
        -------
        Detection
            Images above 16 megapixels keep no candidates.

        Raises
        ------
        ValueError
            If the file is no network of porescope's, or it cannot run as asked.
        """
        model = load_model(self.model, self.device, self.precision)
        scale = choose_scale(micrograph, lattice, material)
        labels, evidence, maps, vacancies = propose_regions(micrograph, lattice, scale, model, self.turned)
        layers = model.card.get("evidence", {}).get(find_mode(micrograph.modality), UNRATED)
        confidence = rate_regions(evidence, layers)
        kept = confidence >= self.least_confidence
        found = Detection(labels, maps.probability, confidence[kept], maps.unusable, scale.message)
        if labels.size <= LARGE:
            candidates = keep_regions(labels, ~kept)
            found = replace(found, candidates=candidates, candidate_confidence=confidence[~kept])
            if vacancies is not None:
                found = replace(found, vacancies=vacancies.z, whole=vacancies.whole)
        keep_regions(labels, kept, out=labels)
        return found


class View(NamedTuple):
    """What the network sees of a micrograph; it looks at a large one in blocks."""

    image: NDArray[np.float32]  # (3, K, L), as `views.present` returns it, with an empty vacancy map
    # Smallest part of the micrograph that holds its field; a straightened one may reach beyond it.
    frame: tuple[slice, slice]
    scale: Scale


def look_at(micrograph: Micrograph, lattice: Lattice | None = None, material: str | None = None) -> View:
    """Crop, straighten and rescale a micrograph to what the network sees.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice, optional
    material : str, optional
        Both as for `Network.find`.

    Returns
    -------
    View
    """
    scale = choose_scale(micrograph, lattice, material)
    plan, shape = plan_view(lattice, scale), micrograph.image.shape
    if plan is not None:
        micrograph = straighten(micrograph, plan)
    window, field = micrograph.window, micrograph.field
    inner = reflect_outside(micrograph.filled[window], None if field is None else field[window])
    seen = present(rescale(inner, scale_shape(inner.shape, scale.factor)), micrograph.modality)
    if plan is not None:
        # The straightened image has the same middle.
        beyond = [(larger - n) // 2 for larger, n in zip(plan.size, shape, strict=True)]
        rows, columns = (slice(s.start - b, s.stop - b) for s, b in zip(window, beyond, strict=True))
        window = (rows, columns)
    return View(seen, window, scale)


class Proposal(NamedTuple):
    """All regions of a micrograph that may be pores, with what tells of them."""

    labels: NDArray[np.int32]  # (M, N), label image of n regions
    evidence: NDArray[np.float64]  # (n, K), as `gather_evidence` returns it
    maps: Maps
    vacancies: VacancyMap | None


def propose_regions(
    micrograph: Micrograph, lattice: Lattice | None, scale: Scale, model: Model, turned: bool = False
) -> Proposal:
    """Map vacancies and the network's probabilities, and list all regions that may be pores.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice or None
    scale : Scale
    model : Model
    turned : bool
        As for `model.predict`.

    Returns
    -------
    Proposal
    """
    vacancies = None if lattice is None else map_vacancies(micrograph, lattice)
    z = None if vacancies is None else vacancies.z
    maps = map_probabilities(micrograph, scale, model, turned, lattice=lattice, z=z)
    return Proposal(*judge_regions(micrograph, lattice, scale, maps, vacancies), maps, vacancies)


def judge_regions(
    micrograph: Micrograph,
    lattice: Lattice | None,
    scale: Scale,
    maps: Maps,
    vacancies: VacancyMap | None,
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """List all regions that may be pores, with the evidence for each.

    Parameters
    ----------
    micrograph : Micrograph
    lattice : Lattice or None
    scale : Scale
    maps : Maps
        What the network says of each pixel.
    vacancies : VacancyMap or None

    Returns
    -------
    labels : ndarray of int32, shape (M, N)
        Label image of n regions: first those of the network, then places of the vacancy map that it missed.
    evidence : ndarray of float, shape (n, K)
        As `gather_evidence` returns it.
    """
    marks = find_marks(micrograph.filled)
    labels = find_regions(maps.probability, micrograph, scale.cell_px, marks)
    if vacancies is not None:
        usable = np.logical_not(marks, out=marks)
        if micrograph.field is not None:
            usable &= micrograph.field
        _add_vacancies(labels, vacancies.z, scale.cell_px, usable)
    return labels, gather_evidence(labels, maps, vacancies, micrograph, lattice, scale)


def _add_vacancies(
    labels: NDArray[np.int32], z: NDArray[np.floating], cell_px: float, usable: NDArray[np.bool_]
) -> None:
    """Add regions where the vacancy map stands out and no region is near: where z is half its peak.

    Near the frame, the field's edge and marks none is added: the sheet's end may look like a vacancy.
    """
    number, reach, depth = int(labels.max()), math.ceil(0.4 * cell_px), math.ceil(_LEAST_DEPTH * cell_px)
    most = max(round(_MOST_PROPOSED * labels.size / cell_px**2), 1)
    for y, x in list_places(z, cell_px, _LEAST_Z).position[:most].tolist():
        near = (slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1))
        inside = min(y, x, labels.shape[0] - 1 - y, labels.shape[1] - 1 - x) >= depth
        around = usable[max(y - depth, 0) : y + depth + 1, max(x - depth, 0) : x + depth + 1]
        if not inside or labels[near].any() or not around.all():
            continue
        part = np.asarray(z[near], np.float32)
        halves = label_regions(part >= part[reach, reach] / 2)
        number += 1
        labels[near][halves == halves[reach, reach]] = number


def find_regions(
    probability: NDArray[np.floating],
    micrograph: Micrograph,
    cell_px: float,
    marks: NDArray[np.bool_] | None = None,
) -> NDArray[np.int32]:
    """Label regions with probability ≥ 0.5.

    Scale bars are dropped, and regions cut by the frame or the field that are smaller than two unit cells or
    reach less than 1.25 lattice constants into the image.

    Parameters
    ----------
    probability : ndarray of float, shape (M, N)
        Probability of a pore at each pixel.
    micrograph : Micrograph
    cell_px : float
        Lattice constant [px].
    marks : ndarray of bool, shape (M, N), optional
        Scale bars; default: as `find_marks` returns them.

    Returns
    -------
    ndarray of int32, shape (M, N)
    """
    marks = find_marks(micrograph.filled) if marks is None else marks
    labels = label_regions(probability, EDGE)
    area = measure_areas(labels)
    marked = np.bincount(labels[marks], minlength=len(area))
    kept = marked < _MOST_MARKED * area
    sides = find_bordered(labels, micrograph.field)
    kept[sides] &= area[sides] >= _LEAST_CUT * cell_px**2 * np.sqrt(3) / 2
    boxes = find_boxes(labels) if kept[sides].any() else {}
    for label in sides[kept[sides]].tolist():
        kept[label] = _reaches(labels, label, boxes[label], micrograph.field, _LEAST_DEPTH * cell_px)
    return keep_regions(labels, kept[1:], out=labels)


def _reaches(
    labels: NDArray[np.int32],
    label: int,
    box: tuple[int, int, int, int],
    field: NDArray[np.bool_] | None,
    depth: float,
) -> bool:
    """Whether a region has a pixel this far from the border and from the field's edge [px]."""
    margin = int(depth) + 2
    low = np.maximum(np.array(box[:2]) - margin, 0)
    high = np.minimum(np.array(box[2:]) + margin, labels.shape)
    near = np.s_[low[0] : high[0], low[1] : high[1]]
    inside = np.ones(labels[near].shape, np.uint8) if field is None else field[near].astype(np.uint8)
    # A line of 0 stands for what lies beyond the border.
    ends = [(int(a == 0), int(b == n)) for a, b, n in zip(low, high, labels.shape, strict=True)]
    distance = cv2.distanceTransform(np.pad(inside, ends), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    distance = distance[ends[0][0] :, ends[1][0] :][: inside.shape[0], : inside.shape[1]]
    return bool((distance[labels[near] == label] >= depth).any())
