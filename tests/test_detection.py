from __future__ import annotations

import pickle
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from porescope import Micrograph, Recipe, detect, measure, read
from porescope.detection import DETECTORS, Own, choose_detector
from porescope.labels import Detection
from porescope.lattice import LatticeGaps, find_lattice
from porescope.network import Network
from porescope.recipes import Threshold
from porescope.simulation import Pore, Scene, Simulation, simulate

HERE = Path(__file__)


def find_dark(micrograph: Micrograph) -> np.ndarray:
    """A detector of one's own: what is darker than 5."""
    return micrograph.image < 5


@pytest.fixture(scope="module")
def drawn() -> Simulation:
    return simulate(Scene(shape=(240, 300), pores=3, max_missing=40, dose=2e6), seed=5)


@pytest.mark.parametrize("method", DETECTORS)
def test_a_detector_describes_itself_and_goes_to_other_processes(method: str, drawn: Simulation) -> None:
    detector = choose_detector(method, {})
    assert detector.describe()["method"] == detector.method == method
    lattice = find_lattice(drawn.micrograph)
    here = detector.find(drawn.micrograph, lattice, None)
    there = pickle.loads(pickle.dumps(detector)).find(drawn.micrograph, lattice, None)
    assert here.labels.max() >= 2 and np.array_equal(here.labels, there.labels)


def test_a_recipe_means_the_threshold_method_and_nothing_the_network() -> None:
    recipe = Recipe(grid=7)
    assert choose_detector(None, {"recipe": recipe}) == Threshold(recipe)
    assert choose_detector(None, {"recipe": None, "turned": True}) == Network(turned=True)


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        ("mine", {}, "must be network, threshold, lattice, vacancies, voids or FILE.py:NAME, not 'mine'"),
        ("lattice", {"turned": True}, "--method lattice takes no --turned; it belongs to --method network"),
        ("network", {"recipe": Recipe()}, "takes no --recipe; it belongs to --method threshold"),
        (None, {"recipe": Recipe(), "least_confidence": 0.2}, "threshold takes no --least-confidence"),
        ("network", {"least_confidence": 1.5}, "least_confidence must be from 0 to 1, not 1.5"),
        (f"{HERE}:nothing", {}, "has no function nothing"),
        ("nowhere.py:find", {}, "nowhere.py cannot be opened"),
    ],
)
def test_what_cannot_be_chosen_is_said(method: str | None, options: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        choose_detector(method, options).describe()


def test_a_users_own_function_from_a_file_and_from_python() -> None:
    image = np.full((6, 9), 9.0)
    image[1:3, 2:4], image[4, 7] = 0, 1
    micrograph = Micrograph(image, 0.05)
    from_file, from_python = Own(f"{HERE}:find_dark"), Own(find_dark)
    for detector in (from_file, from_python):
        assert detector.find(micrograph).labels.max() == 2
    assert from_file.method == "test_detection.py:find_dark"
    described = from_file.describe()["function"]
    assert described["name"] == "find_dark" and len(described["sha256"]) == 64


def test_the_last_colon_splits_a_windows_path() -> None:
    assert Own(r"C:\lab\mine.py:find").method.endswith("mine.py:find")


def test_a_users_own_function_may_return_a_detection_or_gaps_in_its_labels() -> None:
    micrograph = Micrograph(np.ones((2, 3)), 0.05)
    labels = np.array([[0, 7, 0], [3, 0, 0]])
    assert Own(lambda m: labels).find(micrograph).labels.tolist() == [[0, 2, 0], [1, 0, 0]]
    detection = Detection(labels.astype(np.int32), confidence=np.array([0.5, 0.9]))
    found = Own(lambda m: detection).find(micrograph)
    assert found.labels.tolist() == [[0, 2, 0], [1, 0, 0]] and found.confidence.tolist() == [0.5, 0.9]
    field = np.array([[True, True, True], [False, True, True]])
    found = Own(lambda m: detection).find(replace(micrograph, field=field))
    assert found.labels.tolist() == [[0, 1, 0], [0, 0, 0]] and found.confidence.tolist() == [0.9]
    with pytest.raises(ValueError, match="one confidence for each of its 2 regions, not 1"):
        Own(lambda m: replace(detection, confidence=np.array([0.5]))).find(micrograph)


@pytest.mark.parametrize("wrong", [np.ones((3, 2)), np.ones((2, 3)), -np.ones((2, 3), int), None])
def test_a_users_own_function_that_returns_rubbish_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"must return a label image or mask of shape \(2, 3\)"):
        Own(lambda m: wrong).find(Micrograph(np.ones((2, 3)), 0.05))


def test_a_users_own_function_that_fails_names_the_image() -> None:
    with pytest.raises(ValueError, match=r"fails on A_0002 \(ZeroDivisionError: division by zero\)"):
        Own(lambda m: 1 / 0).find(Micrograph(np.ones((2, 3)), 0.05, name="A", frame=2))


def test_options_are_declared_once() -> None:
    names = [f.name for detector in DETECTORS.values() for f in fields(detector)]
    # The network and the voids have a confidence each.
    twice = ["least_confidence"]
    assert sorted(names) == sorted(
        [*twice, "device", "least_confidence", "least_z", "model", "precision", "recipe", "split", "turned"]
    )


def test_without_a_lattice_the_lattice_method_finds_nothing(drawn: Simulation) -> None:
    assert LatticeGaps().find(drawn.micrograph, None).labels.max() == 0


@pytest.mark.parametrize("method", [*DETECTORS, "own"])
def test_nothing_is_found_outside_the_field(method: str) -> None:
    pores = (Pore((3.0, 4.0), missing=16), Pore((7.0, 9.0), missing=12))
    drawn = simulate(Scene(shape=(240, 300), pores=pores, dose=2e6), seed=5)
    field = np.ones(drawn.labels.shape, bool)
    largest = drawn.labels == 1 + int(drawn.area_nm2.argmax())
    rows, columns = np.nonzero(largest)
    middle = int(np.median(columns))
    field[rows.min() - 15 : rows.max() + 16, middle : columns.max() + 16] = False  # half of this pore
    image = np.where(field, drawn.micrograph.image, 0)  # no data is often written as 0
    micrograph = replace(drawn.micrograph, image=image, field=field)
    level = float(np.median(image[largest & field]))
    detector = Own(lambda m: m.image <= level) if method == "own" else choose_detector(method, {})
    found = detector.find(micrograph, find_lattice(micrograph), None)
    assert not found.labels[~field].any()
    if method == "vacancies":  # which stand at the rim of a large pore
        return
    common = np.bincount(found.labels[largest & field])
    own = 1 + int(common[1:].argmax())
    assert common[own] > 0.3 * (largest & field).sum()
    table = measure(micrograph, found.labels)
    assert table.touches_border[table.label == own].all()


def test_the_default_is_the_network(ws2: Path) -> None:
    micrograph = read(ws2 / "A.dm3")
    by_hand = Network().find(micrograph, find_lattice(micrograph)).labels
    assert np.array_equal(detect(micrograph), by_hand)


def _leave(micrograph: Micrograph) -> None:
    raise SystemExit(0)


def _spoil(micrograph: Micrograph) -> np.ndarray:
    micrograph.image[:] = 0
    return micrograph.image > 1


@pytest.mark.parametrize(("function", "words"), [(_leave, "SystemExit"), (_spoil, "read-only")])
def test_a_users_own_function_can_neither_end_the_run_nor_change_the_image(function, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Own(function).find(Micrograph(np.ones((2, 3)), 0.05))


@pytest.mark.parametrize("maps", [np.zeros((3, 2), np.float32), np.full((2, 3), np.nan, np.float32)])
def test_maps_of_a_users_own_function_must_fit(maps: np.ndarray) -> None:
    labels = np.ones((2, 3), np.int32)
    for name in ("probability", "unusable"):
        detection = Detection(labels, **{name: maps})
        with pytest.raises(ValueError, match=f"must return {name} as finite numbers of shape"):
            Own(lambda m, d=detection: d).find(Micrograph(np.ones((2, 3)), 0.05))


@pytest.mark.parametrize("method", DETECTORS)
def test_what_lies_outside_the_field_does_not_matter(method: str, drawn: Simulation) -> None:
    field = np.ones(drawn.labels.shape, bool)
    field[:, 200:] = False
    found = []
    for outside in (np.nan, 1e30, 0.0):
        image = np.where(field, drawn.micrograph.image, outside)
        micrograph = replace(drawn.micrograph, image=image, field=field)
        found.append(choose_detector(method, {}).find(micrograph, find_lattice(micrograph)).labels)
    # The pores in this part are too small for voids.
    assert (found[0].max() > 0 or method == "voids") and all(
        np.array_equal(labels, found[0]) for labels in found
    )
