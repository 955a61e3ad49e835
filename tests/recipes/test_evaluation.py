"""The oracle of the cached evaluation is detecting with `segment` and scoring with `score`."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from porescope import Micrograph, Recipe, grid_search, score, segment
from porescope.labels import label_regions
from porescope.recipes import parameters

#: Two values of every parameter, between which counts of a drawn image differ. A new parameter needs a line.
EVERY_FIELD = {
    "grid": np.array([4.0, 40]),
    "radius": np.array([0.0, 1]),
    "threshold": np.array([50.0, 80]),
    "area": np.array([0.0, 5]),
    "clip_limit": np.array([2.0, 40]),
    "max_aspect": np.array([1.5, 3]),
    "max_area": np.array([100.0, 2000]),
}


def draw_image(seed: int, noise: float, blobs: int, modality: str) -> tuple[Micrograph, np.ndarray]:
    """Draw dark rectangles on noise, and a standard that overlaps them partly."""
    rng = np.random.default_rng(seed)
    image = rng.normal(100, noise, (70, 90))
    standard = np.zeros(image.shape, bool)
    for _ in range(blobs):
        y, x = rng.integers(0, 60), rng.integers(0, 80)
        height, width = rng.integers(1, 12, 2)
        image[y : y + height, x : x + width] -= 90
        standard[y : y + height, x : x + rng.integers(1, 14)] = True
    return Micrograph(image, 0.03, modality), label_regions(standard)


def check_points(micrograph: Micrograph, labels: np.ndarray, scaling: str, seed: int, n: int) -> np.ndarray:
    """Compare n points of a search over every field with detecting and scoring; give the counts."""
    search = grid_search([micrograph], [labels], EVERY_FIELD, Recipe(scaling=scaling))
    counts = search.counts.reshape(-1, 6)
    for point in np.random.default_rng(seed).permutation(len(counts))[:n]:
        plain = score(labels, segment(micrograph, search.recipe_at(point)))
        assert counts[point].tolist() == plain.counts.tolist(), search.recipe_at(point)
    return search.counts[0]


def test_every_parameter_is_searched_below() -> None:
    assert set(EVERY_FIELD) == {p.name for p in parameters()}


def test_every_parameter_changes_the_counts_as_it_changes_detection() -> None:
    counts = check_points(*draw_image(1, 20, 8, "haadf"), "physical", 0, 2 ** len(EVERY_FIELD))
    for axis in range(len(EVERY_FIELD)):
        assert np.diff(counts, axis=axis).any(), axis


@given(
    seed=st.integers(0, 10_000),
    scaling=st.sampled_from(["published", "physical"]),
    modality=st.sampled_from(["haadf", "bf"]),
    noise=st.floats(0, 60),
    blobs=st.integers(0, 8),
)
@settings(max_examples=40)
def test_the_search_equals_detecting_and_scoring_point_by_point(
    seed, scaling, modality, noise, blobs
) -> None:
    check_points(*draw_image(seed, noise, blobs, modality), scaling, seed, 25)
