from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from porescope.lattice import find_lattice, map_back, plan_straightening, straighten
from porescope.simulation import Recording, Scene, simulate

#: A stretch of 1.097 along one diagonal, 0.913 along the other.
STRAIN = (-0.04, 0.08, 0.08, 0.05)


def test_a_plain_scan_needs_nothing() -> None:
    scene = Scene(shape=(200, 240), pores=0, strain=(0.01, 0.0, 0.02, 0.0), recording=Recording(jitter=0.05))
    assert plan_straightening(find_lattice(simulate(scene, seed=1).micrograph)) is None
    assert plan_straightening(None) is None


@pytest.fixture(scope="module")
def distorted():
    scene = Scene(shape=(220, 260), pores=2, max_missing=40, strain=STRAIN, recording=Recording(jitter=0.5))
    drawn = simulate(scene, seed=2)
    lattice = find_lattice(drawn.micrograph)
    return drawn, lattice, plan_straightening(lattice)


def test_distortion_and_jitter_are_measured(distorted) -> None:
    _, lattice, _ = distorted
    assert lattice.distortion == pytest.approx(0.201, abs=0.01) and not lattice.calibrates
    assert lattice.row_jitter_nm == pytest.approx(0.5 * 1.8 * 0.04, rel=0.35)


def test_the_straightened_image_has_a_perfect_lattice(distorted) -> None:
    drawn, lattice, plan = distorted
    again = find_lattice(straighten(drawn.micrograph, plan))
    assert again.distortion < 0.01
    # The corners beyond the recorded image are mirrored: their rows belong to another lattice.
    assert again.row_jitter_nm < 0.7 * lattice.row_jitter_nm
    assert again.constant_px == pytest.approx(0.3153 / 0.04, rel=0.005)


def test_maps_return_to_the_recorded_frame(distorted) -> None:
    drawn, _, plan = distorted
    smooth = cv2.GaussianBlur(drawn.micrograph.image, (0, 0), 6)
    straight = straighten(replace(drawn.micrograph, image=smooth), plan)
    assert straight.image.shape == plan.size != drawn.labels.shape
    back = map_back(straight.image, plan)
    assert np.abs(back - smooth)[4:-4, 4:-4].mean() < 0.02 * smooth.std()


def test_the_field_follows(distorted) -> None:
    drawn, _, plan = distorted
    field = np.ones(drawn.labels.shape, bool)
    field[:40] = False
    straight = straighten(replace(drawn.micrograph, field=field), plan)
    back = map_back(straight.field.astype(np.float32), plan) > 0.5
    assert (back == field).mean() > 0.97
