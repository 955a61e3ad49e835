from __future__ import annotations

import numpy as np
import pytest

from porescope.lattice.filling import fill_by_lattice


def _draw_waves(cell: float, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """A hexagonal lattice of three waves, and its lattice vectors."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    vectors = cell * np.array([[1, 0], [0.5, np.sqrt(3) / 2]]) @ turn.T
    one, two = np.linalg.inv(vectors).T
    y, x = np.mgrid[:200, :220]
    waves = [np.cos(2 * np.pi * (f[0] * y + f[1] * x)) for f in (one, two, one - two)]
    return np.sum(waves, axis=0).astype(np.float32), vectors


@pytest.mark.parametrize(("cell", "angle"), [(8.0, 0.0), (7.37, 0.4), (11.2, 1.0)])
def test_the_lattice_goes_on_in_gaps_and_past_edges(cell: float, angle: float) -> None:
    image, vectors = _draw_waves(cell, angle)
    field = np.ones(image.shape, bool)
    field[60:75, 40:140] = False
    field[:, 200:] = False
    filled = fill_by_lattice(image * field, field, vectors)
    np.testing.assert_array_equal(filled[field], image[field])
    assert np.abs(filled - image)[~field].mean() < 0.2 * image.std()


def test_where_no_lattice_reaches_the_level_stays() -> None:
    image, vectors = _draw_waves(8.0, 0.2)
    nothing = np.zeros(image.shape, bool)
    np.testing.assert_array_equal(fill_by_lattice(image, nothing, vectors), image)
