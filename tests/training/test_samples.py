from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers import run
from scipy import ndimage

from porescope.materials import MATERIALS
from porescope.network import CELL_PX, MODES
from porescope.simulation import Pore, Scene, simulate
from porescope.training import read_samples
from porescope.training.samples import CROP, SIDE, UNKNOWN, make_samples, render_sample, vary, weigh


def test_samples_are_at_the_networks_scale_and_their_seed_decides_all() -> None:
    one, same = make_samples("training", 3, range(6)), make_samples("training", 3, range(6))
    for a, b in zip(one, same, strict=True):
        assert a.image.shape[1:] == a.cover.shape == a.weight.shape == a.unusable.shape == (SIDE, SIDE)
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
        assert np.abs(a.image).max() < 25 and a.about.shape == (len(MODES),) and a.weight.min() >= 16


def test_some_scenes_have_nothing_but_small_pores_and_some_are_distorted() -> None:
    rng, scene = np.random.default_rng(0), Scene(pores=(Pore((2.0, 2.0), missing=40),))
    drawn = [vary(scene, rng) for _ in range(2000)]
    small = [s for s in drawn if s.pores != scene.pores]
    distorted = [s for s in drawn if s.strain != scene.strain]
    assert 0.21 < len(small) / 2000 < 0.29 and 0.16 < len(distorted) / 2000 < 0.24
    assert {pore.missing for s in small for pore in s.pores} == {1, 2, 3, 4}
    assert 0.09 < max(abs(part) for s in distorted for part in s.strain) <= 0.1
    assert not any(vary(replace(scene, pores=()), rng).pores for _ in range(50))


def test_validation_samples_stay_as_they_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """They tell of earlier networks too."""
    monkeypatch.setattr("porescope.training.samples.vary", lambda *_: pytest.fail("varied"))
    make_samples("validation", 0, range(3))


@pytest.mark.parametrize("recorded", [4.5, 13.0])
def test_truth_lies_where_the_image_shows_the_pore(recorded: float) -> None:
    side = round(SIDE * recorded / CELL_PX)
    pixel_size = MATERIALS["WS2"].constant / recorded
    extent = side * pixel_size
    centres = [(y * extent, x * extent) for y in (0.25, 0.5, 0.75) for x in (0.25, 0.5, 0.75)]
    pores = tuple(Pore(centre, radius=0.8) for centre in centres)
    scene = Scene(shape=(side, side), pixel_size=pixel_size, pores=pores, dose=1e7, contamination=0.0)
    sample = render_sample(scene, np.random.default_rng(5))
    holes, n = ndimage.label(sample.cover > 127)
    assert n == len(pores)
    dark = cv2.GaussianBlur(-sample.image[1].astype(np.float32), (0, 0), 2)
    dark = np.maximum(dark - np.median(dark), 0)
    offsets = []
    for hole in range(1, n + 1):
        near = ndimage.binary_dilation(holes == hole, iterations=4)
        seen = ndimage.center_of_mass(dark * near)
        offsets.append(np.subtract(seen, ndimage.center_of_mass(sample.cover * near)))
    # Unshifted, the truth would be off by (SIDE / side - 1) / 2: 0.39 and -0.19 px.
    np.testing.assert_allclose(np.mean(offsets, axis=0), 0, atol=0.1)


def test_a_small_pore_weighs_almost_as_much_as_a_large_one() -> None:
    labels = np.zeros((120, 130), np.int32)
    cv2.circle(labels, (30, 30), 4, 1, -1)
    cv2.circle(labels, (90, 70), 20, 2, -1)
    weight = weigh(labels)
    assert (weight[labels == 1] == 48).all() and (weight[labels == 2] == 16).all() and weight[0, 0] == 16


def test_the_surroundings_of_a_small_pore_weigh_as_much() -> None:
    labels = np.zeros((40, 50), np.int32)
    labels[15:25, 20:40] = 1  # 200 px, half of what weighs 1
    weight = weigh(labels)
    assert weight[20, 30] == 32 and weight[12, 30] == 32 and weight[20, 43] == 32
    assert weight[10, 30] == 16 and weight[20, 44] == 16


def test_labelled_images_become_samples(tmp_path: Path) -> None:
    assert (
        run("simulate", "-o", tmp_path, "--rows", 150, "--columns", 160, "--max-missing", 40).exit_code == 0
    )
    (sample,) = read_samples(tmp_path)
    truth = simulate(Scene(shape=(150, 160), max_missing=40), name="x")
    scale = CELL_PX * 0.04 / 0.3153
    assert sample.image.shape[1:] == (max(round(150 * scale), CROP),) * 2
    assert (sample.unusable == UNKNOWN).all()
    assert sample.cover.sum() / 255 == pytest.approx((truth.labels > 0).sum() * scale**2, rel=0.05)
    (tmp_path / "WS2_haadf_0_standard.tif").unlink()
    with pytest.raises(ValueError, match="holds no image with a standard beside it"):
        read_samples(tmp_path)
