from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from porescope.labels import Detection
from porescope.lattice import find_lattice, map_vacancies
from porescope.network import EXCESS_COLUMNS, find_nearest, list_excess
from porescope.network.excess import _CLEAR_Z, _LEAST_Z
from porescope.simulation import Scene, prepare, simulate

#: Adatoms of tungsten, far from the noise, and one pore.
SCENE = Scene("WS2", (256, 300), pores=1, max_missing=9, adatom="W", adatoms=0.06)


@pytest.fixture(scope="module")
def seen():
    drawn = simulate(SCENE, seed=4)
    lattice = find_lattice(drawn.micrograph)
    z, whole = map_vacancies(drawn.micrograph, lattice)
    return drawn, lattice, Detection(drawn.labels, vacancies=z, whole=whole)


def test_adatoms_are_listed_where_they_are(seen) -> None:
    drawn, lattice, found = seen
    sites = list_excess(drawn.micrograph, found, lattice)
    assert list(sites) == list(EXCESS_COLUMNS)
    loose = prepare(SCENE, np.random.default_rng(4)).loose
    extent = np.array(SCENE.shape) * SCENE.pixel_size
    inside = ((loose > 0.5) & (loose < extent - 0.5)).all(axis=1)
    listed = np.stack([sites["y_nm"], sites["x_nm"]], axis=1)
    assert inside.sum() >= 4
    assert (cKDTree(listed).query(loose[inside])[0] < 0.15).mean() >= 0.8
    assert (cKDTree(loose).query(listed)[0] < 0.2).mean() >= 0.8
    assert (np.diff(sites["z"]) <= 0).all() and sites["z"].min() >= _LEAST_Z
    np.testing.assert_allclose(sites["share"], sites["z"] / found.whole)
    np.testing.assert_allclose(sites["y_px"] * SCENE.pixel_size, sites["y_nm"])
    assert (sites["pore"] == 1).all() and (sites["pore_distance_nm"] >= 0).all()


def test_where_the_sheet_is_hidden_and_at_the_edge_none_is_listed(seen) -> None:
    drawn, lattice, found = seen
    hidden = Detection(drawn.labels, vacancies=found.vacancies, unusable=np.ones(SCENE.shape))
    assert len(list_excess(drawn.micrograph, hidden, lattice)["z"]) == 0
    z = np.zeros(SCENE.shape, np.float32)
    z[3, 100] = z[100, 3] = z[100, 100] = -9  # the first two are within 1.25 lattice constants of the frame
    marked = list_excess(drawn.micrograph, Detection(drawn.labels, vacancies=z, whole=9.0), lattice)
    assert (marked["y_px"].tolist(), marked["x_px"].tolist()) == ([100.0], [100.0])


@pytest.mark.parametrize(("height", "count"), [(_LEAST_Z + 1, 0), (_CLEAR_Z + 1, 1)])
def test_beside_a_pore_a_site_must_be_clear(seen, height: float, count: int) -> None:
    """The map rings around a place that lacks a column."""
    drawn, lattice, _ = seen
    z = np.zeros(SCENE.shape, np.float32)
    z[100, 100], z[100, 100 + round(1.5 * lattice.constant_px)] = 10, -height
    found = Detection(np.zeros(SCENE.shape, np.int32), vacancies=z, whole=10.0)
    sites = list_excess(drawn.micrograph, found, lattice)
    assert len(sites["z"]) == count and np.isnan(sites["pore"]).all()


def test_without_a_sign_or_a_map_there_is_nothing(seen) -> None:
    from dataclasses import replace

    drawn, lattice, found = seen
    assert list_excess(replace(drawn.micrograph, modality="hrtem"), found, lattice) == {}
    assert list_excess(drawn.micrograph, found, None) == {}
    assert list_excess(drawn.micrograph, Detection(drawn.labels), lattice) == {}


def test_distances_are_those_of_oblong_pixels() -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[0, 4], labels[4, 0] = 1, 2
    near = find_nearest(np.array([[4, 4], [0, 4]]), labels, (0.1, 0.3))
    assert near["pore"].tolist() == [1, 1]
    np.testing.assert_allclose(near["pore_distance_nm"], [0.4, 0])
