from __future__ import annotations

import numpy as np
import pytest

from porescope.movies import find_drift
from porescope.movies.drift import _balance
from porescope.simulation import Pore, Scene, draw_movie

PIXEL = 0.04


class Movie:
    """A simulated movie whose path is known."""

    def __init__(self, path_nm: np.ndarray, noise: float = 1.0, seed: int = 3) -> None:
        places = [(2.0, 2.2), (5.2, 3.1), (3.4, 5.9), (8.0, 8.5), (6.6, 11.2), (11.0, 9.4), (10.2, 13.0)]
        pores = tuple(Pore(place, 4 + i) for i, place in enumerate(places))
        scene = Scene(shape=(180, 190), pores=pores, dose=5e5 / noise**2)
        drawn = draw_movie(scene, len(path_nm), seed, drift=path_nm, growth=0.5)
        self.images = [frame.micrograph.image for frame in drawn]
        self.path_nm = path_nm - path_nm[0]

    def find(self, **options):
        images = self.images
        return find_drift(lambda k: (images[k], None), len(images), PIXEL, constant_nm=0.315, **options)

    def apart_px(self, places_nm: np.ndarray) -> np.ndarray:
        return np.hypot(*(places_nm - self.path_nm).T) / PIXEL


@pytest.fixture(scope="module")
def slow() -> Movie:
    rng = np.random.default_rng(0)
    k = np.arange(10)[:, None]
    return Movie(k * np.array([0.06, -0.09]) + rng.normal(0, 0.02, (10, 2)))


@pytest.mark.parametrize("noise", [1.0, 2.0])
def test_a_frame_that_moves_by_more_than_a_pore_is_placed(noise: float) -> None:
    movie = Movie(np.arange(5)[:, None] * np.array([1.1, 1.25]), noise)
    drift = movie.find()
    assert movie.apart_px(drift.places_nm).max() < 0.3
    assert (drift.n_references > 0).all() and np.nanmax(drift.residual_nm) < 0.02


def test_errors_do_not_add_up(slow: Movie) -> None:
    drift = slow.find()
    assert slow.apart_px(drift.places_nm).max() < 0.15
    # The last frame is compared with those 1, 2, 4 and 8 back, and with the oldest.
    assert drift.n_references[-1] == 5


def test_frames_of_noise_and_of_nothing_are_left_out(slow: Movie) -> None:
    images = list(slow.images)
    rng = np.random.default_rng(1)
    images[0] = rng.poisson(images[0].mean(), images[0].shape).astype(np.float32)
    images[4] = np.full_like(images[4], 7)
    images[6] = images[0][::-1].copy()
    drift = find_drift(lambda k: None if k == 8 else (images[k], None), 10, PIXEL, constant_nm=0.315)
    lost = np.isnan(drift.places_nm).all(axis=1)
    assert np.flatnonzero(lost).tolist() == [0, 4, 6, 8]
    assert (drift.n_references[lost] == 0).all()
    # The first frame that fits lies at (0, 0).
    apart = drift.places_nm - (slow.path_nm - slow.path_nm[1])
    assert np.nanmax(np.hypot(*apart.T)) / PIXEL < 0.2


def test_where_there_is_no_data_nothing_is_compared(slow: Movie) -> None:
    known = np.ones(slow.images[0].shape, bool)
    known[:, :40] = False
    images = [np.where(known, image, 1e4).astype(np.float32) for image in slow.images]
    drift = find_drift(lambda k: (images[k], known), 10, PIXEL, constant_nm=0.315)
    assert slow.apart_px(drift.places_nm).max() < 0.2


def test_a_place_out_of_reach_is_not_taken() -> None:
    movie = Movie(np.array([[0.0, 0.0], [1.6, 1.7]]))
    assert np.isfinite(movie.find().places_nm).all()
    assert movie.apart_px(movie.find(reach_nm=3.0).places_nm).max() < 0.3
    near = movie.find(reach_nm=0.5).places_nm
    assert np.isnan(near).all() or np.hypot(*near[1]) < 0.7


def test_one_frame_and_none() -> None:
    movie = Movie(np.zeros((1, 2)))
    assert movie.find().places_nm.tolist() == [[0, 0]]
    assert np.isnan(find_drift(lambda k: None, 3, PIXEL).places_nm).all()


def test_offsets_that_contradict_each_other_are_balanced() -> None:
    offsets = np.array([[1.0, 0.0], [1.0, 0.0], [2.3, 0.0]])
    places = _balance(3, np.array([0, 1, 0]), np.array([1, 2, 2]), offsets, np.ones(3))
    np.testing.assert_allclose(places, [[0, 0], [1.1, 0], [2.2, 0]], atol=1e-12)
